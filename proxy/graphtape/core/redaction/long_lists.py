"""Long collections: an answer of megabytes, a few items at a time."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

LONG = 64 * 1024
"""Bytes from which on a body is worth taking apart."""
_PIECE = 32 * 1024
_MARK = b"-7141592653589793"
"""A number that stands for the items where what is around them is looked at."""


class LongList(NamedTuple):
    """The `value` of a collection, by where it stands in the body.

    Attributes:
        around: The body with one number in place of the items.
        pieces: Start and end of about 32 KiB of whole items each.
    """

    around: bytes
    pieces: list[tuple[int, int]]

    def joined(self, around: bytes, items: bytes) -> bytes:
        """Put items back where they stood."""
        head, _, tail = around.partition(_MARK)
        return head + items + tail


def taken_apart(body: bytes) -> LongList | None:
    """Part a collection into what is around its items, and the items; None if it is none."""
    if _MARK in body:
        return None
    try:
        root = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        value = root.get("value")
        items = msgspec.json.decode(value, type=list[msgspec.Raw]) if value is not None else []
    except (msgspec.MsgspecError, RecursionError):
        return None
    if value is None or not items:
        return None
    whole = bytes(value)
    start = body.find(whole)
    if start != body.rfind(whole):  # which of them is the collection doesn't show
        return None
    pieces: list[tuple[int, int]] = []
    begin, end = -1, start
    for item in items:
        raw = bytes(item)
        at = body.find(raw, end)
        end = at + len(raw)
        if begin < 0:
            begin = at
        if end - begin >= _PIECE:
            pieces.append((begin, end))
            begin = -1
    if begin >= 0:
        pieces.append((begin, end))
    return LongList(body[: pieces[0][0]] + _MARK + body[end:], pieces)
