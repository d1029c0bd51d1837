"""A JSON text as a tree of spans, so that parts of it can be replaced, removed or added to.

`json_text` finds scalars; edits by path also need where objects, lists and their members stand.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphtape.core.json_text import NotJsonError

if TYPE_CHECKING:
    from graphtape.core.matching.body import Json

DEEPEST = 256
"""Levels of nesting a text may have, to be edited."""

_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_LITERAL = re.compile(rb"[-+.0-9A-Za-z]++")


@dataclass(slots=True)
class Node:
    """One value of a JSON text.

    Attributes:
        start: Where it begins, in bytes.
        end: One past its last byte.
        members: Of an object, in order; a repeated name is a repeated member.
        items: Of a list.
        key_start: Where the key of this member begins; `start` where it is no member.
    """

    start: int
    end: int = -1
    members: list[tuple[str, Node]] | None = None
    items: list[Node] | None = None
    key_start: int = -1

    @property
    def children(self) -> list[Node]:
        """What stands in it, in order."""
        if self.members is not None:
            return [node for _, node in self.members]
        return self.items or []


@dataclass(slots=True)
class _Scan:
    body: bytes
    at: int
    open: list[Node] = field(default_factory=list)

    def skip(self) -> bytes:
        """Pass white space; return the byte after it, empty at the end."""
        found = _SPACE.match(self.body, self.at)
        self.at = found.end() if found else self.at
        return self.body[self.at : self.at + 1]

    def take(self, pattern: re.Pattern[bytes]) -> int:
        """Return where a token that begins here ends."""
        found = pattern.match(self.body, self.at)
        if found is None:
            raise NotJsonError(f"not JSON: unexpected text at byte {self.at}")
        return found.end()


def tree(body: bytes) -> Node:
    """Read a JSON text.

    Raises:
        NotJsonError: It is none, or nested deeper than `DEEPEST`.
    """
    begin = len(_BOM) if body.startswith(_BOM) else 0
    try:
        value_of(body[begin:])  # the scan below trusts the grammar
    except (ValueError, RecursionError) as exc:
        raise NotJsonError("not JSON") from exc
    scan = _Scan(body, begin)
    root = _begin(scan, -1)
    while scan.open:
        _step(scan)
    return root


def value_of(text: bytes) -> Json:
    """Parse UTF-8, sloppy texts too: control characters and stray bytes in strings stay.

    Raises:
        ValueError: It isn't JSON.
    """
    value: Json = json.loads(text.decode("utf-8", "surrogateescape"), strict=False)
    return value


def _step(scan: _Scan) -> None:
    """Pass one member, item, comma or closing bracket of the innermost container."""
    here = scan.open[-1]
    byte = scan.skip()
    if byte == b",":
        scan.at += 1
        byte = scan.skip()
    if byte in {b"}", b"]"}:
        scan.at += 1
        here.end = scan.at
        scan.open.pop()
    elif here.members is not None:
        key_start, end = scan.at, scan.take(_STRING)
        name = str(value_of(scan.body[key_start:end]))
        scan.at = end
        scan.skip()
        scan.at += 1  # the colon
        here.members.append((name, _begin(scan, key_start)))
    elif here.items is not None:
        here.items.append(_begin(scan, -1))


def _begin(scan: _Scan, key_start: int) -> Node:
    """Read a scalar whole, or open a container."""
    byte = scan.skip()
    node = Node(scan.at, key_start=key_start if key_start >= 0 else scan.at)
    if byte in {b"{", b"["}:
        if len(scan.open) == DEEPEST:
            raise NotJsonError(f"nested deeper than {DEEPEST} levels")
        if byte == b"{":
            node.members = []
        else:
            node.items = []
        scan.at += 1
        scan.open.append(node)
    else:
        node.end = scan.at = scan.take(_STRING if byte == b'"' else _LITERAL)
    return node
