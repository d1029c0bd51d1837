"""Connections whose client may end its half and still gets its answers (RFC 9112 section 9.6)."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

if TYPE_CHECKING:
    from aiohttp.web_server import Server


class HalfClosing(web.RequestHandler):
    """A connection that closes after the last answer once its client sends no more.

    Over TLS there are no halves: asyncio ends both.
    """

    __slots__ = ("_ended",)

    _ended: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - aiohttp's own
        super().__init__(*args, **kwargs)
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether the client sends no more, and may have left altogether: it looks the same."""
        return self._ended

    def eof_received(self) -> bool | None:  # type: ignore[override] # asyncio's own signature
        """Keep the way back open while a whole request waits for its answer."""
        self._ended = self._owes_answers() and self.ssl_context is None
        if self._ended:
            self._loop.call_soon(self._end_if_idle)
        return self._ended

    def _owes_answers(self) -> bool:
        """Tell whether a whole request waits for its answer."""
        request = self._current_request
        if self._messages:
            body = self._messages[-1][1]
            if not body.is_eof():
                body.set_exception(ConnectionResetError("the client ended within its request"))
            return True
        if request is not None:
            return request.content.is_eof()
        return self._waiter is None or self._waiter.done()

    def _end_if_idle(self) -> None:
        """Close where nothing was asked, or the last answer went out meanwhile."""
        if not self._owes_answers():
            self.force_close()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """End an answer, and with the last one the connection of a client that sends no more."""
        finished = await super().finish_response(request, resp, start_time)
        if self._ended and not self._messages:
            self.close()
        return finished


async def has_left(http: web.BaseRequest) -> bool:
    """Tell whether a client that ended its half has ended the other as well.

    It shows once something was written: what comes back is a reset. One far away may show too late.
    """
    transport = http.transport
    if transport is None:
        return True
    if not getattr(http.protocol, "ended", False):
        return False
    await asyncio.sleep(0)  # uvloop writes at the end of its round
    await asyncio.sleep(0)
    sock = transport.get_extra_info("socket")
    return transport.is_closing() or sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


class Runner(web.AppRunner):
    """Runs an application over connections of a kind; an application has no say in that.

    Attributes:
        kind: Of its connections.
    """

    kind: ClassVar[type[web.RequestHandler]] = HalfClosing

    async def _make_server(self) -> Server:
        made = await super()._make_server()
        return _Server(
            self.kind,
            made.request_handler,
            request_factory=made.request_factory,
            loop=asyncio.get_running_loop(),
            **made._kwargs,  # noqa: SLF001 - what the application was made with
        )


class _Server(web.Server):
    def __init__(self, kind: type[web.RequestHandler], *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - aiohttp's own
        super().__init__(*args, **kwargs)
        self._kind = kind

    def __call__(self) -> web.RequestHandler:
        return self._kind(self, loop=self._loop, **self._kwargs)
