"""`graphtape show`."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from base64 import b64encode
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from graphtape.cli.options import FilePath, form_option
from graphtape.cli.table import Layout, Row, rows
from graphtape.cli.terminal.progress import working
from graphtape.cli.terminal.screen import is_terminal, screen, writable
from graphtape.cli.transcript import transcript
from graphtape.core.errors import UsageError
from graphtape.core.matching.key import MatchOptions
from graphtape.core.redaction import Redactor
from graphtape.core.tape.recording import Recording
from graphtape.tape.store import open_cassette

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphtape.core.message import Request, Response
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
@form_option("A table, or one JSON object.")
@click.option("--no-pager", is_flag=True, help="Never page what is longer than the terminal.")
def command(
    cassette: Path,
    *,
    verbose: bool,
    methods: tuple[str, ...],
    paths: tuple[str, ...],
    statuses: tuple[str, ...],
    indices: tuple[str, ...],
    form: str,
    no_pager: bool,
) -> None:
    """Print the interactions of CASSETTE, or of a HAR file, as a table.

    A `>` marks a write, with which a new stretch of tape begins. `=2` says that the request is that
    of interaction 2, and a `?` that others differ from it only in what was masked: they play in
    order. On a terminal, paths are decoded and wrapped, and long tables go through
    $PAGER. Filters may be repeated, or hold several values between commas.
    """
    wanted = _Filter(
        methods=tuple(name.upper() for name in _split(methods)),
        paths=tuple(glob.casefold() for glob in paths),
        statuses=tuple(_status(code) for code in _split(statuses)),
        ranges=tuple(_range(text) for text in _split(indices)),
    )
    with working(f"opening {cassette}") as progress:
        opened = open_cassette(cassette, progress=progress)
    recording = Recording.of(
        opened.interactions,
        name=str(cassette),
        redactor=Redactor(salt=_salt(opened)),
        options=MatchOptions(),
        alike=opened.metadata.alike if opened.metadata is not None else (),
    )
    shown = [row for row in rows(recording) if wanted.lets_by(row)]
    if form == "json":
        click.echo(_as_json(cassette, opened, shown, recording, verbose=verbose))
        return
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
    draw = _drawing(Layout.of(shown))
    at_once = 1 if verbose else _ROWS_AT_ONCE
    for start in range(0, len(shown), at_once):
        yield draw(shown[start : start + at_once], titles=not start)
        if verbose:
            lines = transcript(recording.interactions[shown[start].index])
            yield "".join(f"{line}\n" for line in lines)


class _Draw(Protocol):
    def __call__(self, rows: Sequence[Row], *, titles: bool) -> str: ...


def _drawing(layout: Layout) -> _Draw:
    """Return what writes rows: as wide as they are, or wrapped at a terminal's width."""
    console = screen(err=False)
    if console is None:
        return layout.lines
    from graphtape.cli.terminal.table import Interactions  # noqa: PLC0415 - draws at terminals

    return Interactions(console, layout).draw


def _as_json(
    path: Path, cassette: Cassette, shown: Sequence[Row], recording: Recording, *, verbose: bool
) -> str:
    interactions = []
    for row in shown:
        interaction = recording.interactions[row.index]
        tree = row.as_json(interaction)
        if verbose:
            tree["request"] = _message(interaction.request)
            tree["response"] = _message(interaction.response)
        interactions.append(tree)
    metadata = cassette.metadata
    told = {
        "cassette": str(path),
        "size": len(cassette.interactions),
        "upstream": metadata.upstream if metadata is not None else None,
        "recorded_at": metadata.recorded_at if metadata is not None else None,
        "edited": cassette.edited,
        "interactions": interactions,
    }
    return json.dumps(told, indent=2)


def _message(message: Request | Response) -> dict[str, object]:
    try:
        body = {"body": message.body.decode()}
    except UnicodeDecodeError:
        body = {"base64": b64encode(message.body).decode()}
    return {"headers": list(message.headers), **body}


def _print(blocks: Iterator[str], *, pager: bool) -> None:
    if pager and is_terminal(err=False):
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
            click.echo(writable(piece), nl=False)
    except BrokenPipeError:
        # The reader, `head` say, had enough. What is left in the buffer would fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
