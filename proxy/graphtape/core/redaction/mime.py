"""Messages in the form of MIME: header lines, a blank line, parts (RFC 2045 to 2047, RFC 7578)."""

from __future__ import annotations

import binascii
import quopri
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core.redaction.assignments import says_secret
from graphtape.core.redaction.sweep import Rule
from graphtape.core.redaction.text import text
from graphtape.core.redaction.vocabulary import Place

if TYPE_CHECKING:
    from graphtape.core.redaction.sweep import Sweep

_BOUNDARY = re.compile(r"boundary=(?:\"([^\"]{1,200})\"|([^\s;\"]{1,200}))", re.IGNORECASE)
_PART_NAME = re.compile(rb"[;\s]name=(?:\"([^\"\r\n]{0,200})\"|([^\s;\"]{1,200}))", re.IGNORECASE)
_PART_TYPE = re.compile(rb"^content-type:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_PART_CODING = re.compile(
    rb"^content-transfer-encoding:[ \t]*([\w-]{1,40})", re.IGNORECASE | re.MULTILINE
)
_FOLDED = re.compile(rb"\r?\n[ \t]+")
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
MULTIPART_STARTS = re.compile(
    rb"(--[^\r\n]{1,200})\r?\n(?:[^\r\n]{1,500}\r?\n){0,4}content-(?:disposition|type):",
    re.IGNORECASE,
)
MESSAGE_STARTS = re.compile(rb"[A-Za-z][A-Za-z0-9-]{0,60}:[ \t][^\r\n]{0,998}\r?\n[A-Za-z \t\r\n]")
_MESSAGE_LINE = re.compile(
    rb"^(?:mime-version|content-type|content-transfer-encoding|message-id|subject):",
    re.IGNORECASE | re.MULTILINE,
)
_MESSAGES = ("application/http", "message/rfc822")  # the first: a $batch of old
_LONGEST_HEAD = 256 * 1024
_WORD = re.compile(r"=\?([\w-]{1,40})\?([BbQq])\?([!->@-~]{1,2000})\?=")


def boundary(raw: bytes, content_type: str) -> bytes | None:
    """Tell what parts a multipart body: as its type says, or as it begins without one."""
    named = _BOUNDARY.search(content_type) if content_type[:10].lower() == "multipart/" else None
    if named is not None:
        delimiter = b"--" + (named[1] or named[2]).encode("utf-8", "surrogateescape")
        return delimiter if delimiter in raw else None
    begins = MULTIPART_STARTS.match(raw)
    return begins[1] if begins is not None else None


def is_message(raw: bytes) -> bool:
    """Tell whether a body begins with the header lines of a message."""
    if MESSAGE_STARTS.match(raw) is None:
        return False
    blank = _BLANK_LINE.search(raw, 0, _LONGEST_HEAD)
    return blank is not None and _MESSAGE_LINE.search(raw, 0, blank.start()) is not None


def message(sweep: Sweep, raw: bytes) -> bytes:
    """Redact a message: what MIME calls an entity, with a head of its own."""
    head, blank, content = _halves(raw)
    return head_lines(sweep, head) + blank + _content(sweep, head, content)


def multipart(sweep: Sweep, raw: bytes, delimiter: bytes) -> bytes:
    """Redact each part of a multipart body (RFC 2046 section 5.1, RFC 7578)."""
    parts = raw.split(delimiter)
    return delimiter.join(part(sweep, each, number=n) for n, each in enumerate(parts))


def part(sweep: Sweep, raw: bytes, *, number: int) -> bytes:
    """Redact what stands between two delimiters.

    Args:
        sweep: The message's.
        raw: Head, blank line and content, with the line breaks around.
        number: How many delimiters came before.
    """
    base = sweep.place
    head, blank, content = _halves(raw)
    name = _name(head)
    sweep.place = (*base, name or max(number - 1, 0))
    end = content[len(content.rstrip(b"\r\n")) :]
    swept = _part(sweep, name, head, content[: len(content) - len(end)])
    clean = head_lines(sweep, head) + blank + swept + end
    sweep.place = base
    return clean


@dataclass(frozen=True, slots=True)
class Entity:
    """What the head of a part says.

    Attributes:
        name: Of a form's field; or empty.
        content_type: As written; or empty.
        coding: Content-Transfer-Encoding, lower case; or empty.
        nested: Whether the part is a message itself.
        starts: Where its content begins.
    """

    name: str
    content_type: str
    coding: bytes
    nested: bool
    starts: int


def entity(raw: bytes) -> Entity | None:
    """Read the head of a part whose content isn't all here; None where that isn't, either."""
    head, blank, _ = _halves(raw)
    if not blank:
        return None
    content_type, coding = _typed(head)
    kind = content_type.lower()
    nested = kind.startswith((*_MESSAGES, "multipart/"))
    return Entity(_name(head), content_type, coding, nested, len(head) + len(blank))


def masked(sweep: Sweep, name: str) -> bytes | None:
    """Return what stands for a long part of that name, if it is a secret; else None."""
    place = sweep.rules.parameter(name, query=False) if name else Place.PLAIN
    if place is Place.SECRET or (
        place is Place.PLAIN and name and says_secret(sweep, name, "x" * 16)
    ):
        return sweep.mask(Rule.SECRET, name, keyed=False).encode()
    return None


def _name(head: bytes) -> str:
    named = _PART_NAME.search(head)
    return (named[1] or named[2] or b"").decode("utf-8", "surrogateescape") if named else ""


def _typed(head: bytes) -> tuple[str, bytes]:
    """Return the Content-Type that a head names, and its Content-Transfer-Encoding."""
    whole = _FOLDED.sub(b" ", head)
    typed = _PART_TYPE.search(whole)
    named = _PART_CODING.search(whole)
    return (
        typed[1].decode("latin-1") if typed is not None else "",
        named[1].lower() if named is not None else b"",
    )


def _part(sweep: Sweep, name: str, head: bytes, content: bytes) -> bytes:
    place = sweep.rules.parameter(name, query=False) if name else Place.PLAIN
    if place is Place.ALLOWED:
        return content
    if place is Place.SECRET or (
        name and says_secret(sweep, name, content.decode("latin-1").strip())
    ):
        return sweep.mask(Rule.SECRET, content.decode("latin-1")).encode("latin-1")
    return _content(sweep, head, content)


def _content(sweep: Sweep, head: bytes, content: bytes) -> bytes:
    """Redact what follows a head, in the coding that the head names."""
    if not content:
        return content
    content_type, coding = _typed(head)
    if content_type.lower().startswith(_MESSAGES):
        return message(sweep, content)
    if coding == b"base64":
        return _base64(sweep, content, content_type)
    if coding == b"quoted-printable":
        decoded = quopri.decodestring(content)
        swept = sweep.open(decoded, content_type)
        return content if swept == decoded else quopri.encodestring(swept)
    return sweep.open(content, content_type)


def _base64(sweep: Sweep, content: bytes, content_type: str) -> bytes:
    try:
        decoded = binascii.a2b_base64(content)
    except binascii.Error:
        sweep.unopened = "a part says that it is base64, and isn't"
        return sweep.open(content, content_type)
    swept = sweep.open(decoded, content_type)
    if swept == decoded:
        return content
    first = content.partition(b"\n")[0]
    width = len(first.rstrip(b"\r")) if first != content else 0
    packed = binascii.b2a_base64(swept, newline=False)
    if not width:
        return packed
    end = b"\r\n" if first.endswith(b"\r") else b"\n"
    return end.join(packed[at : at + width] for at in range(0, len(packed), width))


def _halves(message: bytes) -> tuple[bytes, bytes, bytes]:
    """Part header lines, the blank line, and what follows."""
    blank = _BLANK_LINE.search(message)
    if blank is None:
        return message, b"", b""
    return message[: blank.start()], blank[0], message[blank.end() :]


def head_lines(sweep: Sweep, head: bytes) -> bytes:
    """Redact the lines of a head."""
    decoded = head.decode("utf-8", "surrogateescape")
    if "=?" in decoded:
        decoded = _WORD.sub(lambda word: _word(sweep, word), decoded)
    return text(sweep, decoded).encode("utf-8", "surrogateescape")


def _word(sweep: Sweep, word: re.Match[str]) -> str:
    """Redact an encoded word of a header line (RFC 2047)."""
    charset, coding, packed = word.groups()
    try:
        if coding in "Bb":
            raw = binascii.a2b_base64(packed)
        else:
            raw = quopri.decodestring(packed.encode("ascii"), header=True)
        decoded = raw.decode(charset)
        swept = text(sweep, decoded)
        if swept == decoded:
            return word[0]
        raw = swept.encode(charset)
    except (LookupError, ValueError):
        return word[0]
    if coding in "Bb":
        again = binascii.b2a_base64(raw, newline=False)
    else:
        again = quopri.encodestring(raw, quotetabs=True, header=True).replace(b"=\n", b"")
        again = again.replace(b"?", b"=3F")
    return f"=?{charset}?{coding}?{again.decode('ascii')}?="
