"""Why a session is no success, for the report of a test."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from graphtape.core.errors import GraphtapeError
from graphtape.core.journal import Entry, Source
from graphtape.core.report.text import as_text
from graphtape.core.report.wording import count, first_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphtape.core.report.report import Report

_MOST_IN_FULL = 3
_MOST_LINES = 10


class SessionError(GraphtapeError, AssertionError):
    """A session is no success, though nothing else failed; its text is the report, in lines.

    An AssertionError, so that test runners count it as a failed test and not as a broken one.
    """


class MissError(SessionError):
    """Nothing recorded answers a request."""


def failure(report: Report, misses: Sequence[Entry]) -> SessionError | None:
    """Return what is wrong with a session; None where nothing is.

    Args:
        report: Of the session.
        misses: Those of its misses that nobody expected.
    """
    counts = {**report.counts, Source.MISSED: 0}
    others = replace(report, counts=counts, misses=(), misses_cut=0)
    lines = [*_missed(misses), *_wrong(others)]
    if not lines:
        return None
    return (MissError if misses else SessionError)("\n".join(lines))


def _missed(misses: Sequence[Entry]) -> Iterator[str]:
    """Tell the first different misses in full, and others by their first line."""
    if not misses:
        return
    yield count(len(misses), "miss", "misses")
    times = Counter(each.note for each in misses)
    told = list(times)
    for note in told[:_MOST_IN_FULL]:
        yield note + _times(times[note])
    others = [note.partition("\n")[0] + _times(times[note]) for note in told[_MOST_IN_FULL:]]
    yield from first_of(others, _MOST_LINES)


def _times(times: int) -> str:
    return f"\n({times} times)" if times > 1 else ""


def _wrong(report: Report) -> Iterator[str]:
    wrong = report.wrong()
    if not wrong:
        return
    yield ", ".join(wrong)
    yield from as_text([report])
    if report.reached_nobody:
        yield from first_of([each.headline for each in report.refused], _MOST_LINES)
