"""A line per request while it happens, for as long as somebody can read along."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from graphtape.cli.serving import say
from graphtape.cli.terminal.screen import STATUS_STYLES, is_terminal, legible, middle_cut, screen
from graphtape.core.graph.actions import short
from graphtape.core.journal import Source
from graphtape.core.matching.mismatch import spelled_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import Console
    from rich.text import Text

    from graphtape.core.journal import Entry

WINDOW = 0.5
"""Seconds in which so many lines are printed and no more."""

MOST = 50
"""Lines in that time: what comes faster nobody reads, and printing costs more than answering."""

_DEFAULT = "default"
_MOST_MISSES = 100
"""Different misses that are explained."""

_METHOD = len("OPTIONS")
_SESSION = 10
"""Cells that a session's name gets at least; a sixth of the width where that is more."""

_SHORTEST_PATH = 10
SOURCE_STYLES: Mapping[Source, str] = {
    Source.RECORDED: "green",
    Source.PASSED: "yellow",
    Source.REPLAYED: "",
    Source.INJECTED: "magenta",
    Source.MISSED: "bold red",
    Source.REFUSED: "yellow",
}


def live_line(*, quiet: bool) -> Callable[[str, Entry], None] | None:
    """Return what prints a line per request, told its session; None where nothing is printed."""
    return None if quiet else _Lines().tell


class _Lines:
    """Prints lines, and counts those that come too fast."""

    def __init__(self) -> None:
        self._until = 0.0
        self._told = 0
        self._columns: _Columns | None = None

    def tell(self, session: str, entry: Entry) -> None:
        """Print a line, or count it."""
        now = time.monotonic()
        if now >= self._until:
            if self._told > MOST:
                say(f"… and {self._told - MOST} more")
            self._until, self._told = now + WINDOW, 0
        self._told += 1
        if self._told > MOST:
            return
        if is_terminal():
            # The answer goes out first: drawing takes a while, and what draws has to be imported.
            asyncio.get_running_loop().call_soon(self._draw, session, entry)
        else:
            _plain(entry)

    def _draw(self, session: str, entry: Entry) -> None:
        if self._columns is None and (console := screen()) is not None:
            self._columns = _Columns(console)
        if self._columns is not None:
            self._columns.tell(session, entry)


def _plain(entry: Entry) -> None:
    say(
        f"{entry.method} {short(entry.url)} {entry.status or '-'} {entry.source} "
        f"{entry.milliseconds:.0f} ms"
    )


class _Columns:
    """Draws lines on a terminal, as wide as it is, and why a request was missed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._mark = "…" if console.encoding.startswith("utf") else "..."
        self._missed: set[str] = set()

    def tell(self, session: str, entry: Entry) -> None:
        """Draw a line; below the first of the same misses, what is recorded in its place."""
        for line in self._lines(entry, "" if session == _DEFAULT else spelled_out(session)):
            self._console.print(line, no_wrap=True, overflow="crop", crop=True)
        new = entry.source is Source.MISSED and entry.note not in self._missed
        if new and len(self._missed) < _MOST_MISSES:
            self._missed.add(entry.note)
            self._explain(entry.note)

    def _lines(self, entry: Entry, session: str) -> Iterator[Text]:
        """Draw a line; where it leaves no room for a path, that stands on one of its own."""
        from rich.cells import set_cell_size  # noqa: PLC0415 - only on a terminal
        from rich.text import Text  # noqa: PLC0415 - likewise

        width = self._console.width
        status = str(entry.status or "-")
        clock = (time.strftime("%H:%M:%S "), "dim")
        method = self._cut(spelled_out(entry.method), _METHOD)
        start = Text.assemble(
            f"{method:<{_METHOD}} ",
            (f"{status:>3} ", STATUS_STYLES.get(status[0], "bold red")),
            (f"{entry.source:<8} ", SOURCE_STYLES[entry.source]),
        )
        end = Text(f" {entry.milliseconds:4.0f} ms", "dim")
        if session:
            end.append(" " + self._cut(session, max(_SESSION, width // 6)), "not dim")
        path = legible(entry.url)
        room = width - len(clock[0]) - start.cell_len - end.cell_len
        if room >= _SHORTEST_PATH:
            yield Text.assemble(clock, start, set_cell_size(self._cut(path, room), room), end)
            return
        yield Text.assemble(*([clock] if room >= 0 else []), start, end)
        yield Text(f"  {self._cut(path, width - 2)}")

    def _cut(self, text: str, width: int) -> str:
        return middle_cut(text, width, mark=self._mark)

    def _explain(self, note: str) -> None:
        from rich.panel import Panel  # noqa: PLC0415 - only on a terminal
        from rich.text import Text  # noqa: PLC0415 - likewise

        # What is indented, or leads to it, is told in full by summary, report and console.
        lines = [line for line in note.splitlines() if not line.startswith(" ")]
        text = "\n".join(spelled_out(line) for line in lines if not line.endswith(":"))
        self._console.print(Panel(Text(text), border_style="bold red"))
