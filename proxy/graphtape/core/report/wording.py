"""Numbers of things, ages and lists, as the report words them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def count(number: int, one: str, many: str | None = None) -> str:
    """Write a number of things."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def ago(days: int) -> str:
    """Write an age in whole days."""
    return "today" if days == 0 else f"{count(days, 'day')} ago"


def cut(text: str, most: int) -> str:
    """Cut a text to so many characters."""
    return text if len(text) <= most else f"{text[:most]}…"


def first_of(lines: Sequence[str], most: int) -> Iterator[str]:
    """Cut a list: its first lines, and how many more there are."""
    yield from lines[:most]
    if len(lines) > most:
        yield f"and {len(lines) - most} more"
