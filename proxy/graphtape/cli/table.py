"""The interactions of a tape as rows that line up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core.graph.actions import short
from graphtape.core.matching.masked import key_digest
from graphtape.core.matching.mismatch import spelled_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphtape.core.tape.recording import Recording

STRETCH = ">"
_TITLES = ("", "#", "method", "status", "bytes", "same", "path")
_LEFT = frozenset({0, 2, 5, 6})
_GAP = "  "
_SHORTEST_PATH = 20
_ELLIPSIS = "..."  # a terminal that can't write the sign is no reason to fail


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One interaction.

    Attributes:
        index: On the tape.
        write: Whether a new stretch begins with it.
        size: Of the answer's body, in bytes.
        first: Index of the first interaction with the same key, where that is another.
        masked: Whether other requests differ from it only in what was masked.
        path: As people read it, with its query; control characters spelled out.
    """

    index: int
    write: bool
    method: str
    status: int
    size: int
    first: int | None
    masked: bool
    path: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The texts of its columns."""
        return (
            STRETCH if self.write else "",
            str(self.index),
            self.method,
            str(self.status),
            str(self.size),
            ("" if self.first is None else f"={self.first}") + ("?" if self.masked else ""),
            self.path,
        )


def rows(recording: Recording) -> Iterator[Row]:
    """Make the rows of a tape."""
    first: dict[int, int] = {}
    index = recording.index
    for numbers in (*index.answers.values(), *index.variants.values()):
        first |= dict.fromkeys(numbers[1:], numbers[0])
    for numbers in index.variants.values():
        first.pop(numbers[0], None)
    masked = {
        number
        for key, numbers in (*index.answers.items(), *index.variants.items())
        if recording.alike and key_digest(key) in recording.alike
        for number in numbers
    }
    writes = set(recording.index.writes)
    for number, interaction in enumerate(recording.interactions):
        yield Row(
            index=number,
            write=number in writes,
            method=spelled_out(interaction.request.method),
            status=interaction.response.status,
            size=len(interaction.response.body),
            first=first.get(number),
            masked=number in masked,
            path=spelled_out(short(interaction.request.url)),
        )


@dataclass(frozen=True, slots=True)
class Layout:
    """How wide the columns are.

    Attributes:
        widths: In characters; of the last one at most.
    """

    widths: tuple[int, ...]

    @classmethod
    def of(cls, shown: Sequence[Row], width: int | None) -> Layout:
        """Fit rows into a width, None for any; a path keeps some room however narrow it is."""
        cells = [_TITLES, *(row.cells for row in shown)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(_TITLES))]
        if width is not None:
            left = width - sum(widths[:-1]) - len(_GAP) * (len(widths) - 1)
            widths[-1] = min(widths[-1], max(left, _SHORTEST_PATH))
        return cls(tuple(widths))

    @property
    def titles(self) -> str:
        """The line above the rows."""
        return self._line(_TITLES)

    def line(self, row: Row) -> str:
        """Write a row."""
        return self._line(row.cells)

    def _line(self, cells: tuple[str, ...]) -> str:
        *others, path = cells
        texts = [
            f"{cell:<{width}}" if column in _LEFT else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(others, self.widths, strict=False))
        ]
        return _GAP.join([*texts, _middle_out(path, self.widths[-1])]).rstrip()


def _middle_out(text: str, width: int) -> str:
    """Shorten in the middle: the start of a path says what it is about, its end what is done."""
    if len(text) <= width:
        return text
    kept = width - len(_ELLIPSIS)
    end = kept * 2 // 3
    return text[: kept - end] + _ELLIPSIS + text[len(text) - end :]
