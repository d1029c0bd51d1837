"""A request that can be answered at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphtape.core.journal import Entry, Source
from graphtape.core.position import aside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphtape.core.plan import Deck
    from graphtape.core.position import How
    from graphtape.core.verdict import Kind
    from graphtape.server.live_session import LiveSession


class Ticket:
    """A request that can be answered at once, and what answers it.

    The journal keeps it with each of its entries, so it is small.

    Attributes:
        live: Its session.
        deck: The one that answers.
        answers: The slots of its key.
        kinds: Verdicts that each repeat earns.
        url: Graph's, as the client sent it.
        base: The proxy's address as the client knows it, session prefix included.
        called: Whether the client sends an id to be given back.
    """

    __slots__ = ("answers", "base", "called", "deck", "kinds", "live", "url")

    def __init__(
        self,
        *,
        live: LiveSession,
        deck: Deck,
        answers: Sequence[int],
        kinds: tuple[Kind, ...],
        url: str,
        base: str,
        called: bool,
    ) -> None:
        """Begin with no answer given."""
        self.live = live
        self.deck = deck
        self.answers = answers
        self.kinds = kinds
        self.url = url
        self.base = base
        self.called = called

    def entry(self, number: int, slot: int, how: How, milliseconds: float) -> Entry:
        """Write a journal's entry of one request."""
        recording = self.deck.recording
        index = recording.playable.interactions[slot]
        return Entry(
            number=number,
            method="GET",
            url=self.live.clean.url(self.url),
            status=recording.interactions[index].response.status,
            source=Source.REPLAYED,
            interaction=index,
            milliseconds=milliseconds,
            note=aside(how),
        )
