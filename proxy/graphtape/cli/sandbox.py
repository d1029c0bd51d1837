"""`graphtape sandbox`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from graphtape import runner
from graphtape.cli import serving
from graphtape.cli.options import said, settings_of
from graphtape.cli.options import serving as serving_options

if TYPE_CHECKING:
    from graphtape.server.http.ports import Addresses

DEFAULT_LISTEN = "127.0.0.1:8789"


@click.command("sandbox")
@serving_options
@click.pass_context
def command(ctx: click.Context, /, **_: object) -> None:
    """Serve a simulated tenant, on 127.0.0.1:8789 unless --listen says otherwise.

    It plays the Intune calls of chromeOSOnboardingSettings, users, me and its photo, from public
    documentation. Any bearer token is taken. POST /_sandbox/reset puts it back as it began.

    \b
    Example:
      graphtape sandbox
      curl -H "Authorization: Bearer any" \\
        http://127.0.0.1:8789/beta/deviceManagement/chromeOSOnboardingSettings
    """  # noqa: D301 - click's mark for lines to leave alone
    serving.set_up_logging()
    settings = settings_of(ctx)
    if "listen" not in said(ctx):
        # A settings file names where the proxy listens, and both may run beside each other.
        settings = msgspec.structs.replace(settings, listen=DEFAULT_LISTEN)
    server = runner.SandboxServer(settings=settings)

    def ready(addresses: Addresses) -> None:
        serving.say(f"the sandbox tenant is at {addresses.proxy}")
        serving.say("stop with Ctrl-C")

    runner.run(
        runner.until_stopped(
            server,
            on_ready=ready,
            ready_file=settings.ready_file,
            on_signal=serving.end_line_of_keys,
        )
    )
