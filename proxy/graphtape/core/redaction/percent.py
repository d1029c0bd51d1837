"""Percent-encoding (RFC 3986 section 2.1) that comes out the way it went in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Callable

ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_GAP = re.compile(r"[\s\"<>/?&=,;|]++")


def decode(raw: str, *, plus: bool) -> str:
    """Undo percent-encoding; bytes beyond UTF-8 become surrogate escapes."""
    return (unquote_plus if plus else unquote)(raw, errors="surrogateescape")


def encode(text: str, *, like: str, plus: bool) -> str:
    """Percent-encode what was encoded in the original, or would have had to be."""
    safe = "".join({c for c in like if c.isascii() and not c.isalnum() and c not in "%+ "})
    if not plus and "+" in like:
        safe += "+"
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate, from a JSON escape
        raw = text.encode("utf-8", "surrogatepass")
    coded = quote(raw, safe=safe)
    return coded.replace("%20", "+") if plus and "+" in like else coded


def in_parts(text: str, hint: re.Pattern[str], redact: Callable[[str], str]) -> str:
    """Redact what is encoded inside a text: a relative URL, or a line that quotes one.

    Args:
        text: Any.
        hint: What an encoded part must hold to be decoded at all.
        redact: Gets a part decoded.
    """
    pieces: list[str] = []
    done = 0
    for gap in _GAP.finditer(f"{text} "):
        part = text[done : gap.start()]
        if ESCAPE.search(part) is not None and hint.search(part) is not None:
            decoded = decode(part, plus=False)
            swept = redact(decoded)
            part = part if swept == decoded else encode(swept, like=part, plus=False)
        pieces += (part, text[gap.start() : gap.end()])
        done = gap.end()
    return "".join(pieces)
