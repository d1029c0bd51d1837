"""Tables on stdout, as wide as the terminal and in its colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from graphtape.cli.terminal.screen import screen, writable
from graphtape.explore.found.table import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_NARROWEST = 60
_WIDTH = 100
"""Characters, where stdout is no terminal."""


def show(lines: Iterable[str]) -> None:
    """Print lines, with their colours where the terminal has some."""
    for line in lines:
        click.echo(writable(line), color=_has_colours())


def width() -> int:
    """Return how many characters a line may have."""
    console = screen(err=False)
    return _WIDTH if console is None else max(_NARROWEST, console.width)


def paint() -> Callable[[str, str], str]:
    """Return what colours a text: the text, the colour."""
    return _painted if _has_colours() else plain


def _has_colours() -> bool:
    console = screen(err=False)
    return console is not None and console.color_system is not None


def _painted(text: str, colour: str) -> str:
    return click.style(text, fg=colour)
