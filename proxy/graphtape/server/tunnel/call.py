"""A client that asks for a tunnel."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core.graph.link import shown
from graphtape.core.journal import Entry, Source
from graphtape.core.message import Headers, Request
from graphtape.server.http.connection import Connection
from graphtape.server.http.errors import own_error
from graphtape.server.http.response import LastByte, Sent, respond
from graphtape.server.replay.reply import outgoing_of
from graphtape.server.session.live_session import EPOCH

if TYPE_CHECKING:
    import asyncio

    from aiohttp.web import BaseRequest

    from graphtape.core.errors import RequestError, UpstreamError
    from graphtape.server.session.live_session import LiveSession
    from graphtape.server.transaction import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A client that asks for a tunnel.

    Attributes:
        began: `time.perf_counter()` at its arrival.
    """

    http: BaseRequest
    services: Services
    session: LiveSession
    began: float

    def journal(self, status: int, source: Source, note: str) -> None:
        """Note what became of it."""
        session = self.session
        entry = Entry(
            number=session.play.journal.number(),
            method="CONNECT",
            url=session.clean.url(f"https://{shown(self.http.raw_path)}"),
            status=status,
            source=source,
            at=EPOCH + self.began,
            milliseconds=(time.perf_counter() - self.began) * 1000,
            note=session.clean.text(note),
        )
        self.services.note(session, entry)

    async def refuse(self, exc: RequestError | UpstreamError) -> Sent:
        """Answer with an error of ours, and end the connection."""
        http = self.http
        asked = Request(
            method="CONNECT", url=http.raw_path, headers=Headers.of(http.headers.items())
        )
        error = own_error(asked, exc.code, str(exc), status=exc.status)
        last_byte = LastByte(http)
        last_byte.keep_alive = False
        async with respond(http, outgoing_of(error, Source.REFUSED, None), last=last_byte):
            await last_byte()
        self.journal(exc.status, Source.REFUSED, str(exc))
        # aiohttp takes what follows a CONNECT for its body, and would wait for the end of that.
        http.protocol.force_close()
        return last_byte.sent(exc.status)

    def detach(self) -> tuple[asyncio.Transport, bytes, bool]:
        """Give the transport, as `Connection.detach` gives it; nothing is read."""
        connection = self.http.protocol
        assert isinstance(connection, Connection)  # noqa: S101 - the data port makes no other
        transport, tail, ended = connection.detach()
        if not ended:
            transport.pause_reading()
        return transport, tail, ended
