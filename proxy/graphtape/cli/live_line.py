"""A line per request while it happens, for as long as somebody can read along."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from graphtape.cli.serving import say
from graphtape.core.graph.actions import short

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.journal import Entry

WINDOW = 0.5
"""Seconds in which so many lines are printed and no more."""

MOST = 50
"""Lines in that time: what comes faster nobody reads, and printing costs more than answering."""


def live_line(*, quiet: bool) -> Callable[[Entry], None] | None:
    """Return what prints a line per request; None where nothing is to be printed."""
    return None if quiet else _Lines().tell


class _Lines:
    """Prints lines, and counts those that come too fast."""

    def __init__(self) -> None:
        self._until = 0.0
        self._told = 0

    def tell(self, entry: Entry) -> None:
        """Print a line, or count it."""
        now = time.monotonic()
        if now >= self._until:
            if self._told > MOST:
                say(f"… and {self._told - MOST} more")
            self._until, self._told = now + WINDOW, 0
        self._told += 1
        if self._told <= MOST:
            say(
                f"{entry.method} {short(entry.url)} {entry.status or '-'} {entry.source} "
                f"{entry.milliseconds:.0f} ms"
            )
