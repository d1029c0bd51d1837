"""`graphtape ca`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphtape.cli.options import FilePath, listed
from graphtape.cli.serving import note
from graphtape.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphtape.server.tls import Authority


@click.command("ca")
@click.option("--path", "only", flag_value="path", help="Print the certificate's path alone.")
@click.option("--bundle", "only", flag_value="bundle", help="Print the bundle's path alone.")
@click.option("--env", "only", flag_value="env", help="Print export lines, for a shell's eval.")
@click.option(
    "--pkcs12",
    metavar="FILE",
    type=FilePath(path_type=Path),
    help="Write a truststore for Java; its password is changeit.",
)
@listed("--tls-name", metavar="NAME", help="Let the CA sign for NAME too; repeatable.")
def command(only: str | None, pkcs12: Path | None, tls_name: tuple[str, ...]) -> None:
    """Print where the local CA lies, and the variable each runtime reads.

    It is made where there is none yet. No trust store is touched: clients trust it where they are
    told to, by a variable or an import of yours.

    \b
    Example:
      eval "$(graphtape ca --env)"
    """  # noqa: D301 - click's mark for lines to leave alone
    from graphtape.server.tls import Authority  # noqa: PLC0415 - cryptography, and not for --help

    if only is not None and pkcs12 is not None:
        raise UsageError(f"--pkcs12 prints no path or line; leave --{only} out")
    authority = Authority.open(say=note)
    authority.permit(tls_name)
    match only:
        case "path":
            click.echo(authority.certificate)
        case "bundle":
            click.echo(authority.bundle())
        case "env":
            for name, value in authority.environment(os.environ).items():
                click.echo(f"export {name}={shlex.quote(value)}")
        case _:
            if pkcs12 is not None:
                authority.write_truststore(pkcs12)
            _print(authority, pkcs12)


def _print(authority: Authority, truststore: Path | None) -> None:
    facts = {
        "certificate": str(authority.certificate),
        "bundle": str(authority.bundle()),
        "signs for": ", ".join(authority.permitted),
        "ends": f"{authority.ends:%Y-%m-%d}",
    }
    for line in _columns(list(facts.items())):
        click.echo(line)
    click.echo()
    for line in _columns(_variables(authority, truststore)):
        click.echo(line)


def _variables(authority: Authority, truststore: Path | None) -> list[tuple[str, str]]:
    """Say what each runtime reads; only what names no trust store of the system's."""
    variables = authority.environment(os.environ)
    store = str(truststore.absolute()) if truststore is not None else "FILE"
    java = f"-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStorePassword=changeit"

    def line(name: str) -> str:
        return f"{name}={variables[name]}"

    rows = [
        ("Python: requests, azure-cli", line("REQUESTS_CA_BUNDLE")),
        ("Python: httpx, aiohttp, urllib, msgraph-sdk", line("SSL_CERT_FILE")),
        ("Node", line("NODE_EXTRA_CA_CERTS")),
        ("Deno", f"DENO_CERT={authority.certificate}"),
        ("curl (not Windows' own)", line("CURL_CA_BUNDLE")),
        ("Go, .NET, PowerShell on Linux", line("SSL_CERT_FILE")),
        ("Java", java),
    ]
    if truststore is None:
        rows.append(("", "made by graphtape ca --pkcs12 FILE"))
    return rows


def _columns(rows: list[tuple[str, str]]) -> Iterator[str]:
    width = max(len(title) for title, _ in rows)
    for title, text in rows:
        yield f"{title:<{width}}  {text}"
