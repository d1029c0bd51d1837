"""A body or a query read as its type; what is wrong is said with its JSON path."""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import TypeVar

import msgspec
from aiohttp import web

from graphtape.core.errors import RequestError
from graphtape.core.plan import Mode
from graphtape.core.scenario.key_fault import place

T = TypeVar("T")

_PATIENCE = 30.0
"""Seconds that a body may take."""

_PLACE = re.compile(r" - at (?:`key` in )?`(\$[^`]*)`\Z")


async def body(request: web.Request, kind: type[T], *, may_be_empty: bool) -> T:
    """Read a request's body.

    Args:
        request: Whose body is read.
        kind: What it must be.
        may_be_empty: Whether none at all says `{}`.

    Raises:
        RequestError: It isn't what it must be.
    """
    data = await _bytes(request)
    if not (may_be_empty or data.strip()):
        raise fault("GraphtapeBody", "$", "there is no body; send JSON")
    try:
        return msgspec.json.decode(data if data.strip() else b"{}", type=kind)
    except msgspec.ValidationError as exc:
        where, reason = placed(exc)
        raise fault("GraphtapeBody", _keyed(where, data, kind), reason, kind) from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        reason = "nested too deep" if isinstance(exc, RecursionError) else str(exc)
        raise RequestError(
            f"the body is no JSON ({reason[:200]}); send it as UTF-8", code="GraphtapeBody"
        ) from exc


async def _bytes(request: web.Request) -> bytes:
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
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as exc:
        place, reason = placed(exc)
        raise fault("GraphtapeQuery", place.replace("$.", "?"), reason, kind) from exc


def fault(code: str, place: str, reason: str, kind: type | None = None) -> RequestError:
    """Return what refuses a value.

    Args:
        code: Begins with `Graphtape`.
        place: JSON path of the value.
        reason: What is wrong with it, and what to send.
        kind: What the whole must be.
    """
    return RequestError(f"{place}: {reason}{_hint(reason, kind)}", code=code)


def placed(exc: msgspec.ValidationError) -> tuple[str, str]:
    """Return the JSON path of what is wrong, and the reason."""
    said = str(exc)
    found = _PLACE.search(said)
    return (found[1], said[: found.start()]) if found else ("$", said)


def _keyed(where: str, data: bytes, kind: type) -> str:
    """Name the key of an object that msgspec's path leaves out, `$[...]`: the first that is wrong.

    Args:
        where: JSON path as msgspec says it.
        data: JSON.
        kind: What the whole must be.
    """
    tree = msgspec.json.decode(data) if where == "$[...]" else None
    if isinstance(tree, dict):
        for key, value in tree.items():
            try:
                msgspec.convert({key: value}, kind)
            except msgspec.ValidationError:
                named = place((str(key),))
                return f"${'' if named.startswith('[') else '.'}{named}"
    return where


def _hint(reason: str, kind: type | None) -> str:
    """List what may stand there, where that is a list."""
    if "unknown field" in reason and kind is not None:
        fields = msgspec.structs.fields(kind) if issubclass(kind, msgspec.Struct) else ()
        known = ", ".join(sorted(each.encode_name for each in fields))
        return f" (known: {known})" if known else "; send none"
    if "enum value" in reason:
        return f" (one of {', '.join(Mode)})"
    return ""
