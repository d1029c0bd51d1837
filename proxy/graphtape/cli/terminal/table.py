"""Tables that wrap at a terminal's width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from graphtape.cli.terminal.screen import STATUS_STYLES, drawn, legible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from graphtape.cli.table import Layout, Row

_GAP = (0, 2, 0, 0)


def table(*titles: str, whole: str = "") -> Table:
    """Begin a table whose cells wrap, but for those in the column titled `whole`."""
    made = Table(box=None, padding=_GAP, pad_edge=False, header_style="bold")
    for title in titles:
        made.add_column(title, overflow="fold", no_wrap=bool(whole) and title == whole)
    return made


class Interactions:
    """The rows of a tape, drawn some at a time, in columns that go on from one time to the next."""

    def __init__(self, console: Console, layout: Layout) -> None:
        """Take where to draw, and how wide the columns are."""
        self._console = console
        self._layout = layout

    def draw(self, rows: Sequence[Row], *, titles: bool) -> str:
        """Draw rows as text of whole lines, escape sequences included."""
        made = Table(
            box=None, padding=_GAP, pad_edge=False, header_style="bold", show_header=titles
        )
        *others, _ = self._layout.columns
        for column in others:
            made.add_column(
                column.title,
                width=column.width,
                justify="left" if column.left else "right",
                no_wrap=True,
            )
        made.add_column("path", overflow="fold")
        for row in rows:
            *cells, path = map(Text, row.cells)
            cells[3].stylize(STATUS_STYLES.get(cells[3].plain[:1], ""))
            made.add_row(*cells, legible(path.plain))
        return drawn(self._console, made)
