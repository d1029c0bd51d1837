"""The verdicts of a run, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from graphtape.core.verdict.verdict import Kind, Verdict

KEPT = 20
"""Verdicts of a kind that are kept in full; a client can do the same wrong thing for ever."""


@dataclass(slots=True)
class Tally:
    """The first `KEPT` verdicts of each kind, in the order they came, and the count of all."""

    counts: Counter[Kind] = field(default_factory=Counter)
    kept: list[Verdict] = field(default_factory=list)

    def add(self, verdicts: Iterable[Verdict]) -> None:
        """Count verdicts."""
        for verdict in verdicts:
            self.counts[verdict.kind] += 1
            if self.counts[verdict.kind] <= KEPT:
                self.kept.append(verdict)

    def again(self, kinds: Collection[Kind]) -> bool:
        """Count one more of each kind, unless it would be kept: then `add` has to be asked."""
        counts = self.counts
        for kind in kinds:
            if counts[kind] < KEPT:
                return False
        for kind in kinds:
            counts[kind] += 1
        return True

    def lines(self) -> tuple[str, ...]:
        """Write them for a person: each kept one, and how many more there are of a kind."""
        told = [f"{verdict.kind}: {verdict.text}" for verdict in self.kept]
        more = [
            f"{kind}: and {count - KEPT} more"
            for kind, count in self.counts.items()
            if count > KEPT
        ]
        return (*told, *more)
