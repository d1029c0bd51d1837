"""`graphtape replay`."""

from __future__ import annotations

from pathlib import Path

import click

from graphtape import runner
from graphtape.cli import serving, trailing
from graphtape.cli.live_line import live_line
from graphtape.cli.loading import loading
from graphtape.cli.options import FilePath, RetryAfter, option, proxying
from graphtape.core.tape.outcome import Mode
from graphtape.core.tape.position import Order


@click.command("replay", cls=trailing.TakesCommand)
@click.argument("cassettes", nargs=-1, required=True, type=FilePath(path_type=Path))
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
@option("--fail-on-unused", is_flag=True, help="Exit 4 where interactions were never played.")
@proxying
@click.pass_context
def command(ctx: click.Context, /, cassettes: tuple[Path, ...], **_: object) -> None:
    """Answer calls from CASSETTES, offline.

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
    proxy = runner.Proxy(
        settings=settings,
        cassettes=cassettes,
        mode=Mode.NONE,
        on_entry=live_line(quiet=settings.quiet),
        on_note=serving.note,
        alone=True,
        on_progress=loading(),
    )

    def ready(where: str) -> None:
        names = ", ".join(map(str, cassettes))
        held = sum(len(each.recording.interactions) for each in proxy.outcome.played)
        interactions = serving.count(held, "interaction")
        serving.say(f"replaying {names} ({interactions}) on {where}")

    ran = trailing.serve(ctx, proxy, settings, on_ready=ready)
    from graphtape.cli.outcome import tell  # noqa: PLC0415 - once it is over

    reports = tell(proxy, settings, failed=bool(ran))
    ctx.exit(trailing.exit_code(ctx, proxy, reports, ran=ran))
