"""What a worker and the process that started it tell each other, over a pipe."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphtape.core.report.report import Report


class Stop(Enum):
    """Tells a worker to stop; the second time, to cut what is in flight."""

    STOP = auto()


class Ready(Enum):
    """Tells that a worker's ports accept."""

    READY = auto()


@dataclass(frozen=True, slots=True)
class Failed:
    """Tells why a worker couldn't start."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Over:
    """Tells what a worker's sessions came to, once it has stopped.

    Attributes:
        reports: That of its default session first; each tape is a `TapeNumber`.
    """

    reports: list[Report]


@dataclass(frozen=True, slots=True)
class Ask:
    """Asks a worker that has stopped for interactions of a tape, by method and URL."""

    tape: int
    indices: tuple[int, ...]
