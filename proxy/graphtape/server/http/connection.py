"""The data port's HTTP server: what aiohttp refuses by itself is refused in Graph's shape."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from graphtape.core.message import Request
from graphtape.server.http.errors import own_error
from graphtape.server.http.half_close import HalfClosing
from graphtape.server.http.unreadable import unreadable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http_parser import RawRequestMessage
    from aiohttp.streams import StreamReader

    from graphtape.server.replay.known import Decided

    Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

log = logging.getLogger("graphtape")

MAX_LINE = 64 * 1024
"""Bytes of a request or header line: nextLinks and tokens outgrow aiohttp's 8,190."""

_ADVICE = "send plain HTTP/1.1, each header line under 64 KiB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Which host a connection stands for: a client means to speak to it, through a tunnel.

    Attributes:
        host: One of Graph's, or one that people sign in at.
        session: The id that the client gave as it asked for the tunnel, or None.
        refused: Why no request is served there; empty where they are.
    """

    host: str
    session: str | None = None
    refused: str = ""


class DataRequest(web.BaseRequest):
    """A request on the data port.

    Attributes:
        decided: What was decided of it as its bytes arrived; None where a task decides.
    """

    decided: Decided | None = None


class Connection(HalfClosing):
    """One connection.

    Attributes:
        standing: What it stands for; None for the proxy itself.
    """

    __slots__ = ("standing",)

    standing: Standing | None

    def eof_received(self) -> bool | None:  # type: ignore[override] # asyncio's own signature
        """Keep the way back open, too, to a client that waits for a tunnel."""
        if self.left_http:
            self._ended = self._asks_for_tunnel()
            return self._ended
        return super().eof_received()

    def _asks_for_tunnel(self) -> bool:
        """Tell whether what changes the protocol is CONNECT; a request on its way may be."""
        if self.serving is not None:
            return self.serving.method == "CONNECT"
        methods = [getattr(message, "method", "") for message, _ in self.pending]
        return not methods or "CONNECT" in methods

    def decided(self, message: RawRequestMessage) -> Decided | None:
        """Return what was decided of a request that a task begins to serve, before that."""
        del message
        return None

    def detach(self) -> tuple[asyncio.Transport, bytes, bool]:
        """Give the transport away while a request is served; this connection is over.

        Returns:
            It, the bytes that came behind the request, and whether the client sends no more.

        Raises:
            ConnectionResetError: The client has left.
        """
        return (*self.give_away(), self._ended)

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's own
        """End at once, whatever the client does.

        Over TLS a close waits for the client's goodbye. One that keeps its connection idle doesn't
        say it, and the loop would be closed over an open transport: a ResourceWarning, and where
        those are errors, uvloop never comes back from it.
        """
        transport: asyncio.Transport | None = self.transport
        # Before it closes: asyncio's has nothing more to say afterwards.
        secured = transport is not None and transport.get_extra_info("ssl_object") is not None
        await super().shutdown(timeout)
        if transport is not None and secured:
            await asyncio.sleep(0)  # our goodbye goes out
            with suppress(AttributeError):  # in Python 3.11.2, of a connection that is gone
                transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Refuse what can't be read as HTTP; the client learns why, and nothing of the insides."""
        del message
        what = unreadable(request, exc).partition(":")[0] or type(exc).__name__
        text = f"this is no request the proxy can read ({what}); {_ADVICE}"
        log.warning("refused a request: %s", text)
        error = own_error(Request(method="?", url="?"), "GraphtapeBadRequest", text, status=status)
        response = web.Response(
            status=status, reason=error.reason, headers=dict(error.headers), body=error.body
        )
        response.force_close()
        return response


class DataServer(web.Server):
    """Makes a protocol for each connection."""

    def __init__(self, handler: Handler, connection: type[Connection] = Connection) -> None:
        """Serve a handler over connections of a kind."""
        super().__init__(handler, request_factory=self._request)
        self._own_loop = asyncio.get_running_loop()
        self._connection = connection

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        """Make the request that a task serves; it has what was decided of it already."""
        request = DataRequest(message, payload, protocol, writer, task, self._own_loop)
        if isinstance(protocol, Connection):
            request.decided = protocol.decided(message)
        return request

    def __call__(self) -> web.RequestHandler:
        """Return the protocol of a new connection: no access log, bodies as they come."""
        return self.connection(None)

    def connection(self, standing: Standing | None) -> Connection:
        """Return the protocol of a new connection, and say what it stands for."""
        connection = self._connection(
            self,
            loop=self._own_loop,
            access_log=None,
            auto_decompress=False,
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
        )
        connection.standing = standing
        return connection
