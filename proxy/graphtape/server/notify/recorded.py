"""Notifications on tape: sent again once what was recorded before them has been played."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphtape.core.notification.change import Change, object_of, path_of
from graphtape.core.notification.payload import Notification, renewed_for
from graphtape.core.notification.place import path_at_app

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from graphtape.core.matching.body import Json
    from graphtape.core.message import Request
    from graphtape.core.notification.subscription import Subscription
    from graphtape.core.tape.outcome import Playback
    from graphtape.core.tape.session import Session


@dataclass(slots=True, kw_only=True)
class Recorded:
    """What of a session's tapes is about notifications.

    Attributes:
        play: The session.
        any: Whether a tape has notifications: then none is made up for a played write.
    """

    play: Session
    any: bool = False
    _sent: set[tuple[int, int]] = field(default_factory=set)
    _made: dict[str, str] = field(default_factory=dict)
    _subscriptions: list[tuple[Playback, int]] = field(default_factory=list)

    @classmethod
    def of(cls, play: Session) -> Recorded:
        """Look through the tapes of a session; takes time with a long one: not for the loop."""
        found = cls(play=play)
        for playback in play.playbacks:
            for index, each in enumerate(playback.recording.interactions):
                if path_at_app(each.request.url) is not None:
                    found.any = True
                elif _creates(each.request):
                    found._subscriptions.append((playback, index))
        return found

    def subscribed(self, made: Subscription) -> list[tuple[Playback, int]]:
        """Find the recorded subscription that one stands for; return where it is on tape."""
        for number, (playback, index) in enumerate(self._subscriptions):
            interaction = playback.recording.interactions[index]
            asked = object_of(interaction.request.body)
            if path_of(str(asked.get("resource"))) != path_of(made.resource):
                continue
            del self._subscriptions[number]
            known = object_of(interaction.response.body).get("id")
            if isinstance(known, str):
                self._made[known] = made.id
            self._play(interaction.request)
            return [(playback, index)]
        return []

    def rewind(self) -> None:
        """Give what was given again."""
        self._sent.clear()

    def following(self, places: Iterable[tuple[Playback, int]]) -> Iterator[Mapping[str, Json]]:
        """Give the items of the notifications right behind these interactions, each once."""
        for playback, index in places:
            interactions = playback.recording.interactions
            for at in range(index + 1, len(interactions)):
                interaction = interactions[at]
                if path_at_app(interaction.request.url) is None:
                    break
                if (id(playback), at) in self._sent:
                    continue
                self._sent.add((id(playback), at))
                self._play(interaction.request)
                value = object_of(interaction.request.body).get("value")
                items = value if isinstance(value, list) else []
                yield from (each for each in items if isinstance(each, dict))

    def addressed(
        self, item: Mapping[str, Json], active: Iterable[Subscription]
    ) -> tuple[Notification, Change] | None:
        """Return an item for the subscription of now; None where there is none."""
        change = Change(
            path=path_of(str(item.get("resource", ""))), type=str(item.get("changeType", ""))
        )
        wanted = self._made.get(str(item.get("subscriptionId")))
        for each in active:
            if each.id == wanted or (wanted is None and each.wants(change) is not None):
                return renewed_for(each, item), change
        return None

    def _play(self, request: Request) -> None:
        found = self.play.find(request)
        if found is not None:
            self.play.played(found)


def _creates(request: Request) -> bool:
    path = tuple(segment.lower() for segment in path_of(request.url))
    return request.method == "POST" and path == ("subscriptions",)
