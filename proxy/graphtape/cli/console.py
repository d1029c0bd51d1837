"""`graphtape console`."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path

import click

from graphtape.cli import serving, trailing
from graphtape.cli.options import option
from graphtape.core.address import Address
from graphtape.core.errors import UsageError

CONTROL = "127.0.0.1:8788"

PATIENCE = 5.0
"""Seconds that the proxy may take to answer."""


@click.command("console")
@option(
    "--control",
    metavar="HOST:PORT",
    help="Where the proxy's control API listens; default 127.0.0.1:8788.",
)
@option("--ready-file", metavar="FILE", help="That the proxy has written; it says where.")
@option("--control-token", metavar="TOKEN", help="That the proxy was started with.")
@click.option("--print", "prints", is_flag=True, help="Print the link alone; open nothing.")
def command(
    control: str | None, ready_file: str | None, control_token: str | None, *, prints: bool
) -> None:
    """Open the web console of a proxy that runs.

    \b
    Examples:
      graphtape replay cassettes/disconnect.yaml
      graphtape console
    """  # noqa: D301 - click's mark for lines to leave alone
    address = Address.parse(control or CONTROL)
    url = f"http://{address}/console" if ready_file is None else said_in(ready_file, "console")
    # The control port is this machine's: no corporate proxy stands between.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=PATIENCE):
            pass
    except urllib.error.HTTPError as exc:
        raise click.ClickException(
            f"{url} answers {exc.code}: what runs there has no console; start it without "
            "--no-console"
        ) from exc
    except OSError as exc:
        raise click.ClickException(
            f"nothing answers at {url}; start `graphtape replay` or `graphtape record`, or say "
            "where with --control HOST:PORT"
        ) from exc
    link = trailing.with_token(url, control_token)
    click.echo(link)
    if not prints and not webbrowser.open(link):
        serving.note("no browser was found; open the link in one")


def said_in(ready_file: str, what: str) -> str:
    """Return the URL that a ready file has of something.

    Raises:
        UsageError: It has none.
    """
    try:
        url = json.loads(Path(ready_file).read_text(encoding="utf-8"))[what]
    except (OSError, ValueError, LookupError, TypeError) as exc:
        raise UsageError(f"{ready_file!r} is no ready file of a proxy that runs") from exc
    if not isinstance(url, str) or not url.startswith("http://"):
        raise UsageError(
            f"the proxy of {ready_file!r} has no {what}; --no-console leaves the console out"
        )
    return url
