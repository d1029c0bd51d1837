"""What was measured, as a table for people and as JSON for programs."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from benchmarks.process import can_pin

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.load import Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number.

    Attributes:
        part: Of the benchmarks.
        name: What was measured.
        value: In its unit.
        unit: As printed.
    """

    part: str
    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One contestant under load.

    Attributes:
        part: Of the benchmarks.
        name: The contestant's.
        interactions: Of its tape.
        many: The load of many connections.
        one: The load of a single one.
    """

    part: str
    name: str
    interactions: int
    many: Load
    one: Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A number beside the one it should reach; missing it is no failure of the run.

    Attributes:
        part: Of the benchmarks.
        name: What is compared with what.
        value: Measured.
        goal: To reach.
        floor: What must hold at least; None where there is only the goal.
        unit: As printed; `x` is a ratio.
        more_is_better: Whether the goal is a lower bound.
    """

    part: str
    name: str
    value: float
    goal: float
    floor: float | None = None
    unit: str = "x"
    more_is_better: bool = True

    @property
    def word(self) -> str:
        """Say how the number stands to its goal."""
        if self._reaches(self.goal):
            return "reached"
        if self.floor is not None and self._reaches(self.floor):
            return "above the floor"
        return "missed"

    def _reaches(self, bound: float) -> bool:
        return self.value >= bound if self.more_is_better else self.value <= bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """One that took no part, and why."""

    part: str
    name: str
    why: str


@dataclass(slots=True)
class Results:
    """All of a run."""

    loaded: list[Loaded] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Return everything, and what it was measured on; times in seconds, sizes in bytes."""
        goals = [{**asdict(goal), "word": goal.word} for goal in self.goals]
        return {
            "machine": machine(),
            "loaded": [asdict(each) for each in self.loaded],
            "figures": [asdict(each) for each in self.figures],
            "goals": goals,
            "skipped": [asdict(each) for each in self.skipped],
        }

    def as_text(self) -> str:
        """Return the tables."""
        return "\n\n".join(block for block in self._blocks() if block)

    def _blocks(self) -> Iterable[str]:
        yield "  ".join(f"{name}: {value}" for name, value in machine().items())
        yield _loads(self.loaded)
        yield _columns(
            ("part", "measured", "value"),
            [(f.part, f.name, f"{_short(f.value)} {f.unit}") for f in self.figures],
        )
        yield _columns(
            ("part", "compared", "value", "goal", ""),
            [
                (g.part, g.name, f"{_short(g.value)} {g.unit}", _bound(g), g.word)
                for g in self.goals
            ],
        )
        yield "\n".join(f"skipped in {s.part}: {s.name}: {s.why}" for s in self.skipped)


def machine() -> dict[str, object]:
    """Describe what it is measured on."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)),
        "pinned": can_pin(),
    }


def _loads(loaded: Sequence[Loaded]) -> str:
    head = (
        *("part", "contestant", "tape", "requests/s", "p50 ms", "p99 ms", "CPU µs/request"),
        *("client CPU", "p50 ms, alone", "p99 ms, alone"),
    )
    return _columns(
        head,
        [
            (
                each.part,
                each.name,
                f"{each.interactions:,}",
                f"{each.many.requests:,.0f}",
                f"{each.many.p50 * 1e3:.2f}",
                f"{each.many.p99 * 1e3:.2f}",
                f"{each.many.cpu * 1e6:.0f}",
                f"{each.many.client:.0%}",
                f"{each.one.p50 * 1e3:.3f}",
                f"{each.one.p99 * 1e3:.3f}",
            )
            for each in loaded
        ],
    )


def _bound(goal: Goal) -> str:
    sign = ">=" if goal.more_is_better else "<="
    floor = f" (floor {_short(goal.floor)})" if goal.floor is not None else ""
    return f"{sign} {_short(goal.goal)}{floor}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits


def _columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table; nothing where it has no rows."""
    if not rows:
        return ""
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    lines = (head, ["-" * width for width in widths], *rows)
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
