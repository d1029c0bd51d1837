"""The tape position of one session, and the answers it makes possible."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from enum import StrEnum
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphtape.core.matching import Index, Key


class Order(StrEnum):
    """How several answers to one request play.

    `position`: a read is answered from its stretch of tape, between the write most recently
    played and the next one on the tape. `request`: vcrpy's; each answer once, in order.
    """

    POSITION = "position"
    REQUEST = "request"


class How(StrEnum):
    """How an answer stands to the ones before it.

    `next`: in its turn. `repeated`: the last of its stretch again. `before`, `after`: the stretch
    has none, so the latest before it, or the first after it.
    """

    NEXT = "next"
    REPEATED = "repeated"
    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A recorded answer.

    Attributes:
        index: Of its interaction on the tape.
        how: How it was come by.
        answers: All indices of its key, as the index holds them.
        reserved: Whether nobody else is given it, until it is released.
    """

    index: int
    how: How
    answers: Sequence[int]
    reserved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRecorded:
    """The tape holds no such request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyPlayed:
    """Every answer to the request was played, or is on its way to another caller.

    Attributes:
        index: Of the last of them.
        recorded: How many there are.
        position: Index of the write most recently played, None before the first.
    """

    index: int
    recorded: int
    position: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """Nothing answers."""

    reason: NotRecorded | AlreadyPlayed


class Player:
    """Plays one tape to one session; not safe for threads.

    It holds what was played and never looks at the rest: opening one costs nothing, and a request
    costs a dict lookup and a few bisections however long the tape is.
    """

    __slots__ = (
        "_cursors",
        "_freed",
        "_high",
        "_index",
        "_low",
        "_order",
        "_played",
        "_position",
        "_reserved",
        "_taken",
    )

    _cursors: dict[int, int]  # first index of a key: its last index played in this stretch
    _taken: dict[int, int]  # first index of a key: how many of its answers were ever reserved
    _freed: dict[int, list[int]]  # first index of a key: a heap of its released answers
    _reserved: set[int]
    _played: set[int]
    _position: int | None
    _low: int  # the stretch: from here
    _high: int  # up to, not including, here

    def __init__(self, index: Index, *, order: Order = Order.POSITION) -> None:
        self._index = index
        self._order = order
        self.rewind()

    @property
    def position(self) -> int | None:
        """Index of the write most recently played; None before the first."""
        return self._position

    def rewind(self) -> None:
        """Go back to the start. What is on its way to a client counts for nothing any more."""
        self._cursors = {}
        self._taken = {}
        self._freed = {}
        self._reserved = set()
        self._played = set()
        self._position = None
        self._low = 0
        self._high = self._index.writes[0] if self._index.writes else self._index.size

    def find(self, key: Key, *, write: bool) -> Hit | Miss:
        """Find the answer to a request.

        A write's answer is reserved, in request order a read's too: two at the same time get
        different ones. The caller ends it with `played` or `release`.
        """
        answers = self._index.answers.get(key)
        if answers is None:
            return Miss(reason=NotRecorded())
        if write or self._order is Order.REQUEST:
            return self._reserve(answers)
        return self._read(answers)

    def _reserve(self, answers: Sequence[int]) -> Hit | Miss:
        name = answers[0]
        if freed := self._freed.get(name):
            index = heappop(freed)
        else:
            taken = self._taken.get(name, 0)
            if taken == len(answers):
                reason = AlreadyPlayed(index=answers[-1], recorded=taken, position=self._position)
                return Miss(reason=reason)
            self._taken[name] = taken + 1
            index = answers[taken]
        self._reserved.add(index)
        return Hit(index=index, how=How.NEXT, answers=answers, reserved=True)

    def _read(self, answers: Sequence[int]) -> Hit:
        start = bisect_left(answers, self._low)
        end = bisect_left(answers, self._high, start)
        if start == end:
            at, how = (start - 1, How.BEFORE) if start else (end, How.AFTER)
        else:
            at, how = start, How.NEXT
            last = self._cursors.get(answers[0])
            if last is not None:
                at = bisect_right(answers, last, start, end)
                if at == end:
                    at, how = end - 1, How.REPEATED
        return Hit(index=answers[at], how=how, answers=answers, reserved=False)

    def played(self, hit: Hit) -> None:
        """Say that an answer went out whole. A write moves the position to where it stands."""
        index = hit.index
        if not hit.reserved:
            self._played.add(index)
            # Else it was taken from outside, or a write has moved on while it was on its way.
            if self._low <= index < self._high:
                name = hit.answers[0]
                self._cursors[name] = max(index, self._cursors.get(name, index))
        elif index in self._reserved:
            self._reserved.remove(index)
            self._played.add(index)
            if self._order is Order.POSITION:
                self._move(index)

    def _move(self, write: int) -> None:
        following = bisect_right(self._index.writes, write)
        writes = self._index.writes
        self._position = write
        self._low = write  # included: the reads of a batch that writes stand at its place
        self._high = writes[following] if following < len(writes) else self._index.size
        # A write plays once, so that no stretch is entered twice: what was played in this one
        # already was taken from outside, and plays again now that it is reached.
        self._cursors.clear()

    def release(self, hit: Hit) -> None:
        """Give an answer back that didn't go out whole."""
        if hit.index in self._reserved:
            self._reserved.remove(hit.index)
            heappush(self._freed.setdefault(hit.answers[0], []), hit.index)

    def unused(self) -> tuple[int, ...]:
        """Return the indices of writes never played, and all indices of reads never asked."""
        writes = set(self._index.writes)
        unused: list[int] = []
        for answers in self._index.answers.values():
            left = [index for index in answers if index not in self._played]
            asked = len(left) < len(answers)
            unused += (index for index in left if index in writes or not asked)
        return tuple(sorted(unused))
