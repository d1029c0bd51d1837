"""`graphtape diff`."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphtape.cli.options import FilePath, form_option
from graphtape.cli.terminal.progress import working
from graphtape.cli.terminal.screen import drawn, screen
from graphtape.core.errors import GraphtapeError
from graphtape.core.matching.drift import Aspect, as_json, drift, line
from graphtape.core.matching.mismatch import spelled_out
from graphtape.tape.progress import step
from graphtape.tape.store import open_cassette

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table
    from rich.text import Text

    from graphtape.core.matching.drift import Change

DRIFTED = 1
COULD_NOT_LOOK = 2

_STEPS = 2  # the old one read, and the new one

_STYLES = {"appeared": "green", "vanished": "red", "changed": "yellow"}


@click.command("diff")
@click.argument("old", type=FilePath(path_type=Path))
@click.argument("new", type=FilePath(path_type=Path))
@form_option("A line for each change, or all of them as one JSON object.")
@click.pass_context
def command(ctx: click.Context, /, old: Path, new: Path, form: str) -> None:
    """Say how the answers in NEW differ in shape from those in OLD; values don't matter.

    Compared per operation: statuses, content types, fields and their JSON types, and members of
    enums that appeared. Record the same calls for both.

    Exit codes: 0 no drift, 1 drift, 2 a recording can't be read.
    """
    try:
        with working(f"comparing {new}") as progress:
            before = open_cassette(old, progress=step(progress, 0, _STEPS))
            after = open_cassette(new, progress=step(progress, 1, _STEPS))
            changes = drift(before.interactions, after.interactions)
    except GraphtapeError as exc:
        # Not raised on: a broken cassette is 1 elsewhere, which means drift here.
        click.echo(f"Error: {exc}", err=True)
        ctx.exit(COULD_NOT_LOOK)
    if form == "json":
        click.echo(_as_json(old, new, changes))
    elif changes and (console := screen(err=False)) is not None:
        click.echo(drawn(console, *_tables(changes)), nl=False)
    else:
        click.echo("\n".join(spelled_out(line(each)) for each in changes) or "no drift")
    ctx.exit(DRIFTED if changes else 0)


def _tables(changes: tuple[Change, ...]) -> Iterator[Text | Table]:
    """Make a table for each operation, and its name above it; of one that came or went, a line."""
    from rich.text import Text  # noqa: PLC0415 - draws at terminals

    from graphtape.cli.terminal.table import table  # noqa: PLC0415 - likewise

    for operation, of_it in groupby(changes, lambda change: change.operation):
        first, *others = of_it
        if first.aspect is Aspect.OPERATION:
            yield Text(spelled_out(line(first)), _STYLES[first.kind])
            continue
        made = table("", "change", "what", "old", "new")
        for each in (first, *others):
            what = f"{each.aspect} {each.place}".rstrip()
            sides = (Text(spelled_out(side or "")) for side in (each.old, each.new))
            made.add_row("", Text(each.kind, _STYLES[each.kind]), Text(spelled_out(what)), *sides)
        yield Text(spelled_out(str(operation)), "bold")
        yield made


def _as_json(old: Path, new: Path, changes: tuple[Change, ...]) -> str:
    tree = {"old": str(old), "new": str(new), "changes": [as_json(change) for change in changes]}
    return json.dumps(tree, indent=2, ensure_ascii=False)
