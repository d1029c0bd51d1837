"""Change notifications in the pipeline: which requests are about them, and what sends some."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from graphtape.core.journal import Source
from graphtape.core.notification.conduct import Conduct
from graphtape.core.tape.outcome import Refuse, Replay
from graphtape.server.http.delivery import Delivery
from graphtape.server.notify import endpoint
from graphtape.server.notify.app import App
from graphtape.server.notify.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from graphtape.core.tape.outcome import Outcome
    from graphtape.server.http.response import Sent
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
        await self._called.__aexit__(exc_type, exc, traceback)

    def webhooks(self, live: LiveSession) -> Webhooks:
        """Return what a session knows of its app's subscriptions."""
        if live.webhooks is None:
            live.webhooks = Webhooks(app=self._called, conduct=self.conduct, clock=self.clock)
        return live.webhooks

    async def answer(self, transaction: Transaction, outcome: Outcome) -> Sent | None:
        """Answer a request for `/subscriptions`; None for any other.

        What a scenario answers in Graph's place is left to it.
        """
        live, request = transaction.session, transaction.request
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
        answer = await endpoint.answer(request, self.webhooks(live))
        if bend is not None:
            answer = bend.apply(answer)
        last_byte = await transaction.answer(answer, Source.INJECTED, note=_NOTE, delivery=delivery)
        return last_byte.sent(answer.status)
