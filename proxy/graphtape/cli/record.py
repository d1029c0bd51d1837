"""`graphtape record`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphtape import runner
from graphtape.cli import serving
from graphtape.cli.options import option, proxying, settings_of
from graphtape.core.plan import Mode

if TYPE_CHECKING:
    from graphtape.server.ports import Addresses


@click.command("record")
@click.argument("cassette", type=click.Path(dir_okay=False, path_type=Path))
@option(
    "--upstream",
    metavar="NAME|URL",
    help="Where to forward to: global (the default), usgov, usgov-dod, china, sandbox, or a URL.",
)
@option(
    "--mode",
    type=click.Choice([Mode.ONCE, Mode.NEW_EPISODES, Mode.ALL], case_sensitive=False),
    help="once (the default): play a cassette that exists, record one that doesn't; "
    "new_episodes: play what is "
    "recorded, add what isn't; all: record everything anew.",
)
@option("--fsync", is_flag=True, help="Make each record survive a power loss; slower.")
@option(
    "--keep-identities",
    is_flag=True,
    help="Leave mail addresses, tenant ids and domains as they are.",
)
@option("--upstream-ca", metavar="FILE", help="PEM of private roots upstream is verified by.")
@option(
    "--max-body",
    type=int,
    metavar="BYTES",
    help="A larger body is left off the tape; default 64 MiB.",
)
@option("--connect-timeout", type=float, metavar="SECONDS", help="To reach upstream; default 20.")
@option(
    "--read-timeout",
    type=float,
    metavar="SECONDS",
    help="Without a byte from upstream; default 300.",
)
@proxying
@click.pass_context
def command(ctx: click.Context, /, cassette: Path, **_: object) -> None:
    """Forward calls to a tenant and record them into CASSETTE.

    Point the app at http://127.0.0.1:8787 and use it; stop with Ctrl-C, which saves. Tokens,
    cookies and other secrets never reach the file; what happens is on disk, in CASSETTE.part,
    before the app has its answer.

    \b
    Example:
      graphtape record cassettes/disconnect.yaml
      curl -X POST -H "Authorization: Bearer $TOKEN" \\
        http://127.0.0.1:8787/beta/deviceManagement/chromeOSOnboardingSettings/disconnect
    """  # noqa: D301 - click's mark for lines to leave alone
    serving.set_up_logging()
    settings = settings_of(ctx)
    proxy = runner.Proxy(
        settings=settings,
        cassettes=(cassette,),
        mode=Mode(settings.mode),
        on_entry=serving.live_line(quiet=settings.quiet),
        on_note=serving.note,
    )

    def ready(addresses: Addresses) -> None:
        if proxy.outcome.session.forwards:
            serving.say(f"recording {settings.upstream} into {cassette} on {addresses.proxy}")
        else:
            serving.say(f"replaying {cassette} on {addresses.proxy}")
        serving.say("stop with Ctrl-C")

    runner.run(runner.until_stopped(proxy, on_ready=ready, ready_file=settings.ready_file))
    outcome = proxy.outcome
    for line in serving.summary(outcome):
        serving.say(line)
    if outcome.saved is not None:
        held = serving.count(outcome.saved, "interaction")
        serving.say(f"saved {cassette}: {held}, {outcome.recorded} new")
    elif outcome.session.forwards:
        state = "is as it was" if cassette.exists() else "was not written"
        why = ": nothing was recorded" if not outcome.recorded else ""
        serving.say(f"{cassette} {state}{why}")
    ctx.exit(serving.exit_code(outcome, fail_on_unused=False, fail_on=settings.fail_on))
