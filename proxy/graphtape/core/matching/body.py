"""A request's body, written so that two writings of the same content are the same."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from itertools import chain
from typing import NamedTuple, TypeAlias
from urllib.parse import unquote, urlencode

from graphtape.core.errors import UsageError
from graphtape.core.json_path import steps_of
from graphtape.core.message import Headers, is_json, media_type

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Pairs: TypeAlias = tuple[tuple[str, str], ...]
Steps: TypeAlias = tuple[str | int | None, ...]

_DEEPEST_JSON = 64
FORM = "application/x-www-form-urlencoded"
_JSON_START = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*[\[{]")
_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]+)"|([^\s;"]+))', re.IGNORECASE)
_PART_NAME = re.compile(rb'[;\s]name="([^"]*)"', re.IGNORECASE)


class IgnoredPaths(NamedTuple):
    """JSON paths as steps: a member's name, an item's number, or None for any of them.

    Attributes:
        rooted: From the root of the body.
        anywhere: From any value in it.
    """

    rooted: tuple[Steps, ...]
    anywhere: tuple[Steps, ...]


@lru_cache(maxsize=64)
def ignored_paths(paths: tuple[str, ...]) -> IgnoredPaths:
    """Read the paths of `MatchOptions.ignore_body`.

    Raises:
        UsageError: One is no path.
    """
    rooted: list[Steps] = []
    anywhere: list[Steps] = []
    for path in paths:
        whole = (
            path if path.startswith("$") else f"$.{path}" if path[:1] not in ".[" else f"${path}"
        )
        try:
            steps = steps_of(whole)
        except ValueError:
            steps = ()
        names = tuple(step.name for step in steps)
        from_end = any(isinstance(name, int) and name < 0 for name in names)
        if not steps or from_end or any(step.deep for step in steps[1:]):
            raise UsageError(
                f"{path!r} in ignore_body is no path: write a field as displayName, "
                "or a path as $.settings[*].name"
            )
        plain = whole != path and len(names) == 1 and isinstance(names[0], str)
        (anywhere if plain or steps[0].deep else rooted).append(names)
    return IgnoredPaths(tuple(rooted), tuple(anywhere))


def canonical_body(headers: Headers, body: bytes, ignore: tuple[str, ...] = ()) -> bytes:
    """Write a body so that two writings of the same content are the same bytes.

    Args:
        headers: Of the message the body is from.
        body: Without Content-Encoding.
        ignore: As `MatchOptions.ignore_body`.
    """
    try:
        value = without(json_of(headers, body), ignored_paths(ignore))
    except ValueError:
        media = media_type(headers)
        if media == FORM:
            return urlencode(form_of(body, ignore), errors="surrogateescape").encode()
        if media.startswith("multipart/"):
            return _multipart(headers.get("Content-Type") or "", body, ignore)
        return body
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def json_of(headers: Headers, body: bytes) -> Json:
    """Parse JSON that is declared, or looks like it under a missing or wrong Content-Type.

    Raises:
        ValueError: It is none, or nested deeper than `_DEEPEST_JSON`. The limit is our own, as
            the interpreter's moves with the caller's stack: one body would have two forms.
    """
    if not (_JSON_START.match(body) or is_json(media_type(headers))):
        raise ValueError("no JSON")
    try:
        value: Json = json.loads(body)
    except RecursionError as exc:
        raise ValueError("nested too deep") from exc
    if body.count(b"[") + body.count(b"{") > _DEEPEST_JSON and _is_deep(value):
        raise ValueError("nested too deep")
    return value


def _is_deep(value: Json) -> bool:
    level = [value]
    for _ in range(_DEEPEST_JSON):
        children = (
            item.values() if isinstance(item, dict) else item
            for item in level
            if isinstance(item, dict | list)
        )
        level = [*chain.from_iterable(children)]
        if not level:
            return False
    return True


def form_of(body: bytes, ignore: tuple[str, ...]) -> Pairs:
    """Read a form without the fields that don't count."""
    paths = ignored_paths(ignore)
    pairs = pairs_of(body.decode("utf-8", "surrogateescape"))
    return tuple(pair for pair in pairs if () not in _rest(paths.anywhere + paths.rooted, pair[0]))


def _multipart(content_type: str, body: bytes, ignore: tuple[str, ...]) -> bytes:
    """Write parts with their lengths before them, where the boundary stood (RFC 2046, 5.1.1)."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        return body
    delimiter = b"\r\n--" + (found[1] or found[2]).encode("utf-8", "surrogateescape")
    pieces = (b"\r\n" + body).split(delimiter)
    paths = ignored_paths(ignore)
    written = []
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            break
        head, _, content = piece.partition(b"\r\n\r\n")
        name = _PART_NAME.search(head)
        if name and () in _rest(
            paths.anywhere + paths.rooted, name[1].decode("utf-8", "surrogateescape")
        ):
            continue
        fields = b"\r\n".join(sorted(line.strip() for line in head.split(b"\r\n") if line.strip()))
        written += [b"%d,%d;" % (len(fields), len(content)), fields, content]
    return b"".join(written)


def without(value: Json, paths: IgnoredPaths) -> Json:
    """Leave out what the paths name; a `rooted` path starts at this very value."""
    steps = paths.rooted + paths.anywhere
    if not steps:
        return value
    if isinstance(value, dict):
        members = ((name, child, _rest(steps, name)) for name, child in value.items())
        return {
            name: without(child, IgnoredPaths(rest, paths.anywhere))
            for name, child, rest in members
            if () not in rest
        }
    if isinstance(value, list):
        items = ((child, _rest(steps, number)) for number, child in enumerate(value))
        return [
            without(child, IgnoredPaths(rest, paths.anywhere))
            for child, rest in items
            if () not in rest
        ]
    return value


def _rest(paths: tuple[Steps, ...], step: str | int) -> tuple[Steps, ...]:
    return tuple(path[1:] for path in paths if path[0] is None or path[0] == step)


def pairs_of(text: str) -> Pairs:
    """Decode `a=1&b=2` and sort it. A blank value stays; a name without `=` has one."""
    pieces = (piece.partition("=") for piece in text.split("&") if piece)
    return tuple(sorted((unplus(name), unplus(value)) for name, _, value in pieces))


def unplus(text: str) -> str:
    """Decode a name or value of a query or form."""
    return unquote(text.replace("+", " "), errors="surrogateescape")
