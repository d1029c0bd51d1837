"""The control API, on a port of its own."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from aiohttp import web

from graphtape import __version__

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_control() -> web.Application:
    """Build the control API.

    A page in a browser can't reach it: a Host that isn't a loopback one is refused, since DNS
    rebinding ends in a foreign Host.
    """
    app = web.Application(middlewares=[_own_host_only])
    app.router.add_get("/health", _health)
    return app


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok", "graphtape": __version__})


@web.middleware
async def _own_host_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    if not is_loopback(request.host):
        message = f"Host {request.host!r} is no loopback address"
        return web.json_response(
            {"error": {"code": "GraphtapeHost", "message": message}}, status=403
        )
    return await handler(request)


def is_loopback(host: str) -> bool:
    """Tell whether a Host field names this machine: localhost, or a loopback address."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    name = name.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
