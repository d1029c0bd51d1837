"""`graphtape record`."""

from __future__ import annotations

from pathlib import Path

import click

from graphtape import runner
from graphtape.cli import serving, trailing
from graphtape.cli.options import FilePath, option, proxying, recording, upstream
from graphtape.cli.terminal.live_line import live_line
from graphtape.cli.terminal.progress import LOADING, SAVING, progress
from graphtape.cli.terminal.screen import is_terminal
from graphtape.core.tape.outcome import Mode


def _refused(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    del param
    if value is not None:
        raise click.UsageError(
            "--state is for replay: a recording has one writer; record with one proxy", ctx
        )


@click.command("record", cls=trailing.TakesCommand)
@click.argument("cassette", type=FilePath(dir_okay=False, path_type=Path))
@upstream
@option(
    "--mode",
    type=click.Choice([Mode.ONCE, Mode.NEW_EPISODES, Mode.ALL], case_sensitive=False),
    help="once (the default): play a cassette that exists, record one that doesn't; "
    "new_episodes: play what is "
    "recorded, add what isn't; all: record everything anew.",
)
@option("--state", hidden=True, expose_value=False, callback=_refused)
@option(
    "--notifications",
    metavar="URL",
    help="Pass notifications that Graph sends to /_notifications/… of this port on to the app at "
    "this origin, and record them.",
)
@recording
@proxying
@click.pass_context
def command(ctx: click.Context, /, cassette: Path, **_: object) -> None:
    """Forward calls to a tenant and record them into CASSETTE.

    Point the app at http://127.0.0.1:8787 and use it; stop with Ctrl-C, which saves. Tokens,
    cookies and other secrets never reach the file; what happens is on disk, in CASSETTE.part,
    before the app has its answer.

    With `-- COMMAND` it takes free ports, runs COMMAND with the proxy's URL in GRAPH_BASE_URL, and
    stops after it, with its exit code.

    \b
    Examples:
      graphtape record cassettes/disconnect.yaml
      curl -X POST -H "Authorization: Bearer $TOKEN" \\
        http://127.0.0.1:8787/beta/deviceManagement/chromeOSOnboardingSettings/disconnect
      graphtape record cassettes/disconnect.yaml --mode all -- pytest -x
    """  # noqa: D301 - click's mark for lines to leave alone
    serving.set_up_logging()
    settings = trailing.settings_of(ctx)
    proxy = runner.Proxy(
        settings=settings,
        cassettes=(cassette,),
        mode=Mode(settings.mode),
        on_entry=live_line(quiet=settings.quiet),
        on_note=serving.note,
        tells_misses=settings.quiet or not is_terminal(),
        alone=True,
        on_progress=progress(LOADING),
        on_saving=progress(SAVING),
    )

    def ready(where: str) -> None:
        if proxy.outcome.session.forwards:
            serving.say(f"recording {settings.upstream} into {cassette} on {where}")
        else:
            serving.say(f"replaying {cassette} on {where}")

    ran = trailing.serve(ctx, proxy, settings, on_ready=ready)
    from graphtape.cli.outcome import tell  # noqa: PLC0415 - once it is over

    reports = tell(proxy, settings, failed=bool(ran), taped=proxy)
    ctx.exit(trailing.exit_code(ctx, proxy, reports, ran=ran))
