"""Tapes that only a worker holds: it is asked for what a report tells of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphtape.runner.workers.message import Ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from graphtape.core.report.report import Report
    from graphtape.core.report.usage import Told, UnusedRequest


@dataclass(frozen=True, slots=True)
class TapeNumber:
    """Stands for a tape while a report is on its way to another process.

    Attributes:
        number: Among the tapes of its worker.
        size: How many interactions it holds.
    """

    number: int
    size: int

    def requests(self, indices: Sequence[int]) -> tuple[UnusedRequest, ...]:
        """Tell nothing: its worker has to be asked."""
        raise NotImplementedError(indices)


@dataclass(frozen=True, slots=True)
class AwayTape:
    """A tape that a worker holds.

    Attributes:
        number, size: As of `TapeNumber`.
        ask: Asks its worker.
    """

    number: int
    size: int
    ask: Callable[[Ask], tuple[UnusedRequest, ...]]

    def requests(self, indices: Sequence[int]) -> tuple[UnusedRequest, ...]:
        """Tell interactions by method and URL; none where the worker has died meanwhile."""
        return self.ask(Ask(self.number, tuple(indices))) if indices else ()


def sent(reports: Iterable[Report]) -> tuple[list[Report], list[Told]]:
    """Return reports as they can be sent, and the tapes that their numbers stand for."""
    tapes: dict[int, tuple[TapeNumber, Told]] = {}

    def number(tape: Told) -> TapeNumber:
        found = tapes.get(id(tape))
        if found is None:
            found = tapes[id(tape)] = TapeNumber(len(tapes), tape.size), tape
        return found[0]

    light = [
        replace(
            report,
            unused=tuple(replace(each, tape=number(each.tape)) for each in report.unused),
        )
        for report in reports
    ]
    return light, [tape for _, tape in tapes.values()]


def received(
    reports: Iterable[Report], ask: Callable[[Ask], tuple[UnusedRequest, ...]]
) -> list[Report]:
    """Return reports as they are where they were sent to."""

    def away(tape: Told) -> Told:
        assert isinstance(tape, TapeNumber)  # noqa: S101 - as `sent` makes them
        return AwayTape(tape.number, tape.size, ask)

    return [
        replace(report, unused=tuple(replace(each, tape=away(each.tape)) for each in report.unused))
        for report in reports
    ]
