"""Runs a server in the foreground and says what happens, on stderr."""

from __future__ import annotations

import logging
import signal
import sys

from graphtape.core.matching import mismatch
from graphtape.core.report.wording import count

__all__ = [
    "count",
    "end_line_of_keys",
    "note",
    "say",
    "set_up_logging",
    "spelled_out",
]


def say(line: str) -> None:
    """Tell the user, and nothing that steers his terminal; stdout is the command's that is run."""
    # Not click's echo: it writes past what keeps a bar below the text.
    sys.stderr.write(spelled_out(line) + "\n")
    sys.stderr.flush()


def spelled_out(text: str) -> str:
    """Write what steers a terminal as escapes, but for the ends of lines."""
    return "\n".join(map(mismatch.spelled_out, text.split("\n")))


def note(line: str) -> None:
    """Tell the user what he should know."""
    say(f"note: {line}")


def end_line_of_keys(number: int) -> None:
    """Leave the line on which a terminal has shown `^C`; of other signals it shows nothing."""
    if number == signal.SIGINT and sys.stderr.isatty():
        say("")


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
        return spelled_out(line)
