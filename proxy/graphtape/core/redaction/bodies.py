"""Bodies that are no JSON: forms, multipart, text, binary; and which of them a body is."""

from __future__ import annotations

import codecs
import re
import struct
import zlib
from typing import TYPE_CHECKING

from graphtape.core import coding
from graphtape.core.json_text import NotJsonError
from graphtape.core.redaction import assignments, json_bodies, mime, percent, shapes
from graphtape.core.redaction.gate import UTF16_SAMPLE, shows
from graphtape.core.redaction.neighbours import PLAIN_VALUE
from graphtape.core.redaction.sweep import DEEPEST, Rule
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
_GZIP = b"\x1f\x8b\x08"
_ZLIB = frozenset({b"x\x9c", b"x\xda"})
_UNPACKED_LIMIT = 16 * 1024 * 1024
_GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # RFC 1952 section 2.3: no time, any system
_LARGEST_BLOCK = 65_535
_LEAST_ZEROS = 4
_MARKS = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_WIDE_RUN = re.compile(rb"(?:[\t\n\r -~]\0){8,}+")
_CONTROL = re.compile(rb"[\0-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_CHARSET = re.compile(r"charset=[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_PADDED = re.compile(rb"[\w+/.-]+={1,2}\s*\Z")  # base64, no form
_PRINTABLE = re.compile(rb"[\t\n\r -~]{8,}+")
# What `shapes.credentials` finds holds one of these, lower case, or shows by itself.
_BINARY_STEMS = (
    *(b"token", b"secret", b"pass", b"pwd", b"key", b"assertion", b"state", b"credentials"),
    *(b"sig", b"tempauth", b"authorization", b"cookie", b"eyj", b"earer "),
    *(b"private", b"mii", b"mig", b"mhcc"),
)


def body(  # noqa: PLR0911 - one for each form
    sweep: Sweep, raw: bytes, content_type: str
) -> bytes:
    """Redact a decoded body; what its type says is believed only where the bytes agree.

    Args:
        sweep: The message's.
        raw: The body.
        content_type: As in the header, with parameters, or empty.
    """
    if not raw:
        return raw
    if sweep.depth > DEEPEST:
        sweep.leave_unopened()
        return unformatted(sweep, raw, "")
    if raw.startswith(_GZIP):
        return _gzip(sweep, raw, content_type)
    if raw[:2] in _ZLIB:
        return _zlib(sweep, raw, content_type)
    mark, wide = _wide(raw)
    if wide:
        return _utf(sweep, raw, mark, wide, content_type)
    boundary = mime.boundary(raw, content_type)
    if boundary is not None:
        return sweep.settled(lambda value: mime.multipart(sweep, value, boundary), raw)
    if _JSON_STARTS.match(raw) is not None:
        try:
            return json_bodies.json(sweep, raw)
        except NotJsonError:
            pass  # cut short, or no JSON at all: its text is looked through
    elif mime.is_message(raw):
        return sweep.settled(lambda value: mime.message(sweep, value), raw)
    return sweep.settled(lambda value: _unstructured(sweep, value, content_type), raw)


def _unstructured(sweep: Sweep, raw: bytes, content_type: str) -> bytes:
    declared = "form-urlencoded" in content_type.lower()
    if declared or (_FORM.match(raw) is not None and _PADDED.match(raw) is None):
        return _form(sweep, raw, declared=declared)
    return unformatted(sweep, raw, content_type)


def unformatted(sweep: Sweep, raw: bytes, content_type: str) -> bytes:
    """Redact a text of no known format, or bytes that are none, once through."""
    try:
        decoded = raw.decode()
    except UnicodeDecodeError:
        return _legacy(sweep, raw, content_type)
    if "\0" in decoded:
        return binary(sweep, raw)
    kind = content_type.lower()
    if "\n" not in decoded and (kind.startswith("text/plain") or "yaml" in kind):
        decoded = assignments.lines(sweep, decoded)
    return text(sweep, decoded).encode()


def _legacy(sweep: Sweep, raw: bytes, content_type: str) -> bytes:
    """Redact a text in another charset than Unicode's: the one it says, or Latin-1."""
    if _CONTROL.search(raw) is not None:
        return binary(sweep, raw)
    named = _CHARSET.search(content_type)
    charset = named[1] if named is not None and _is_in(raw, named[1]) else "latin-1"
    before = raw.decode(charset).encode()
    swept = sweep.open(before, content_type.partition(";")[0])
    return raw if swept == before else swept.decode().encode(charset)


def _is_in(raw: bytes, charset: str) -> bool:
    """Tell whether a text is in a charset, and comes back from it as it was."""
    try:
        return raw.decode(charset).encode(charset) == raw
    except (LookupError, ValueError):
        return False


def is_opaque(begins: bytes, content_type: str) -> bool:
    """Tell of a body, by its first bytes alone, that it will go through `binary` and nothing else.

    Args:
        begins: What it begins with: a quarter of a megabyte tells more than a line.
        content_type: As for `body`.
    """
    kind = content_type.lower()
    if "form-urlencoded" in kind or _TEXTUAL.match(kind) is not None:
        return False
    starts = (_JSON_STARTS, _FORM_STARTS, mime.MULTIPART_STARTS, mime.MESSAGE_STARTS)
    if any(each.match(begins) for each in starts):
        return False
    return not is_packed(begins) and _CONTROL.search(begins) is not None


def is_packed(begins: bytes) -> bool:
    """Tell whether a body is gzip, zlib data, UTF-16 or UTF-32, by its first bytes."""
    if begins.startswith(_GZIP) or begins[:2] in _ZLIB:
        return True
    mark, wide = _wide(begins)
    return bool(mark or (wide and not _breaks(begins, wide)))


def may_be_form(begins: bytes, content_type: str) -> bool:
    """Tell whether a body may be a form, by its type and its first bytes."""
    declared = "form-urlencoded" in content_type.lower()
    return declared or _FORM_STARTS.match(begins) is not None


def _breaks(begins: bytes, coding_name: str) -> bool:
    """Tell whether bytes can't be the beginning of a text."""
    try:
        codecs.getincrementaldecoder(coding_name)().decode(begins)
    except UnicodeError:
        return True
    return False


def _form(sweep: Sweep, raw: bytes, *, declared: bool) -> bytes:
    """Redact application/x-www-form-urlencoded."""
    form = raw.decode("utf-8", "surrogateescape")
    base = sweep.place
    pieces: list[str] = []
    for pair in form.split("&"):
        name, equals, value = pair.partition("=")
        known = percent.decode(name, plus=True)
        sweep.place = (*base, known)
        decoded = percent.decode(value, plus=True)
        word = not declared and PLAIN_VALUE.fullmatch(decoded) is not None  # of a script
        new = decoded if word else _field(sweep, known, decoded)
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
        case _ if assignments.says_secret(sweep, name, value):
            return sweep.mask(Rule.SECRET, value)
        case _:
            return _embedded(sweep, value)


def _embedded(sweep: Sweep, value: str) -> str:
    """Redact a text that may be JSON."""
    return json_bodies.embedded(sweep, value) or text(sweep, value)


def _wide(raw: bytes) -> tuple[bytes, str]:
    """Tell whether a body is UTF-16 or UTF-32: by its mark, or the zeros of ASCII characters.

    Returns:
        The mark and the coding; empty where there is none.
    """
    for mark, name in _MARKS:
        if raw.startswith(mark):
            return mark, name
    sample = raw[:UTF16_SAMPLE]
    zeros = [sample[lane::4].count(0) for lane in range(4)]
    if sum(zeros) < _LEAST_ZEROS:
        return b"", ""
    most = len(sample) // 4 * 9 // 10
    if min(zeros[1:]) >= most > zeros[0] * 8:
        return b"", "utf-32-le"
    if min(zeros[:3]) >= most > zeros[3] * 8:
        return b"", "utf-32-be"
    first, second = zeros[0] + zeros[2], zeros[1] + zeros[3]
    if second > _LEAST_ZEROS * first:
        return b"", "utf-16-le"
    return b"", "utf-16-be" if first > _LEAST_ZEROS * second else ""


def _gzip(sweep: Sweep, raw: bytes, content_type: str) -> bytes:
    """Redact a body that was packed without a Content-Encoding to say so."""
    try:
        unpacked = coding.decode(raw, "gzip", limit=_UNPACKED_LIMIT)
    except coding.TooLargeError:
        unpacked, why = None, f"it unpacks to more than {_UNPACKED_LIMIT >> 20} MiB"
    else:
        why = "it is cut short or damaged"
    if unpacked is None:
        sweep.unopened = f"it holds gzip that can't be opened: {why}"
        return binary(sweep, raw)
    swept = sweep.open(unpacked, content_type)
    return raw if swept == unpacked else _packed(swept)


def _zlib(sweep: Sweep, raw: bytes, content_type: str) -> bytes:
    """Redact a body that zlib packed (RFC 1950), where it did."""
    try:
        unpacked = coding.decode(raw, "deflate", limit=_UNPACKED_LIMIT)
    except coding.TooLargeError:
        sweep.unopened = f"it holds zlib data of more than {_UNPACKED_LIMIT >> 20} MiB"
        unpacked = None
    if unpacked is None:
        return unformatted(sweep, raw, content_type)
    swept = sweep.open(unpacked, content_type)
    return raw if swept == unpacked else zlib.compress(swept, 0)


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


def _utf(sweep: Sweep, raw: bytes, mark: bytes, wide: str, content_type: str) -> bytes:
    """Redact UTF-16 or UTF-32."""
    end = len(raw) - (len(raw) - len(mark)) % (2 if "16" in wide else 4)
    try:
        decoded = raw[len(mark) : end].decode(wide)
    except UnicodeError:
        return binary(sweep, raw)
    before = decoded.encode()
    if _CONTROL.search(before) is not None:
        return binary(sweep, raw)
    swept = sweep.open(before, content_type)
    return raw if swept == before else mark + swept.decode().encode(wide) + raw[end:]


def binary(sweep: Sweep, raw: bytes) -> bytes:
    """Mask what can't be chance in bytes of no known text.

    Only in its runs of printable characters: an expression over all of it would hold up
    everybody else, since no other thread runs while it searches.
    """
    bare = raw.replace(b"\0", b"") if b"\0" in raw else raw
    low = bare.lower()
    if not any(map(low.__contains__, _BINARY_STEMS)) and not shows(bare):
        return raw
    if bare is not raw:
        raw = _WIDE_RUN.sub(lambda run: _wide_run(sweep, run[0]), raw)
    return _PRINTABLE.sub(
        lambda run: shapes.credentials(sweep, run[0].decode("ascii")).encode("latin-1"), raw
    )


def _wide_run(sweep: Sweep, run: bytes) -> bytes:
    """Mask in UTF-16 that stands among other bytes."""
    before = run.decode("utf-16-le")
    swept = shapes.credentials(sweep, before)
    return run if swept == before else swept.encode("utf-16-le")
