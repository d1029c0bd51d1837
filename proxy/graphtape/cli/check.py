"""`graphtape check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphtape.cli.options import FilePath, form_option
from graphtape.core.check.checker import Checker
from graphtape.core.check.finding import Lacks
from graphtape.core.errors import GraphtapeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphtape.tape.graph_check import Located

FOUND = 1
COULD_NOT_LOOK = 2
_ABOUT = {
    Lacks.OPERATION: "An operation that Graph doesn't have",
    Lacks.OPTION: "A query option that the operation doesn't take",
    Lacks.PROPERTY: "A property that the type doesn't have",
    Lacks.MEMBER: "A value that the enum doesn't have",
}
_HELP = "Correct it, or record it: a recording says what Graph answers."


@click.command("check")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=FilePath(path_type=Path))
@form_option("A line for each finding, or all of them as JSON or SARIF.", "sarif")
@click.pass_context
def command(ctx: click.Context, /, paths: tuple[Path, ...], form: str) -> None:
    """Say what in FILE Graph doesn't have.

    FILE is a cassette, a scenario, or what `graphtape convert` reads, such as Dev Proxy mocks.
    Named are operations, query options, properties and members of enums that Graph's own model
    lacks, each with what was probably meant. Other values aren't judged.

    Exit codes: 0 nothing found, 1 something found, 2 could not look.
    """
    from graphtape.tape.graph_check import checked  # noqa: PLC0415 - the model is large
    from graphtape.tape.graph_model import model  # noqa: PLC0415 - likewise

    checker = Checker(models=model)
    found: list[Located] = []
    failed = 0
    for path in paths:
        try:
            found += checked(path, checker)
        except GraphtapeError as exc:
            click.echo(f"Error: {exc}", err=True)
            failed += 1
    if found or not failed or form != "text":
        _print(found, form)
    ctx.exit(COULD_NOT_LOOK if failed else FOUND if found else 0)


def _print(found: Sequence[Located], form: str) -> None:
    match form:
        case "json":
            click.echo(json.dumps([each.fields() for each in found], indent=2))
        case "sarif":
            from graphtape.cli.sarif import log, result_of, rule_of  # noqa: PLC0415 - few print it

            rules = [rule_of(kind, about, _HELP, "error") for kind, about in _ABOUT.items()]
            results = [
                result_of(
                    each.path,
                    each.finding.lacks,
                    "error",
                    place=each.place,
                    text=f"{each.place}: {each.finding}. {_HELP}",
                )
                for each in found
            ]
            click.echo(log(rules, results))
        case _:
            for each in found:
                click.echo(str(each))
            if not found:
                click.echo("nothing found")
