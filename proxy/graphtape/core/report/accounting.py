"""A session told as a report."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from graphtape.core.graph.actions import short
from graphtape.core.journal import Entry, Journal, Source
from graphtape.core.matching.mismatch import spelled_out
from graphtape.core.report.report import (
    Aged,
    Called,
    CassetteFacts,
    Incident,
    Injected,
    Report,
    Taping,
)
from graphtape.core.report.usage import LONGEST_URL, Usage
from graphtape.core.report.wording import cut
from graphtape.core.scenario.effect import ConnectionFault, WireFault
from graphtape.core.tape.age import age_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from graphtape.core.tape.session import Session
    from graphtape.core.verdict.tally import Tally
    from graphtape.core.verdict.verdict import Kind

MOST_INCIDENTS = 200
"""Different misses that a report tells; likewise refusals, and requests cut off."""

LONGEST_REASON = 8_000
"""Characters."""

_FIRST_ERROR = 400
_BROKEN = frozenset({*map(str, ConnectionFault), *map(str, WireFault), "delay"})
_NOTHING_TAPED = Taping()


def account(
    session: Session,
    verdicts: Tally,
    *,
    cassettes: Sequence[CassetteFacts] = (),
    taping: Taping = _NOTHING_TAPED,
    now: float,
    fail_on_unused: bool = False,
    fail_on: Iterable[Kind] = (),
    usage: Usage | None = None,
) -> Report:
    """Tell what a session came to.

    Args:
        session: Whose journal is clean of secrets.
        verdicts: On its client.
        cassettes: What it played, in order.
        taping: What it recorded.
        now: Unix seconds.
        fail_on_unused: Whether unused interactions fail the run.
        fail_on: The verdicts that do.
        usage: Of the tapes of all the sessions that are told of together.
    """
    journal = session.journal
    counts, entries = journal.counts, journal.entries  # made anew at each look
    refused = [each for each in entries if each.source is Source.REFUSED]
    misses = _incidents(journal.misses)
    told = sum(each.times for each in misses)
    return Report(
        session=session.id,
        mode=session.mode,
        now=now,
        forwards=session.forwards,
        arrived=journal.arrived,
        counts={source: counts[source] for source in Source},
        misses=misses,
        misses_cut=counts[Source.MISSED] - told,
        refused=_incidents(each for each in refused if each.status),
        unfinished=_incidents(each for each in refused if not each.status),
        injected=_injected(journal),
        unused=tuple(map((usage or Usage()).unused, session.playbacks)) if session.plays else (),
        verdicts=tuple(verdicts.kept),
        judged=dict(verdicts.counts),
        called=_called(entries),
        idle=session.script.idle(),
        cassettes=tuple(Aged(facts=each, days=_age(each.recorded_at, now)) for each in cassettes),
        taping=taping,
        fail_on_unused=fail_on_unused,
        fail_on=tuple(fail_on),
    )


def _incidents(entries: Iterable[Entry]) -> tuple[Incident, ...]:
    """Tell the same once, whatever its request's number."""
    times: Counter[tuple[str, str, int, str]] = Counter()
    first: dict[tuple[str, str, int, str], int] = {}
    for entry in entries:
        what = (entry.method, entry.url, entry.status, entry.note)
        times[what] += 1
        first.setdefault(what, entry.number)
    return tuple(
        Incident(
            number=first[what],
            method=spelled_out(method),
            url=_url(url),
            status=status,
            reason=_reason(note),
            times=times[what],
        )
        for what in list(first)[:MOST_INCIDENTS]
        for method, url, status, note in [what]
    )


def _injected(journal: Journal) -> tuple[Injected, ...]:
    return tuple(
        Injected(why=_reason(why), status=status, times=times)
        for (why, status), times in list(journal.injected.items())[:MOST_INCIDENTS]
    )


def _called(entries: Iterable[Entry]) -> tuple[Called, ...]:
    """Tell which calls met which failures; what nothing answered is no call of Graph's."""
    times: Counter[tuple[str, str]] = Counter()
    failures: dict[tuple[str, str], Counter[str]] = {}
    for entry in entries:
        if entry.source in {Source.MISSED, Source.REFUSED}:
            continue
        what = (entry.method, short(entry.url).partition("?")[0])
        times[what] += 1
        failures.setdefault(what, Counter()).update(_failures(entry))
    return tuple(
        Called(
            method=spelled_out(what[0]),
            path=_url(what[1]),
            times=times[what],
            failures=dict(sorted(failures[what].items())),
        )
        for what in list(times)[:MOST_INCIDENTS]
    )


def _failures(entry: Entry) -> Iterator[str]:
    if entry.status >= _FIRST_ERROR:
        yield str(entry.status)
    effects = entry.note if entry.source is Source.INJECTED else entry.effects
    words = {word for why in effects.split("; ") for word in why.rpartition(": ")[2].split(", ")}
    yield from sorted(words & _BROKEN)


def _age(recorded_at: str | None, now: float) -> int | None:
    age = age_at(recorded_at or "", datetime.fromtimestamp(now, UTC))
    # Clocks differ: what was recorded a moment ago elsewhere isn't from tomorrow.
    return None if age is None else max(0, age.days)


def _url(url: str) -> str:
    return cut(spelled_out(url), LONGEST_URL)


def _reason(note: str) -> str:
    return cut("\n".join(map(spelled_out, note.splitlines())), LONGEST_REASON)
