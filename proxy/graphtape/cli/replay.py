"""`graphtape replay`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphtape import runner
from graphtape.cli import serving
from graphtape.cli.options import RetryAfter, option, proxying, settings_of
from graphtape.core.plan import Mode
from graphtape.core.position import Order

if TYPE_CHECKING:
    from graphtape.server.ports import Addresses


@click.command("replay")
@click.argument("cassettes", nargs=-1, required=True, type=click.Path(path_type=Path))
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
@option("--fail-on-unused", is_flag=True, help="Exit 4 where interactions were never played.")
@proxying
@click.pass_context
def command(ctx: click.Context, /, cassettes: tuple[Path, ...], **_: object) -> None:
    """Answer calls from CASSETTES, offline.

    A request nothing recorded answers gets status 599 with a Graph-shaped error that names the
    nearest recorded one, and the run ends with exit code 3.

    \b
    Example:
      graphtape replay cassettes/disconnect.yaml --status failed
      curl -X POST http://127.0.0.1:8787/beta/deviceManagement/chromeOSOnboardingSettings/disconnect
    """  # noqa: D301 - click's mark for lines to leave alone
    serving.set_up_logging()
    settings = settings_of(ctx)
    proxy = runner.Proxy(
        settings=settings,
        cassettes=cassettes,
        mode=Mode.NONE,
        on_entry=serving.live_line(quiet=settings.quiet),
        on_note=serving.note,
    )

    def ready(addresses: Addresses) -> None:
        names = ", ".join(map(str, cassettes))
        held = sum(len(recording.interactions) for recording in proxy.outcome.recordings)
        interactions = serving.count(held, "interaction")
        serving.say(f"replaying {names} ({interactions}) on {addresses.proxy}")
        serving.say("stop with Ctrl-C")

    runner.run(runner.until_stopped(proxy, on_ready=ready, ready_file=settings.ready_file))
    for line in serving.summary(proxy.outcome):
        serving.say(line)
    ctx.exit(
        serving.exit_code(
            proxy.outcome, fail_on_unused=settings.fail_on_unused, fail_on=settings.fail_on
        )
    )
