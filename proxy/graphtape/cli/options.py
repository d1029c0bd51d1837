"""Options that several commands share, each with its name in the environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from graphtape.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Command = Callable[..., None]
    _Text = click.ParamType[str]
    _TextOrNumber = click.ParamType[str | int]
else:
    _Text = _TextOrNumber = click.ParamType  # generic from click 8.4 on


def _split(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...] | None
) -> tuple[str, ...]:
    """Take values that were repeated, or stand between commas."""
    del ctx, param
    pieces = (piece.strip() for value in values or () for piece in value.split(","))
    return tuple(piece for piece in pieces if piece)


class _Commas(_Text):
    """A value of a list that stands between commas in the environment."""

    name = "text"
    envvar_list_splitter = ","


class RetryAfter(_TextOrNumber):
    """`keep`, or whole seconds: a fraction is no Retry-After, and some clients refuse it."""

    name = "keep|seconds"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | int:
        """Take what the settings take."""
        if isinstance(value, int):
            return value
        if value.lower() == "keep":
            return "keep"
        if not value.isascii() or not value.isdigit():
            self.fail(f"{value!r} is neither `keep` nor whole seconds, such as 0 or 30", param, ctx)
        return int(value)


def _scenario_names(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer presets; leave any other word to the shell, as a file."""
    del ctx, param
    from graphtape.scenarios import presets  # noqa: PLC0415 - a run without any needs no YAML

    found = [CompletionItem(name) for name in presets() if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def form_option(said: str, *more: str) -> Callable[[Command], Command]:
    """Let a command print text, JSON, or another format of `more`; `said` is the option's help."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json", *more]),
        default="text",
        show_default=True,
        help=said,
    )


class FilePath(click.Path):
    """A file or folder that is named: `Path("")` would be the working folder."""

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # noqa: ANN401 - click's
        """Take any name but an empty one."""
        if not os.fspath(value):
            self.fail("the name is empty", param, ctx)
        return super().convert(value, param, ctx)


class CassettePath(FilePath):
    """A cassette that is played: a file's path, or a URL, which stays a text."""

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # noqa: ANN401 - click's
        """Take any name but an empty one."""
        if isinstance(value, str) and "://" in value:
            from graphtape.tape.remote import is_url  # noqa: PLC0415 - few are URLs

            if is_url(value):
                return value
        return super().convert(value, param, ctx)


def option(*names: str, **attributes: Any) -> Callable[[Command], Command]:  # noqa: ANN401 - click's
    """Declare an option with its variable: `--fail-on-unused` is GRAPHTAPE_FAIL_ON_UNUSED."""
    long = next(name for name in names if name.startswith("--")).partition("/")[0]
    variable = "GRAPHTAPE_" + long.removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, show_envvar=True, default=None, **attributes)


def listed(*names: str, **attributes: Any) -> Callable[[Command], Command]:  # noqa: ANN401 - click's
    """Declare an option that may be repeated, or hold several values between commas."""
    return option(*names, multiple=True, type=_Commas(), callback=_split, **attributes)


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Declare several options, to be listed in this order."""

    def declare(command: Command) -> Command:
        for each in reversed(options):
            command = each(command)
        return command

    return declare


config = option(
    "--config",
    metavar="FILE",
    help="Settings file; else graphtape.toml, else [tool.graphtape] in pyproject.toml.",
)

serving = together(
    option(
        "--listen",
        metavar="HOST:PORT",
        help="Where clients connect, 127.0.0.1:8787 unless said; port 0 takes a free one.",
    ),
    option("--ready-file", metavar="FILE", help="Written once the ports accept, as JSON."),
    option("-q", "--quiet", is_flag=True, help="No live line per request."),
    config,
)

secure = together(
    option("--tls", is_flag=True, help="https with a certificate of the local CA (graphtape ca)."),
    option(
        "--forward",
        is_flag=True,
        help="Be the HTTPS_PROXY of clients whose base URL is fixed: Graph and sign-in are "
        "answered here, with certificates of the local CA.",
    ),
    listed("--tls-name", metavar="NAME", help="A further name or address clients use; repeatable."),
    option("--tls-cert", metavar="FILE", help="https with your own certificate, a PEM file."),
    option("--tls-key", metavar="FILE", help="Its key, where that is in another file."),
)

matching = together(
    listed("--match-on", metavar="NAME", help="Compare requests by these alone; vcrpy's names."),
    listed("--ignore-body", metavar="FIELD", help="Leave a body field out of matching."),
    listed("--ignore-query", metavar="NAME", help="Leave a query value out of matching."),
)

proxying = together(
    option(
        "--control",
        metavar="HOST:PORT",
        help="Where the control API listens; default 127.0.0.1:8788.",
    ),
    option(
        "--control-token",
        metavar="TOKEN",
        help="What clients of the control API must send as a bearer token; without one it listens "
        "on loopback alone.",
    ),
    option(
        "--console/--no-console",
        help="Serve the web console at /console of the control port, or leave it out; it is "
        "served unless said.",
    ),
    secure,
    listed(
        "--report",
        metavar="FILE",
        help="Write what the run came to: FILE.json, FILE.md or FILE.xml (JUnit); repeatable.",
    ),
    listed(
        "--status",
        metavar="VALUE",
        help="Answer VALUE for every chromeOSOnboardingStatus; disconnect=VALUE for that action "
        "alone. Documented: unknown, inprogress, onboarded, failed, offboarding, "
        "unknownFutureValue.",
    ),
    listed(
        "--scenario",
        metavar="NAME|FILE",
        shell_complete=_scenario_names,
        help="Answer and bend as a preset (`graphtape scenarios`) or a YAML file says; repeatable.",
    ),
    listed(
        "--fail-on",
        metavar="VERDICT",
        help="Fail the run where the client did this: early-retry, no-retry, blind-retry, "
        "made-up-skiptoken, disconnect-with-body, no-token, v1-over-beta, lacks-permission, "
        "not-in-graph, "
        "slow-acknowledgement, wrong-client-state, never-renewed.",
    ),
    matching,
    option("--seed", type=int, metavar="N", help="For everything random; default 0."),
    serving,
)


upstream = option(
    "--upstream",
    metavar="NAME|URL",
    help="Where to forward to: global (the default), usgov, usgov-dod, china, sandbox, or a URL.",
)

recording = together(
    option("--fsync", is_flag=True, help="Make each record survive a power loss; slower."),
    option(
        "--token-command",
        metavar="COMMAND",
        help="Add the bearer token that COMMAND prints to what is forwarded, for clients that send "
        "none to a local host; it never reaches tape or log.",
    ),
    option("--record-signin", is_flag=True, help="Record sign-in too, its secrets masked."),
    option(
        "--keep-identities",
        is_flag=True,
        help="Leave mail addresses, tenant ids and domains as they are.",
    ),
    option(
        "--keep-opaque",
        is_flag=True,
        help="Record what can't be looked into for secrets, too: damaged gzip, deep nesting.",
    ),
    option("--upstream-ca", metavar="FILE", help="PEM of private roots upstream is verified by."),
    option(
        "--allow-private-origins",
        is_flag=True,
        help="Reach hosts on loopback and in private networks that answers name or --forward is "
        "asked for, though upstream isn't there.",
    ),
    option(
        "--max-body",
        type=int,
        metavar="BYTES",
        help="A larger body, as it would be on the tape, is left off it; default 1 GiB.",
    ),
    option(
        "--connect-timeout", type=float, metavar="SECONDS", help="To reach upstream; default 20."
    ),
    option(
        "--read-timeout",
        type=float,
        metavar="SECONDS",
        help="Without a byte from upstream; default 300.",
    ),
)


def said(ctx: click.Context) -> dict[str, object]:
    """Return, by name, what flags and the environment said."""
    where = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    return {
        name: value for name, value in ctx.params.items() if ctx.get_parameter_source(name) in where
    }


def settings_of(ctx: click.Context, defaults: Mapping[str, object] | None = None) -> Settings:
    """Make Settings of what flags and the environment said, over the settings file.

    Args:
        ctx: Of the command line.
        defaults: In place of those in Settings.

    Raises:
        UsageError: A value is wrong.
    """
    fields = Settings.__struct_fields__
    given = {name: value for name, value in said(ctx).items() if name in fields}
    return load(given, config=ctx.params.get("config"), defaults=defaults)
