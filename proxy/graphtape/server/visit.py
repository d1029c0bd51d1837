"""One request on its way through the proxy."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

from graphtape.core.graph import error_response
from graphtape.core.journal import Entry, Source
from graphtape.core.origin import localise
from graphtape.server.answer import LastByte, Outgoing, Sent, respond

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.web import BaseRequest

    from graphtape.core.message import Request, Response
    from graphtape.core.origin import Upstream
    from graphtape.server.incoming import Incoming
    from graphtape.server.sessions import LiveSession, Sessions
    from graphtape.server.upstream import UpstreamClient

CALLER_ID = "client-request-id"
"""Graph repeats it in the answer, where the caller sent one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What the pipeline needs besides a request.

    Attributes:
        sessions: The open ones.
        upstream: Where to forward to; its roots are those on tape.
        client: The way there; None where nothing is ever forwarded.
        max_body: Bytes; a larger body is passed on and left off the tape.
        on_entry: Told of each request that is done.
    """

    sessions: Sessions
    upstream: Upstream
    client: UpstreamClient | None
    max_body: int
    on_entry: Callable[[Entry], None]


@dataclass(slots=True, kw_only=True)
class Visit:
    """A request that has arrived at a session.

    Attributes:
        began: `time.perf_counter()` at its arrival.
        number: In the session's journal.
    """

    http: BaseRequest
    gate: Gate
    incoming: Incoming
    session: LiveSession
    began: float
    number: int = field(init=False)

    def __post_init__(self) -> None:
        self.number = self.session.play.journal.number()

    @property
    def request(self) -> Request:
        """The request as Graph is to see it."""
        return self.incoming.request

    async def answer(
        self, response: Response, source: Source, *, index: int | None = None, note: str = ""
    ) -> LastByte:
        """Send a whole answer, its links pointing back at the proxy; journal it."""
        local = localise(response, self.incoming.base)
        outgoing = Outgoing(
            status=local.status, reason=local.reason, headers=local.headers, body=local.body
        )
        async with respond(self.http, marked(outgoing, source, index)) as last_byte:
            await last_byte()
        self.journal(local.status, source, index=index, note=note)
        return last_byte

    async def error(
        self, code: str, message: str, *, status: int, source: Source = Source.REFUSED
    ) -> Sent:
        """Answer with a Graph-shaped error of our own."""
        response = own_error(self.request, code, message, status=status)
        return (await self.answer(response, source, note=message)).sent(status)

    def journal(
        self, status: int, source: Source, *, index: int | None = None, note: str = ""
    ) -> None:
        """Note what became of the request."""
        entry = Entry(
            number=self.number,
            method=self.request.method,
            url=self.session.clean.url(self.request.url),
            status=status,
            source=source,
            interaction=index,
            milliseconds=(time.perf_counter() - self.began) * 1000,
            note=self.session.clean.text(note) if note else "",
        )
        self.session.play.journal.add(entry)
        self.gate.on_entry(entry)


def marked(outgoing: Outgoing, source: Source, index: int | None) -> Outgoing:
    """Say in the headers where an answer came from."""
    headers = outgoing.headers.add("Graphtape-Result", source.value)
    if index is not None:
        headers = headers.add("Graphtape-Interaction", str(index))
    return Outgoing(
        status=outgoing.status,
        reason=outgoing.reason,
        headers=headers,
        body=outgoing.body,
        length=outgoing.length,
    )


def own_error(request: Request, code: str, message: str, *, status: int) -> Response:
    """Shape an error of ours as Graph's, so that it surfaces in the SDK's own exception."""
    now = datetime.now(UTC)
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = code
    return error_response(
        code,
        message,
        status=status,
        reason=reason,
        date=now.strftime("%Y-%m-%dT%H:%M:%S"),
        request_id=str(uuid.uuid4()),
        client_request_id=request.headers.get(CALLER_ID),
    )


def refreshed(response: Response, request: Request) -> Response:
    """Return a recorded answer with today's Date and the caller's own id, as Graph would."""
    headers = response.headers.without("Transfer-Encoding", "Connection", "Keep-Alive")
    headers = headers.set("Date", formatdate(usegmt=True))
    caller = request.headers.get(CALLER_ID)
    if caller is not None:
        headers = headers.set(CALLER_ID, caller)
    return type(response)(
        status=response.status, reason=response.reason, headers=headers, body=response.body
    )
