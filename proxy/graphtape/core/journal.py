"""What was asked, what was answered, from where, and why."""

from __future__ import annotations

import enum
from collections import Counter, deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graphtape.core.message import Request

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

    __hash__ = str.__hash__  # the enum's own is written in Python


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
        cassette: Number of that tape among those of the session, from 0.
        at: Unix seconds of the request's arrival.
        milliseconds: From then to the answer's last byte.
        note: Why, where it isn't plain; secrets out.
        effects: What scenarios did to an answer of tape or upstream, by rule; secrets out.
    """

    number: int
    method: str
    url: str
    status: int
    source: Source
    interaction: int | None = None
    cassette: int | None = None
    at: float = 0.0
    milliseconds: float = 0.0
    note: str = ""
    effects: str = ""


class Facts(NamedTuple):
    """What many entries have in common of an answer; each as in `Entry`.

    Attributes:
        cassette: Where it has an interaction.
        counter: How many entries of this source there are, in a list of one.
    """

    status: int
    source: Source
    interaction: int | None
    note: str
    effects: str
    counter: list[int]
    cassette: int | None = None


class Journal:
    """A session's entries, the newest `KEPT` of them, and the count of all by source.

    Attributes:
        arrived: How many requests have.
        clean: Takes secrets and identities out of a URL.
        epoch: Unix seconds at which the clock that `add_brief` is told was 0.
        misses: The first `KEPT` of them.
        injected: How often scenarios did what, by its name and the status answered; the first
            `KEPT` different ones.
    """

    __slots__ = ("_counts", "_kept", "arrived", "clean", "epoch", "injected", "misses")

    def __init__(self) -> None:
        """Begin with nothing."""
        self.arrived = 0
        self.clean: Callable[[str], str] = str
        self.epoch = 0.0
        self.misses: list[Entry] = []
        self.injected: Counter[tuple[str, int]] = Counter()
        self._kept: deque[Entry | tuple[Request, Facts, int, float, float]] = deque(maxlen=KEPT)
        self._counts: dict[Source, list[int]] = {}

    @property
    def entries(self) -> Sequence[Entry]:
        """Those that are kept, in the order they were answered."""
        return [each if isinstance(each, Entry) else self.entry(*each) for each in self._kept]

    @property
    def gone(self) -> int:
        """How many entries are kept no longer."""
        return self.done - len(self._kept)

    def between(self, first: int, end: int) -> list[Entry]:
        """Return entries by their place in the order they were answered, as far as they are kept.

        Args:
            first: Place of the first one, from 0.
            end: The place after the last one.
        """
        gone = self.gone
        found = islice(self._kept, max(0, first - gone), max(0, end - gone))
        return [each if isinstance(each, Entry) else self.entry(*each) for each in found]

    def numbered(self, number: int) -> Entry | None:
        """Return the entry of a request; None where it is kept no longer, or there is none."""
        for each in self._kept:
            if (each.number if isinstance(each, Entry) else each[2]) == number:
                return each if isinstance(each, Entry) else self.entry(*each)
        return next((each for each in self.misses if each.number == number), None)

    @property
    def counts(self) -> Counter[Source]:
        """How many entries there have been, by source."""
        return Counter({source: count[0] for source, count in self._counts.items()})

    @property
    def done(self) -> int:
        """How many entries there have been."""
        return sum(count[0] for count in self._counts.values())

    def newest(self, most: int) -> list[Entry]:
        """Return the newest of those that are kept, in the order they were answered."""
        found = list(islice(reversed(self._kept), most))
        return [each if isinstance(each, Entry) else self.entry(*each) for each in reversed(found)]

    def number(self) -> int:
        """Number a request that has arrived."""
        self.arrived += 1
        return self.arrived

    def add(self, entry: Entry) -> None:
        """Note what became of a request."""
        self._kept.append(entry)
        self._counted(entry.source)[0] += 1
        if entry.effects or entry.source is Source.INJECTED:
            self._note_effects(entry)
        if entry.source is Source.MISSED and len(self.misses) < KEPT:
            self.misses.append(entry)

    def add_brief(
        self, request: Request, facts: Facts, number: int, began: float, milliseconds: float
    ) -> None:
        """Note in short what became of a request, no miss; `entry` writes it in full."""
        self._kept.append((request, facts, number, began, milliseconds))
        facts.counter[0] += 1
        if facts.effects:
            self._note_effects(facts)

    def entry(
        self, request: Request, facts: Facts, number: int, began: float, milliseconds: float
    ) -> Entry:
        """Make the full entry of one that was noted in short, when it is first read.

        `began` is when it arrived, in seconds of the clock that `epoch` is of.
        """
        return Entry(
            number=number,
            method=request.method,
            url=self.clean(request.url),
            status=facts.status,
            source=facts.source,
            interaction=facts.interaction,
            cassette=facts.cassette,
            at=self.epoch + began,
            milliseconds=milliseconds,
            note=facts.note,
            effects=facts.effects,
        )

    def facts(
        self,
        status: int,
        source: Source,
        *,
        interaction: int | None,
        note: str,
        effects: str,
        cassette: int = 0,
    ) -> Facts:
        """Return what `add_brief` is to note of an answer, again and again."""
        on_tape = None if interaction is None else cassette
        return Facts(status, source, interaction, note, effects, self._counted(source), on_tape)

    def _counted(self, source: Source) -> list[int]:
        return self._counts.setdefault(source, [0])

    def _note_effects(self, facts: Entry | Facts) -> None:
        effects = facts.note if facts.source is Source.INJECTED else facts.effects
        if effects:
            what = (effects, facts.status)
            if what in self.injected or len(self.injected) < KEPT:
                self.injected[what] += 1
