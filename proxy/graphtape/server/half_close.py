"""Connections whose client may end its half and still gets its answers (RFC 9112 section 9.6)."""

from __future__ import annotations

import asyncio
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

    def eof_received(self) -> bool | None:  # type: ignore[override] # asyncio's own signature
        """Keep the way back open while a request waits for its answer."""
        self._ended = self._is_busy() and self.ssl_context is None
        if self._ended:
            self._end_body()
            self._loop.call_soon(self._end_if_idle)
        return self._ended

    def _is_busy(self) -> bool:
        """Tell whether a request waits for its answer."""
        return bool(self._messages) or self._waiter is None or self._waiter.done()

    def _end_body(self) -> None:
        """Let nobody wait for the rest of a request that was cut short."""
        bodies = [body for _, body in self._messages]
        if self._current_request is not None:
            bodies.insert(0, self._current_request.content)
        if bodies and not bodies[-1].is_eof():
            bodies[-1].set_exception(ConnectionResetError("the client ended within its request"))

    def _end_if_idle(self) -> None:
        """Close where nothing was asked, or the last answer went out meanwhile."""
        self._end_body()
        if not self._is_busy():
            self.force_close()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """End an answer, and with the last one the connection of a client that sends no more."""
        finished = await super().finish_response(request, resp, start_time)
        if self._ended and not self._messages:
            self.close()
        return finished


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
