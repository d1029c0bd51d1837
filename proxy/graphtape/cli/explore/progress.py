"""How far an exploration is, on stderr."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from graphtape.cli.serving import say
from graphtape.cli.terminal.screen import screen
from graphtape.core.report.wording import count

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from graphtape.explore.exploration import Case

_BETWEEN = 10.0
"""Seconds between two lines, where stderr is no terminal."""

_BETWEEN_LOOKS = 0.1
"""Seconds, where it is one."""

_WIDTH = 12


class Progress:
    """Tells how many runs are done, how fast, and what was found so far."""

    def __init__(self, *, quiet: bool) -> None:
        """Tell nothing where `quiet`."""
        self._quiet = quiet
        self._total = 0
        self._done: Counter[str] = Counter()
        self._begun = self._told = 0.0
        self._bar: Bar | None = None

    def prepare(self) -> None:
        """Say to who waits at a terminal that the run without faults is under way."""
        if screen() is not None and not self._quiet:
            say("running it without faults")

    def begin(self, total: int, jobs: int) -> None:
        """Say how many runs there are to be."""
        self._total = total
        self._begun = time.monotonic()
        if not self._quiet:
            say(f"{count(total, 'run')}, {jobs} at a time")
            self._bar = _bar(total)
        self._told = self._begun if self._bar is None else 0.0

    def tell(self, case: Case) -> None:
        """Count a run that is done, and say so where it is time."""
        assert case.judgement is not None  # noqa: S101 - it was run
        result = case.judgement.result
        self._done[result.value if result.finding else ""] += 1
        now = time.monotonic()
        if self._quiet or now - self._told < (_BETWEEN if self._bar is None else _BETWEEN_LOOKS):
            return
        self._told = now
        if self._bar is None:
            say(self._line(now))
        else:
            (task,) = self._bar.task_ids
            done = self._done.total()
            self._bar.update(task, completed=done, said=self._said(now), refresh=True)

    def end(self) -> None:
        """Say the last count."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        if not self._quiet and self._total:
            say(self._line(time.monotonic()))

    def _line(self, now: float) -> str:
        return f"{self._done.total()} of {count(self._total, 'run')}, {self._said(now)}"

    def _said(self, now: float) -> str:
        rate = self._done.total() / max(now - self._begun, 0.001)
        found = [f"{number} {name}" for name, number in sorted(self._done.items()) if name]
        return f"{rate:.1f} a second; found: {', '.join(found) or 'nothing'}"


def _bar(total: int) -> Bar | None:
    """Begin a line that is drawn over and over; None where stderr is no terminal."""
    console = screen()
    if console is None:
        return None
    from rich import progress as bars  # noqa: PLC0415 - only on a terminal

    drawn = bars.Progress(
        bars.MofNCompleteColumn(),
        bars.BarColumn(bar_width=_WIDTH),
        bars.TextColumn("{task.fields[said]}", markup=False),
        console=console,
        auto_refresh=False,  # no thread of its own: it is drawn where it is told
        transient=True,
        redirect_stdout=False,  # it would go where the bar is, to stderr
    )
    drawn.start()
    console.show_cursor()  # a signal that ends the process would leave it hidden
    drawn.add_task("", total=total, said="")
    return drawn
