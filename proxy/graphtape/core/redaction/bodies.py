"""Bodies that are no JSON: forms, multipart, text, binary; and which of them a body is."""

from __future__ import annotations

import codecs
import re
import struct
import zlib
from typing import TYPE_CHECKING

from graphtape.core import coding
from graphtape.core.json_text import NotJsonError
from graphtape.core.redaction import json_bodies, percent, shapes
from graphtape.core.redaction.gate import UTF16_SAMPLE, shows
from graphtape.core.redaction.sweep import Rule, settled
from graphtape.core.redaction.text import text
from graphtape.core.redaction.urls import tenant
from graphtape.core.redaction.vocabulary import Place

if TYPE_CHECKING:
    from graphtape.core.redaction.sweep import Sweep

_JSON_STARTS = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*[{\[\"]")
# RFC 1866 section 8.2.1: no blanks, names of word characters; a body of any type that is one.
_FORM = re.compile(rb"[\w.$%+\[\]-]{1,128}=[^&\s]*+(?:&[\w.$%+\[\]-]{1,128}=[^&\s]*+)*+&?\s?\Z")
_FORM_STARTS = re.compile(rb"[\w.$%+\[\]-]{1,128}=")
_TEXTUAL = re.compile(
    r"\s*(?:text/|multipart/|message/|application/(?:http|json|xml|yaml|x-yaml|javascript)\b"
    r"|[^;]*\+(?:json|xml|yaml)\b)"
)
_BOUNDARY = re.compile(r"boundary=(?:\"([^\"]{1,200})\"|([^\s;\"]{1,200}))", re.IGNORECASE)
_PART_NAME = re.compile(rb"[;\s]name=(?:\"([^\"\r\n]{0,200})\"|([^\s;\"]{1,200}))", re.IGNORECASE)
_PART_TYPE = re.compile(rb"^content-type:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_MULTIPART_STARTS = re.compile(
    rb"(--[^\r\n]{1,200})\r?\n(?:[^\r\n]{1,500}\r?\n){0,4}content-(?:disposition|type):",
    re.IGNORECASE,
)
_GZIP = b"\x1f\x8b"
_UNPACKED_LIMIT = 16 * 1024 * 1024
_GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # RFC 1952 section 2.3: no time, any system
_LARGEST_BLOCK = 65_535
_LEAST_ZEROS = 4
# `password: x`, `- token: 'x'`: a line of YAML, or of a text that is written like it.
_YAML_LINE = re.compile(
    r"^[ \t]{0,64}(?:-[ \t]{1,8})?([\w-]{1,64})[ \t]{0,4}:[ \t]{1,8}"
    r"(?:\"([^\"\r\n]*+)\"|'([^'\r\n]*+)'|([^\s\"'|>&*\[{]\S*+))"
    r"(?=[ \t]*+(?:#[^\r\n]*+)?(?:\r|$))",
    re.MULTILINE,
)
_UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_PRINTABLE = re.compile(rb"[\t\n\r -~]{8,}+")
# What `shapes.credentials` finds holds one of these, lower case, or shows by itself.
_BINARY_STEMS = (
    *(b"token", b"secret", b"pass", b"pwd", b"key", b"assertion", b"state", b"credentials"),
    *(b"sig", b"tempauth", b"authorization", b"cookie", b"eyj", b"earer "),
    *(b"private", b"mii", b"mig", b"mhcc"),
)
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
    if depth < _DEPTH:
        if raw[:2] == _GZIP:
            return _gzip(sweep, raw, content_type, depth)
        mark = raw[:2] if raw[:2] in _UTF16 else b""
        wide = _UTF16.get(mark) or _unmarked_utf16(raw)
        if wide:
            return _utf16(sweep, raw, mark, wide, content_type, depth)
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
    return _text(sweep, raw, content_type.lower())


def _text(sweep: Sweep, raw: bytes, content_type: str) -> bytes:
    try:
        decoded = raw.decode()
    except UnicodeDecodeError:
        return binary(sweep, raw)
    if "\0" in decoded:
        return binary(sweep, raw)
    if content_type.startswith("text/plain") or "yaml" in content_type:
        decoded = _YAML_LINE.sub(lambda line: _yaml_line(sweep, line), decoded)
    return text(sweep, decoded).encode()


def is_opaque(begins: bytes, content_type: str) -> bool:
    """Tell of a body, by its first bytes alone, that it will go through `binary` and nothing else.

    Args:
        begins: What it begins with: a quarter of a megabyte tells more than a line.
        content_type: As for `body`.
    """
    kind = content_type.lower()
    if "form-urlencoded" in kind or _TEXTUAL.match(kind) is not None:
        return False
    if any(starts.match(begins) for starts in (_JSON_STARTS, _FORM_STARTS, _MULTIPART_STARTS)):
        return False
    wide = _unmarked_utf16(begins)
    if begins[:2] == _GZIP or begins[:2] in _UTF16 or (wide and not _breaks(begins, wide)):
        return False
    return b"\0" in begins or _breaks(begins, "utf-8")


def _breaks(begins: bytes, coding_name: str) -> bool:
    """Tell whether bytes can't be the beginning of a text."""
    try:
        codecs.getincrementaldecoder(coding_name)().decode(begins)
    except UnicodeError:
        return True
    return False


def _yaml_line(sweep: Sweep, line: re.Match[str]) -> str:
    if sweep.rules.field((line[1],)) is not Place.SECRET:
        return line[0]
    return shapes.assigned(sweep, line, line.lastindex or 0)


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
        clean = text(sweep, known)
        pieces += (
            name if clean == known else percent.encode(clean, like=name, plus=True),
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


def _unmarked_utf16(raw: bytes) -> str:
    """Tell by the zeros of its ASCII characters which UTF-16 a body is in; maybe ''."""
    sample = raw[:UTF16_SAMPLE]
    first, second = sample[::2].count(0), sample[1::2].count(0)
    if first + second < _LEAST_ZEROS:
        return ""
    if second > _LEAST_ZEROS * first:
        return "utf-16-le"
    return "utf-16-be" if first > _LEAST_ZEROS * second else ""


def _gzip(sweep: Sweep, raw: bytes, content_type: str, depth: int) -> bytes:
    """Redact a body that was packed without a Content-Encoding to say so."""
    try:
        unpacked = coding.decode(raw, "gzip", limit=_UNPACKED_LIMIT)
    except coding.TooLargeError:
        unpacked = None
    if unpacked is None:
        return binary(sweep, raw)
    swept = body(sweep, unpacked, content_type, depth + 1)
    return raw if swept == unpacked else _packed(swept)


def _packed(raw: bytes) -> bytes:
    """Write gzip without compressing.

    Another zlib compresses otherwise, and a request would no longer match its own recording.
    """
    blocks: list[bytes] = []
    for start in range(0, len(raw), _LARGEST_BLOCK):
        block = raw[start : start + _LARGEST_BLOCK]
        last = start + len(block) == len(raw)
        blocks += (struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block)
    end = struct.pack("<II", zlib.crc32(raw), len(raw))
    return b"".join((_GZIP_HEAD, *blocks, end))


def _utf16(
    sweep: Sweep, raw: bytes, mark: bytes, wide: str, content_type: str, depth: int
) -> bytes:
    try:
        decoded = raw[len(mark) :].decode(wide).encode()
    except UnicodeError:
        return binary(sweep, raw)
    swept = body(sweep, decoded, content_type, depth + 1)
    return raw if swept == decoded else mark + swept.decode().encode(wide)


def binary(sweep: Sweep, raw: bytes) -> bytes:
    """Mask what can't be chance in bytes of no known text.

    Only in its runs of printable characters: an expression over all of it would hold up
    everybody else, since no other thread runs while it searches.
    """
    low = raw.lower()
    if not any(map(low.__contains__, _BINARY_STEMS)) and not shows(raw):
        return raw
    return _PRINTABLE.sub(
        lambda run: shapes.credentials(sweep, run[0].decode("ascii")).encode("latin-1"), raw
    )
