"""A report as lines for a terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from graphtape.core.graph.actions import short
from graphtape.core.journal import Source
from graphtape.core.matching.mismatch import spelled_out
from graphtape.core.report.others import Others
from graphtape.core.report.wording import ago, count, first_of
from graphtape.core.verdict.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphtape.core.report.report import Aged, Report
    from graphtape.core.report.usage import Unused

_MOST = 20
_MOST_OTHER_MISSES = 9
_MOST_UNUSED = 10
_MOST_INDICES = 100
MOST_OTHERS = 20
"""Sessions beside the default one that are told."""


def as_text(reports: Sequence[Report], *, failed: bool = False) -> list[str]:
    """Write reports, one line an item; each but the first under the name of its session.

    Unused is what no session used. Of the other sessions those are told to which something
    happened that is a problem; the rest are counted.

    Args:
        reports: That of the default session first.
        failed: The command that was run failed by itself: what it left unused is counted alone.
    """
    chosen = Others.of(reports, most=MOST_OTHERS)
    lines = _lines(chosen.first, failed=failed)
    for report in chosen.told:
        lines.append(f"session {report.session}:")
        lines += [f"  {line}" for line in _lines(report, failed=failed)]
    return [*lines, *chosen.rest]


def _lines(report: Report, *, failed: bool) -> list[str]:
    taping = report.taping
    return [
        _counted(report),
        *first_of(aged(report), _MOST),
        *first_of(
            [
                f"unfinished: {each.method} {short(each.url)}: {each.reason}{_times(each.times)}"
                for each in report.unfinished
            ],
            _MOST,
        ),
        *_injected(report),
        *_unused(report, failed=failed),
        *_missed(report),
        *(f"verdict: {line}" for line in judgements(report)),
        *(f"no effect: {rule}" for rule in report.idle),
        *first_of([f"left off the tape: {spelled_out(why)}" for why in taping.dropped], _MOST),
        *map(spelled_out, taping.failures),
        *redacted(report),
    ]


def _counted(report: Report) -> str:
    counts = ", ".join(f"{n} {source}" for source, n in report.counts.items() if n)
    return f"{count(report.arrived, 'request')}" + (f": {counts}" if counts else "")


def aged(report: Report) -> list[str]:
    """Say of each cassette how old it is, where that is known, and whether it was edited."""
    return [_of_cassette(each) for each in report.cassettes if _is_told(each)]


def _is_told(cassette: Aged) -> bool:
    return cassette.days is not None or cassette.facts.edited


def _of_cassette(cassette: Aged) -> str:
    facts = cassette.facts
    told = [count(facts.interactions, "interaction")]
    if cassette.days is not None:
        told.append(f"recorded {ago(cassette.days)}")
    if facts.edited:
        told.append("edited since it was recorded")
    return f"{spelled_out(facts.name)}: {', '.join(told)}"


def _injected(report: Report) -> Iterator[str]:
    lines = [
        f"injected {each.times} times: {each.status or 'broken connection'}, {each.why}"
        if each.times > 1
        else f"injected: {each.status or 'broken connection'}, {each.why}"
        for each in report.injected
    ]
    yield from first_of(lines, _MOST)


def _unused(report: Report, *, failed: bool) -> Iterator[str]:
    if failed:
        if report.unused_count:
            yield f"unused: {count(report.unused_count, 'interaction')}"
        return
    for each in report.unused:
        if each.count:
            indices = ", ".join(first_of([str(i) for i in each.indices], _MOST_INDICES))
            yield f"unused in {spelled_out(each.cassette)}: {indices}"
            yield from _requests(each)


def _requests(unused: Unused) -> Iterator[str]:
    for request in unused.requests[:_MOST_UNUSED]:
        yield f"  {request.index} {request.method} {short(request.url)}"
    more = unused.count - min(len(unused.requests), _MOST_UNUSED)
    if more:
        yield f"  and {more} more"


def _missed(report: Report) -> Iterator[str]:
    missed = report.counts[Source.MISSED]
    if not report.misses:
        return
    first, *others = report.misses
    yield f"{count(missed, 'miss', 'misses')}; the first: {first.headline}"
    shown = others[:_MOST_OTHER_MISSES]
    for each in shown:
        yield f"  also: {each.method} {short(each.url)}{_times(each.times)}"
    more = missed - first.times - sum(each.times for each in shown)
    if more:
        yield f"  and {more} more"


def judgements(report: Report) -> tuple[str, ...]:
    """Write the verdicts: each that was kept, and how many more there are of a kind."""
    return Tally(counts=Counter(report.judged), kept=list(report.verdicts)).lines()


def redacted(report: Report) -> Iterator[str]:
    """Say what was replaced in a recording, and what was not."""
    counts = report.taping.redacted
    secrets, identities = counts.get("secrets", 0), counts.get("identities", 0)
    if secrets or identities:
        replaced = count(identities, "identity", "identities")
        yield f"redacted: {count(secrets, 'secret')} masked, {replaced} replaced by pseudonyms"
    kept = counts.get("personal", 0)
    if kept:
        yield (
            f"kept as they are: {kept} names, phones, devices or serials; [redaction] "
            "personal = true replaces them"
        )


def _times(times: int) -> str:
    return f" ({times} times)" if times > 1 else ""
