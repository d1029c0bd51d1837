"""What was asked, what was answered, from where, and why."""

from __future__ import annotations

import enum
from collections import Counter, deque
from dataclasses import dataclass, field

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
    """

    number: int
    method: str
    url: str
    status: int
    source: Source
    interaction: int | None = None
    milliseconds: float = 0.0
    note: str = ""


@dataclass(slots=True)
class Journal:
    """A session's entries, the newest `KEPT` of them, and the count of all by source."""

    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEPT))
    counts: Counter[Source] = field(default_factory=Counter)
    arrived: int = 0
    misses: list[Entry] = field(default_factory=list)

    def number(self) -> int:
        """Number a request that has arrived."""
        self.arrived += 1
        return self.arrived

    def add(self, entry: Entry) -> None:
        """Note what became of a request."""
        self.entries.append(entry)
        self.counts[entry.source] += 1
        if entry.source is Source.MISSED and len(self.misses) < KEPT:
            self.misses.append(entry)
