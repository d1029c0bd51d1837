"""The subscriptions of one session, and what they are told."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, assert_never

from graphtape.core.notification.change import segments_of
from graphtape.core.notification.kind import LIFECYCLE
from graphtape.core.notification.payload import (
    Notification,
    expired,
    lifecycle_notification,
    notification,
    with_wrong_state,
)
from graphtape.core.notification.register import Register
from graphtape.core.scenario.notice import NoticeFault
from graphtape.server.notify.outbox import Dispatch, Outbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from graphtape.core.notification.change import Change
    from graphtape.core.notification.conduct import Conduct
    from graphtape.core.notification.subscription import Subscription
    from graphtape.core.tape.outcome import Playback
    from graphtape.core.tape.session import Session
    from graphtape.server.notify.app import App
    from graphtape.server.notify.data import Signing
    from graphtape.server.notify.judge import Judge
    from graphtape.server.notify.recorded import Recorded


REAUTHORIZE, REMOVED, MISSED = LIFECYCLE


@dataclass(slots=True, kw_only=True)
class Webhooks:
    """What a session knows of its app's subscriptions. For the loop's own thread.

    Attributes:
        app: Where notifications go.
        conduct: How long is waited for it.
        clock: Unix seconds.
        play: The session's tapes.
        signing_of: Gives the key that signs what holds data; the same one each time.
        judge: Sees what the app does.
        register: The subscriptions.
        outbox: What they are told.
        signing: None before the first subscription that asks for data.
        recorded: What the tapes have of notifications; None before the first subscription.
    """

    app: App
    conduct: Conduct
    clock: Callable[[], float]
    play: Session
    signing_of: Callable[[], Awaitable[Signing]]
    judge: Judge
    register: Register = field(default_factory=Register)
    outbox: Outbox = field(init=False)
    signing: Signing | None = None
    recorded: Recorded | None = None
    _new: list[Subscription] = field(default_factory=list)
    _held: asyncio.Event | None = None
    _asked: set[str] = field(default_factory=set)
    _watched: bool = False

    def __post_init__(self) -> None:
        """Have nothing to tell yet."""
        self.outbox = Outbox(
            app=self.app,
            conduct=self.conduct,
            tokens=self._tokens,
            is_active=self.is_active,
            on_answer=self.judge.answered,
        )

    def now(self) -> datetime:
        """Return the time, UTC."""
        return datetime.fromtimestamp(self.clock(), UTC)

    def is_active(self, id: str) -> bool:  # noqa: A002 - Graph's own word
        """Tell whether a subscription still is."""
        return self.register.find(id, now=self.now()) is not None

    def wants(self, change: Change) -> bool:
        """Tell whether a subscription is about a change."""
        active = self.register.active(now=self.now())
        return any(each.wants(change) is not None for each in active)

    def tell(
        self, changes: Iterable[tuple[Change, ...]], *, fault: NoticeFault | None = None
    ) -> list[Dispatch]:
        """Notify of changes, those for one URL in one POST.

        Args:
            changes: Of each call what it may have changed, the likeliest first; a subscription is
                told of the first that it wants.
            fault: What goes wrong with it.
        """
        by_url: dict[str, list[Notification]] = {}
        for may in changes:
            for subscription in self.register.active(now=self.now()):
                told = self._told(subscription, may)
                if told is not None:
                    by_url.setdefault(subscription.url, []).append(told)
        return [
            dispatch
            for url, told in by_url.items()
            for dispatch in self._sent(told, url=url, fault=fault)
        ]

    def _sent(
        self, told: list[Notification], *, url: str, fault: NoticeFault | None
    ) -> list[Dispatch]:
        """Send notifications of changes, with what goes wrong with them."""
        outbox, late = self.outbox, self.conduct.late / self.conduct.hurry
        match fault:
            case NoticeFault.DOUBLED:
                sent = [outbox.send(told, url=url), outbox.send(told, url=url)]
            case NoticeFault.LATE:
                sent = [outbox.send(told, url=url, wait=late)]
            case NoticeFault.WRONG_CLIENT_STATE:
                wrong = [with_wrong_state(each) for each in told]
                sent = [outbox.send(wrong, url=url, wrongly=True)]
            case NoticeFault.AFTER_EXPIRY:
                for each in told:
                    self.register.drop(each.subscription.id)
                sent = [outbox.send([expired(each, now=self.now()) for each in told], url=url)]
            case NoticeFault.MISSED:
                sent = self._missed(told)
            case NoticeFault.OUT_OF_ORDER if self._held is None:
                self._held = asyncio.Event()
                sent = [outbox.send(told, url=url, wait=late, behind=self._held)]
            case NoticeFault.OUT_OF_ORDER | None:
                sent = [self._overtaking(outbox.send(told, url=url))]
            case _:
                assert_never(fault)
        return sent

    def _told(self, subscription: Subscription, may: Iterable[Change]) -> Notification | None:
        for change in may:
            change_type = subscription.wants(change)
            if change_type is None:
                continue
            told = notification(subscription, change, change_type, id=str(uuid.uuid4()))
            if subscription.rich:
                self._add_data(told, change)
            return told
        return None

    def _tokens(self, told: Sequence[Notification]) -> list[str]:
        return [] if self.signing is None else self.signing.tokens(told)

    async def add(self, subscription: Subscription) -> None:
        """Keep a new subscription; before its app hears of it, so that nothing is lost."""
        if subscription.rich:
            self.signing = await self.signing_of()
        if self.recorded is None:
            from graphtape.server.notify.recorded import Recorded  # noqa: PLC0415 - once it is used

            self.recorded = await asyncio.to_thread(Recorded.of, self.play)
        self.register.put(subscription)
        self.authorized(subscription)
        self._new.append(subscription)

    def follow_new(self) -> None:
        """Tell new subscriptions what the tape has behind their like, once their app knows them."""
        new, self._new = self._new, []
        for each in new:
            if self.recorded is not None:
                self.follow(self.recorded.subscribed(each))

    def rewind(self) -> None:
        """Tell what is on tape again; subscriptions stay."""
        if self.recorded is not None:
            self.recorded.rewind()

    def follow(self, places: Iterable[tuple[Playback, int]]) -> None:
        """Tell what was recorded right behind interactions that have been played."""
        if self.recorded is None or not self.recorded.any:
            return
        for item in self.recorded.following(places):
            found = self.recorded.addressed(item, self.register.active(now=self.now()))
            if found is None:
                continue
            told, change = found
            subscription = told.subscription
            event = "lifecycleEvent" in told.fields
            if subscription.rich and not event:
                self._add_data(told, change)
            url = subscription.lifecycle_url if event else subscription.url
            if url is not None:
                self.outbox.send([told], url=url)

    def _add_data(self, told: Notification, change: Change) -> None:
        from graphtape.server.notify.data import content  # noqa: PLC0415 - few hold data

        encrypted = content(told.subscription, change, self.play)
        if encrypted is not None:
            told.fields["encryptedContent"] = encrypted

    def _overtaking(self, dispatch: Dispatch) -> Dispatch:
        """Let what is held back follow this one."""
        if self._held is not None:
            self.outbox.start(_set_after(self._held, dispatch))
            self._held = None
        return dispatch

    def _missed(self, told: Iterable[Notification]) -> list[Dispatch]:
        """Leave notifications out; send the event to those that take it."""
        subscriptions = {each.subscription.id: each.subscription for each in told}
        return [
            self.outbox.send([lifecycle_notification(each, MISSED)], url=each.lifecycle_url)
            for each in subscriptions.values()
            if each.lifecycle_url is not None and MISSED in each.kind.lifecycle
        ]

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
                self.judge.asked(subscription)
            told = lifecycle_notification(subscription, event)
            by_url.setdefault(url, []).append(told)
        return [self.outbox.send(told, url=url) for url, told in by_url.items()]

    def authorized(self, subscription: Subscription) -> None:
        """See a subscription made, renewed or reauthorized."""
        self._asked.discard(subscription.id)
        self.judge.renewed(subscription)
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
                        self.judge.asked(each)
                        told = lifecycle_notification(each, REAUTHORIZE)
                        self.outbox.send([told], url=each.lifecycle_url)

    async def close(self) -> None:
        """Give up what is still on its way, and judge what the app left undone."""
        await self.outbox.close()
        self.judge.ended(self.register, now=self.now())


async def _set_after(event: asyncio.Event, dispatch: Dispatch) -> None:
    await dispatch.done.wait()
    event.set()
