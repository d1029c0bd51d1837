"""`graphtape console`."""

from __future__ import annotations

import webbrowser

import click

from graphtape.cli import serving, trailing
from graphtape.cli.running import control_of, found_by, get, said_in


@click.command("console")
@found_by
@click.option("--print", "prints", is_flag=True, help="Print the link alone; open nothing.")
def command(
    control: str | None, ready_file: str | None, control_token: str | None, *, prints: bool
) -> None:
    """Open the web console of a proxy that runs.

    \b
    Examples:
      graphtape replay cassettes/disconnect.yaml
      graphtape console
    """  # noqa: D301 - click's mark for lines to leave alone
    url = f"{control_of(control)}/console" if ready_file is None else said_in(ready_file, "console")
    get(url, advice=lambda _: ": what runs there has no console; start it without --no-console")
    link = trailing.with_token(url, control_token)
    click.echo(link)
    if not prints and not webbrowser.open(link):
        serving.note("no browser was found; open the link in one")
