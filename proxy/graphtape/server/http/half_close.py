"""Connections whose client may end its half and still gets its answers (RFC 9112 section 9.6)."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from graphtape.server import aiohttp_private
from graphtape.server.aiohttp_private import Protocol, Runner

if TYPE_CHECKING:
    from aiohttp import web


class HalfClosing(Protocol):
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
        self._ended = aiohttp_private.FITS and self._owes_answers() and self.ssl_context is None
        if self._ended:
            asyncio.get_running_loop().call_soon(self._end_if_idle)
        return self._ended

    def _owes_answers(self) -> bool:
        """Tell whether a whole request waits for its answer."""
        request = self.serving
        if self.pending:
            body = self.pending[-1][1]
            if not body.is_eof():
                body.set_exception(ConnectionResetError("the client ended within its request"))
            return True
        if request is not None:
            return request.content.is_eof()
        return not self.waits

    def _end_if_idle(self) -> None:
        """Close where nothing was asked, or the last answer went out meanwhile."""
        if not self._owes_answers():
            self.force_close()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """End an answer, and with the last one the connection of a client that sends no more."""
        finished = await super().finish_response(request, resp, start_time)
        if self._ended and not self.pending:
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


class HalfClosingRunner(Runner):
    """Runs an application over connections of this kind."""

    kind = HalfClosing
