"""Calls down, faults across, a letter in each cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphtape.explore.judging.judgement import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

LETTERS: dict[Result, tuple[str, str]] = {
    Result.SURVIVED: ("S", "green"),
    Result.TOLD: ("T", "cyan"),
    Result.BLIND_RETRY: ("B", "red"),
    Result.EARLY_RETRY: ("E", "red"),
    Result.NO_RETRY: ("N", "yellow"),
    Result.HAMMERED: ("H", "red"),
    Result.WRONG: ("W", "red"),
    Result.ENDLESS: ("L", "red"),
    Result.CRASH: ("C", "red"),
    Result.MISS: ("M", "magenta"),
    Result.NOT_MET: ("-", "white"),
}
"""The letter and the colour of each result."""

NOT_RUN = ("?", "white")
_WIDEST_NAME = 44
_GAP = " "


def plain(text: str, colour: str) -> str:
    """Leave a text without colour."""
    del colour
    return text


def rows(
    names: Sequence[str],
    columns: Sequence[str],
    cells: Mapping[tuple[int, str], tuple[str, str]],
    *,
    width: int,
    paint: Callable[[str, str], str] = plain,
) -> Iterator[str]:
    """Write a table, in as many blocks as its columns need.

    Args:
        names: Of the calls.
        columns: Of the faults.
        cells: Letter and colour by call and fault; none where a fault isn't documented for a call.
        width: Characters of a line; a block has one column at least.
        paint: Colours a text.
    """
    left = min(_WIDEST_NAME, max(map(len, names), default=0)) + len(str(len(names))) + 1
    for block in _blocks(columns, width - left):
        if block is not columns and block[0] != columns[0]:
            yield ""
        yield f"{'':{left}}{_GAP}{_GAP.join(block)}".rstrip()
        for index, name in enumerate(names):
            if not any((index, column) in cells for column in block):
                continue
            shown = f"{index:>{len(str(len(names)))}} {_middle_out(name)}"
            line = f"{shown:{left}}"
            for column in block:
                letter, colour = cells.get((index, column), (" ", "white"))
                line += _GAP + paint(f"{letter:^{len(column)}}", colour)
            yield line.rstrip()


def legend(results: Sequence[Result], *, not_run: bool) -> str:
    """Say what the letters of a table mean."""
    said = [f"{LETTERS[result][0]} {result.value}" for result in Result if result in results]
    return ", ".join([*said, *([f"{NOT_RUN[0]} not run"] if not_run else [])])


def _blocks(columns: Sequence[str], width: int) -> Iterator[Sequence[str]]:
    block: list[str] = []
    used = 0
    for column in columns:
        if block and used + len(_GAP) + len(column) > width:
            yield block
            block, used = [], 0
        block.append(column)
        used += len(_GAP) + len(column)
    if block:
        yield block


def _middle_out(name: str) -> str:
    if len(name) <= _WIDEST_NAME:
        return name
    half = (_WIDEST_NAME - 3) // 2
    return f"{name[:half]}...{name[half + 3 - _WIDEST_NAME :]}"
