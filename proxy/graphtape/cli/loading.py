"""How far work on a large cassette has come."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = 0.5
"""Seconds after which it is worth telling."""

_BETWEEN = 0.1
_WIDTH = 30


def loading(doing: str = "loading, kept for next time") -> Callable[[int, int], None] | None:
    """Return what draws a bar on a terminal, behind what is done; None where stderr is none."""
    return _Bar(doing).tell if sys.stderr.isatty() else None


class _Bar:
    """Draws on one line of its own, and leaves nothing behind."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._next = time.monotonic() + _PATIENCE
        self._drawn = False

    def tell(self, done: int, total: int) -> None:
        """Draw how much is done of how much; wipe it at the end."""
        now = time.monotonic()
        if done >= total:
            if self._drawn:
                click.echo("\r" + " " * (_WIDTH + 40) + "\r", nl=False, err=True)
            self._drawn = False
        elif now >= self._next:
            self._next, self._drawn = now + _BETWEEN, True
            full = _WIDTH * done // total
            bar = "#" * full + "-" * (_WIDTH - full)
            percent = 100 * done // total
            click.echo(f"\r{self._doing} [{bar}] {percent:3d} %", nl=False, err=True)
