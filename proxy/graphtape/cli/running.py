"""A proxy that runs, as another command finds it and asks it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphtape.cli.options import option, together
from graphtape.core.address import Address
from graphtape.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

_CONTROL = "127.0.0.1:8788"

PATIENCE = 5.0
"""Seconds that the proxy may take to answer."""

found_by = together(
    option(
        "--control",
        metavar="HOST:PORT",
        help=f"Where the proxy's control API listens; default {_CONTROL}.",
    ),
    option("--ready-file", metavar="FILE", help="That the proxy has written; it says where."),
    option("--control-token", metavar="TOKEN", help="That the proxy was started with."),
)
"""The options that say which proxy is meant."""


def control_of(control: str | None) -> str:
    """Return the URL of the control API at `HOST:PORT`, or else at its usual place."""
    return f"http://{Address.parse(control or _CONTROL)}"


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


def get(url: str, *, token: str | None = None, advice: Callable[[int], str]) -> bytes:
    """Ask the control port of a proxy.

    Args:
        url: There.
        token: Is sent, where it is given.
        advice: Returns what a message about an error's status ends in.

    Raises:
        ClickException: Nothing answers, or it answers an error.
    """
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    # The control port is this machine's: no corporate proxy stands between.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    asked = urllib.request.Request(url, headers=headers)  # noqa: S310 - http, of an address
    try:
        with opener.open(asked, timeout=PATIENCE) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as exc:
        raise click.ClickException(f"{url} answers {exc.code}{advice(exc.code)}") from exc
    except OSError as exc:
        raise click.ClickException(
            f"nothing answers at {url}; start `graphtape replay` or `graphtape record`, or say "
            "where with --control HOST:PORT"
        ) from exc
