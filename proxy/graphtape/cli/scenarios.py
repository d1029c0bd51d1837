"""`graphtape scenarios`."""

from __future__ import annotations

import click

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
        width = max(map(len, presets()))
        for each in presets():
            click.echo(f"{each:<{width}}  {load(each).description}")
    elif is_file(name):
        text = file_text(name)
        read(text, source=name)
        click.echo(text, nl=not text.endswith("\n"))
    else:
        click.echo(preset_text(name), nl=False)
