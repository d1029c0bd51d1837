"""Runs a server in the foreground and says what happens, on stderr."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import click

from graphtape.core.graph import short
from graphtape.core.journal import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.journal import Entry
    from graphtape.runner import Outcome

MISSED = 3
UNUSED = 4


def say(line: str) -> None:
    """Tell the user; stdout belongs to the command that is run."""
    click.echo(line, err=True)


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


def live_line(*, quiet: bool) -> Callable[[Entry], None]:
    """Return what prints a line per request."""
    return _silent if quiet else _print


def _silent(_: Entry) -> None:
    return


def _print(entry: Entry) -> None:
    say(
        f"{entry.method} {short(entry.url)} {entry.status or '-'} {entry.source} "
        f"{entry.milliseconds:.0f} ms"
    )


def summary(outcome: Outcome) -> list[str]:
    """Say what a run came to."""
    journal = outcome.session.journal
    counts = ", ".join(f"{journal.counts[s]} {s}" for s in Source if journal.counts[s])
    lines = [f"{journal.arrived} requests" + (f": {counts}" if counts else "")]
    unused = outcome.session.unused() if outcome.recordings else []
    if unused and outcome.session.plays:
        lines.append(f"unused interactions: {', '.join(map(str, unused))}")
    lines += [f"missed: {entry.note}" for entry in journal.misses]
    lines += [f"left off the tape: {reason}" for reason in outcome.dropped]
    return lines


def exit_code(outcome: Outcome, *, fail_on_unused: bool) -> int:
    """Return the code a run ends with."""
    if outcome.session.journal.counts[Source.MISSED]:
        return MISSED
    if fail_on_unused and outcome.recordings and outcome.session.unused():
        return UNUSED
    return 0
