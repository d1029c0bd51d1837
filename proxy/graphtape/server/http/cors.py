"""What a browser must be told before it lets a page of another origin read an answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphtape.core.message import Headers, Response, is_preflight

if TYPE_CHECKING:
    from graphtape.core.message import Request

MAX_AGE = 600
"""Seconds that a browser may remember an answered preflight."""

EXPOSED = (
    "Graphtape-Interaction",
    "Graphtape-Result",
    "Location",
    "Retry-After",
    "client-request-id",
    "request-id",
)
"""What a page can read of an answer besides what any page can."""

_ALLOW_ORIGIN = "Access-Control-Allow-Origin"
_EXPOSE = "Access-Control-Expose-Headers"


def leave(request: Request) -> Response:
    """Allow what a preflight asks for.

    Never Access-Control-Allow-Credentials: Graph is called with tokens, not with cookies.
    """
    asked = request.headers
    fields = [
        (_ALLOW_ORIGIN, asked.get("Origin") or "*"),
        ("Access-Control-Allow-Methods", asked.get("Access-Control-Request-Method") or "*"),
    ]
    names = ", ".join(asked.all("Access-Control-Request-Headers"))
    if names:
        fields.append(("Access-Control-Allow-Headers", names))
    fields += [
        ("Access-Control-Max-Age", str(MAX_AGE)),
        ("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
    ]
    return Response(status=204, reason="No Content", headers=Headers.of(fields))


def readable(response: Response, request: Request) -> Response:
    """Let the page that asked read the answer, where the recording doesn't say that it may.

    An origin that upstream echoed while recording becomes the caller's, as upstream would have
    it. A recorded preflight that allows nobody goes on allowing nobody.
    """
    origin = request.headers.get("Origin")
    if origin is None:
        return response
    headers = response.headers
    recorded = headers.get(_ALLOW_ORIGIN)
    preflight = is_preflight(request)
    if recorded not in {"*", origin} and not (recorded is None and preflight):
        headers = _varying_by_origin(headers.set(_ALLOW_ORIGIN, origin))
    if not preflight:
        headers = _exposing(headers)
    return replace(response, headers=headers)


def _exposing(headers: Headers) -> Headers:
    named = _names(headers, _EXPOSE)
    if "*" in named:
        return headers
    known = {name.lower() for name in named}
    missing = (name for name in EXPOSED if name.lower() not in known)
    return headers.set(_EXPOSE, ", ".join((*named, *missing)))


def _varying_by_origin(headers: Headers) -> Headers:
    named = _names(headers, "Vary")
    if any(name.lower() in {"*", "origin"} for name in named):
        return headers
    return headers.set("Vary", ", ".join((*named, "Origin")))


def _names(headers: Headers, field: str) -> list[str]:
    pieces = (piece.strip() for value in headers.all(field) for piece in value.split(","))
    return [piece for piece in pieces if piece]
