"""The tape position of one session, and the answers it makes possible."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from heapq import heappop, heappush
from typing import TYPE_CHECKING, assert_never

from msgspec import Struct

from graphtape.core.tape.interval import How, Interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graphtape.core.tape.index import Index


class Order(StrEnum):
    """How several answers to one request play.

    `position`: a read is answered from its interval of tape, between the write most recently
    played and the next one on the tape. `request`: vcrpy's; each answer once, in order.
    """

    POSITION = "position"
    REQUEST = "request"


def out_of_turn(how: How) -> str:
    """Say where an answer came from, unless it was in its turn."""
    match how:
        case How.NEXT:
            return ""
        case How.REPEATED:
            return "repeated: its stretch of tape has no newer answer"
        case How.BEFORE:
            return "from before its stretch of tape, which has no answer"
        case How.AFTER:
            return "from after its stretch of tape: nothing up to there answers"
        case _:
            assert_never(how)


@dataclass(slots=True, kw_only=True)  # not frozen: one is made for each request
class Hit:
    """A recorded answer.

    Attributes:
        index: Of its interaction on the tape.
        part: Id of the part that answers, where the interaction is a `$batch` and the request
            asks for no batch.
        slot: Of the answer, as the index numbers them.
        how: How it stands to the answers before it.
        answers: All slots of its key, as the index holds them.
        reserved: Whether no other request is given it, until it is released.
    """

    index: int
    part: str | None
    slot: int
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


class PlayerSnapshot(Struct, frozen=True, array_like=True):
    """A player at one moment: slots and counts, and nothing of a tape.

    Attributes:
        position: Slot of the write most recently played; None before the first.
        cursors: Of each list of answers, by its first slot and length, the last played in the
            interval.
        passed: Likewise, how many were looked at.
        freed: Likewise, those that were released.
        reserved: Slots on their way out.
        played: Slots whose answers went out whole.
    """

    position: int | None
    cursors: list[tuple[int, int, int]]
    passed: list[tuple[int, int, int]]
    freed: list[tuple[int, int, list[int]]]
    reserved: list[int]
    played: list[int]


NOT_RECORDED = Miss(reason=NotRecorded())


class Player:
    """Plays one tape to one session; not safe for threads.

    It holds what was played and never looks at the rest: opening one costs nothing, and a request
    costs a dict lookup and a few bisections however long the tape is.
    """

    __slots__ = ("_freed", "_index", "_interval", "_order", "_passed", "_played", "_reserved")

    # By the first slot of a list and its length: a key's own, or that of a variant.
    _passed: dict[tuple[int, int], int]  # how many of its answers were looked at
    _freed: dict[tuple[int, int], list[int]]  # a heap of its released answers
    _reserved: set[int]
    _played: set[int]
    _interval: Interval

    def __init__(self, index: Index, *, order: Order = Order.POSITION) -> None:
        self._index = index
        self._order = order
        self.rewind()

    @property
    def position(self) -> int | None:
        """Index of the write most recently played; None before the first."""
        slot = self._interval.position
        return None if slot is None else self._index.interactions[slot]

    @property
    def interval(self) -> tuple[int, int]:
        """Indices of the interactions that reads come from: the first, and the one after the last.

        In the order `request` all of them may.
        """
        index = self._index
        low, high = self._interval.bounds if self._order is Order.POSITION else (0, index.size)
        # A batch and its parts are one interaction.
        last = index.interactions[high - 1] + 1 if high else 0
        return (index.interactions[low] if low < index.size else last), last

    @property
    def state(self) -> object:
        """Another object whenever a read may be answered in another way."""
        return self._interval.state

    def rewind(self) -> None:
        """Go back to the start. Answers that are still being sent no longer count."""
        self._passed = {}
        self._freed = {}
        self._reserved = set()
        self._played = set()
        self._interval = Interval(self._index)

    def ahead(self) -> Interval:
        """Return where the tape stands, to find answers one after another before any goes out."""
        return self._interval.ahead()

    def choose(
        self, answers: Sequence[int], *, write: bool, ahead: Interval | None = None
    ) -> tuple[int, How] | None:
        """Choose the answer to a request, of those that it has on the tape.

        A write's answer is reserved, in request order a read's too: two at the same time get
        different ones. The caller ends it with `played` or `release`.

        Args:
            answers: The slots, as `Index.find` gives them.
            write: Whether it may change the tenant.
            ahead: Where the tape is to stand for it, in place of where it does; moves on as if
                the answer had played.

        Returns:
            Its slot, and how it stands to the answers before it; None where each was played or
            is reserved.
        """
        once = write or self._order is Order.REQUEST
        if not once:
            interval = ahead or self._interval
            chosen = interval.seek(answers)
            if (
                chosen[1] is How.NEXT
                and self._index.batches
                and self._in_parts(chosen[0], interval)
            ):
                chosen = chosen[0], How.REPEATED
        else:
            slot = self._next_free(answers)
            if slot is None:
                return None
            self._reserved.update(self._claims(slot))
            chosen = slot, How.NEXT
        if ahead is not None:
            self._pass(chosen[0], answers, ahead, reserved=once)
        return chosen

    def hit(self, chosen: tuple[int, How], answers: Sequence[int], *, write: bool) -> Hit:
        """Return the hit for what `choose` returned; equal for equal arguments."""
        slot, how = chosen
        part = self._index.parts.get(slot)
        return Hit(
            index=self._index.interactions[slot],
            part=None if part is None else part.id,
            slot=slot,
            how=how,
            answers=answers,
            reserved=write or self._order is Order.REQUEST,
        )

    def used_up(self, answers: Sequence[int]) -> Miss:
        """Return the miss for when `choose` returned None: every answer was used."""
        last = self._index.interactions[answers[-1]]
        reason = AlreadyPlayed(index=last, recorded=len(answers), position=self.position)
        return Miss(reason=reason)

    def _next_free(self, answers: Sequence[int]) -> int | None:
        """Return the first answer that is neither played nor reserved; skips each only once."""
        name = (answers[0], len(answers))
        freed = self._freed.get(name, [])
        while freed:
            if self._free(slot := heappop(freed)):
                return slot
        passed = self._passed.get(name, 0)
        while passed < len(answers):
            slot = answers[passed]
            passed += 1
            self._passed[name] = passed
            if self._free(slot):
                return slot
        return None

    def _free(self, slot: int) -> bool:
        # Of a batch that plays whole nothing may have played in parts, nor the other way round.
        claims = self._claims(slot)
        return self._reserved.isdisjoint(claims) and self._played.isdisjoint(claims)

    def _claims(self, slot: int) -> tuple[int, ...]:
        """Return what is reserved together: with a batch, those of its parts that play once."""
        parts = self._index.batches.get(slot, ())
        once = self._order is Order.REQUEST
        return (slot, *(part for part in parts if once or self._index.parts[part].write))

    def _in_parts(self, batch: int, interval: Interval) -> bool:
        """Tell whether a client has seen a part of a batch in this interval, or what came later."""
        lines = self._index.lines
        cursors = (
            (part, interval.cursor(lines[part])) for part in self._index.batches.get(batch, ())
        )
        return any(cursor is not None and cursor >= part for part, cursor in cursors)

    def played(self, hit: Hit) -> None:
        """Say that an answer went out whole. A write moves the position to where it stands."""
        slot = hit.slot
        if hit.reserved:
            if slot not in self._reserved:
                return
            self._reserved.difference_update(self._claims(slot))
        self._played.add(slot)
        self._pass(slot, hit.answers, self._interval, reserved=hit.reserved)
        index = self._index
        if not index.batches:
            return
        self._played.update(index.batches.get(slot, ()))
        part = index.parts.get(slot)
        if part is not None and self._played.issuperset(self._index.batches[part.batch]):
            self._played.add(part.batch)
            self._interval.note(part.batch, self._index.lines[part.batch])

    def _pass(
        self, slot: int, answers: Sequence[int], interval: Interval, *, reserved: bool
    ) -> None:
        """Move an interval on, as if an answer had played."""
        if self._order is Order.REQUEST:
            return
        index = self._index
        part = index.parts.get(slot) if index.parts else None
        if reserved:
            interval.move(slot if part is None else part.batch)
        else:
            interval.note(slot, answers)
        for each in index.batches.get(slot, ()) if index.batches else ():
            if not index.parts[each].write:
                interval.note(each, index.lines[each])

    def release(self, hit: Hit) -> None:
        """End the reservation of an answer that wasn't sent whole, so that it can play again."""
        if hit.slot not in self._reserved:
            return
        claims = self._claims(hit.slot)
        self._reserved.difference_update(claims)
        for slot in claims:
            self._free_again(slot, hit.answers if slot == hit.slot else self._index.lines[slot])
        part = self._index.parts.get(hit.slot)
        if part is not None:  # the batch can play whole again
            self._free_again(part.batch, self._index.lines[part.batch])

    def _free_again(self, slot: int, answers: Sequence[int]) -> None:
        for each in self._index.lists.get(slot, (answers,)):
            heappush(self._freed.setdefault((each[0], len(each)), []), slot)

    def snapshot(self) -> PlayerSnapshot:
        """Return all that tells what is given next."""
        position, cursors = self._interval.snapshot()
        return PlayerSnapshot(
            position=position,
            cursors=cursors,
            passed=[(*name, count) for name, count in self._passed.items()],
            freed=[(*name, sorted(slots)) for name, slots in self._freed.items() if slots],
            reserved=sorted(self._reserved),
            played=sorted(self._played),
        )

    def restore(self, found: PlayerSnapshot) -> None:
        """Stand where `snapshot` says."""
        self.rewind()
        self._interval.restore(found.position, found.cursors)
        self._passed = {(first, length): count for first, length, count in found.passed}
        self._freed = {(first, length): slots for first, length, slots in found.freed}
        self._reserved = set(found.reserved)
        self._played = set(found.played)

    def saw(self, slots: Iterable[int]) -> None:
        """Say that answers went out elsewhere which move nothing on."""
        self._played.update(slots)

    def played_slots(self) -> frozenset[int]:
        """Return the slots whose answers went out whole, so far."""
        return frozenset(self._played)
