"""`graphtape convert`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from graphtape.cli.options import FilePath
from graphtape.cli.terminal.progress import working
from graphtape.core.matching.mismatch import spelled_out

_TARGETS = ("cassette", "har", "wiremock", "dev-proxy")


@click.command("convert")
@click.argument("source", metavar="SRC", type=FilePath(path_type=Path))
@click.argument("target", metavar="DST", type=FilePath(path_type=Path))
@click.option(
    "--to",
    type=click.Choice(_TARGETS),
    help="What DST is; unless said, HAR where it ends in .har, a cassette where not in .json.",
)
@click.option("--force", is_flag=True, help="Replace DST where it exists.")
def command(source: Path, target: Path, *, to: str | None, force: bool) -> None:
    """Make a cassette of another tool's recording or mocks, or the other way round.

    SRC is told by its content: HAR of browsers, Fiddler, Charles and Polly.JS, Dev Proxy mocks,
    WireMock mappings (a folder of them, too), recordings of the Azure SDK's test proxy, cassettes
    of go-vcr, Ruby's VCR and vcrpy, Postman collections, and mitmproxy's flows. It is redacted on
    the way in. What can't be carried over is listed.

    \b
    Example:
      graphtape convert portal.har cassettes/portal.yaml
    """  # noqa: D301 - click's mark for lines to leave alone
    from graphtape.tape.conversion import Target, convert, target_of  # noqa: PLC0415 - few need it

    with working(f"converting {source}") as progress:
        done = convert(
            source,
            target,
            to=target_of(target) if to is None else Target(to),
            salt=os.environ.get("GRAPHTAPE_SALT") or None,
            force=force,
            progress=progress,
        )
    click.echo(f"{target}: wrote {_count(done.interactions, 'interaction')}")
    for path, said in done.files:
        click.echo(f"{path}: {said}")
    click.echo(
        f"redacted {_count(done.secrets, 'secret')} and "
        f"{_count(done.identities, 'identity', 'identities')}; kept "
        f"{_count(done.personal, 'personal field')}"
    )
    for line in done.left_out:
        click.echo(spelled_out(f"left out {line}"))
    for line in done.notes:
        click.echo(spelled_out(f"note: {line}"))


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
