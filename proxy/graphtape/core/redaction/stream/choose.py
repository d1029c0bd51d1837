"""How a long body is redacted while it passes, by its type and its first bytes."""

from __future__ import annotations

import enum
import json
import re

from graphtape.core.redaction import bodies, mime

STREAMED = 256 * 1024
"""Bytes of a body beyond which it is redacted in pieces, where it can be; they tell its form."""

_JSON_STARTS = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*[{\[\"]")
_BLANK = re.compile(rb"\s")
# What is left of a value that breaks off: nothing, a literal, a string, an escape in one.
_CUT_OFF = re.compile(
    r'\s*|[\w.+-]{1,40}|"[^"\\]*+(?:\\.[^"\\]*+)*+\\?|\\u?[0-9A-Fa-f]{0,4}', re.DOTALL
)


class Form(enum.Enum):
    """What a long body is, as far as its redaction goes."""

    OPAQUE = enum.auto()
    """No text."""
    TEXT = enum.auto()
    """Lines or elements."""
    JSON = enum.auto()
    """One JSON value."""
    MULTIPART = enum.auto()
    """Parts with heads of their own."""
    WHOLE = enum.auto()
    """What has to be redacted in one piece."""


def form_of(begins: bytes, content_type: str) -> Form:
    """Tell the form of a body.

    Args:
        begins: Its first bytes, `STREAMED` of them where there are as many.
        content_type: Of its message, or empty.
    """
    begins = begins[:STREAMED]
    if bodies.is_opaque(begins, content_type):
        return Form.OPAQUE
    if bodies.is_packed(begins):
        return Form.WHOLE
    if mime.boundary(begins, content_type) is not None:
        return Form.MULTIPART
    if content_type[:10].lower() == "multipart/" or mime.is_message(begins):
        return Form.WHOLE
    if bodies.may_be_form(begins, content_type) and _BLANK.search(begins) is None:
        return Form.WHOLE
    return Form.JSON if may_be_json(begins) else Form.TEXT


def may_be_json(begins: bytes) -> bool:
    """Tell whether a body may be one JSON value, by its first bytes; lines of them are not."""
    starts = _JSON_STARTS.match(begins)
    if starts is None:
        return False
    text = begins[starts.end() - 1 :].decode("utf-8", "surrogateescape")
    try:
        _, end = json.JSONDecoder(strict=False).raw_decode(text)
    except json.JSONDecodeError as exc:
        rest = text[exc.pos :]
        return _CUT_OFF.fullmatch(rest) is not None
    except RecursionError:
        return True
    return not text[end:].strip()
