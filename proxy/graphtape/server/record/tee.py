"""A body that passes on its way, and what of it is kept for the tape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from graphtape.tape.spool import Spooled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Begin: TypeAlias = Callable[[bytes], Spooled | None]

IN_MEMORY = 256 * 1024
"""Bytes of a body after which it goes onto the tape in pieces, where it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Untaped:
    """A body that is passed on and left off the tape.

    Attributes:
        why: What follows `the request's body` or `the answer's body`.
    """

    why: str


Kept: TypeAlias = bytes | Spooled | Untaped


def too_large(limit: int) -> Untaped:
    """Say that a body has outgrown what is recorded."""
    return Untaped(why=f"is larger than {limit} bytes; raise --max-body to record it")


class Tee:
    """Hands chunks on and keeps a copy, up to a limit: in memory, or on the tape in pieces."""

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        *,
        limit: int,
        length: int | None = None,
        begin: Begin | None = None,
    ) -> None:
        """Take a body that is about to stream.

        Args:
            chunks: The body.
            limit: Bytes that are kept.
            length: Of the body, where it is known: who counts along asks for no further chunk.
            begin: Given what a body begins with, returns where its pieces go; None where it must
                be kept whole, as all of them without it.
        """
        self._chunks = chunks
        self._limit = limit
        self._length = length
        self._begin = begin
        self._undecided = begin is not None
        self._passed = 0
        self._ended = False
        self._copy = bytearray()
        self._spooled: Spooled | None = None
        # What is known to be too long isn't kept to begin with.
        self._overflowed = length is not None and length > limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            self._keep(chunk)
            yield chunk
        self._ended = True

    @property
    def held(self) -> int:
        """How many bytes are in memory."""
        return len(self._copy)

    @property
    def whole(self) -> bool:
        """Whether all of the body has passed."""
        return self._ended or self._passed == self._length

    def _keep(self, chunk: bytes) -> None:
        """Copy a chunk, unless the body has outgrown the limit."""
        self._passed += len(chunk)
        if self._overflowed:
            return
        if self._passed > self._limit:
            self._overflowed = True
            self._copy = bytearray()
            self._spooled = None  # never committed, so that it isn't on the tape
        elif self._spooled is not None:
            self._spooled.write(chunk)
        else:
            self._copy += chunk
            if self._undecided and len(self._copy) > IN_MEMORY:
                self._spool()

    def _spool(self) -> None:
        """Let what there is go onto the tape, and all that follows, where it may."""
        self._undecided = False
        begins = bytes(self._copy)
        self._spooled = self._begin(begins) if self._begin is not None else None
        if self._spooled is not None:
            self._copy = bytearray()
            self._spooled.write(begins)

    def body(self) -> Kept:
        """Return the copy, once there is nothing more to come."""
        if self._overflowed:
            return too_large(self._limit)
        if not self.whole:
            return Untaped(why="was not whole when upstream answered")
        return bytes(self._copy) if self._spooled is None else self._spooled
