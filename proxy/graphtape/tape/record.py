"""The records of an append file: interactions as framed, checked bytes, and back.

A file is a signature, then records. A record is a head (kind, place, stream, length of its
payload), the checksums of head and payload, and the payload. The first one holds the `Header`.
"""

from __future__ import annotations

import enum
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec

from graphtape.core.message import Headers, Interaction, Request, Response

# Not for type checkers alone: msgspec reads the header's field types at run time.
from graphtape.core.tape.outcome import Mode  # noqa: TC001
from graphtape.tape.vcr_format import Metadata  # noqa: TC001

if TYPE_CHECKING:
    from typing import BinaryIO

SIGNATURE = b"graphtape part\n"

PART_FORMAT = 1
"""The only `Header.format` there is."""

_HEAD = struct.Struct("<BIII")
_SUMS = struct.Struct("<II")
_LEAD = _HEAD.size + _SUMS.size
_SLICE = 64 * 1024
_WINDOW = 1024 * 1024


class Kind(enum.IntEnum):
    """What a record's payload is."""

    HEADER = 1
    REQUEST_CHUNK = 2
    RESPONSE_CHUNK = 3
    INTERACTION = 4
    VARIABLE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a recording is for.

    Attributes:
        format: Of the records that follow.
        mode: That of the run: one of `all` replaces a cassette, any other adds to it.
        cassette: Its file name.
        base: `digest.digest` of what the cassette held when the run began.
        metadata: For the cassette; its salt is the one the records are redacted with.
    """

    format: int = PART_FORMAT
    mode: Mode
    cassette: str
    base: str
    metadata: Metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A record that is whole, by its checksums.

    Attributes:
        place: Of an interaction, or of the one a chunk is for.
        stream: What a chunk and its interaction have in common; 0 is none.
        start: Where the payload begins in the file.
        length: Of the payload, in bytes.
    """

    kind: Kind
    place: int
    stream: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Torn:
    """The file ends inside a record: the write was cut short, and no client got its answer whole.

    Attributes:
        start: Where the record begins in the file.
        unread: Bytes from there to the end.
    """

    start: int
    unread: int


@dataclass(frozen=True, slots=True)
class Broken:
    """A record isn't what was written.

    Attributes:
        start: Where the record begins in the file.
        unread: Bytes from there to the end.
        beyond: Where the next one begins, if the head can be trusted; else None.
    """

    start: int
    unread: int
    beyond: int | None = None


class _Stored(msgspec.Struct, array_like=True, frozen=True):
    """An interaction in a payload; texts as bytes, since msgpack has no lone surrogates.

    Attributes:
        asked: Method and URL, then name and value of each field.
        answered: Reason, then name and value of each field.
        streamed: Bytes of bodies that came before in chunks; None where nobody counted them.
    """

    asked: list[bytes]
    request_body: bytes
    status: int
    answered: list[bytes]
    response_body: bytes
    streamed: int | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Stored).decode


def frame(kind: Kind, payload: bytes | memoryview, *, place: int = 0, stream: int = 0) -> bytes:
    """Make a record."""
    head = _HEAD.pack(kind, place, stream, len(payload))
    # Two sums: with one, a broken length and a record cut short by a kill would look the same.
    return b"".join((head, _SUMS.pack(crc32(head), crc32(payload)), payload))


def read_span(file: BinaryIO, *, size: int) -> Span | Torn | Broken | None:
    """Check the record at the file's position and go past it; None at the end.

    Args:
        file: At the beginning of a record.
        size: Of the file. What a run that is still going on appends later isn't read.
    """
    start = file.tell()
    if start >= size:
        return None
    lead = file.read(_LEAD)
    if len(lead) < _LEAD:
        return Torn(start, size - start)
    head, sums = lead[: _HEAD.size], lead[_HEAD.size :]
    of_head, of_payload = _SUMS.unpack(sums)
    kind, place, stream, length = _HEAD.unpack(head)
    if crc32(head) != of_head or kind not in set(Kind):
        return Broken(start, size - start)
    begins = file.tell()
    if begins + length > size:
        return Torn(start, size - start)
    if _sum(file, length) != of_payload:
        return Broken(start, size - start, begins + length)
    return Span(kind=Kind(kind), place=place, stream=stream, start=begins, length=length)


_PLAUSIBLE = re.compile(rb"[%b](?=.{%d})" % (bytes(Kind), _LEAD - 1), re.DOTALL)
"""Where a record may begin; its head's checksum tells."""


def find_span(file: BinaryIO, *, after: int, size: int) -> int | None:
    """Return where the first whole record begins from an offset on; None where there is none.

    Damage is found in no time; looking for a record costs about 10 ms a MiB.
    """
    while after < size:
        file.seek(after)
        window = file.read(_WINDOW)
        for found in _PLAUSIBLE.finditer(window):
            lead = window[found.start() : found.start() + _LEAD]
            if crc32(lead[: _HEAD.size]) == _SUMS.unpack_from(lead, _HEAD.size)[0]:
                file.seek(after + found.start())
                if isinstance(read_span(file, size=size), Span):
                    return after + found.start()
        if after + len(window) >= size:
            break
        after += len(window) - _LEAD + 1
    return None


def read_payload(file: BinaryIO, span: Span) -> bytes:
    """Read what a record holds."""
    file.seek(span.start)
    return file.read(span.length)


def _sum(file: BinaryIO, length: int) -> int:
    checksum = 0
    while length > 0 and (piece := file.read(min(length, _SLICE))):
        checksum = crc32(piece, checksum)
        length -= len(piece)
    return checksum


def pack_header(header: Header) -> bytes:
    """Make the payload of the first record: JSON, so that a person can read what a file is."""
    return msgspec.json.encode(header)


def unpack_header(payload: bytes) -> Header:
    """Read the first record's payload.

    Raises:
        ValueError: It is none.
    """
    return msgspec.json.decode(payload, type=Header)


def pack_variable(name: str, value: str) -> bytes:
    """Make a payload of a variable."""
    return msgspec.json.encode((name, value))


def unpack_variable(payload: bytes) -> tuple[str, str]:
    """Read a variable.

    Raises:
        ValueError: It is none.
    """
    return msgspec.json.decode(payload, type=tuple[str, str])


def pack(interaction: Interaction, *, streamed: int | None = None) -> bytes:
    """Make a payload of an interaction.

    Args:
        interaction: Its bodies without what was streamed.
        streamed: Bytes of its bodies that came before in chunks; None where there are none.
    """
    request, response = interaction.request, interaction.response
    stored = _Stored(
        [*_bytes((request.method, request.url)), *_fields_of(request.headers)],
        request.body,
        response.status,
        [*_bytes((response.reason,)), *_fields_of(response.headers)],
        response.body,
        streamed,
    )
    return _encode(stored)


def spelled(*texts: str) -> tuple[bytes, ...]:
    """Write texts as a payload has them."""
    return tuple(_bytes(texts))


def pack_spelled(
    asked: list[bytes],
    request_body: bytes,
    status: int,
    answered: list[bytes],
    response_body: bytes,
) -> bytes:
    """Make a payload of an interaction whose texts are `spelled` already.

    Args:
        asked: Method and URL, then name and value of each field.
        request_body: Decoded.
        status: Of the answer.
        answered: Reason, then name and value of each field.
        response_body: Decoded.
    """
    return _encode(_Stored(asked, request_body, status, answered, response_body))


def streamed_bytes(payload: bytes) -> int | None:
    """Return how many bytes of an interaction's bodies came before it in chunks, if it says.

    Raises:
        ValueError: It is none.
    """
    return _decode(payload).streamed


def unpack(payload: bytes) -> Interaction:
    """Read an interaction from a payload.

    Raises:
        ValueError: It is none.
    """
    stored = _decode(payload)
    method, url, *asked = _texts(stored.asked)
    reason, *answered = _texts(stored.answered)
    return Interaction(
        request=Request(method=method, url=url, headers=_fields(asked), body=stored.request_body),
        response=Response(
            status=stored.status,
            reason=reason,
            headers=_fields(answered),
            body=stored.response_body,
        ),
    )


def _bytes(texts: tuple[str, ...]) -> list[bytes]:
    try:
        return [text.encode() for text in texts]
    except UnicodeEncodeError:  # a lone surrogate, which few texts have
        return [text.encode("utf-8", "surrogatepass") for text in texts]


def _fields_of(headers: Headers) -> list[bytes]:
    return [part for pair in headers.pairs for part in _bytes(pair)]


def _texts(parts: list[bytes]) -> list[str]:
    return [part.decode("utf-8", "surrogatepass") for part in parts]


def _fields(flat: list[str]) -> Headers:
    return Headers.of(zip(flat[::2], flat[1::2], strict=True))
