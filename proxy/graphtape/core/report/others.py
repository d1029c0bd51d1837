"""The sessions beside the default one: there may be thousands, and most have nothing to tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from graphtape.core.journal import Source
from graphtape.core.report.unused import joint
from graphtape.core.report.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphtape.core.report.report import Report

MOST_IN_FULL = 100
"""Other sessions that a report for a program tells in full."""

MOST_OF_EACH = 3
"""Items of a list that it tells of any further one."""


def abridged(reports: Sequence[Report]) -> Iterator[Report]:
    """Cut what there is too much of: every session stays, and every number."""
    for number, report in enumerate(reports):
        yield report if number <= MOST_IN_FULL else _abridged(report)


def _abridged(report: Report) -> Report:
    misses, taping = report.misses[:MOST_OF_EACH], report.taping
    cut = sum(each.times for each in report.misses[MOST_OF_EACH:])
    return replace(
        report,
        misses=misses,
        misses_cut=report.misses_cut + cut,
        refused=report.refused[:MOST_OF_EACH],
        unfinished=report.unfinished[:MOST_OF_EACH],
        injected=report.injected[:MOST_OF_EACH],
        unused=(),
        unused_cut=report.unused_count,
        verdicts=report.verdicts[:MOST_OF_EACH],
        idle=report.idle[:MOST_OF_EACH],
        taping=replace(
            taping, dropped=taping.dropped[:MOST_OF_EACH], failures=taping.failures[:MOST_OF_EACH]
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """The sessions beside the default one, for a person.

    Attributes:
        first: That of the default session, with what no session used.
        told: The first of those with something to tell; what they left unused is told of all
            sessions together.
        rest: What is to be said of those that aren't told, a line each.
    """

    first: Report
    told: tuple[Report, ...]
    rest: tuple[str, ...]

    @classmethod
    def of(cls, reports: Sequence[Report], *, most: int) -> Self:
        """Choose those to be told.

        Args:
            reports: That of the default session first.
            most: How many are told.
        """
        first, *others = reports
        if others:
            first = replace(first, unused=joint(reports))
        eventful = [each for each in others if _eventful(each)]
        quiet = [each for each in others if not _eventful(each)]
        left = eventful[most:]
        rest = []
        if left:
            missed = sum(each.counts[Source.MISSED] for each in left)
            rest.append(
                f"{_summed(left)}, {count(missed, 'miss', 'misses')}; --report FILE tells of each"
            )
        if quiet:
            rest.append(f"{_summed(quiet)}, nothing to tell")
        return cls(
            first=first,
            told=tuple(replace(each, unused=()) for each in eventful[:most]),
            rest=tuple(rest),
        )


def _eventful(report: Report) -> bool:
    """Tell whether a session went otherwise than every user hopes; unused interactions apart."""
    taping = report.taping
    return bool(
        report.counts[Source.MISSED]
        or report.reached_nobody
        or report.unfinished
        or report.judged
        or taping.failures
        or taping.dropped
    )


def _summed(reports: Sequence[Report]) -> str:
    requests = count(sum(each.arrived for each in reports), "request")
    return f"and {count(len(reports), 'more session')}: {requests}"
