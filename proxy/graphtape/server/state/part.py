"""What one of several proxies knows of a session, for a report of all of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from graphtape.core.report.accounting import MOST_INCIDENTS
from graphtape.core.report.report import Incident, Injected
from graphtape.core.verdict.tally import KEPT
from graphtape.core.verdict.verdict import Kind, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graphtape.core.report.report import Report


class Part(Struct, frozen=True, kw_only=True):
    """A report without what all have in common; attributes as there.

    Attributes:
        failures: Of the run.
        played: Of each tape, the slots that it knows to have played.
    """

    arrived: int
    counts: dict[str, int]
    misses: list[Incident]
    misses_cut: int
    refused: list[Incident]
    unfinished: list[Incident]
    injected: list[Injected]
    verdicts: list[Verdict]
    judged: dict[str, int]
    failures: list[str]
    played: list[list[int]]

    @classmethod
    def of(cls, report: Report, played: Sequence[Iterable[int]]) -> Part:
        """Take what is to be told of a report."""
        return cls(
            arrived=report.arrived,
            counts={source.value: n for source, n in report.counts.items()},
            misses=list(report.misses),
            misses_cut=report.misses_cut,
            refused=list(report.refused),
            unfinished=list(report.unfinished),
            injected=list(report.injected),
            verdicts=list(report.verdicts),
            judged={kind.value: n for kind, n in report.judged.items()},
            failures=list(report.taping.failures),
            played=[sorted(slots) for slots in played],
        )

    def encoded(self) -> bytes:
        """Write it."""
        return msgspec.json.encode(self)


def parts_of(answers: Iterable[bytes]) -> list[Part]:
    """Read the parts that others told; one who knows nothing of a session tells none."""
    return [msgspec.json.decode(each, type=Part) for each in answers if each]


def merged(report: Report, parts: Sequence[Part]) -> Report:
    """Return a report with those of others in it; what is unused is theirs already."""
    if not parts:
        return report
    misses, cut = _joined([report.misses, *(each.misses for each in parts)])
    kept: Counter[Kind] = Counter()
    verdicts: list[Verdict] = []
    for verdict in (*report.verdicts, *(v for each in parts for v in each.verdicts)):
        kept[verdict.kind] += 1
        if kept[verdict.kind] <= KEPT:
            verdicts.append(verdict)
    judged = Counter(report.judged)
    for each in parts:
        judged.update({Kind(kind): n for kind, n in each.judged.items()})
    injected: Counter[tuple[str, int]] = Counter()
    for did in (*report.injected, *(i for each in parts for i in each.injected)):
        injected[did.why, did.status] += did.times
    failures = [*report.taping.failures, *(f for each in parts for f in each.failures)]
    return replace(
        report,
        arrived=report.arrived + sum(each.arrived for each in parts),
        counts={
            source: n + sum(each.counts.get(source.value, 0) for each in parts)
            for source, n in report.counts.items()
        },
        misses=misses,
        misses_cut=report.misses_cut + cut + sum(each.misses_cut for each in parts),
        refused=_joined([report.refused, *(each.refused for each in parts)])[0],
        unfinished=_joined([report.unfinished, *(each.unfinished for each in parts)])[0],
        injected=tuple(
            Injected(why=why, status=status, times=times)
            for (why, status), times in list(injected.items())[:MOST_INCIDENTS]
        ),
        verdicts=tuple(verdicts),
        judged=dict(judged),
        taping=replace(report.taping, failures=tuple(dict.fromkeys(failures))),
    )


def _joined(lists: Iterable[Iterable[Incident]]) -> tuple[tuple[Incident, ...], int]:
    """Tell the same once; return how many requests those are that there are too many of, too."""
    found: dict[tuple[str, str, int, str], Incident] = {}
    for each in (incident for some in lists for incident in some):
        what = (each.method, each.url, each.status, each.reason)
        known = found.get(what)
        found[what] = each if known is None else replace(known, times=known.times + each.times)
    told = tuple(found.values())
    return told[:MOST_INCIDENTS], sum(each.times for each in told[MOST_INCIDENTS:])
