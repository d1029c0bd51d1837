"""What a run of the benchmarks is asked for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run is asked for.

    Attributes:
        seconds: Of each load.
        rounds: In each, every contestant has its turn once.
        only: Contestants whose name contains one of these; empty is all.
        interactions: Sizes of the tapes replayed, ascending.
        opened: Interactions of the tape that is opened and opened again.
        connections: Of the load; one other load has a single one.
        full: Also what takes long: a download of 1 GB, a million requests.
    """

    seconds: float
    rounds: int
    only: tuple[str, ...]
    interactions: tuple[int, ...]
    opened: int
    connections: int
    full: bool

    def wants(self, name: str) -> bool:
        """Tell whether a contestant takes part."""
        return not self.only or any(part in name for part in self.only)
