"""How far work on a cassette has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Progress: TypeAlias = Callable[[int, int], None]
"""Told how much is done of how much, in no unit of its own."""

_T = TypeVar("_T")


def step(progress: Progress | None, number: int, of: int) -> Progress | None:
    """Return what is told of one step of several that take as long: `number`, from 0, of `of`."""
    if progress is None:
        return None
    return lambda done, total: progress(number * total + done, of * total)


def told(items: Iterable[_T], total: int, progress: Progress | None) -> Iterator[_T]:
    """Yield items; tell of each that is taken, and that all is done where no more are."""
    if progress is None:
        yield from items
        return
    try:
        for number, item in enumerate(items):
            progress(number, total)
            yield item
    finally:
        progress(total, total)
