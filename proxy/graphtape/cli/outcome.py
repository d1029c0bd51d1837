"""What a run came to: told, written down, and as an exit code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from graphtape.cli.serving import note, say
from graphtape.core.journal import Source
from graphtape.core.report import as_text, unused_by_all
from graphtape.runner.reporting import annotate, write_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphtape.core.report import Report
    from graphtape.runner import Proxy
    from graphtape.settings import Settings

FAILED = 1
MISSED = 3
UNUSED = 4


def tell(proxy: Proxy, settings: Settings, *, failed: bool) -> list[Report]:
    """Say what a run came to; write the reports that are wanted.

    Args:
        proxy: Stopped.
        settings: Of the run.
        failed: The command that was run failed by itself.

    Raises:
        GraphtapeError: A report can't be written.
    """
    reports = proxy.reports()
    for line in as_text(reports, failed=failed):
        say(line)
    annotate(reports, os.environ, say=say, note=note)
    for name in settings.report:
        write_report(Path(name), reports)
    return reports


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
    if reports[0].fail_on_unused and unused_by_all(reports):
        return UNUSED
    return 0
