"""The control port's HTTP server: what aiohttp refuses by itself is refused in JSON too."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from graphtape.server.control.message import Fault, Refused
from graphtape.server.unreadable import unreadable

if TYPE_CHECKING:
    from aiohttp.web_server import Server

log = logging.getLogger("graphtape")

_ADVICE = "send HTTP/1.1 with a Host of the control port"


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
        what = unreadable(request, exc).rstrip(".") or type(exc).__name__
        fault = Fault(
            code="GraphtapeBadRequest",
            message=f"this is no request the control port can read ({what}); {_ADVICE}",
        )
        log.warning("refused a request of the control port: %s", fault.message)
        response = web.Response(
            status=status,
            body=msgspec.json.encode(Refused(error=fault)),
            content_type="application/json",
        )
        response.force_close()
        return response


class ControlRunner(web.AppRunner):
    """Runs the control API over connections of this kind; an application has no say in that."""

    async def _make_server(self) -> Server:
        made = await super()._make_server()
        return _Server(
            made.request_handler,
            request_factory=made.request_factory,
            loop=asyncio.get_running_loop(),
            **made._kwargs,  # noqa: SLF001 - what the application was made with
        )


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)
