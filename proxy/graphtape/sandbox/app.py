"""The simulated tenant as a web application."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from graphtape.core.message import Headers, Request, Response
from graphtape.core.signin.authority import sign_in
from graphtape.sandbox.fault import GraphFault, bad_request

if TYPE_CHECKING:
    from graphtape.sandbox.tenant import Tenant

RESET_PATH = "/_sandbox/reset"
"""POST here puts the tenant back to how it began; no token is needed."""

_MAX_BODY = 16 * 1024 * 1024
_log = logging.getLogger(__name__)


def make_app(tenant: Tenant) -> web.Application:
    """Serve a tenant; the application's loop is then the only one to touch it."""

    async def reset(_incoming: web.Request) -> web.Response:
        tenant.reset()
        return web.Response(status=204)

    async def answer(incoming: web.Request) -> web.Response:
        return _outgoing(await _answer(tenant, incoming))

    app = web.Application(client_max_size=_MAX_BODY)
    app.router.add_post(RESET_PATH, reset)
    app.router.add_route("*", "/{path:.*}", answer)
    app.on_response_prepare.append(_drop_server)
    return app


async def _answer(tenant: Tenant, incoming: web.Request) -> Response:
    headers = Headers.of((str(name), value) for name, value in incoming.headers.items())
    url = tenant.root + _target(incoming)
    # aiohttp has undone the codings; the fields that announce them are no longer true.
    bare = headers.without("Content-Encoding", "Transfer-Encoding", "Content-Length")
    request = Request(method=incoming.method, url=url, headers=bare)
    try:
        body = await incoming.read()
    except web.HTTPRequestEntityTooLarge:
        fault = GraphFault(413, "RequestEntityTooLarge", "The request is larger than 16 MB.")
        return tenant.refuse(request, fault)
    except (HttpProcessingError, web.RequestPayloadError):
        return tenant.refuse(request, bad_request("The body is not what Content-Encoding says."))
    asked = replace(request, body=body)
    try:
        base = f"{incoming.scheme}://{incoming.host}"
        return sign_in(asked, base=base, now=time.time()) or tenant.answer(asked)
    except Exception:  # noqa: BLE001 (the sandbox's own mistakes end here, as an error to read)
        _log.exception("The sandbox failed on %s %s", request.method, incoming.path)
        return tenant.fail(request)


def _target(incoming: web.Request) -> str:
    """Return path and query as sent, from either form of a request target."""
    raw = incoming.raw_path
    if raw.startswith("/"):
        return raw
    parts = urlsplit(raw)
    return f"{parts.path}?{parts.query}"


def _outgoing(response: Response) -> web.Response:
    return web.Response(
        status=response.status,
        reason=response.reason,
        headers=list(response.headers),
        body=response.body,
    )


async def _drop_server(_incoming: web.Request, outgoing: web.StreamResponse) -> None:
    # Graph names no server software, and a cassette made from the sandbox shouldn't either.
    outgoing.headers.pop("Server", None)
