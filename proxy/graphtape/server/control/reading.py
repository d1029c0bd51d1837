"""A body or a query read as its type; what is wrong is said with its JSON path."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TypeVar

import msgspec
from aiohttp import web

from graphtape.core.decoded import convert
from graphtape.core.errors import RequestError
from graphtape.core.scenario.key_fault import SpellingError, place

T = TypeVar("T")

_PATIENCE = 30.0
"""Seconds that a body may take."""


async def body(request: web.Request, kind: type[T], *, may_be_empty: bool) -> T:
    """Read a request's body.

    Args:
        request: Whose body is read.
        kind: What it must be.
        may_be_empty: Whether none at all says `{}`.

    Raises:
        RequestError: It isn't what it must be.
    """
    data = await body_bytes(request)
    if not (may_be_empty or data.strip()):
        raise fault("GraphtapeBody", "$", "there is no body; send JSON")
    try:
        value = msgspec.json.decode(data if data.strip() else b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        reason = "nested too deep" if isinstance(exc, RecursionError) else str(exc)
        raise RequestError(
            f"the body is no JSON ({reason[:200]}); send it as UTF-8", code="GraphtapeBody"
        ) from exc
    try:
        return convert(value, kind)
    except SpellingError as exc:
        raise fault("GraphtapeBody", json_path(exc.keys), exc.reason) from exc


async def body_bytes(request: web.Request) -> bytes:
    """Read a request's body as it was sent.

    Raises:
        RequestError: It takes too long, or isn't framed as it must be.
    """
    try:
        async with asyncio.timeout(_PATIENCE):
            return await request.read()
    except TimeoutError as exc:
        raise RequestError(
            f"the body took longer than {_PATIENCE:.0f} s; send it at once",
            status=HTTPStatus.REQUEST_TIMEOUT,
            code="GraphtapeBody",
        ) from exc
    except web.RequestPayloadError as exc:
        raise RequestError(
            "the body can't be read; frame it as HTTP/1.1", code="GraphtapeBody"
        ) from exc


def query(request: web.Request, kind: type[T]) -> T:
    """Read a request's query.

    Raises:
        RequestError: It isn't what it must be, or names something twice.
    """
    given = dict(request.query)
    if len(given) != len(request.query):
        raise RequestError("the query names something twice; once", code="GraphtapeQuery")
    try:
        return convert(given, kind, strict=False)
    except SpellingError as exc:
        raise fault("GraphtapeQuery", f"?{place(exc.keys)}", exc.reason) from exc


def fault(code: str, where: str, reason: str) -> RequestError:
    """Return what refuses a value.

    Args:
        code: Begins with `Graphtape`.
        where: JSON path of the value.
        reason: What is wrong with it, and what to send.
    """
    return RequestError(f"{where}: {reason}", code=code)


def json_path(keys: tuple[str | int, ...], root: str = "$") -> str:
    """Write keys as a JSON path below `root`."""
    below = place(keys)
    return f"{root}{'' if below.startswith('[') or not below else '.'}{below}"
