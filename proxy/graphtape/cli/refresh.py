"""`graphtape refresh`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from graphtape import runner
from graphtape.cli import serving, trailing
from graphtape.cli.options import FilePath, config, recording, said, secure, upstream
from graphtape.cli.terminal.progress import LOADING, SAVING, progress
from graphtape.core.errors import CassetteError, UsageError
from graphtape.core.tape.outcome import Mode

if TYPE_CHECKING:
    from datetime import timedelta

    from graphtape.settings import Settings
    from graphtape.tape.freshness import Old

_PLACE = "{}"


@click.command("refresh", cls=trailing.TakesCommand)
@click.argument("paths", nargs=-1, required=True, type=FilePath(path_type=Path))
@click.option("--older", metavar="AGE", required=True, help="Than 36h, 60d or 12w.")
@click.option(
    "--summary",
    type=FilePath(dir_okay=False, path_type=Path),
    metavar="FILE.md",
    help="Write what changed there, not to stdout.",
)
@upstream
@recording
@secure
@config
@click.pass_context
def command(
    ctx: click.Context, /, paths: tuple[Path, ...], older: str, summary: Path | None, **_: object
) -> None:
    """Record cassettes anew that are older than --older, and say what changed.

    COMMAND runs once for each, as under `graphtape record CASSETTE --mode all`; each word {} of it
    becomes the cassette's path. What didn't change stays as it was, byte for byte. Each is recorded
    from the cloud it came from, unless --upstream is said. Printed is the text of a pull request.

    \b
    Example:
      graphtape refresh cassettes/ --older 60d --summary pr.md -- ./record.sh {}
    """  # noqa: D301 - click's mark for lines to leave alone
    from graphtape.tape import freshness  # noqa: PLC0415 - few commands need it
    from graphtape.tape.folder import cassettes_among  # noqa: PLC0415 - likewise

    serving.set_up_logging()
    words = trailing.words_of(ctx)
    if not words:
        raise UsageError("say how they are recorded, after --: -- COMMAND")
    settings = trailing.settings_of(ctx)
    found = list(cassettes_among(paths))
    old, unknown = freshness.older(found, _limit(older), datetime.now(UTC))
    for path in unknown:
        serving.note(f"{path} doesn't say when it was recorded, and is left as it is")
    refreshed = []
    code = 0
    for each in old:
        ctx.meta[trailing.WORDS] = tuple(
            str(each.path) if word == _PLACE else word for word in words
        )
        came_to = _recorded(ctx, each, settings)
        code = code or came_to
        new = None if came_to else freshness.confirm(each.path, datetime.now(UTC))
        refreshed.append(freshness.Refreshed(old=each, new=new))
    text = freshness.as_markdown(refreshed, looked_at=len(found), spelled=older)
    if summary is None:
        click.echo(text, nl=False)
    else:
        _write(summary, text)
    ctx.exit(code)


def _limit(older: str) -> timedelta:
    from graphtape.core.tape.age import age_of  # noqa: PLC0415 - few commands need it

    try:
        return age_of(older)
    except ValueError as exc:
        raise UsageError(f"--older: {exc}") from exc


def _recorded(ctx: click.Context, old: Old, settings: Settings) -> int:
    """Record a cassette anew; return the exit code of the run."""
    from graphtape.cli.outcome import tell  # noqa: PLC0415 - where there is one

    settings = msgspec.structs.replace(settings, upstream=_upstream(ctx, old, settings))
    proxy = runner.Proxy(
        settings=settings,
        cassettes=(old.path,),
        mode=Mode.ALL,
        on_note=serving.note,
        alone=True,
        on_progress=progress(LOADING),
        on_saving=progress(SAVING),
    )

    def ready(where: str) -> None:
        serving.say(f"recording {settings.upstream} into {old.path} on {where}")

    ran = trailing.serve(ctx, proxy, settings, on_ready=ready)
    reports = tell(proxy, settings, failed=bool(ran), taped=proxy)
    return trailing.exit_code(ctx, proxy, reports, ran=ran)


def _upstream(ctx: click.Context, old: Old, settings: Settings) -> str:
    """Return where a cassette came from, unless another place is said."""
    metadata = old.cassette.metadata
    if "upstream" in said(ctx) or metadata is None:
        return settings.upstream
    if metadata.upstream == "custom":
        raise UsageError(f"{old.path} doesn't say where it was recorded from: say --upstream")
    return metadata.upstream


def _write(path: Path, text: str) -> None:
    from graphtape.tape.store import replace_file  # noqa: PLC0415 - few commands need it

    try:
        replace_file(path, (text.encode(),))
    except OSError as exc:
        raise CassetteError(f"{path}: can't be written ({exc.strerror}); check the path") from exc
