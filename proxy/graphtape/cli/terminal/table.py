"""Tables that wrap at a terminal's width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from graphtape.cli.terminal.screen import STATUS_STYLES, drawn, legible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import Console, RenderableType

    from graphtape.cli.table import Layout, Row

_GAP = (0, 2, 0, 0)
_STATUS = 3  # the column
_WIDEST = len("OPTIONS")
"""Cells of a column that stands to the left; a text that is longer is cut."""


_ROOM = 20
"""Cells that the text of a last column gets at least beside the others; else it stands below."""


def table(*titles: str) -> Table:
    """Begin a table whose cells wrap."""
    made = Table(box=None, padding=_GAP, pad_edge=False, header_style="bold")
    for title in titles:
        made.add_column(title, overflow="fold")
    return made


def described(console: Console, title: str, what: str, items: Mapping[str, str]) -> str:
    """Draw names and what is to be said of each, beside them or, where there is no room, below.

    Args:
        console: Where to.
        title: Of the names.
        what: Title of the rest.
        items: By name; printable.
    """
    if console.width - max(map(len, items)) - _GAP[1] < _ROOM:
        return below(console, items)
    made = table(title, what)
    made.columns[0].no_wrap = True
    for row in items.items():
        made.add_row(*row)
    return drawn(console, made)


def below(console: Console, items: Mapping[str, str]) -> str:
    """Draw names, and below each what is to be said of it."""
    return drawn(console, *_below((Text(name, "bold"), text) for name, text in items.items()))


def _below(pairs: Iterable[tuple[RenderableType, str]]) -> Iterator[RenderableType]:
    for heading, text in pairs:
        yield heading
        yield Padding(Text(text, overflow="fold"), (0, 0, 0, 2))


class Interactions:
    """The rows of a tape, drawn some at a time, in columns that go on from one time to the next."""

    def __init__(self, console: Console, layout: Layout) -> None:
        """Take where to draw, and how wide the columns are."""
        self._console = console
        *others, _ = layout.columns
        self._others = [
            column._replace(width=min(column.width, _WIDEST)) if column.left else column
            for column in others
        ]
        taken = sum(column.width + _GAP[1] for column in self._others)
        self._narrow = console.width - taken < _ROOM

    def draw(self, rows: Sequence[Row], *, titles: bool) -> str:
        """Draw rows as text of whole lines, escape sequences included."""
        if self._narrow:
            return drawn(self._console, *self._narrowly(rows, titles=titles))
        made = self._begun(titles=titles)
        made.add_column("path", overflow="fold")
        for row in rows:
            made.add_row(*_cells(row), legible(row.path))
        return drawn(self._console, made)

    def _narrowly(self, rows: Sequence[Row], *, titles: bool) -> Iterator[RenderableType]:
        if titles:
            yield self._begun(titles=True)
        for row in rows:
            made = self._begun(titles=False)
            made.add_row(*_cells(row))
            yield from _below([(made, legible(row.path))])

    def _begun(self, *, titles: bool) -> Table:
        made = Table(
            box=None, padding=_GAP, pad_edge=False, header_style="bold", show_header=titles
        )
        for column in self._others:
            made.add_column(
                column.title,
                width=column.width,
                justify="left" if column.left else "right",
                no_wrap=True,
            )
        return made


def _cells(row: Row) -> list[Text]:
    *cells, _ = map(Text, row.cells)
    cells[_STATUS].stylize(STATUS_STYLES.get(cells[_STATUS].plain[:1], ""))
    return cells
