"""The interactions of a tape as rows that line up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from graphtape.core.graph.actions import short
from graphtape.core.matching.masked import key_digest
from graphtape.core.matching.mismatch import spelled_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphtape.core.message import Interaction
    from graphtape.core.tape.recording import Recording

STRETCH = ">"
_TITLES = ("", "#", "method", "status", "bytes", "same", "path")
_LEFT = frozenset({0, 2, 5, 6})
_GAP = "  "


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

    def as_json(self, interaction: Interaction) -> dict[str, object]:
        """Write it for programs; method and URL are the interaction's own."""
        return {
            "index": self.index,
            "write": self.write,
            "method": interaction.request.method,
            "url": interaction.request.url,
            "status": self.status,
            "bytes": self.size,
            "same": self.first,
            "masked": self.masked,
        }

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


class Column(NamedTuple):
    """A column of the table.

    Attributes:
        width: In characters.
        left: Whether its texts stand to the left.
    """

    title: str
    width: int
    left: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """How wide the columns are."""

    columns: tuple[Column, ...]

    @classmethod
    def of(cls, shown: Sequence[Row]) -> Layout:
        """Fit the columns to rows."""
        cells = [_TITLES, *(row.cells for row in shown)]
        return cls(
            tuple(
                Column(title, max(len(row[number]) for row in cells), number in _LEFT)
                for number, title in enumerate(_TITLES)
            )
        )

    def lines(self, rows: Sequence[Row], *, titles: bool) -> str:
        """Write rows, a line each however long it gets, and above them the titles."""
        cells = [*([_TITLES] if titles else []), *(row.cells for row in rows)]
        return "".join(f"{self._line(each)}\n" for each in cells)

    def _line(self, cells: tuple[str, ...]) -> str:
        *others, path = cells
        texts = [
            f"{cell:<{column.width}}" if column.left else f"{cell:>{column.width}}"
            for cell, column in zip(others, self.columns, strict=False)
        ]
        return _GAP.join([*texts, path])
