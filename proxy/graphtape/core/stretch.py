"""The stretch of tape that reads are answered from."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import ChainMap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

    from graphtape.core.index import Index


class Stretch:
    """Lies between the write most recently played and the next one on the tape.

    Attributes:
        position: Slot of that write; None before the first.
    """

    __slots__ = ("_cursors", "_high", "_index", "_low", "position")

    position: int | None
    _low: int  # from here
    _high: int  # up to, not including, here
    # By the first slot of a list of answers and its length: the last slot played in here.
    _cursors: MutableMapping[tuple[int, int], int]

    def __init__(self, index: Index) -> None:
        """Begin before the first write."""
        self._index = index
        self._low = 0
        self._high = index.writes[0] if index.writes else index.size
        self._cursors = {}
        self.position = None

    def ahead(self) -> Stretch:
        """Return a copy to look ahead in; this one knows nothing of what plays there."""
        copy = Stretch(self._index)
        copy._low, copy._high, copy.position = self._low, self._high, self.position
        copy._cursors = ChainMap({}, self._cursors)  # however much has played
        return copy

    def inside(self, answers: Sequence[int]) -> tuple[int, int]:
        """Return which of a key's answers lie in here: from, and up to but not including."""
        start = bisect_left(answers, self._low)
        return start, bisect_left(answers, self._high, start)

    def cursor(self, answers: Sequence[int]) -> int | None:
        """Return the last slot of a key that played in here."""
        return self._cursors.get((answers[0], len(answers)))

    def note(self, slot: int, answers: Sequence[int]) -> None:
        """Say that a read played."""
        # Else it was taken from outside, or a write has moved on while it was on its way.
        if self._low <= slot < self._high:
            name = (answers[0], len(answers))
            self._cursors[name] = max(slot, self._cursors.get(name, slot))

    def move(self, write: int) -> None:
        """Go to where a write stands; a part of a batch stands where its batch does."""
        if write == self.position:  # another part of the same batch: no state comes back
            return
        writes = self._index.writes
        following = bisect_right(writes, write)
        self.position = write
        self._low = write  # included: the reads of a batch that writes stand at its place
        self._high = writes[following] if following < len(writes) else self._index.size
        # What was played in here already was taken from outside, and plays again now that it is
        # reached.
        self._cursors = {}
