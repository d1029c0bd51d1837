"""Content codings undone while a body passes, a piece at a time."""

from __future__ import annotations

import sys
import zlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PIECE = 64 * 1024
"""Bytes that are unpacked at once, and little more: brotli fills its last block."""

_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class CodingError(ValueError):
    """A body isn't in the coding that it says."""


class Decoder(Protocol):
    """One body on its way out of its coding."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes; give what they hold, in pieces.

        Raises:
            CodingError: They are not in the coding.
        """
        ...

    def end(self) -> None:
        """See that the body is whole.

        Raises:
            CodingError: It is cut short.
        """
        ...


def decoder(coding: str) -> Decoder | None:
    """Make a decoder for a Content-Encoding; None for one that is unknown, and for several."""
    make = _DECODERS.get(coding.strip().lower())
    return make() if make is not None else None


class _Zlib:
    """gzip (RFC 1952), a series of members, and deflate, with or without zlib's wrapper."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._stream = zlib.decompressobj(wbits=window) if window else None
        self._begun = False
        self._first = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None and len(self._first + data) < 2:  # noqa: PLR2004 - a head's bytes
            self._first, data, self._begun = self._first + data, b"", True
        elif self._first:
            self._first, data = b"", self._first + data
        while data:
            stream = self._open(data)
            try:
                piece = stream.decompress(data, PIECE)
            except zlib.error as exc:
                raise CodingError(str(exc)) from exc
            self._begun = True
            data = stream.unused_data if stream.eof else stream.unconsumed_tail
            while piece:
                yield piece
                # What came out may have been cut off with all of `data` taken in.
                piece = b"" if stream.eof or data else stream.decompress(b"", PIECE)

    def _open(self, data: bytes) -> zlib._Decompress:
        stream = self._stream
        if stream is None:  # deflate: RFC 9110 section 8.4.1.2 knows of those without the wrapper
            wrapped = data[0] & 0x0F == zlib.DEFLATED and not int.from_bytes(data[:2]) % 31
            stream = zlib.decompressobj(wbits=zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
        elif stream.eof:
            if not self._window:
                raise CodingError("bytes follow its end")
            stream = zlib.decompressobj(wbits=self._window)
        self._stream = stream
        return stream

    def end(self) -> None:
        if self._begun and (self._stream is None or not self._stream.eof):
            raise CodingError("it is cut short")


class _Brotli:
    def __init__(self) -> None:
        import brotli  # noqa: PLC0415 - as in `coding`: few bodies are

        self._error = brotli.error
        self._stream = brotli.Decompressor()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._begun = True
        try:
            while True:
                piece: bytes = self._stream.process(data, output_buffer_limit=PIECE)
                if piece:
                    yield piece
                elif self._stream.is_finished() or self._stream.can_accept_more_data():
                    return
                data = b""
        except self._error as exc:
            raise CodingError(str(exc)) from exc

    def end(self) -> None:
        if self._begun and not self._stream.is_finished():
            raise CodingError("it is cut short")


class _Zstd:
    """Frames, one after the other (RFC 8878 section 3)."""

    def __init__(self) -> None:
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415 - as `brotli`
        else:
            from backports import zstd  # noqa: PLC0415 - as `brotli`

        self._error = zstd.ZstdError
        self._open = zstd.ZstdDecompressor
        self._stream = self._open()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._begun = True
        try:
            while True:
                if self._stream.eof:
                    if not data:
                        return
                    self._stream = self._open()
                piece: bytes = self._stream.decompress(data, PIECE)
                data = self._stream.unused_data if self._stream.eof else b""
                if piece:
                    yield piece
                elif not data:
                    return
        except self._error as exc:
            raise CodingError(str(exc)) from exc

    def end(self) -> None:
        if self._begun and not self._stream.eof:
            raise CodingError("it is cut short")


_DECODERS: dict[str, Callable[[], Decoder]] = {
    "gzip": lambda: _Zlib(_GZIP_WINDOW),
    "x-gzip": lambda: _Zlib(_GZIP_WINDOW),
    "deflate": lambda: _Zlib(0),
    "br": _Brotli,
    "zstd": _Zstd,
}
