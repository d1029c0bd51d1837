"""Graph's notifications on their way to the app, and onto the tape."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs

from graphtape.core.journal import Source
from graphtape.core.message import Headers, Response
from graphtape.core.notification.place import path_at_app
from graphtape.server.http.request import ask_for_body, read_body
from graphtape.server.notify.app import App, TooSlowError, UnreachableError

if TYPE_CHECKING:
    from types import TracebackType

    from graphtape.server.http.response import Sent
    from graphtape.server.transaction import Transaction

_LIMIT = 10.0
"""Seconds, as Graph gives an app."""


@dataclass(slots=True, kw_only=True)
class Receiver:
    """Passes on what arrives below `/_notifications`.

    Attributes:
        origin: Of the app: scheme, host and port.
    """

    origin: str
    _called: App = field(init=False)

    async def __aenter__(self) -> Self:
        self._called = App(origin=self.origin, limit=_LIMIT)
        await self._called.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._called.__aexit__(exc_type, exc, traceback)

    async def receive(self, transaction: Transaction) -> Sent | None:
        """Pass a notification on, and record it; None for any other request.

        Validations are passed on and not recorded: a replay makes its own.
        """
        path = path_at_app(transaction.request.url)
        if path is None:
            return None
        services = transaction.services
        ask_for_body(transaction.http)
        await read_body(
            transaction.incoming,
            transaction.http,
            whole=True,
            limit=services.max_body,
            tape_root=services.upstream.tape_root,
        )
        request = transaction.request
        media = request.headers.get("Content-Type") or "application/json"
        try:
            found = await self._called.post(self.origin + path, request.body, media)
        except (TooSlowError, UnreachableError) as exc:
            return await transaction.error(
                "GraphtapeNotification", f"the app at {self.origin}: {exc}", status=502
            )
        answer = Response(
            status=found.status,
            reason=_reason(found.status),
            headers=Headers.of([("Content-Type", found.media)]),
            body=found.body,
        )
        recorder = transaction.session.recorder
        if recorder is None or "validationToken" in parse_qs(path.partition("?")[2]):
            note = "a validation of a notification URL, not recorded"
            sent = await transaction.answer(answer, Source.PASSED, note=note)
            return sent.sent(answer.status)
        place = recorder.begin()
        lost = await recorder.keep(place, request, answer)
        index = None if lost else recorder.index(place)
        source = Source.PASSED if lost else Source.RECORDED
        note = lost or "a notification, passed on to the app"
        last_byte = await transaction.answer(answer, source, index=index, note=note)
        return last_byte.sent(answer.status)


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
