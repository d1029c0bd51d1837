"""Bodies that are no JSON: forms, multipart, text, binary; and which of them a body is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from graphtape.core.json_text import NotJsonError
from graphtape.core.redaction import json_bodies, percent, shapes
from graphtape.core.redaction.sweep import Rule, settled
from graphtape.core.redaction.text import text
from graphtape.core.redaction.urls import tenant
from graphtape.core.redaction.vocabulary import Place

if TYPE_CHECKING:
    from graphtape.core.redaction.sweep import Sweep

_JSON_STARTS = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*[{\[\"]")
# RFC 1866 section 8.2.1: no blanks, names of word characters; a body of any type that is one.
_FORM = re.compile(rb"[\w.$%+\[\]-]{1,128}=[^&\s]*+(?:&[\w.$%+\[\]-]{1,128}=[^&\s]*+)*+&?\s?\Z")
_BOUNDARY = re.compile(r"boundary=(?:\"([^\"]{1,200})\"|([^\s;\"]{1,200}))", re.IGNORECASE)
_PART_NAME = re.compile(rb"[;\s]name=(?:\"([^\"\r\n]{0,200})\"|([^\s;\"]{1,200}))", re.IGNORECASE)
_PART_TYPE = re.compile(rb"^content-type:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_MULTIPART_STARTS = re.compile(
    rb"(--[^\r\n]{1,200})\r?\n(?:[^\r\n]{1,500}\r?\n){0,4}content-(?:disposition|type):",
    re.IGNORECASE,
)
_UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_PRINTABLE = re.compile(rb"[\t\n\r -~]{8,}+")
_DEPTH = 4


def body(sweep: Sweep, raw: bytes, content_type: str, depth: int = 0) -> bytes:
    """Redact a decoded body; what its type says is believed only where the bytes agree.

    Args:
        sweep: The message's.
        raw: The body.
        content_type: As in the header, with parameters, or empty.
        depth: How many bodies this one is inside of.
    """
    if not raw:
        return raw
    if raw[:2] in _UTF16:
        return _utf16(sweep, raw, content_type, depth)
    boundary = _boundary(raw, content_type) if depth < _DEPTH else None
    if boundary is not None:
        return settled(lambda value: _multipart(sweep, value, boundary, depth), raw)
    if _JSON_STARTS.match(raw) is not None:
        try:
            return json_bodies.json(sweep, raw)
        except NotJsonError:
            pass  # cut short, or no JSON at all: its text is looked through
    return settled(lambda value: _unstructured(sweep, value, content_type), raw)


def _unstructured(sweep: Sweep, raw: bytes, content_type: str) -> bytes:
    if "form-urlencoded" in content_type.lower() or _FORM.match(raw) is not None:
        return _form(sweep, raw)
    return _text(sweep, raw)


def _text(sweep: Sweep, raw: bytes) -> bytes:
    try:
        decoded = raw.decode()
    except UnicodeDecodeError:
        return _binary(sweep, raw)
    return _binary(sweep, raw) if "\0" in decoded else text(sweep, decoded).encode()


def _form(sweep: Sweep, raw: bytes) -> bytes:
    """Redact application/x-www-form-urlencoded."""
    form = raw.decode("utf-8", "surrogateescape")
    base = sweep.place
    pieces: list[str] = []
    for pair in form.split("&"):
        name, equals, value = pair.partition("=")
        known = percent.decode(name, plus=True)
        sweep.place = (*base, known)
        decoded = percent.decode(value, plus=True)
        new = _field(sweep, known, decoded)
        pieces += (
            name,
            equals,
            value if new == decoded else percent.encode(new, like=value, plus=True),
            "&",
        )
    sweep.place = base
    return "".join(pieces[:-1]).encode("utf-8", "surrogateescape")


def _field(sweep: Sweep, name: str, value: str) -> str:
    place = sweep.rules.parameter(name, query=False)
    match place:
        case Place.ALLOWED:
            return value
        case Place.SECRET:
            return sweep.mask(Rule.SECRET, value)
        case Place.TENANT if sweep.rules.identities:
            return tenant(sweep, value)
        case _:
            return _embedded(sweep, value)


def _embedded(sweep: Sweep, value: str) -> str:
    """Redact a text that may be JSON."""
    return json_bodies.embedded(sweep, value, depth=0) or text(sweep, value)


def _boundary(raw: bytes, content_type: str) -> bytes | None:
    """Tell what parts a multipart body: as its type says, or as it begins without one."""
    named = _BOUNDARY.search(content_type) if content_type[:10].lower() == "multipart/" else None
    if named is not None:
        delimiter = b"--" + (named[1] or named[2]).encode("utf-8", "surrogateescape")
        return delimiter if delimiter in raw else None
    begins = _MULTIPART_STARTS.match(raw)
    return begins[1] if begins is not None else None


def _multipart(sweep: Sweep, raw: bytes, delimiter: bytes, depth: int) -> bytes:
    """Redact each part of a multipart body (RFC 2046 section 5.1, RFC 7578)."""
    base = sweep.place
    parts = raw.split(delimiter)
    for n, part in enumerate(parts):
        head, blank, content = _halves(part)
        named = _PART_NAME.search(head)
        name = (named[1] or named[2] or b"").decode("utf-8", "surrogateescape") if named else ""
        sweep.place = (*base, name or max(n - 1, 0))
        end = content[len(content.rstrip(b"\r\n")) :]
        swept = _part(sweep, name, head, content[: len(content) - len(end)], depth)
        parts[n] = _lines(sweep, head) + blank + swept + end
    sweep.place = base
    return delimiter.join(parts)


def _part(sweep: Sweep, name: str, head: bytes, content: bytes, depth: int) -> bytes:
    place = sweep.rules.parameter(name, query=False) if name else Place.PLAIN
    if place is Place.ALLOWED:
        return content
    if place is Place.SECRET:
        return sweep.mask(Rule.SECRET, content.decode("latin-1")).encode("latin-1")
    typed = _PART_TYPE.search(head)
    content_type = typed[1].decode("latin-1") if typed is not None else ""
    if content_type.lower().startswith("application/http"):  # an OData $batch of old
        start, blank, rest = _halves(content)
        inner = _PART_TYPE.search(start)
        inner_type = inner[1].decode("latin-1") if inner is not None else ""
        return _lines(sweep, start) + blank + body(sweep, rest, inner_type, depth + 1)
    return body(sweep, content, content_type, depth + 1)


def _halves(message: bytes) -> tuple[bytes, bytes, bytes]:
    """Part header lines, the blank line, and what follows."""
    blank = _BLANK_LINE.search(message)
    if blank is None:
        return message, b"", b""
    return message[: blank.start()], blank[0], message[blank.end() :]


def _lines(sweep: Sweep, head: bytes) -> bytes:
    swept = text(sweep, head.decode("utf-8", "surrogateescape"))
    return swept.encode("utf-8", "surrogateescape")


def _utf16(sweep: Sweep, raw: bytes, content_type: str, depth: int) -> bytes:
    mark, coding = raw[:2], _UTF16[raw[:2]]
    try:
        decoded = raw[2:].decode(coding).encode()
    except UnicodeError:
        return _binary(sweep, raw)
    swept = body(sweep, decoded, content_type, depth + 1)
    return raw if swept == decoded else mark + swept.decode().encode(coding)


def _binary(sweep: Sweep, raw: bytes) -> bytes:
    """Mask what can't be chance in bytes of no known text.

    Only in its runs of printable characters: an expression over all of it would hold up
    everybody else, since no other thread runs while it searches.
    """
    return _PRINTABLE.sub(
        lambda run: shapes.credentials(sweep, run[0].decode("ascii")).encode("latin-1"), raw
    )
