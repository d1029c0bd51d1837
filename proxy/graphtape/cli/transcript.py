"""An interaction in full, for people: headers, and bodies as far as they can be read."""

from __future__ import annotations

import json
from base64 import b64decode
from binascii import Error as NotBase64Error
from typing import TYPE_CHECKING, TypeGuard

from graphtape.core.matching.mismatch import spelled_out
from graphtape.core.message import media_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphtape.core.matching.body import Json
    from graphtape.core.message import Headers, Interaction

_ASKED = "  > "
_ANSWERED = "  < "
_INDENT = "  "
_SAID_APART = frozenset({"id", "method", "url", "status", "body"})


def transcript(interaction: Interaction) -> Iterator[str]:
    """Write an interaction's lines, the request's before the answer's."""
    request, response = interaction.request, interaction.response
    yield from _message(_ASKED, request.headers, request.body)
    yield from _message(_ANSWERED, response.headers, response.body)
    yield ""


def _message(mark: str, headers: Headers, body: bytes) -> Iterator[str]:
    for name, value in headers:
        yield mark + spelled_out(f"{name}: {value}")
    for line in _body(headers, body):
        yield mark + "\t".join(map(spelled_out, line.split("\t")))


def _body(headers: Headers, body: bytes) -> Iterator[str]:
    if not body:
        return
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        yield _binary(len(body), media_type(headers))
        return
    try:
        value: Json = json.loads(text.removeprefix("\ufeff"))
        lines = [*_parts(value)] or _indented(value)
    except (ValueError, RecursionError):
        lines = text.splitlines()
    yield from lines


def _binary(size: int, media: str) -> str:
    return f"({size} bytes of {media or 'no stated type'})"


def _indented(value: Json) -> list[str]:
    return json.dumps(value, indent=len(_INDENT), ensure_ascii=False).splitlines()


def _parts(value: Json) -> Iterator[str]:
    """Write the parts of a `$batch` one by one, and what stands beside them; else nothing."""
    if not isinstance(value, dict):
        return
    name = next((name for name in ("requests", "responses") if name in value), "")
    listed = value.get(name)
    parts = [part for part in listed if _is_part(part)] if isinstance(listed, list) else []
    if not isinstance(listed, list) or len(parts) < len(listed):
        return
    for part in parts:
        yield from _part(part)
    if rest := {other: child for other, child in value.items() if other != name}:
        yield from _indented(rest)


def _is_part(value: Json) -> TypeGuard[dict[str, Json]]:
    return isinstance(value, dict) and "id" in value and ("url" in value or "status" in value)


def _part(part: dict[str, Json]) -> Iterator[str]:
    words = [_plain(part[name]) for name in ("method", "url", "status") if name in part]
    yield f"part {_plain(part['id'])}: {' '.join(words)}"
    for name, value in part.items():
        if name == "headers" and isinstance(value, dict):
            yield from (f"{_INDENT}{field}: {_plain(content)}" for field, content in value.items())
        elif name not in _SAID_APART:
            yield f"{_INDENT}{name}: {_plain(value)}"
    for line in _part_body(part):
        yield _INDENT + line


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _part_body(part: dict[str, Json]) -> list[str]:
    """Write what a part holds: JSON as it is, anything else is base64 (JSON batching)."""
    body = part.get("body")
    if body is None:
        return []
    if not isinstance(body, str):
        return _indented(body)
    try:
        size = len(b64decode(body, validate=True))
    except (NotBase64Error, ValueError):
        return body.splitlines()
    headers = part.get("headers")
    fields = headers.items() if isinstance(headers, dict) else ()
    types = [_plain(value) for name, value in fields if name.lower() == "content-type"]
    return [_binary(size, "".join(types[:1]).partition(";")[0].strip())]
