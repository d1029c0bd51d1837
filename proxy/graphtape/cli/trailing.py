"""`-- COMMAND …` at the end of a command line: split off, run, and told."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, assert_never
from urllib.parse import quote

import click
import msgspec

from graphtape import runner
from graphtape.cli import options, serving

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from graphtape.core.report.report import Report
    from graphtape.server.http.ports import Addresses
    from graphtape.settings import Settings

WORDS = "graphtape.trailing"
"""Where a context keeps them."""

FREE = "127.0.0.1:0"


class TakesCommand(click.Command):
    """Takes `-- COMMAND …` off the line before click sees it: none of its words is an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what stands before the first `--`."""
        if "--" in args:
            at = args.index("--")
            args, words = args[:at], tuple(args[at + 1 :])
            if not words or not words[0]:
                raise click.UsageError("`--` begins the command to run, and none follows it", ctx)
            ctx.meta[WORDS] = words
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the pieces of the usage line."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND ...]"]


def words_of(ctx: click.Context) -> tuple[str, ...]:
    """Return the command to run, a word each; none where none was given."""
    words: tuple[str, ...] = ctx.meta.get(WORDS, ())
    return words


def settings_of(ctx: click.Context) -> Settings:
    """Make the settings of a run: with a command it takes free ports, but for those said.

    Raises:
        UsageError: A value is wrong.
    """
    words = words_of(ctx)
    settings = options.settings_of(ctx, {"listen": FREE, "control": FREE} if words else None)
    if settings.report:
        from graphtape.runner.reporting import check_report_path  # noqa: PLC0415 - few want one

        for name in settings.report:
            check_report_path(Path(name))
    # The command's output isn't torn.
    return msgspec.structs.replace(settings, quiet=True) if words else settings


def with_token(console: str, token: str | None) -> str:
    """Return the link to a console; its page takes the token out of the address."""
    return console if token is None else f"{console}#token={quote(token, safe='')}"


def serve(
    ctx: click.Context,
    proxy: runner.Run,
    settings: Settings,
    *,
    on_ready: Callable[[str], None],
    over: asyncio.Event | None = None,
) -> int:
    """Serve until the user stops it or, where a command was given, while that runs.

    Args:
        ctx: Of the command line.
        proxy: Not listening yet.
        settings: Of the run.
        on_ready: Told where the proxy and its control API are, once they listen.
        over: Ends it where there is no command.

    Returns:
        The command's exit code; 0 where there is none.

    Raises:
        Exit: The command could not be started, which is said: there is nothing to report.
    """
    words = words_of(ctx)

    def ready(addresses: Addresses) -> None:
        on_ready(f"{addresses.proxy}, control on {addresses.control}")
        if addresses.console is not None:
            serving.say(f"console at {with_token(addresses.console, settings.control_token)}")
        if not words:
            serving.say("stop with Ctrl-C")

    ready_file = settings.ready_file
    if not words:
        runner.run(
            runner.until_stopped(
                proxy,
                on_ready=ready,
                ready_file=ready_file,
                over=over,
                on_signal=serving.end_line_of_keys,
            )
        )
        return 0
    # Only where there is a command.
    from graphtape.runner.command import Command, Exited, NotStarted  # noqa: PLC0415
    from graphtape.runner.serving import while_running  # noqa: PLC0415

    command = Command(words=words, on_note=serving.note)
    ending = runner.run(while_running(proxy, command, on_ready=ready, ready_file=ready_file))
    match ending:
        case NotStarted():
            serving.say(f"Error: {ending.reason}")
            ctx.exit(ending.code)
        case Exited():
            if ending.by == "SIGINT":
                serving.end_line_of_keys(signal.SIGINT)
            if ending.code:
                # Of the command no more than its name: arguments may hold secrets.
                how = f"was ended by {ending.by}" if ending.by else f"exited with {ending.code}"
                serving.say(f"{words[0]} {how}")
        case _:
            assert_never(ending)
    return ending.code


def exit_code(ctx: click.Context, proxy: runner.Run, reports: Sequence[Report], *, ran: int) -> int:
    """Return the code a run ends with; say why where nothing before it does.

    Args:
        ctx: Of the command line.
        proxy: Stopped.
        reports: Of its sessions.
        ran: The command's own code, which goes first.
    """
    from graphtape.cli import outcome as run  # noqa: PLC0415 - once it is over

    came_to = run.exit_code(reports)
    lost = any(each.taping.failures and not each.arrived for each in reports)
    if not words_of(ctx) or lost or any(each.arrived for each in reports):
        if came_to == run.UNUSED and not ran:
            unused = serving.count(run.unused_count(reports), "unused interaction")
            serving.say(f"failed: {unused} (--fail-on-unused)")
        return ran or came_to
    trusting = ""
    if proxy.addresses.secured is not None:
        trusting = "; does it trust the certificate? `graphtape ca` says what each runtime reads"
    serving.say(
        "no request reached the proxy: is the base URL set? The command gets it as "
        f"GRAPH_BASE_URL={proxy.addresses.proxy}{trusting}"
    )
    # A recording that failed is the graver news; that nothing was used is no news.
    return ran or (run.FAILED if came_to == run.FAILED else run.MISSED)
