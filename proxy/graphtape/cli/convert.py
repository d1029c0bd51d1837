"""`graphtape convert`."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphtape import __version__
from graphtape.cli.options import FilePath
from graphtape.cli.terminal.progress import working
from graphtape.core.errors import UsageError
from graphtape.core.matching.mismatch import spelled_out
from graphtape.core.message import Interaction
from graphtape.core.redaction import Redactor
from graphtape.tape.har import cloud_of
from graphtape.tape.progress import step, told
from graphtape.tape.store import check_file, open_har, save_cassette
from graphtape.tape.vcr_format import Metadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphtape.tape.har import Log


@click.command("convert")
@click.argument("source", metavar="SRC.har", type=FilePath(path_type=Path))
@click.argument("target", metavar="DST", type=FilePath(path_type=Path))
@click.option("--force", is_flag=True, help="Replace DST where it exists.")
def command(source: Path, target: Path, *, force: bool) -> None:
    """Make a cassette of a HAR file: redacted, in the order the requests started.

    Blocked and cancelled calls, and those whose bodies weren't saved, are left out and listed.

    \b
    Example:
      graphtape convert portal.har cassettes/portal.yaml
    """  # noqa: D301 - click's mark for lines to leave alone
    check_file(target)
    if target.exists() and not force:
        raise UsageError(f"{target} exists: name another file, or replace it with --force")
    log = open_har(source)
    given = os.environ.get("GRAPHTAPE_SALT")
    redactor = Redactor(salt=given or secrets.token_hex(16))
    metadata = _metadata(log, salt="" if given else redactor.salt)
    size = len(log.interactions)
    with working(f"converting {source}") as progress:
        clean = _redacted(told(log.interactions, size, step(progress, 0, 2)), redactor)
        save_cassette(target, told(clean, size, step(progress, 1, 2)), metadata=metadata)
    click.echo(f"{target}: wrote {_count(len(log.interactions), 'interaction')}")
    counts = redactor.counts
    click.echo(
        f"redacted {_count(counts['secrets'], 'secret')} and "
        f"{_count(counts['identities'], 'identity', 'identities')}; kept "
        f"{_count(counts['personal'], 'personal field')}"
    )
    for reason in log.skipped:
        click.echo(spelled_out(f"left out {reason}"))


def _metadata(log: Log, *, salt: str) -> Metadata:
    recorded = log.started_at or datetime.now(UTC)
    return Metadata(
        graphtape=__version__,
        upstream=cloud_of(log.interactions),
        recorded_at=recorded.strftime("%Y-%m-%dT%H:%M:%SZ"),
        salt=salt,
    )


def _redacted(interactions: Iterable[Interaction], redactor: Redactor) -> list[Interaction]:
    return [
        Interaction(
            request=redactor.request(each.request).request,
            response=redactor.response(each.response, url=each.request.url),
        )
        for each in interactions
    ]


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
