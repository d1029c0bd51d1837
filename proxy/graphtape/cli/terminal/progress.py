"""How far work that takes long has come: how fast it goes, and how long it will still take."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from graphtape.cli.terminal.screen import is_terminal, middle_cut, screen
from graphtape.core.matching.mismatch import spelled_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress, TaskID

LOADING = "loading, kept for next time"
SAVING = "saving"

_PATIENCE = 1.0
"""Seconds after which it is worth telling."""

_BETWEEN = 0.1
_WIDTH = 12
_SAID = 28
"""Cells that percents, rate and remaining time take, with the gaps between."""

_SHORTEST = 8
_NARROW = 60
"""Cells of a terminal below which there is no room for a bar."""


def progress(what: str) -> Callable[[int, int], None] | None:
    """Return what draws a bar on a terminal, told how much is done of how much; else None.

    Work is over when all is done; then, the bar is gone. It may be told from any thread, and of
    one work after another.

    Args:
        what: Is done, in a few words.
    """
    return _Bar(what).tell if is_terminal() else None


@contextmanager
def working(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """Lend the like of `progress` to a block; the bar is gone at its end, however that comes."""
    tell = progress(what)
    if tell is not None:
        tell(0, 1)
    try:
        yield tell
    finally:
        if tell is not None:
            tell(1, 1)


class _Bar:
    """Draws on one line of its own, and leaves nothing behind."""

    def __init__(self, what: str) -> None:
        self._what = spelled_out(what)
        self._began: float | None = None
        self._next = 0.0
        self._drawn: tuple[Progress, TaskID] | None = None
        self._lock = threading.Lock()

    def tell(self, done: int, total: int) -> None:
        """Draw how much is done; wipe it at the end."""
        now = time.monotonic()
        with self._lock:
            if done >= total:
                self._wipe()
                self._began = None
            elif self._began is None:
                self._began, self._next = now, now + _PATIENCE
            elif now >= self._next:
                self._next = now + _BETWEEN
                self._draw(100 * done / total, now - self._began)

    def _draw(self, percent: float, seconds: float) -> None:
        if self._drawn is None:
            self._drawn = _begun(self._what)
        bar, task = self._drawn
        rate = percent / seconds
        left = int((100 - percent) / rate) + 1 if rate else 0
        said = f"{rate:.1f} %/s, {left // 60}:{left % 60:02} left" if rate else ""
        bar.update(task, completed=percent, said=said, refresh=True)

    def _wipe(self) -> None:
        if self._drawn is not None:
            self._drawn[0].stop()
            self._drawn = None


def _begun(what: str) -> tuple[Progress, TaskID]:
    from rich import progress as bars  # noqa: PLC0415 - only where something takes long

    console = screen()
    width = console.width if console is not None else _NARROW
    bar = () if width < _NARROW else (bars.BarColumn(bar_width=_WIDTH),)
    room = width - _SAID - (_WIDTH + 1 if bar else 0)
    # Not a thread of its own: it is drawn where it is told.
    drawn = bars.Progress(
        bars.TextColumn("{task.description}", markup=False),
        *bar,
        bars.TextColumn("{task.percentage:3.0f} %  {task.fields[said]}", markup=False),
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,  # it would go where the bar is, to stderr
    )
    drawn.start()
    if console is not None:
        console.show_cursor()  # a signal that ends the process would leave it hidden
    return drawn, drawn.add_task(
        middle_cut(what, max(_SHORTEST, room), mark="..."), total=100, said=""
    )
