"""The data port's HTTP server: what aiohttp refuses by itself is refused in Graph's shape."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from aiohttp import web

from graphtape.core.message import Request
from graphtape.server.errors import own_error
from graphtape.server.upstream import MAX_LINE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

log = logging.getLogger("graphtape")

_ADVICE = "send plain HTTP/1.1, each header line under 64 KiB"


class Connection(web.RequestHandler):
    """One connection."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Refuse what can't be read as HTTP; the client learns why, and nothing of the insides."""
        del message
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun")
        if isinstance(exc, ConnectionError):
            raise exc
        reason = " ".join(str(getattr(exc, "message", "") or "").split())[:100]
        what = reason.partition(":")[0] or type(exc).__name__
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
        super().__init__(handler)
        self._own_loop = asyncio.get_running_loop()
        self._connection = connection

    def __call__(self) -> web.RequestHandler:
        """Return the protocol of a new connection: no access log, bodies as they come."""
        return self._connection(
            self,
            loop=self._own_loop,
            access_log=None,  # type: ignore[arg-type] # what web.Server itself documents
            auto_decompress=False,
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
        )
