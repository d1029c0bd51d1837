"""The control API, on a port of its own."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from graphtape import __version__
from graphtape.core.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from graphtape.server.live_session import LiveSession
    from graphtape.server.sessions import Sessions

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SESSIONS: web.AppKey[Sessions] = web.AppKey("sessions")


def make_control(sessions: Sessions) -> web.Application:
    """Build the control API.

    A page in a browser can't reach it: a Host that isn't a loopback one is refused, since DNS
    rebinding ends in a foreign Host, and so is a body that isn't declared as JSON, since a form
    needs no leave to be posted across sites.
    """
    app = web.Application(middlewares=[_errors_as_json, _own_host_only, _json_only])
    app[_SESSIONS] = sessions
    app.router.add_get("/health", _health)
    app.router.add_get("/sessions/{id}/variables", _get_variables)
    app.router.add_put("/sessions/{id}/variables", _put_variables)
    return app


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok", "graphtape": __version__})


def _session(request: web.Request) -> LiveSession:
    return request.app[_SESSIONS].identify(request.match_info["id"])


async def _get_variables(request: web.Request) -> web.Response:
    """Answer the values that a test made up while recording, by name."""
    return web.json_response(dict(_session(request).variables))


async def _put_variables(request: web.Request) -> web.Response:
    """Keep values beside the recording; those of other names stay."""
    session = _session(request)
    given = msgspec.json.decode(await request.read(), type=dict[str, str])
    if session.recorder is None:
        raise RequestError(
            "variables are saved while recording; this session only replays",
            status=409,
            code="GraphtapeNotRecording",
        )
    for name, value in given.items():
        session.recorder.set_variable(name, value)
    return web.json_response(dict(session.variables))


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RequestError as exc:
        return _error(exc.status, exc.code, str(exc))
    except msgspec.DecodeError as exc:
        return _error(400, "GraphtapeBody", f"the body isn't what it must be: {exc}")
    except web.HTTPException as exc:
        if exc.status < 400:  # noqa: PLR2004 - no error
            raise
        return _error(
            exc.status, "GraphtapeControl", f"{request.method} {request.path}: {exc.reason}"
        )


@web.middleware
async def _own_host_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    if not is_loopback(request.host):
        raise RequestError(
            f"Host {request.host!r} is no loopback address", status=403, code="GraphtapeHost"
        )
    return await handler(request)


@web.middleware
async def _json_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.body_exists and request.content_type != "application/json":
        raise RequestError(
            f"the body is {request.content_type}; send application/json",
            status=415,
            code="GraphtapeMediaType",
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
