"""The terminal that an output is, and texts from elsewhere on it."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import TYPE_CHECKING

from graphtape.core.graph.actions import decoded
from graphtape.core.matching.mismatch import spelled_out

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_SPARES_ENDS = 3
"""A cut text keeps twice as much of its end as of its start: a third of it is the start."""

_DUMB_HEIGHT = 25

STATUS_STYLES = {"2": "green", "3": "cyan", "4": "yellow", "5": "red"}
"""Of statuses, by their first digit."""


def is_terminal(*, err: bool = True) -> bool:
    """Tell whether stderr, or stdout, is a terminal."""
    return (sys.stderr if err else sys.stdout).isatty()


def screen(*, err: bool = True) -> Console | None:
    """Return what draws on stderr, or on stdout; None where that is no terminal.

    Under `NO_COLOR`, or `TERM=dumb`, it draws without any escape sequence.
    """
    return _console(err=err) if is_terminal(err=err) else None


@cache
def _console(*, err: bool) -> Console:
    """Make the one that draws on a stream: one alone knows of the bar that others draw above."""
    from rich.console import Console  # noqa: PLC0415 - takes longer to import than most runs have

    dumb = os.environ.get("TERM", "").lower() in {"dumb", "unknown"}
    return Console(
        stderr=err,
        force_terminal=True,
        color_system=None if dumb or os.environ.get("NO_COLOR") else "auto",
        # Rich takes each dumb one for 80 by 25, unless it is told both.
        width=_columns(err=err) if dumb else None,
        height=_DUMB_HEIGHT if dumb else None,
        markup=False,
        emoji=False,
        highlight=False,
    )


def _columns(*, err: bool) -> int | None:
    try:
        return os.get_terminal_size((sys.stderr if err else sys.stdout).fileno()).columns or None
    except OSError:
        return None


def drawn(console: Console, *what: RenderableType) -> str:
    """Draw as text of whole lines, escape sequences included, in letters that stdout has."""
    with console.capture() as captured:
        for each in what:
            console.print(each)
    return writable(captured.get())


def writable(text: str) -> str:
    """Spell out what stdout's encoding has no letters for."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def legible(url: str) -> str:
    """Return path and query as people read them: decoded, and with nothing that steers a terminal.

    Args:
        url: Percent-encoded.
    """
    return spelled_out(decoded(url))


def middle_cut(text: str, width: int, *, mark: str) -> str:
    """Cut the middle out of a text: its start says what it is about, its end what is done.

    Args:
        text: Of printable characters.
        width: In cells of the terminal; some letters take two.
        mark: Stands for what is cut.
    """
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - only on a terminal

    if cell_len(text) <= width:
        return text
    kept = max(0, width - cell_len(mark))
    start = kept // _SPARES_ENDS
    end = set_cell_size(text[::-1], kept - start)[::-1]
    return set_cell_size(text, start) + mark + end
