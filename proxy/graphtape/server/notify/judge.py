"""Verdicts on an app that is notified."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphtape.core.graph.actions import short
from graphtape.core.notification.suspicion import Suspicion
from graphtape.core.verdict.verdict import Kind, Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from graphtape.core.message import Request
    from graphtape.core.notification.register import Register
    from graphtape.core.notification.subscription import Subscription
    from graphtape.core.redaction import Redactor
    from graphtape.core.verdict.tally import Tally
    from graphtape.server.notify.outbox import Attempt, Dispatch


@dataclass(slots=True, kw_only=True)
class Judge:
    """Sees what the app of a session does, and says what Graph's documentation advises against.

    Attributes:
        verdicts: Where it is said.
        clean: Keeps secrets and identities out of it.
        advised: Seconds within which an app is to answer.
        newest: The number of the request that came last.
    """

    verdicts: Tally
    clean: Redactor
    advised: float
    newest: int = 0
    _suspicion: Suspicion = field(default_factory=Suspicion)
    _owed: dict[str, Subscription] = field(default_factory=dict)

    def answered(self, dispatch: Dispatch, attempt: Attempt) -> None:
        """See an answer to notifications, or that there was none."""
        if attempt.accepted:
            self._suspicion.named(dispatch.notifications, wrongly=dispatch.wrongly)
        if attempt.milliseconds > self.advised * 1000:
            after = f"{attempt.milliseconds / 1000:.1f} s"
            how = f"was answered after {after}" if attempt.status else f"had no answer in {after}"
            text = f"notification {dispatch.number} {how}; answer within {self.advised:g} s"
            self._say(Kind.SLOW_ACKNOWLEDGEMENT, text)

    def called(self, number: int, request: Request) -> None:
        """See a request of the app, or of any other client."""
        self.newest = number
        if self._suspicion.meets(request.url):
            url = self.clean.url(request.url.partition("?")[0])
            text = (
                f"request {number} ({request.method} {short(url)}) is about what only a "
                "notification with a wrong clientState named"
            )
            self._say(Kind.WRONG_CLIENT_STATE, text)

    def asked(self, subscription: Subscription) -> None:
        """See an app asked to reauthorize a subscription."""
        self._owed[subscription.id] = subscription

    def renewed(self, subscription: Subscription) -> None:
        """See a subscription made, renewed or reauthorized."""
        self._owed.pop(subscription.id, None)

    def ended(self, register: Register, *, now: datetime) -> None:
        """See the session end."""
        for each in register.expired(now=now):
            self._owed.pop(each.id, None)
            self._say(Kind.NEVER_RENEWED, f"the subscription to {self._of(each)} expired")
        for each in self._owed.values():
            if register.find(each.id, now=now) is not None:
                asked = f"was asked to reauthorize the subscription to {self._of(each)}"
                self._say(Kind.NEVER_RENEWED, f"the app {asked}, and didn't")

    def _of(self, subscription: Subscription) -> str:
        return repr(self.clean.text(subscription.resource))

    def _say(self, kind: Kind, text: str) -> None:
        self.verdicts.add([Verdict(kind=kind, number=self.newest, text=text)])
