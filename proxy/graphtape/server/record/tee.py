"""A body that passes on its way, and what of it is kept for the tape."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from graphtape.core.decoder import CodingError, decoder
from graphtape.core.redaction.stream.choose import STREAMED
from graphtape.tape.spool import Spooled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from graphtape.core.decoder import Decoder

    Begin: TypeAlias = Callable[[bytes], Spooled | None]

IN_MEMORY = STREAMED
"""Bytes of a body after which it goes onto the tape in pieces, where it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Untaped:
    """A body that is passed on and left off the tape.

    Attributes:
        why: What follows `the request's body` or `the answer's body`.
    """

    why: str


_AT_ONCE = 32 * 1024
"""Bytes that go onto the tape before others have their turn."""

_NOT_CODED = Untaped(why="is not in the content coding that it says, or is cut short")

Kept: TypeAlias = bytes | Spooled | Untaped


def too_large(limit: int) -> Untaped:
    """Say that a body has outgrown what is recorded."""
    return Untaped(why=f"is larger than {limit} bytes; raise --max-body to record it")


class Tee:
    """Hands chunks on and keeps a copy, up to a limit: in memory, or on the tape in pieces.

    Attributes:
        ended: Whether no more of them come.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        *,
        limit: int,
        length: int | None = None,
        coding: str | None = None,
        begin: Begin | None = None,
    ) -> None:
        """Take a body that is about to stream.

        Args:
            chunks: The body.
            limit: Bytes that are kept, decoded where they can be.
            length: Of the body, where it is known: who counts along asks for no further chunk.
            coding: Its Content-Encoding, which is undone on the way onto the tape.
            begin: Given what a body begins with, decoded, returns where its pieces go; None where
                it must be kept whole, as all of them without it.
        """
        self._chunks = chunks
        self._limit = limit
        self._length = length
        self._begin = begin
        coded = (coding or "identity").strip().lower() != "identity"
        self._decoder = decoder(coding) if coding and coded and begin is not None else None
        self._undecided = begin is not None and (not coded or self._decoder is not None)
        self._passed = 0
        self._kept = 0
        self.ended = False
        self._copy = bytearray()
        self._decoded = bytearray()
        self._spooled: Spooled | None = None
        # What is known to be too long isn't kept to begin with.
        self._untaped = too_large(limit) if length is not None and length > limit else None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            await self.keep(chunk)
            yield chunk
        self.ended = True

    @property
    def held(self) -> int:
        """How many bytes are in memory."""
        return len(self._copy) + len(self._decoded)

    @property
    def whole(self) -> bool:
        """Whether all of the body has passed."""
        return self.ended or self._passed == self._length

    async def keep(self, chunk: bytes) -> None:
        """Copy a chunk, unless the body has outgrown the limit."""
        self._passed += len(chunk)
        if self._untaped is not None:
            return
        if self._spooled is None:
            self._copy += chunk
        if self._decoder is None:
            await self._take(chunk)
        else:
            await self._decode(self._decoder, chunk)

    async def _decode(self, coding: Decoder, chunk: bytes) -> None:
        try:
            for piece in coding.feed(chunk):
                await self._take(piece)
                if self._untaped is not None:
                    break
        except CodingError:
            if self._spooled is not None:
                self._leave(_NOT_CODED)
            else:  # it is kept as it came
                self._decoder, self._undecided = None, False
                self._kept = len(self._copy)
                self._decoded = bytearray()

    async def _take(self, plain: bytes) -> None:
        """Put the next bytes of the body itself where it goes."""
        self._kept += len(plain)
        if self._kept > self._limit:
            self._leave(too_large(self._limit))
            return
        if self._spooled is None:
            if self._decoder is not None:
                self._decoded += plain
            if not self._undecided or self._kept <= IN_MEMORY:
                return
            plain = self._spool()
        for start in range(0, len(plain), _AT_ONCE):
            if start:
                await asyncio.sleep(0)  # others have their turn
            if self._spooled is not None:
                self._spooled.write(plain[start : start + _AT_ONCE])

    def _leave(self, why: Untaped) -> None:
        self._untaped = why
        self._copy, self._decoded = bytearray(), bytearray()
        self._spooled = None  # never committed, so that it isn't on the tape

    def _spool(self) -> bytes:
        """Let what there is go onto the tape, and all that follows, where it may; return it."""
        self._undecided = False
        begins = bytes(self._copy if self._decoder is None else self._decoded)
        self._decoded = bytearray()
        self._spooled = self._begin(begins) if self._begin is not None else None
        if self._spooled is None:
            self._decoder = None  # it is decoded as a whole, once it is here
            self._kept = len(self._copy)
            return b""
        self._copy = bytearray()
        return begins

    def body(self) -> Kept:
        """Return the copy, once there is nothing more to come."""
        if self._untaped is not None:
            return self._untaped
        if not self.whole:
            return Untaped(why="was not whole when upstream answered")
        if self._spooled is None:
            return bytes(self._copy)
        if self._decoder is not None:
            try:
                self._decoder.end()
            except CodingError:
                return _NOT_CODED
        return self._spooled
