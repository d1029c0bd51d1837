"""The subscriptions of one session, and what they are told."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from graphtape.core.notification.change import segments_of
from graphtape.core.notification.kind import LIFECYCLE
from graphtape.core.notification.payload import (
    Notification,
    lifecycle_notification,
    notification,
)
from graphtape.core.notification.register import Register
from graphtape.server.notify.outbox import Dispatch, Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from graphtape.core.notification.change import Change
    from graphtape.core.notification.conduct import Conduct
    from graphtape.core.notification.subscription import Subscription
    from graphtape.server.notify.app import App


REAUTHORIZE, REMOVED, MISSED = LIFECYCLE


@dataclass(slots=True, kw_only=True)
class Webhooks:
    """What a session knows of its app's subscriptions. For the loop's own thread.

    Attributes:
        app: Where notifications go.
        conduct: How long is waited for it.
        clock: Unix seconds.
        register: The subscriptions.
        outbox: What they are told.
    """

    app: App
    conduct: Conduct
    clock: Callable[[], float]
    register: Register = field(default_factory=Register)
    outbox: Outbox = field(init=False)
    _asked: set[str] = field(default_factory=set)
    _watched: bool = False

    def __post_init__(self) -> None:
        """Have nothing to tell yet."""
        self.outbox = Outbox(app=self.app, conduct=self.conduct, is_active=self.is_active)

    def now(self) -> datetime:
        """Return the time, UTC."""
        return datetime.fromtimestamp(self.clock(), UTC)

    def is_active(self, id: str) -> bool:  # noqa: A002 - Graph's own word
        """Tell whether a subscription still is."""
        return self.register.find(id, now=self.now()) is not None

    def tell(self, changes: Iterable[tuple[Change, ...]]) -> list[Dispatch]:
        """Notify of changes, those for one URL in one POST.

        Args:
            changes: Of each call what it may have changed, the likeliest first; a subscription is
                told of the first that it wants.
        """
        by_url: dict[str, list[Notification]] = {}
        for may in changes:
            for subscription in self.register.active(now=self.now()):
                told = _told(subscription, may)
                if told is not None:
                    by_url.setdefault(subscription.url, []).append(told)
        return [self.outbox.send(told, url=url) for url, told in by_url.items()]

    def tell_lifecycle(self, event: str, *, resource: str = "") -> list[Dispatch]:
        """Send a lifecycle event to the subscriptions that take it, those of one URL in one POST.

        Args:
            event: `reauthorizationRequired`, `subscriptionRemoved` (which ends it) or `missed`.
            resource: What is subscribed to; all subscriptions where it is empty.
        """
        segments = segments_of(resource)
        active = self.register.active(now=self.now())
        meant = [each for each in active if not segments or each.segments == segments]
        by_url: dict[str, list[Notification]] = {}
        for subscription in meant:
            url = subscription.lifecycle_url
            if url is None or event not in subscription.kind.lifecycle:
                continue
            if event == REMOVED:
                self.register.drop(subscription.id)
            elif event == REAUTHORIZE:
                self._asked.add(subscription.id)
            told = lifecycle_notification(subscription, event)
            by_url.setdefault(url, []).append(told)
        return [self.outbox.send(told, url=url) for url, told in by_url.items()]

    def authorized(self, subscription: Subscription) -> None:
        """See a subscription made, renewed or reauthorized."""
        self._asked.discard(subscription.id)
        if not self._watched:
            self._watched = True
            self.outbox.start(self._watch())

    async def _watch(self) -> None:
        """Ask apps to reauthorize subscriptions that are about to end."""
        while True:
            await asyncio.sleep(self.conduct.watch)
            soon = self.now() + timedelta(seconds=self.conduct.warning)
            for each in self.register.active(now=self.now()):
                if each.expires <= soon and each.id not in self._asked:
                    self._asked.add(each.id)
                    if each.lifecycle_url is not None:
                        told = lifecycle_notification(each, REAUTHORIZE)
                        self.outbox.send([told], url=each.lifecycle_url)

    async def close(self) -> None:
        """Give up what is still on its way."""
        await self.outbox.close()


def _told(subscription: Subscription, may: Iterable[Change]) -> Notification | None:
    for change in may:
        change_type = subscription.wants(change)
        if change_type is not None:
            return notification(subscription, change, change_type, id=str(uuid.uuid4()))
    return None
