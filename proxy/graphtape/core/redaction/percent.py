"""Percent-encoding (RFC 3986 section 2.1) that comes out the way it went in."""

from __future__ import annotations

from urllib.parse import quote, unquote, unquote_plus


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
