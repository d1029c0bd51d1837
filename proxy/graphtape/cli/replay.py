"""`graphtape replay`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from graphtape import runner
from graphtape.cli import serving, trailing
from graphtape.cli.options import CassettePath, RetryAfter, listed, option, proxying
from graphtape.cli.terminal.live_line import live_line
from graphtape.cli.terminal.progress import LOADING, SAVING, progress
from graphtape.cli.terminal.screen import is_terminal
from graphtape.core.tape.outcome import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphtape.settings import Settings
from graphtape.core.tape.position import Order


@click.command("replay", cls=trailing.TakesCommand)
@click.argument("cassettes", nargs=-1, required=True, type=CassettePath(path_type=Path))
@option(
    "--order",
    type=click.Choice(list(Order), case_sensitive=False),
    help="position (the default): reads follow the writes played so far; request: vcrpy's "
    "order, each answer "
    "once.",
)
@option(
    "--retry-after",
    type=RetryAfter(),
    metavar="keep|SECONDS",
    help="What each Retry-After answered becomes; keep (the default): as recorded.",
)
@option(
    "--fast",
    is_flag=True,
    help="No recorded or injected wait is longer than it must be: each Retry-After becomes the "
    "smallest that every SDK heeds.",
)
@option("--freeze-time", is_flag=True, help="Date as recorded, instead of now.")
@option(
    "--max-age",
    metavar="AGE[=fail]",
    help="Say which cassettes were recorded longer ago, or don't play them: 90d, 12w=fail.",
)
@option(
    "--notify",
    metavar="URL",
    help="Answer /subscriptions as Graph does, and notify the app at this origin of changes; "
    "nothing else is called.",
)
@option("--fail-on-unused", is_flag=True, help="Exit 4 where interactions were never played.")
@option(
    "--workers",
    type=click.IntRange(1, 256),
    metavar="N",
    help="Divide the sessions among N processes; a session's base URL leads straight to its own.",
)
@option(
    "--replica",
    metavar="NAME",
    help="Be one of several proxies: the ids of its sessions begin with NAME.",
)
@option(
    "--public-url",
    metavar="URL",
    help="Where clients reach the data port of this replica: scheme, host and port.",
)
@option(
    "--state",
    metavar="URL",
    help="Serve the sessions together with all who name the same Redis: redis://, rediss:// or "
    "unix://.",
)
@option(
    "--session",
    metavar="NAME",
    help="What the default session is called there; default unless said.",
)
@listed(
    "--peers",
    metavar="NAME=URL",
    help="The control port of another replica: calls about its sessions are passed on; repeatable.",
)
@proxying
@click.pass_context
def command(ctx: click.Context, /, cassettes: tuple[Path | str, ...], **_: object) -> None:
    """Answer calls from CASSETTES, offline: files, or URLs (s3, az, gs, https).

    A request nothing recorded answers gets status 599 with a Graph-shaped error that names the
    nearest recorded one, and the run ends with exit code 3.

    With `-- COMMAND` it takes free ports, runs COMMAND with the proxy's URL in GRAPH_BASE_URL, and
    stops after it, with its exit code.

    \b
    Examples:
      graphtape replay cassettes/disconnect.yaml --status failed
      curl -X POST http://127.0.0.1:8787/beta/deviceManagement/chromeOSOnboardingSettings/disconnect
      graphtape replay cassettes/disconnect.yaml --status failed -- pytest -x
    """  # noqa: D301 - click's mark for lines to leave alone
    serving.set_up_logging()
    settings = trailing.settings_of(ctx)
    paths, names = _local(cassettes)
    if settings.workers is not None:
        _divided(ctx, paths, names, settings)
    proxy = runner.Proxy(
        settings=settings,
        cassettes=paths,
        names=names,
        mode=Mode.NONE,
        on_entry=live_line(quiet=settings.quiet),
        on_note=serving.note,
        tells_misses=settings.quiet or not is_terminal(),
        alone=True,
        on_progress=progress(LOADING),
        on_saving=progress(SAVING),
    )

    def ready(where: str) -> None:
        held = sum(len(each.recording.interactions) for each in proxy.outcome.played)
        serving.say(_replaying(paths, names, held, where))

    ran = trailing.serve(ctx, proxy, settings, on_ready=ready)
    from graphtape.cli.outcome import tell  # noqa: PLC0415 - once it is over

    reports = tell(proxy, settings, failed=bool(ran))
    ctx.exit(trailing.exit_code(ctx, proxy, reports, ran=ran))


def _local(cassettes: tuple[Path | str, ...]) -> tuple[tuple[Path, ...], dict[Path, str]]:
    """Return the files of cassettes, and what those are called that a URL names."""
    names: dict[Path, str] = {}
    if all(isinstance(each, Path) for each in cassettes):
        return tuple(map(Path, cassettes)), names
    from graphtape.tape import remote  # noqa: PLC0415 - few are URLs
    from graphtape.tape.cache.folder import Folder  # noqa: PLC0415 - likewise

    kept = Folder.of_user().path / "remote"
    paths: list[Path] = []
    for each in cassettes:
        path = remote.fetched(each, kept) if isinstance(each, str) else each
        if isinstance(each, str):
            names[path] = remote.shown(each)
        paths.append(path)
    return tuple(paths), names


def _replaying(paths: tuple[Path, ...], names: Mapping[Path, str], held: int, where: str) -> str:
    called = ", ".join(names.get(path, str(path)) for path in paths)
    return f"replaying {called} ({serving.count(held, 'interaction')}) on {where}"


def _divided(
    ctx: click.Context, paths: tuple[Path, ...], names: Mapping[Path, str], settings: Settings
) -> NoReturn:
    """Serve in several processes."""
    from graphtape.runner.workers.fleet import Fleet  # noqa: PLC0415 - few runs have workers

    fleet = Fleet(
        settings=settings,
        cassettes=paths,
        names=names,
        on_entry=live_line(quiet=settings.quiet),
        on_note=serving.note,
        tells_misses=settings.quiet or not is_terminal(),
        on_progress=progress(LOADING),
    )

    def ready(where: str) -> None:
        serving.say(_replaying(paths, names, fleet.held, where))
        for name, url, pid in fleet.places:
            serving.say(f"worker {name} on {url}, process {pid}")

    try:
        fleet.start()
        ran = trailing.serve(ctx, fleet, settings, on_ready=ready, over=fleet.over)
        from graphtape.cli.outcome import tell  # noqa: PLC0415 - once it is over

        reports = tell(fleet, settings, failed=bool(ran))
    finally:
        fleet.close()
    ctx.exit(trailing.exit_code(ctx, fleet, reports, ran=ran))
