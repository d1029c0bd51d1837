"""Content codings: bodies as they are, instead of as they were packed for the wire."""

from __future__ import annotations

import sys
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

DECODED_LIMIT = 256 * 1024 * 1024
"""Bytes a body may unpack to unless told: a few kB can hold gigabytes."""

AT_ONCE = 1024 * 1024
"""Bytes that are unpacked in a few milliseconds."""

_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_SLICE = 64 * 1024


class TooLargeError(ValueError):
    """A body unpacks to more than is allowed."""


class _Stream(Protocol):
    """What the decompressors of zlib and zstd have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: memoryview, max_length: int, /) -> bytes: ...


def decode(body: bytes, coding: str | None, *, limit: int = DECODED_LIMIT) -> bytes | None:
    """Undo the content codings of a body, the last one applied first (RFC 9110 section 8.4).

    Args:
        body: As on the wire. An empty one stays empty under any coding: HEAD and 304 answers
            name the coding of a body they don't have.
        coding: The Content-Encoding field, several values joined by commas, or None.
        limit: Most bytes any step may unpack to.

    Returns:
        The decoded bytes, or None: unknown coding, not in that coding, or cut short.

    Raises:
        TooLargeError: It unpacks to more than `limit`; no more than that was unpacked.
    """
    decoded: bytes | None = body
    for name in reversed((coding or "").lower().split(",")):
        token = name.strip()
        if not decoded or token in {"", "identity"}:
            continue
        unpack = _DECODERS.get(token)
        decoded = unpack(decoded, limit) if unpack is not None else None
    return decoded


def _feed(stream: _Stream, packed: memoryview, limit: int) -> tuple[bytes, int] | None:
    """Unpack one stream; return what it held and how many bytes it took, or None if it is cut."""
    parts: list[bytes] = []
    left = limit
    # In slices, since what follows a stream's end is copied: whole, that is quadratic in a body
    # of many small members.
    for start in range(0, len(packed), _SLICE):
        piece = packed[start : start + _SLICE]
        # One byte more than allowed tells "too large" from "just fits".
        part = stream.decompress(piece, left + 1)
        left -= len(part)
        if left < 0:
            raise TooLargeError
        parts.append(part)
        if stream.eof:
            return b"".join(parts), start + len(piece) - len(stream.unused_data)
    return None


def _unpack_all(open_stream: Callable[[], _Stream], body: bytes, limit: int) -> bytes | None:
    """Unpack streams that follow each other, and nothing else."""
    packed = memoryview(body)
    members: list[bytes] = []
    left = limit
    while packed:
        unpacked = _feed(open_stream(), packed, left)
        if unpacked is None:
            return None
        member, taken = unpacked
        members.append(member)
        left -= len(member)
        packed = packed[taken:]
    return b"".join(members)


def _gunzip(data: bytes, limit: int) -> bytes | None:
    try:
        # RFC 1952 section 2.2: a file is a series of members.
        return _unpack_all(lambda: zlib.decompressobj(wbits=_GZIP_WINDOW), data, limit)
    except zlib.error:
        return None


def _undeflate(data: bytes, limit: int) -> bytes | None:
    # RFC 9110 section 8.4.1.2: zlib by the book, but "some non-conformant implementations send
    # the deflate data without the zlib wrapper".
    for window in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        with suppress(zlib.error):
            unpacked = _feed(zlib.decompressobj(wbits=window), memoryview(data), limit)
            if unpacked is not None and unpacked[1] == len(data):
                return unpacked[0]
    return None


def _unbrotli(data: bytes, limit: int) -> bytes | None:
    # Here and below: imported where needed, since few bodies are and both are C extensions.
    import brotli  # noqa: PLC0415

    stream = brotli.Decompressor()
    parts: list[bytes] = []
    left = limit + 1
    try:
        while left > 0 and not stream.is_finished():
            part: bytes = stream.process(data, output_buffer_limit=left)
            if not part and stream.can_accept_more_data():
                return None
            parts.append(part)
            left -= len(part)
            data = b""
    except brotli.error:
        return None
    if left <= 0:
        raise TooLargeError
    return b"".join(parts)


def _unzstd(data: bytes, limit: int) -> bytes | None:
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415
    else:
        from backports import zstd  # noqa: PLC0415

    try:
        # RFC 8878 section 3: frames may follow each other.
        return _unpack_all(zstd.ZstdDecompressor, data, limit)
    except zstd.ZstdError:
        return None


_DECODERS: dict[str, Callable[[bytes, int], bytes | None]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _undeflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}
