"""The interval between two writes on the tape, from which reads are answered."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graphtape.core.tape.index import Index


class How(StrEnum):
    """How an answer stands to the ones before it.

    `next`: in its turn. `repeated`: the last of its interval again. `before`, `after`: the interval
    has none, so the latest before it, or the first after it.
    """

    NEXT = "next"
    REPEATED = "repeated"
    BEFORE = "before"
    AFTER = "after"

    __hash__ = str.__hash__  # the enum's own is written in Python


class _Ahead(dict[tuple[int, int], int]):
    """Cursors layered over others: reads fall through to them, writes don't change them."""

    __slots__ = ("_below",)

    def __init__(self, below: dict[tuple[int, int], int]) -> None:
        super().__init__()
        self._below = below

    def get(self, name: tuple[int, int]) -> int | None:  # type: ignore[override] # no default
        own = super().get(name)
        return self._below.get(name) if own is None else own


class Interval:
    """The slots between the write most recently played and the next one on the tape.

    Attributes:
        position: Slot of that write; None before the first.
        state: Another object whenever the answer of `seek` may be another one.
    """

    __slots__ = ("_cursors", "_high", "_index", "_low", "position", "state")

    position: int | None
    state: object
    _low: int  # from here
    _high: int  # up to, not including, here
    # By the first slot of a list of answers and its length: the last slot played in here.
    _cursors: dict[tuple[int, int], int]

    def __init__(self, index: Index) -> None:
        """Begin before the first write."""
        self._index = index
        self._low = 0
        self._high = index.writes[0] if index.writes else index.size
        self._cursors = {}
        self.position = None
        self.state = object()

    @property
    def bounds(self) -> tuple[int, int]:
        """Its first slot, and the one after its last."""
        return self._low, self._high

    def snapshot(self) -> tuple[int | None, list[tuple[int, int, int]]]:
        """Return where it stands, and what was played in it."""
        return self.position, [(*name, slot) for name, slot in self._cursors.items()]

    def restore(self, position: int | None, cursors: Iterable[tuple[int, int, int]]) -> None:
        """Stand where `snapshot` says; only for one that is new."""
        if position is not None:
            self.move(position)
        self._cursors = {(first, length): slot for first, length, slot in cursors}

    def ahead(self) -> Interval:
        """Return a copy to look ahead with; what plays in the copy doesn't change this one."""
        copy = Interval(self._index)
        copy._low, copy._high, copy.position = self._low, self._high, self.position
        copy._cursors = _Ahead(self._cursors)
        return copy

    def seek(self, answers: Sequence[int]) -> tuple[int, How]:
        """Return which of a key's answers a read is given here, and how it stands to the others."""
        start = bisect_left(answers, self._low)
        end = bisect_left(answers, self._high, start)
        if start == end:
            return (answers[start - 1], How.BEFORE) if start else (answers[end], How.AFTER)
        last = self._cursors.get((answers[0], len(answers)))
        if last is None:
            return answers[start], How.NEXT
        at = bisect_right(answers, last, start, end)
        return (answers[end - 1], How.REPEATED) if at == end else (answers[at], How.NEXT)

    def cursor(self, answers: Sequence[int]) -> int | None:
        """Return the last slot of a key that played in here."""
        return self._cursors.get((answers[0], len(answers)))

    def note(self, slot: int, answers: Sequence[int]) -> None:
        """Say that a read played."""
        # Else it was taken from outside, or a write has moved on while it was on its way.
        if self._low <= slot < self._high:
            name = (answers[0], len(answers))
            last = self._cursors.get(name)
            if last is None or last < slot:
                self._cursors[name] = slot
                self.state = object()

    def move(self, write: int) -> None:
        """Begin anew at a write that played; a part of a batch counts as its batch."""
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
        self.state = object()
