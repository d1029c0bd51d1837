"""What a run came to: told, written down, and as an exit code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from graphtape.cli.serving import note, say
from graphtape.cli.terminal.screen import screen
from graphtape.core.journal import Source
from graphtape.core.matching.mismatch import spelled_out
from graphtape.core.report.text import as_text
from graphtape.core.report.unused import joint
from graphtape.core.report.wording import count, first_of
from graphtape.runner.reporting import annotate, write_report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphtape.core.report.report import Report
    from graphtape.runner import Proxy, Run
    from graphtape.server.session.outcome import Outcome
    from graphtape.settings import Settings

FAILED = 1
MISSED = 3
UNUSED = 4

_MOST_CASSETTES = 20


def tell(
    proxy: Run, settings: Settings, *, failed: bool, taped: Proxy | None = None
) -> list[Report]:
    """Say what a run came to; write the reports that are wanted.

    Args:
        proxy: Stopped.
        settings: Of the run.
        failed: The command that was run failed by itself.
        taped: The proxy, where it may have recorded: say what became of its cassettes, too.

    Raises:
        GraphtapeError: A report can't be written.
    """
    reports = proxy.reports()
    saved = [] if taped is None else [*_all_taped(taped)]
    console = screen()
    if console is None:
        for line in as_text(reports, failed=failed):
            say(line)
    else:
        from graphtape.cli.terminal.summary import summary  # noqa: PLC0415 - draws at terminals

        first = None if taped is None else taped.outcomes[0]
        recorded = None if first is None or first.saved is None else str(first.path)
        console.print(summary(reports, failed=failed, saved=saved, recorded=recorded))
    annotate(reports, os.environ, say=say, note=note)
    for name in settings.report:
        write_report(Path(name), reports)
    if console is None:
        for line in saved:
            say(line)
    return reports


def _all_taped(proxy: Proxy) -> Iterator[str]:
    """Say what became of the cassettes that were recorded into, the default session's first."""
    first, *others = proxy.outcomes
    if first.path is not None:
        yield _taped(first, first.path)
    # What wasn't written comes first: there may be more than are told.
    others.sort(key=lambda each: each.saved is not None)
    lines = [_taped(each, each.path) for each in others if each.path is not None]
    yield from first_of(lines, _MOST_CASSETTES)


def _taped(outcome: Outcome, cassette: Path) -> str:
    if outcome.saved is not None:
        held = count(outcome.saved, "interaction")
        said = f"saved {spelled_out(str(cassette))}: {held}, {outcome.recorded} new"
        return "\n".join((said, *outcome.notes))
    state = "is as it was" if cassette.exists() else "was not written"
    why = ": nothing was recorded" if not outcome.recorded else ""
    return f"{spelled_out(str(cassette))} {state}{why}"


def unused_count(reports: Sequence[Report]) -> int:
    """Count the interactions that no session used."""
    return sum(each.count for each in joint(reports))


def exit_code(reports: Sequence[Report]) -> int:
    """Return the code a run ends with."""
    if any(each.taping.failures or each.taping.dropped for each in reports):
        return FAILED
    if any(each.judged.get(kind) for each in reports for kind in each.fail_on):
        return FAILED
    if any(each.counts[Source.MISSED] for each in reports):
        return MISSED
    if any(each.reached_nobody for each in reports):
        return FAILED
    if reports[0].fail_on_unused and unused_count(reports):
        return UNUSED
    return 0
