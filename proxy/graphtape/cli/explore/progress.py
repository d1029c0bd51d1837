"""How far an exploration is, on stderr."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import click

from graphtape.cli.serving import say
from graphtape.core.report.wording import count

if TYPE_CHECKING:
    from graphtape.explore.exploration import Case

_BETWEEN = 10.0
"""Seconds between two lines, where stderr is no terminal."""

_BETWEEN_LOOKS = 0.1


class Progress:
    """Tells how many runs are done, how fast, and what was found so far."""

    def __init__(self, *, quiet: bool) -> None:
        """Tell nothing where `quiet`."""
        self._quiet = quiet
        self._live = sys.stderr.isatty()
        self._total = 0
        self._done: Counter[str] = Counter()
        self._begun = self._told = 0.0
        self._width = 0

    def prepare(self) -> None:
        """Say to who waits at a terminal that the run without faults is under way."""
        if self._live and not self._quiet:
            say("running it without faults")

    def begin(self, total: int, jobs: int) -> None:
        """Say how many runs there are to be."""
        self._total = total
        self._begun = self._told = time.monotonic()
        if not self._quiet:
            say(f"{count(total, 'run')}, {jobs} at a time")

    def tell(self, case: Case) -> None:
        """Count a run that is done, and say so where it is time."""
        assert case.judgement is not None  # noqa: S101 - it was run
        result = case.judgement.result
        self._done[result.value if result.finding else ""] += 1
        now = time.monotonic()
        if not self._quiet and now - self._told >= (_BETWEEN_LOOKS if self._live else _BETWEEN):
            self._told = now
            self._say(self._line(now))

    def end(self) -> None:
        """Say the last count."""
        if not self._quiet and self._total:
            self._say(self._line(time.monotonic()))
            if self._live:
                click.echo("", err=True)

    def _line(self, now: float) -> str:
        done = self._done.total()
        rate = done / max(now - self._begun, 0.001)
        found = [f"{number} {name}" for name, number in sorted(self._done.items()) if name]
        return (
            f"{done} of {self._total} runs, {rate:.1f} a second; found: "
            f"{', '.join(found) or 'nothing'}"
        )

    def _say(self, line: str) -> None:
        if not self._live:
            say(line)
            return
        click.echo(f"\r{line:{self._width}}", nl=False, err=True)
        self._width = len(line)
