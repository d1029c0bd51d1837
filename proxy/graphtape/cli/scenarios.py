"""`graphtape scenarios`."""

from __future__ import annotations

import click

from graphtape.cli.terminal.screen import screen
from graphtape.core.errors import UsageError
from graphtape.scenarios import file_text, is_file, load, preset_text, presets, read, schema_text


@click.command("scenarios")
@click.argument("name", required=False)
@click.option("--schema", is_flag=True, help="Print the JSON Schema of scenario files.")
def command(name: str | None, *, schema: bool) -> None:
    """List the shipped scenarios, or print the one called NAME as YAML.

    NAME may be a file of your own: it is checked and printed.
    """
    if schema:
        if name is not None:
            raise UsageError(f"--schema is that of every scenario; leave {name!r} out")
        click.echo(schema_text(), nl=False)
    elif name is None:
        _list()
    elif is_file(name):
        text = file_text(name)
        read(text, source=name)
        click.echo(text, nl=not text.endswith("\n"))
    else:
        click.echo(preset_text(name), nl=False)


def _list() -> None:
    listed = {name: load(name).description for name in presets()}
    console = screen(err=False)
    if console is None:
        width = max(map(len, listed))
        for name, description in listed.items():
            click.echo(f"{name:<{width}}  {description}")
        return
    from graphtape.cli.terminal.table import described  # noqa: PLC0415 - draws at terminals

    click.echo(described(console, "scenario", "what it does", listed), nl=False)
