"""A JSON text as a tree of spans, so that parts of it can be replaced, removed or added to.

`json_text` finds scalars; edits by path also need where objects, lists and their members stand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core.json_text import (
    BOM,
    CLOSING,
    KEY,
    LITERAL,
    OPENING,
    TEXT,
    TOKEN,
    NotJsonError,
)

if TYPE_CHECKING:
    import re

    from graphtape.core.matching.body import Json

DEEPEST = 256
"""Levels of nesting a text may have, to be edited."""


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


def tree(body: bytes) -> Node:
    """Read a JSON text.

    Raises:
        NotJsonError: It is none, or nested deeper than `DEEPEST`.
    """
    begin = len(BOM) if body.startswith(BOM) else 0
    try:
        value_of(body[begin:])  # the scan below trusts the grammar
    except (ValueError, RecursionError) as exc:
        raise NotJsonError("not JSON") from exc
    root = Node(begin, items=[])  # holds the text's one value
    open_ = [root]
    for token in TOKEN.finditer(body, begin):
        group = token.lastindex
        if group == CLOSING:
            open_.pop().end = token.end()
        elif group in {TEXT, LITERAL, OPENING}:
            node = _node(token, group)
            if node.end < 0 and len(open_) > DEEPEST:
                raise NotJsonError(f"nested deeper than {DEEPEST} levels")
            here = open_[-1]
            if here.members is not None:
                here.members.append((str(value_of(token[KEY])), node))
            elif here.items is not None:
                here.items.append(node)
            if node.end < 0:
                open_.append(node)
    return root.children[0]


def _node(token: re.Match[bytes], group: int) -> Node:
    """Make a scalar whole, or a container that is open yet."""
    start, end = token.span(group)
    key_start = start if token[KEY] is None else token.start(KEY)
    if group != OPENING:
        return Node(start, end, key_start=key_start)
    if token[OPENING] == b"{":
        return Node(start, members=[], key_start=key_start)
    return Node(start, items=[], key_start=key_start)


def value_of(text: bytes) -> Json:
    """Parse UTF-8, sloppy texts too: control characters and stray bytes in strings stay.

    Raises:
        ValueError: It isn't JSON.
    """
    value: Json = json.loads(text.decode("utf-8", "surrogateescape"), strict=False)
    return value
