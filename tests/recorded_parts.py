"""What an append file holds, record by record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphtape.tape.record import Span, read_span

if TYPE_CHECKING:
    from pathlib import Path


def spans(part: Path) -> list[Span]:
    """Return the whole records of an append file."""
    found: list[Span] = []
    with part.open("rb") as file:
        size = part.stat().st_size
        file.seek(len(b"graphtape part\n"))
        while (span := read_span(file, size=size)) is not None:
            assert isinstance(span, Span)
            found.append(span)
    return found
