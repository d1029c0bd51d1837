"""The command line: parse, build Settings, call the runner."""

from __future__ import annotations

import gc
import importlib
from typing import Any

import click

from graphtape import __version__
from graphtape.core.errors import GraphtapeError, NotAFileError, UsageError

_COMMANDS = (
    "demo",
    "record",
    "replay",
    "sandbox",
    "show",
    "scan",
    "redact",
    "diff",
    "convert",
    "trim",
    "refresh",
    "permissions",
    "check",
    "scenarios",
    "ca",
    "console",
    "sessions",
    "explore",
)


class _NotAFileError(click.ClickException):
    """Says in one line that what was named can't be looked at."""

    exit_code = 2


def _told(error: GraphtapeError) -> str:
    from graphtape.cli.serving import spelled_out  # noqa: PLC0415 - few runs end in an error

    return spelled_out(str(error))


class _LazyGroup(click.Group):
    """Imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of help."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its exact name."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        collects = gc.isenabled()
        gc.disable()  # loading makes much and no garbage
        try:
            command = importlib.import_module(f"graphtape.cli.{cmd_name}").command
        finally:
            if collects:
                gc.enable()
        assert isinstance(command, click.Command)  # noqa: S101 - a module's contract with this one
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run the command; turn our errors into one line and an exit code."""
        try:
            return super().invoke(ctx)
        except NotAFileError as exc:
            raise _NotAFileError(_told(exc)) from exc
        except UsageError as exc:
            raise click.UsageError(_told(exc)) from exc
        except GraphtapeError as exc:
            raise click.ClickException(_told(exc)) from exc


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="graphtape")
def main() -> None:
    """Record Microsoft Graph once, replay it offline, bend any answer.

    Point your app's Graph base URL at the proxy: http://127.0.0.1:8787 in place of
    https://graph.microsoft.com. Start with `graphtape demo`.

    Every option can also stand in graphtape.toml, under [tool.graphtape] in pyproject.toml, or in
    the environment: --fail-on-unused is GRAPHTAPE_FAIL_ON_UNUSED.

    Exit codes: 0 fine, 1 something went wrong, 2 usage, 3 a request nothing recorded answers,
    4 unused interactions under --fail-on-unused. With `-- COMMAND`, its own code goes first; 3 also
    where no request arrived.
    """
