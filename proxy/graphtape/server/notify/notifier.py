"""Change notifications in the pipeline: which requests are about them, and what sends some."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, assert_never

from graphtape.core.graph.batch import answers_of
from graphtape.core.journal import Source
from graphtape.core.notification.change import Change, changes_by, path_of
from graphtape.core.notification.conduct import Conduct
from graphtape.core.tape.outcome import Assemble, Inject, Refuse, Replay
from graphtape.core.tape.question import Batch
from graphtape.server.http.delivery import Delivery
from graphtape.server.notify import endpoint
from graphtape.server.notify.app import App
from graphtape.server.notify.judge import Judge
from graphtape.server.notify.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from graphtape.core.matching.body import Json
    from graphtape.core.message import Response
    from graphtape.core.scenario.notice import Notice, NoticeFault
    from graphtape.core.tape.outcome import Outcome, Playback
    from graphtape.core.tape.question import Question
    from graphtape.server.http.response import Sent
    from graphtape.server.notify.data import Signing
    from graphtape.server.session.live_session import LiveSession
    from graphtape.server.transaction import Transaction

_NOTE = "change notifications: answered by Graphtape"


@dataclass(slots=True, kw_only=True)
class Notifier:
    """Answers `/subscriptions` in Graph's place, for sessions that only play.

    Attributes:
        origin: Of the app that is notified: scheme, host and port.
        conduct: How long is waited for it.
        clock: Unix seconds; subscriptions expire by it.
    """

    origin: str
    conduct: Conduct = field(default_factory=Conduct)
    clock: Callable[[], float] = time.time
    _called: App = field(init=False)
    _open: list[LiveSession] = field(default_factory=list)
    _signing: Signing | None = None
    _making: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __aenter__(self) -> Self:
        self._called = App(origin=self.origin, limit=self.conduct.limit)
        await self._called.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for live in [*self._open]:
            await self.forget(live)
        await self._called.__aexit__(exc_type, exc, traceback)

    def webhooks(self, live: LiveSession) -> Webhooks:
        """Return what a session knows of its app's subscriptions."""
        if live.webhooks is None:
            judge = Judge(verdicts=live.verdicts, clean=live.clean, advised=self.conduct.advised)
            live.webhooks = Webhooks(
                app=self._called,
                conduct=self.conduct,
                clock=self.clock,
                play=live.play,
                signing_of=self._sign,
                judge=judge,
            )
            self._open.append(live)
        return live.webhooks

    @property
    def keys(self) -> tuple[Mapping[str, Json], ...]:
        """Public keys that verify `validationTokens`; none before the first rich subscription."""
        return () if self._signing is None else (self._signing.signer.public,)

    async def _sign(self) -> Signing:
        async with self._making:
            if self._signing is None:
                from graphtape.server.notify.data import Signing  # noqa: PLC0415 - few hold data

                self._signing = await Signing.new(self.clock)
            return self._signing

    async def forget(self, live: LiveSession) -> None:
        """Give up what a session that ends would still tell."""
        if live.webhooks is not None:
            self._open.remove(live)
            await live.webhooks.close()
            live.webhooks = None

    async def answer(self, transaction: Transaction, outcome: Outcome) -> Sent | None:
        """Answer a request for `/subscriptions`; None for any other.

        What a scenario answers in Graph's place is left to it.
        """
        live, request = transaction.session, transaction.request
        if live.webhooks is not None:
            live.webhooks.judge.called(transaction.number, request)
        if (
            live.play.forwards
            or not isinstance(outcome, (Replay, Refuse))
            or not endpoint.is_subscription_call(request)
        ):
            return None
        delivery = Delivery()
        bend = None
        if isinstance(outcome, Replay):
            live.play.release(outcome)
            bend = outcome.bend
            delivery = Delivery.of(bend)
        webhooks = self.webhooks(live)
        answer = await endpoint.answer(request, webhooks)
        if bend is not None:
            answer = bend.apply(answer)
        last_byte = await transaction.answer(answer, Source.INJECTED, note=_NOTE, delivery=delivery)
        webhooks.follow_new()
        self.noticed(live, () if bend is None else bend.notices)
        return last_byte.sent(answer.status)

    def played(
        self,
        transaction: Transaction,
        question: Question,
        outcome: Replay | Assemble | Inject,
        response: Response,
    ) -> None:
        """Notify of what an answered request changed, and of what a scenario says.

        Args:
            transaction: The request.
            question: What it asks.
            outcome: What answered it.
            response: As it went out.
        """
        changes: list[tuple[Change, ...]] = []
        notices: tuple[Notice, ...] = ()
        match outcome:
            case Replay(bend=bend):
                if not isinstance(question.batch, Batch):
                    changes.append(changes_by(transaction.request, response))
                else:
                    changes += _changes_by_parts(question.batch, response)
                notices = () if bend is None else bend.notices
            case Assemble(bend=bend, directed=directed):
                if isinstance(question.batch, Batch):
                    changes += _changes_by_parts(question.batch, response, outcome)
                notices = () if bend is None else bend.notices
                notices += () if directed is None else directed.notices
            case Inject(answer=answer):
                notices = answer.notices
            case _:
                assert_never(outcome)
        webhooks = transaction.session.webhooks
        if webhooks is not None:  # else nobody has subscribed
            if webhooks.recorded is not None and webhooks.recorded.any:
                webhooks.follow(_places(outcome))
                changes = []
            _tell(webhooks, filter(None, changes), notices)

    def noticed(self, live: LiveSession, notices: Sequence[Notice]) -> None:
        """Notify of what a scenario says."""
        if live.webhooks is not None:
            _tell(live.webhooks, (), notices)


def _places(outcome: Replay | Assemble | Inject) -> list[tuple[Playback, int]]:
    """Return where on tape an answer is from."""
    match outcome:
        case Replay():
            return [(outcome.playback, outcome.index)]
        case Assemble():
            return [(each.playback, each.index) for each in outcome.replays]
        case _:
            return []


def _tell(
    webhooks: Webhooks, changes: Iterable[tuple[Change, ...]], notices: Sequence[Notice]
) -> None:
    """Tell of what a call changed, and of what a scenario says, as much as can be in one POST."""
    by_fault: dict[NoticeFault | None, list[tuple[Change, ...]]] = {None: []}
    own: NoticeFault | None = None
    for each in notices:
        if each.lifecycle is None and each.resource:
            change = Change(path=path_of(each.resource), type=each.change_type)
            by_fault.setdefault(each.fault, []).append((change,))
        elif each.lifecycle is None:
            own = each.fault
    by_fault[own] = [*changes, *by_fault.get(own, ())]
    for fault, may in by_fault.items():
        webhooks.tell(may, fault=fault)
    for each in notices:  # afterwards: one that is removed is told of the change as well
        if each.lifecycle is not None:
            webhooks.tell_lifecycle(each.lifecycle, resource=each.resource)


def _changes_by_parts(
    batch: Batch, response: Response, assembled: Assemble | None = None
) -> Iterator[tuple[Change, ...]]:
    """Return what each part may have changed; of an assembled answer those from tape alone."""
    answers = answers_of(response)
    for part in batch.ordered:
        played = assembled is None or isinstance(assembled.found[part.id], Replay)
        if played and part.id in answers:
            yield changes_by(part.request, answers[part.id])
