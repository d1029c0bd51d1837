"""`graphtape show`."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphtape.cli.options import FilePath
from graphtape.cli.table import Layout, Row, rows
from graphtape.cli.transcript import transcript
from graphtape.core.errors import UsageError
from graphtape.core.matching.key import MatchOptions
from graphtape.core.redaction import Redactor
from graphtape.core.tape.recording import Recording
from graphtape.tape.store import open_cassette

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphtape.tape.vcr_format import Cassette

_STATUS = re.compile(r"[1-5](?:[0-9]{2}|xx)", re.IGNORECASE)
_RANGE = re.compile(r"([0-9]*)(-?)([0-9]*)", re.ASCII)
_ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filter:
    """What is shown; an empty tuple lets everything by."""

    methods: tuple[str, ...]
    paths: tuple[str, ...]
    statuses: tuple[str, ...]
    ranges: tuple[tuple[int, int | None], ...]

    def lets_by(self, row: Row) -> bool:
        status = str(row.status)
        return (
            (not self.methods or row.method.upper() in self.methods)
            and (not self.paths or any(_fits(row.path, glob) for glob in self.paths))
            and (not self.statuses or not {status, f"{status[0]}xx"}.isdisjoint(self.statuses))
            and (
                not self.ranges
                or any(
                    first <= row.index and (last is None or row.index <= last)
                    for first, last in self.ranges
                )
            )
        )


@click.command("show")
@click.argument("cassette", type=FilePath(path_type=Path))
@click.option("-v", "--verbose", is_flag=True, help="Headers and bodies too.")
@click.option("--method", "methods", metavar="NAME", multiple=True, help="Only these methods.")
@click.option(
    "--path",
    "paths",
    metavar="GLOB",
    multiple=True,
    help="Only these paths, with or without their query: '*/users/*'.",
)
@click.option("--status", "statuses", metavar="CODE", multiple=True, help="Only 404, or 4xx.")
@click.option(
    "--index", "indices", metavar="FROM-TO", multiple=True, help="Only 3, 3-10, 3- or -10."
)
@click.option("--no-pager", is_flag=True, help="Never page what is longer than the terminal.")
def command(
    cassette: Path,
    *,
    verbose: bool,
    methods: tuple[str, ...],
    paths: tuple[str, ...],
    statuses: tuple[str, ...],
    indices: tuple[str, ...],
    no_pager: bool,
) -> None:
    """Print the interactions of CASSETTE, or of a HAR file, as a table.

    A `>` marks a write, with which a new stretch of tape begins. `=2` says that the request is that
    of interaction 2, and a `?` that others differ from it only in what was masked: they play in
    order. On a terminal, long paths are cut in the middle and long tables go through
    $PAGER. Filters may be repeated, or hold several values between commas.
    """
    wanted = _Filter(
        methods=tuple(name.upper() for name in _split(methods)),
        paths=tuple(glob.casefold() for glob in paths),
        statuses=tuple(_status(code) for code in _split(statuses)),
        ranges=tuple(_range(text) for text in _split(indices)),
    )
    opened = open_cassette(cassette)
    recording = Recording.of(
        opened.interactions,
        name=str(cassette),
        redactor=Redactor(salt=_salt(opened)),
        options=MatchOptions(),
        alike=opened.metadata.alike if opened.metadata is not None else (),
    )
    shown = [row for row in rows(recording) if wanted.lets_by(row)]
    heading = _heading(cassette, opened, len(shown))
    _print(_blocks(heading, shown, recording, verbose=verbose), pager=not no_pager)


def _split(values: Sequence[str]) -> list[str]:
    return [piece.strip() for value in values for piece in value.split(",") if piece.strip()]


def _status(code: str) -> str:
    if not _STATUS.fullmatch(code):
        raise UsageError(f"--status {code!r}: give a status such as 404, or a class such as 4xx")
    return code.lower()


def _range(text: str) -> tuple[int, int | None]:
    found = _RANGE.fullmatch(text)
    if found is None or not (found[1] or found[3]):
        raise UsageError(f"--index {text!r}: give an index or a range: 3, 3-10, 3- or -10")
    first = int(found[1] or 0)
    if not found[2]:
        return first, first
    return first, int(found[3]) if found[3] else None


def _fits(path: str, glob: str) -> bool:
    # As most of Graph's paths, without regard to case.
    path = path.casefold()
    return fnmatchcase(path, glob) or fnmatchcase(path.partition("?")[0], glob)


def _salt(cassette: Cassette) -> str:
    own = cassette.metadata.salt if cassette.metadata is not None else ""
    return os.environ.get("GRAPHTAPE_SALT") or own


def _heading(path: Path, cassette: Cassette, shown: int) -> str:
    size = len(cassette.interactions)
    text = f"{path}: {size} {'interaction' if size == 1 else 'interactions'}"
    metadata = cassette.metadata
    if metadata is not None:
        edited = ", edited since" if cassette.edited else ""
        at = f" at {metadata.recorded_at}" if metadata.recorded_at else ""
        text += f", recorded from {metadata.upstream}{at}{edited}"
    return text if shown == size else f"{text}; {shown} shown"


def _blocks(
    heading: str, shown: Sequence[Row], recording: Recording, *, verbose: bool
) -> Iterator[str]:
    """Write everything, in pieces that end a line."""
    yield heading + "\n"
    if not shown:
        return
    layout = Layout.of(shown, shutil.get_terminal_size().columns if _on_terminal() else None)
    yield layout.titles + "\n"
    for start in range(0, len(shown), 1 if verbose else _ROWS_AT_ONCE):
        lines = [
            layout.line(row) for row in shown[start : start + (1 if verbose else _ROWS_AT_ONCE)]
        ]
        if verbose:
            lines += transcript(recording.interactions[shown[start].index])
        yield "\n".join(lines) + "\n"


def _on_terminal() -> bool:
    return sys.stdout.isatty()


def _print(blocks: Iterator[str], *, pager: bool) -> None:
    if pager and _on_terminal():
        height = shutil.get_terminal_size().lines
        known: list[str] = []
        lines = 0
        while lines < height and (block := next(blocks, None)) is not None:
            known.append(block)
            lines += block.count("\n")
        if lines >= height:
            click.echo_via_pager(chain(known, blocks))
            return
        blocks = iter(known)
    try:
        while piece := "".join(islice(blocks, _ROWS_AT_ONCE)):
            click.echo(_writable(piece), nl=False)
    except BrokenPipeError:
        # The reader, `head` say, had enough. What is left in the buffer would fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _writable(text: str) -> str:
    """Spell out what the output's encoding has no letters for."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
