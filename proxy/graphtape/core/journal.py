"""What was asked, what was answered, from where, and why."""

from __future__ import annotations

import enum
from collections import Counter, deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphtape.core.position import How

KEPT = 10_000
"""Entries a journal keeps in full; older ones live on in its counts alone."""


class Source(enum.StrEnum):
    """Where an answer came from; the value of the Graphtape-Result header.

    `passed` stands in the journal alone: passed on by upstream, and not on the tape after all.
    """

    RECORDED = "recorded"
    PASSED = "passed"
    REPLAYED = "replayed"
    INJECTED = "injected"
    MISSED = "missed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request and what became of it.

    Attributes:
        number: From 1, in the order of arrival.
        method: As sent.
        url: Graph's, secrets and identities out.
        status: Of the answer; 0 where the client got none.
        source: Where the answer came from.
        interaction: Its index on the tape, from 0.
        milliseconds: From the request's arrival to the answer's last byte.
        note: Why, where it isn't plain; secrets out.
        effects: What scenarios did to an answer of tape or upstream, by rule; secrets out.
    """

    number: int
    method: str
    url: str
    status: int
    source: Source
    interaction: int | None = None
    milliseconds: float = 0.0
    note: str = ""
    effects: str = ""


class Ticket(Protocol):
    """What many entries have in common, so that each is written only when somebody reads it."""

    def entry(self, number: int, slot: int, how: How, milliseconds: float) -> Entry:
        """Write the entry of one request."""
        ...


Brief: TypeAlias = "tuple[Ticket, int, int, How, float]"
"""Ticket, number, slot, how the answer stands to those before it, milliseconds."""


class Journal:
    """A session's entries, the newest `KEPT` of them, and the count of all by source.

    Attributes:
        arrived: How many requests have.
        misses: The first `KEPT` of them.
        injected: How often scenarios did what, by its name and the status answered; the first
            `KEPT` different ones.
    """

    __slots__ = ("_counts", "_kept", "_replayed", "arrived", "injected", "misses")

    def __init__(self) -> None:
        """Begin with nothing."""
        self.arrived = 0
        self.misses: list[Entry] = []
        self.injected: Counter[tuple[str, int]] = Counter()
        self._kept: deque[Entry | Brief] = deque(maxlen=KEPT)
        self._counts: Counter[Source] = Counter()
        self._replayed = 0

    @property
    def entries(self) -> Sequence[Entry]:
        """Those that are kept, in the order they were answered."""
        return [each if isinstance(each, Entry) else written(each) for each in self._kept]

    @property
    def counts(self) -> Counter[Source]:
        """How many entries there have been, by source."""
        counts = self._counts.copy()
        if self._replayed:
            counts[Source.REPLAYED] += self._replayed
        return counts

    @property
    def done(self) -> int:
        """How many entries there have been."""
        return self._counts.total() + self._replayed

    def newest(self, most: int) -> list[Entry]:
        """Return the newest of those that are kept, in the order they were answered."""
        found = list(islice(reversed(self._kept), most))
        return [each if isinstance(each, Entry) else written(each) for each in reversed(found)]

    def number(self) -> int:
        """Number a request that has arrived."""
        self.arrived += 1
        return self.arrived

    def add(self, entry: Entry) -> None:
        """Note what became of a request."""
        self._kept.append(entry)
        self._counts[entry.source] += 1
        effects = entry.note if entry.source is Source.INJECTED else entry.effects
        what = (effects, entry.status)
        if effects and (what in self.injected or len(self.injected) < KEPT):
            self.injected[what] += 1
        if entry.source is Source.MISSED and len(self.misses) < KEPT:
            self.misses.append(entry)

    def add_replayed(self, brief: Brief) -> None:
        """Note an answer from tape in short."""
        self._kept.append(brief)
        self._replayed += 1


def written(brief: Brief) -> Entry:
    """Write in full what was noted in short."""
    ticket, number, slot, how, milliseconds = brief
    return ticket.entry(number, slot, how, milliseconds)
