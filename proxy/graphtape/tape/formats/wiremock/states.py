"""Scenarios of WireMock: states that stubs need and set, as an order on tape.

On tape a write moves on, and answers to one request play in turn: what a scenario does, too.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

STARTED = "Started"
"""The state in which every scenario begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stub's part in a scenario.

    Attributes:
        stub: Its index in the file.
        scenario: Its name.
        needs: The state in which it answers; None for any.
        sets: The state it leads to; None where it stays.
    """

    stub: int
    scenario: str
    needs: str | None
    sets: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How the stubs of scenarios stand on tape.

    Attributes:
        ranks: Places of stubs, by index in the file: those of a scenario share out the places
            they have in the file.
        unreached: Indices of stubs whose state no other leads to.
        notes: By index, what a tape does otherwise.
    """

    ranks: dict[int, int]
    unreached: frozenset[int]
    notes: dict[int, str]


def ordered(steps: Sequence[Step]) -> Order:
    """Put the stubs of each scenario in the order of its states."""
    by_scenario: dict[str, list[Step]] = defaultdict(list)
    for step in steps:
        by_scenario[step.scenario].append(step)
    ranks: dict[int, int] = {}
    unreached: set[int] = set()
    notes: dict[int, str] = {}
    for members in by_scenario.values():
        walk = _walk(members, notes)
        places = sorted(step.stub for step in walk)
        ranks.update({step.stub: place for step, place in zip(walk, places, strict=True)})
        unreached.update(step.stub for step in members if step not in walk)
    return Order(ranks=ranks, unreached=frozenset(unreached), notes=notes)


def _walk(members: list[Step], notes: dict[int, str]) -> list[Step]:
    """List the stubs from state to state: in each, first those that stay in it."""
    found: list[Step] = []
    seen: set[str] = set()
    states = [STARTED]
    while states:
        state = states.pop(0)
        if state in seen:
            continue
        seen.add(state)
        here = [
            step
            for step in members
            if step not in found and (step.needs == state or step.needs is None)
        ]
        leaving = [step for step in here if step.sets not in {None, state}]
        found += [step for step in here if step not in leaving]
        found += leaving
        for number, step in enumerate(leaving):
            assert step.sets is not None  # noqa: S101 - it leaves
            if step.sets in seen:
                notes[step.stub] = "the scenario begins anew after it; the tape doesn't"
            elif number and step.sets != leaving[0].sets:
                notes[step.stub] = "the scenario branches here; the tape plays one after the other"
            states.append(step.sets)
    return found
