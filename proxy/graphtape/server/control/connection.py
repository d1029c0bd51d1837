"""The control port's HTTP server: what aiohttp refuses by itself is refused in JSON too."""

from __future__ import annotations

import logging

import msgspec
from aiohttp import web

from graphtape.server.aiohttp_private import Runner
from graphtape.server.control.message import Fault, Refused
from graphtape.server.http.half_close import HalfClosing
from graphtape.server.http.unreadable import unreadable

log = logging.getLogger("graphtape")

_ADVICE = "send HTTP/1.1 with a Host of the control port"


class Connection(HalfClosing):
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


class ControlRunner(Runner):
    """Runs the control API over connections of this kind."""

    kind = Connection
