"""The control API as an aiohttp application."""

from __future__ import annotations

import logging
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from graphtape.core.errors import RequestError
from graphtape.server.control import reading
from graphtape.server.control.console import add_console, is_asset
from graphtape.server.control.direction import Library
from graphtape.server.control.guard import Guard
from graphtape.server.control.message import Fault, Refused
from graphtape.server.control.openapi import document
from graphtape.server.control.route import Call, Desk
from graphtape.server.control.routes import ROUTES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from graphtape.core.report.report import Report
    from graphtape.server.control.events import Events
    from graphtape.server.control.route import AnyRoute, Notifier, Others
    from graphtape.server.session.live_session import LiveSession
    from graphtape.server.session.sessions import Sessions

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger("graphtape")

LARGEST = 1024 * 1024
"""Bytes of a body."""

_GUARD: web.AppKey[Guard] = web.AppKey("guard")
_DESK: web.AppKey[Desk] = web.AppKey("desk")


def make_control(
    sessions: Sessions,
    *,
    token: str | None = None,
    data_url: str,
    events: Events,
    report: Callable[[LiveSession], Report],
    console: bool = True,
    others: Others | None = None,
    notifier: Notifier | None = None,
) -> web.Application:
    """Build the control API.

    Args:
        sessions: What it is about.
        token: That each request must show; None where only this machine can ask.
        data_url: The data port's address; its clients reach it by the name they called here.
        events: Told of what happens.
        report: Tells what a session came to, or has come to so far.
        console: Whether the web console is served.
        others: The other replicas; None where this is no replica.
        notifier: Notifies an app of changes; None where nobody is notified.
    """
    app = application(_handler, token=token, console=console)
    app[_DESK] = desk = Desk(
        sessions=sessions,
        events=events,
        data_url=data_url,
        library=Library(folder=sessions.folder),
        report=report,
        document=openapi,
        others=others,
        notifier=notifier,
    )

    async def end(_: web.Application) -> None:
        desk.events.end()

    app.on_shutdown.append(end)
    return app


def application(
    handler: Callable[[AnyRoute], Handler], *, token: str | None, console: bool
) -> web.Application:
    """Build an application of the control API's routes, guarded.

    Args:
        handler: Returns what answers a route.
        token: As for `make_control`.
        console: Whether the web console is served.
    """
    app = web.Application(middlewares=[_answered, _guarded], client_max_size=LARGEST)
    app[_GUARD] = Guard(token=token)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, handler(route))
        if route.method == "GET":
            app.router.add_route("HEAD", route.path, handler(route))
    if console:
        add_console(app)
    return app


@cache
def openapi() -> bytes:
    """Return the OpenAPI document."""
    # Made once it is asked for: few ask, and it takes longer than a proxy to start.
    return document(ROUTES)


def _handler(route: AnyRoute) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        others = request.app[_DESK].others
        if others is not None and "id" in request.match_info:
            passed = await others.answer(request, request.match_info["id"])
            if passed is not None:
                return passed
        if "id" in request.match_info and request.app[_DESK].sessions.adopt is not None:
            await request.app[_DESK].sessions.found(request.match_info["id"])
        # What is asked first, then what of: a body that is none is said even where nobody is open.
        query = reading.query(request, route.query)
        body = None
        if route.reads:
            body = await reading.body(request, route.body, may_be_empty=route.may_be_empty)
        call = Call(desk=request.app[_DESK], request=request, query=query, body=body)
        answer = await route.handler(call)
        if isinstance(answer, web.StreamResponse):
            return answer
        if route.answer is None:
            return web.Response(status=route.status, headers=call.headers)
        return web.Response(
            status=route.status,
            headers=call.headers,
            body=msgspec.json.encode(answer),
            content_type="application/json",
        )

    return handle


def _refusal(
    status: int, code: str, message: str, headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        status=status,
        headers=headers,
        body=msgspec.json.encode(Refused(error=Fault(code=code, message=message))),
        content_type="application/json",
    )


@web.middleware
async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """See that every answer is JSON of ours, whatever went wrong, and that no browser keeps it."""
    try:
        response = await handler(request)
    except RequestError as exc:
        headers = {} if exc.location is None else {"Location": exc.location}
        if exc.status == HTTPStatus.UNAUTHORIZED:  # RFC 9110 section 15.5.2
            headers["WWW-Authenticate"] = 'Bearer realm="graphtape"'
        response = _refusal(exc.status, exc.code, str(exc), headers)
    except web.HTTPMethodNotAllowed as exc:
        allowed = ", ".join(sorted(exc.allowed_methods))
        text = f"{request.path} takes {allowed}, not {request.method}"
        response = _refusal(exc.status, "GraphtapeMethod", text, {"Allow": allowed})
    except web.HTTPRequestEntityTooLarge as exc:
        text = f"the body is larger than {LARGEST} bytes"
        response = _refusal(exc.status, "GraphtapeTooLarge", text)
    except web.HTTPNotFound as exc:
        text = f"there is no {request.path[:200]}; GET /openapi.json lists what there is"
        response = _refusal(exc.status, "GraphtapeUnknownPath", text)
    except (ConnectionError, web.HTTPException):
        raise
    except Exception:
        log.exception("%s %s on the control port", request.method, request.path)
        text = "Graphtape failed; its log says why"
        response = _refusal(500, "GraphtapeInternal", text)
    if not response.prepared:
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    # The console's files hold no data, and a browser can't send a token for them.
    request.app[_GUARD].check(request, shows_token=not is_asset(request.path))
    return await handler(request)
