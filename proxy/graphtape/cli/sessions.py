"""`graphtape sessions`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
import msgspec

from graphtape.cli.options import form_option
from graphtape.cli.running import control_of, found_by, get, said_in
from graphtape.cli.terminal.screen import drawn, screen
from graphtape.core.matching.mismatch import spelled_out
from graphtape.server.control.message import SessionList

if TYPE_CHECKING:
    from graphtape.server.control.message import SessionFacts

_TITLES = ("session", "mode", "requests", "answers", "bends", "cassettes")
_NARROW = 80
"""Cells of a terminal below which so many columns would be too narrow to read."""


@click.command("sessions")
@found_by
@form_option("A table, or the control API's own answer.")
def command(
    control: str | None, ready_file: str | None, control_token: str | None, *, form: str
) -> None:
    """List the open sessions of a proxy that runs.

    \b
    Examples:
      graphtape replay cassettes/disconnect.yaml
      graphtape sessions
    """  # noqa: D301 - click's mark for lines to leave alone
    base = control_of(control) if ready_file is None else said_in(ready_file, "control")
    raw = get(f"{base}/sessions", token=control_token, advice=_advice)
    if form == "json":
        click.echo(json.dumps(json.loads(raw), indent=2))
        return
    try:
        rows = [_row(each) for each in msgspec.json.decode(raw, type=SessionList).sessions]
    except msgspec.MsgspecError as exc:
        raise click.ClickException(f"{base} is no control API of this Graphtape") from exc
    console = screen(err=False)
    if console is None:
        for row in (_TITLES, *rows):
            click.echo("\t".join(row))
        return
    from rich.text import Text  # noqa: PLC0415 - draws at terminals

    from graphtape.cli.terminal.table import below, table  # noqa: PLC0415 - likewise

    if console.width < _NARROW:
        click.echo(below(console, {row[0]: _listed(row) for row in rows}), nl=False)
        return
    made = table(*_TITLES)
    for row in rows:
        made.add_row(*map(Text, row))
    click.echo(drawn(console, made), nl=False)


def _listed(row: tuple[str, ...]) -> str:
    named = zip(_TITLES[1:], row[1:], strict=True)
    return "\n".join(f"{title}: {text}" for title, text in named if text)


def _advice(status: int) -> str:
    return "; give its --control-token" if status in {401, 403} else ""


def _row(session: SessionFacts) -> tuple[str, ...]:
    cells = (
        session.id,
        session.mode,
        str(session.requests),
        ", ".join(f"{times} {source}" for source, times in session.answers.items() if times),
        ", ".join((*session.scenario, *session.status)),
        ", ".join(session.cassettes),
    )
    return tuple(map(spelled_out, cells))
