"""Long bodies as YAML scalars, in pieces: PyYAML would hold several copies of one."""

from __future__ import annotations

import base64
import codecs
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphtape.tape.long_body import LongBody

_MOST = 64 * 1024
_LINE = 57
"""Bytes that a line of base64 stands for, as in PyYAML's."""

# All but what YAML takes as it is between double quotes, on one line.
_ESCAPED = re.compile(
    "[^\\x20-\\x7e\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]"
)
_COMMON = (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))


def scalar(body: LongBody, *, indent: int) -> Iterator[bytes]:
    """Write a body as text between double quotes, or as base64 where it isn't UTF-8.

    Args:
        body: Decoded.
        indent: Blanks before a line of base64.
    """
    return _quoted(body) if _is_text(body) else _binary(body, b" " * indent)


def _pieces(body: LongBody, size: int) -> Iterator[bytes]:
    """Read a body in pieces of that size, but for the last one."""
    held = b""
    for piece in body.pieces():
        held = held + piece if held else piece
        even = len(held) // size * size
        for start in range(0, even, size):
            yield held[start : start + size]
        held = held[even:]
    if held:
        yield held


def _is_text(body: LongBody) -> bool:
    decode = codecs.getincrementaldecoder("utf-8")().decode
    try:
        for piece in body.pieces():
            decode(piece)
        decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _quoted(body: LongBody) -> Iterator[bytes]:
    decode = codecs.getincrementaldecoder("utf-8")().decode
    yield b'"'
    for piece in _pieces(body, _MOST):
        text = decode(piece)
        for character, escape in _COMMON:
            text = text.replace(character, escape)
        yield _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()
    yield b'"'


def _binary(body: LongBody, margin: bytes) -> Iterator[bytes]:
    yield b"!!binary |"
    for piece in _pieces(body, _LINE * 1024):
        lines = base64.encodebytes(piece).splitlines()
        yield b"".join(b"\n" + margin + line for line in lines)
