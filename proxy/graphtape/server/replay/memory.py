"""Requests known again by their bytes, and answers made ready by their place on a tape."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from graphtape.server.replay.request_bytes import CALLER, VERSION, pieces_of, without_caller

if TYPE_CHECKING:
    from typing import TypeAlias

    from graphtape.core.tape.recording import Recording
    from graphtape.server.replay.known import Known, Place
    from graphtape.server.replay.reply import Reply
    from graphtape.server.replay.request_bytes import Block

    _Answer: TypeAlias = int | tuple[int, str]

MOST = 512 * 1024 * 1024
"""Bytes of requests and answers that are kept."""

_ANEW = 60.0
"""Seconds before all of it may be forgotten again.

A client that goes round and round in more than can be kept would else never meet what is."""

_MET = 16_384
"""Header blocks that are remembered to have come once."""

_OF_BLOCK = 600
_OF_REPLY = 400
_OF_KNOWN = 1100
"""Bytes that each takes besides its texts, roughly."""


class Memory:
    """Knows again the bytes of requests.

    A client's header block is the same from request to request but for its ids, and the line before
    it names the target: both have been parsed before, together or with another.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._blocks: dict[bytes, Block] = {}
        # By the id of a recording; there by the slot and whether an id is given back, and where an
        # answer holds links by the base of them, too.
        self._replies: dict[int, tuple[Recording, dict[_Answer, Reply]]] = {}
        self._met: set[int] = set()
        self._held = 0
        self._anew = 0.0

    @property
    def held(self) -> int:
        """Bytes that are kept, roughly."""
        return self._held

    @property
    def full(self) -> bool:
        """Whether little more can be kept."""
        return self._held > MOST * 3 // 4

    def find(self, data: bytes) -> tuple[Known | None, bytes, Block, bytes] | None:
        """Find a request; None where its header block isn't known.

        Args:
            data: One request, nothing before and nothing after.

        Returns:
            What is known of it under its block, the caller's id of now, the block, and what sets
            the request apart from others with that block.
        """
        end = data.find(VERSION)
        block = self._blocks.get(data[end:]) if end > 0 else None
        if block is None:  # it has a body or an id of the caller's, or isn't known
            return self._find_apart(data)
        line = data[:end]
        return None if block.length else (block.known.get(line), b"", block, line)

    def _find_apart(self, data: bytes) -> tuple[Known | None, bytes, Block, bytes] | None:
        """Find a request by its pieces."""
        pieces = pieces_of(data)
        if pieces is None:
            return None
        rest, caller = without_caller(pieces.rest)
        block = self._blocks.get(rest)
        if block is None or block.length != len(pieces.body):
            return None
        if caller and not CALLER.fullmatch(caller):
            return None
        return block.known.get(pieces.line), caller, block, pieces.line

    def know(self, line: bytes, block: Block, known: Known) -> None:
        """Know a request from now on, as far as it may be kept.

        Args:
            line: As `find` returns it.
            block: Likewise.
            known: What it is to its session.
        """
        if self._hold(len(line) + _OF_KNOWN):
            block.known[line] = known

    def meet(self, data: bytes, block: Block, known: Known) -> None:
        """See a request that has been parsed; know it where its header block comes again.

        Many a client never sends a block again.
        """
        pieces = pieces_of(data)
        if pieces is None:
            return
        rest, caller = without_caller(pieces.rest)
        if caller != block.caller:  # it doesn't stand in its usual place
            return
        found = self._blocks.get(rest)
        if found is not None:
            self.know(pieces.line, found, known)
            return
        if hash(rest) in self._met:
            if self._hold(len(rest) + _OF_BLOCK):
                self._blocks[rest] = block
                self.know(pieces.line, block, known)
            return
        if len(self._met) >= _MET:
            self._met.clear()
        self._met.add(hash(rest))

    def reply(self, place: Place, base: str) -> Reply | None:
        """Return the answer that stands in a place, where it was made ready for somebody."""
        known = self._replies.get(id(place.recording))
        if known is None or known[0] is not place.recording:
            return None
        return known[1].get(place.number) or known[1].get((place.number, base))

    def keep(self, place: Place, base: str, reply: Reply) -> None:
        """Keep an answer that is ready, as far as it may be kept."""
        if not self._hold(len(reply) + _OF_REPLY):
            return
        known = self._replies.get(id(place.recording))
        if known is None or known[0] is not place.recording:
            known = self._replies[id(place.recording)] = place.recording, {}
        known[1][(place.number, base) if reply.linked else place.number] = reply

    def _hold(self, size: int) -> bool:
        """Count bytes to be kept; where those would be too many, forget all, or keep no more.

        Returns:
            Whether they may be kept.
        """
        if self._held + size > MOST:
            now = time.monotonic()
            if now < self._anew:
                return False
            self._anew = now + _ANEW
            self._blocks.clear()
            self._replies.clear()
            self._held = 0
        self._held += size
        return True
