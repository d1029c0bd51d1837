"""Tables on stdout, as wide as the terminal and in its colours."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import click

from graphtape.explore.found.table import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_NARROWEST = 60
_WIDTH = 100
"""Characters, where stdout is no terminal."""


def show(lines: Iterable[str]) -> None:
    """Print lines, with their colours where the terminal has some."""
    for line in lines:
        click.echo(line, color=_colours())


def width() -> int:
    """Return how many characters a line may have."""
    if not sys.stdout.isatty():
        return _WIDTH
    return max(_NARROWEST, shutil.get_terminal_size().columns)


def paint() -> Callable[[str, str], str]:
    """Return what colours a text: the text, the colour."""
    return _painted if _colours() else plain


def _colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _painted(text: str, colour: str) -> str:
    return click.style(text, fg=colour)
