"""Where the scalar values of a JSON text stand, so that a few can change and the rest stay.

Parsing and dumping again would lose what tells two recordings apart: spacing, the order and
repetition of keys, how numbers and escapes were written.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PATH_LIMIT = 64
"""Steps a path holds at most. Paths of a text nested without end would need quadratic memory."""

BOM = b"\xef\xbb\xbf"
_STRING = rb'"[^"\\]*+(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\]*+)*+"'
_LITERAL = (
    rb"-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+"
    rb"|true|false|null|NaN|-?+Infinity"
)
# One token is a value with the comma and the key before it, so a scalar costs one match. The last
# alternatives fit anywhere: finditer would else look for the next match, in quadratic time.
TOKEN = re.compile(
    rb"[ \t\r\n]*+"
    rb"(?:(?:(,)[ \t\r\n]*+)?(?:(" + _STRING + rb")[ \t\r\n]*+:[ \t\r\n]*+)?"
    rb"(?:(" + _STRING + rb")|(" + _LITERAL + rb")|([{\[]))"
    rb"|([}\]])|(\Z)|)"
)
KEY, TEXT, LITERAL, OPENING, CLOSING = 2, 3, 4, 5, 6  # groups of TOKEN; 1 is the comma, 7 the end

_LENIENT = json.JSONDecoder(strict=False)


class NotJsonError(ValueError):
    """A text isn't JSON."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A string, number, true, false or null that is a value, never a key.

    Attributes:
        path: Keys and indexes from the root; of more than `PATH_LIMIT` steps the innermost.
        start: Where the value begins in the body, in bytes; at the quote of a string.
        end: One past its last byte.
        string: Whether it is a string.
    """

    path: tuple[str | int, ...]
    start: int
    end: int
    string: bool


class _Place:
    """Where in the nesting a scan is: the container it is in, and the path to it.

    One list holds the whole stack: a step's type tells the kind of the container it is in.

    Attributes:
        depth: How many containers are open.
        in_object: Whether the innermost is an object.
        index: How many values came before in this container.
        prefix: The path to this container, with room for one step more.
    """

    __slots__ = ("_steps", "depth", "in_object", "index", "prefix")

    def __init__(self) -> None:
        self.depth = 0
        self.in_object = False
        self.index = 0
        self.prefix: tuple[str | int, ...] = ()
        self._steps: list[str | int] = []

    def enter(self, bracket: bytes, step: str | int) -> None:
        """Go into the container that stands at `step` of this one."""
        if self.depth:
            self._steps.append(step)
            self.prefix = tuple(self._steps[1 - PATH_LIMIT :])
        self.depth += 1
        self.in_object = bracket == b"{"
        self.index = 0

    def leave(self, bracket: bytes, at: int) -> None:
        """Go back to the container around."""
        if not self.depth or (bracket == b"}") is not self.in_object:
            raise _unexpected(at)
        self.depth -= 1
        step = self._steps.pop() if self.depth else 0
        self.prefix = tuple(self._steps[1 - PATH_LIMIT :])
        self.in_object = isinstance(step, str)
        self.index = 1 if isinstance(step, str) else step + 1


def scalars(body: bytes) -> Iterator[Scalar]:
    """Find every scalar value of a JSON text, in order.

    Takes what `json.loads` takes, and control characters and stray bytes in strings besides: a
    secret in a sloppy text must be found too. Linear in the body's size, however deep it nests.

    Args:
        body: JSON in UTF-8, with or without a byte order mark.

    Raises:
        NotJsonError: `body` isn't JSON as a whole; possibly after some scalars were found.
    """
    place = _Place()
    keys: dict[bytes | None, str] = {}  # decoded once: lists repeat them
    step: str | int
    for token in TOKEN.finditer(body, len(BOM) if body.startswith(BOM) else 0):
        group = token.lastindex
        if group is None or group > OPENING:
            if group == CLOSING:
                place.leave(token[CLOSING], token.start(group))
                continue
            if group is None or place.depth or place.index != 1:
                raise _unexpected(token.end())
            return
        comma, key = token.group(1, 2)
        index = place.index
        if (comma is None) is (index > 0) or (key is None) is place.in_object:
            raise _unexpected(token.start())
        place.index = index + 1
        step = index if key is None else keys.get(key) or keys.setdefault(key, _unquote(key))
        if group == OPENING:
            place.enter(token[OPENING], step)
        else:
            path = (*place.prefix, step) if place.depth else ()
            start, end = token.span(group)
            yield Scalar(path, start, end, group == TEXT)


def text(body: bytes, scalar: Scalar) -> str:
    r"""Read a scalar: a string unescaped, anything else as it is written.

    Lone surrogates stay as they are; bytes beyond UTF-8 are surrogate escapes.
    """
    raw = body[scalar.start : scalar.end]
    return _unquote(raw) if scalar.string else raw.decode("ascii")


def quote(value: str) -> bytes:
    r"""Write a JSON string: UTF-8, non-ASCII as it is, lone surrogates as `\uXXXX`."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")


def splice(body: bytes, edits: Iterable[tuple[int, int, bytes]]) -> bytes:
    """Put new bytes in place of spans.

    Args:
        body: What to change.
        edits: (start, end, new), ordered and without overlap.
    """
    pieces: list[bytes] = []
    done = 0
    for start, end, new in edits:
        pieces += (body[done:start], new)
        done = end
    if not pieces:
        return body
    pieces.append(body[done:])
    return b"".join(pieces)


def _unquote(raw: bytes) -> str:
    if b"\\" not in raw:
        return raw[1:-1].decode("utf-8", "surrogateescape")
    return str(_LENIENT.decode(raw.decode("utf-8", "surrogateescape")))


def _unexpected(at: int) -> NotJsonError:
    return NotJsonError(f"not JSON: unexpected text at byte {at}")
