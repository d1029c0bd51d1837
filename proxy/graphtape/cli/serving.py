"""Runs a server in the foreground and says what happens, on stderr."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphtape.core.journal import Source
from graphtape.core.report import as_text, unused_by_all
from graphtape.core.report.wording import count
from graphtape.runner.reporting import annotate, write_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphtape.core.report import Report
    from graphtape.runner import Proxy
    from graphtape.settings import Settings

__all__ = [
    "FAILED",
    "MISSED",
    "UNUSED",
    "count",
    "exit_code",
    "note",
    "say",
    "set_up_logging",
    "tell",
]

FAILED = 1
MISSED = 3
UNUSED = 4


def say(line: str) -> None:
    """Tell the user; stdout belongs to the command that is run."""
    click.echo(line, err=True)


def note(line: str) -> None:
    """Tell the user what he should know."""
    say(f"note: {line}")


def set_up_logging() -> None:
    """Send warnings to stderr, a line each, without tracebacks."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("graphtape: %(levelname)s: %(message)s"))
    for name in ("graphtape", "aiohttp", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False


class _OneLine(logging.Formatter):
    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's own name
        del ei
        return ""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record).rstrip()
        if record.exc_info and record.exc_info[1] is not None:
            line += f": {type(record.exc_info[1]).__name__}"
        return line


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
