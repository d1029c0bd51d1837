"""`graphtape show`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphtape.core.graph import short
from graphtape.core.message import media_type
from graphtape.tape.store import open_cassette

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphtape.core.message import Headers, Interaction
    from graphtape.tape.vcr_format import Cassette


@click.command("show")
@click.argument("cassette", type=click.Path(path_type=Path))
@click.option("-v", "--verbose", is_flag=True, help="Headers and bodies too.")
def command(cassette: Path, *, verbose: bool) -> None:
    """Print the interactions of CASSETTE as a table."""
    opened = open_cassette(cassette)
    click.echo(_heading(cassette, opened))
    rows = [_row(number, i) for number, i in enumerate(opened.interactions)]
    titles = ("#", "method", "status", "bytes", "path")
    widths = [max(len(row[n]) for row in [titles, *rows]) for n in range(len(titles))]
    click.echo(_line(titles, widths))
    for row, interaction in zip(rows, opened.interactions, strict=True):
        click.echo(_line(row, widths))
        if verbose:
            click.echo("\n".join(_details(interaction)))


def _heading(path: Path, cassette: Cassette) -> str:
    count = f"{len(cassette.interactions)} interactions"
    metadata = cassette.metadata
    if metadata is None:
        return f"{path}: {count}"
    edited = ", edited since" if cassette.edited else ""
    return f"{path}: {count}, recorded from {metadata.upstream} at {metadata.recorded_at}{edited}"


def _row(number: int, interaction: Interaction) -> tuple[str, str, str, str, str]:
    request, response = interaction.request, interaction.response
    return (
        str(number),
        request.method,
        str(response.status),
        str(len(response.body)),
        short(request.url),
    )


def _line(cells: tuple[str, str, str, str, str], widths: list[int]) -> str:
    number, method, status, size, path = cells
    path = "".join(char if char.isprintable() else repr(char)[1:-1] for char in path)
    return (
        f"{number:>{widths[0]}}  {method:<{widths[1]}}  {status:>{widths[2]}}  "
        f"{size:>{widths[3]}}  {path}"
    )


def _details(interaction: Interaction) -> Iterable[str]:
    request, response = interaction.request, interaction.response
    yield from _message("> ", request.headers, request.body)
    yield from _message("< ", response.headers, response.body)
    yield ""


def _message(mark: str, headers: Headers, body: bytes) -> Iterable[str]:
    for line in (*(f"{name}: {value}" for name, value in headers), *_body(headers, body)):
        # A cassette may hold anything: what steers a terminal is spelled out.
        shown = "".join(c if c.isprintable() or c == "\t" else repr(c)[1:-1] for c in line)
        yield f"  {mark}{shown}"


def _body(headers: Headers, body: bytes) -> list[str]:
    if not body:
        return []
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return [f"({len(body)} bytes of {media_type(headers) or 'no stated type'})"]
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False).splitlines()
    except (ValueError, RecursionError):
        return text.splitlines()
