"""`graphtape demo`."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import aiohttp
import click
import msgspec

from graphtape import runner
from graphtape.cli import serving
from graphtape.core.errors import GraphtapeError
from graphtape.core.tape.outcome import Mode
from graphtape.settings import Settings

SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"
TOKEN = "not-a-real-token"  # noqa: S105 - the sandbox takes any
TIMEOUT = aiohttp.ClientTimeout(total=10)


class DemoError(GraphtapeError):
    """A step of the demo isn't what it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the demo.

    Attributes:
        field: Where the status stands in its answer.
    """

    method: str
    path: str
    field: str
    body: dict[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a call got.

    Attributes:
        source: The Graphtape-Result header.
        value: The chromeOSOnboardingStatus.
    """

    source: str
    value: str


CALLS = (
    Call(
        method="POST",
        path=f"{SETTINGS}/connect",
        field="value",
        body={
            "ownerUserPrincipalName": "admin@contoso.onmicrosoft.com",
            "ownerAccessToken": "not-a-real-access-token",
        },
    ),
    Call(method="POST", path=f"{SETTINGS}/disconnect", field="value"),
    Call(method="GET", path=SETTINGS, field="onboardingStatus"),
    Call(method="GET", path=SETTINGS, field="onboardingStatus"),
    Call(method="GET", path=SETTINGS, field="onboardingStatus"),
)


@click.command("demo")
def command() -> None:
    """Record from the sandbox, replay offline, bend the status: the whole loop, once.

    Needs no tenant and no network. Exits with 1 if any step isn't what it should be.
    """
    serving.set_up_logging()
    cassette = Path(tempfile.mkdtemp(prefix="graphtape-demo-")) / "disconnect.yaml"
    runner.run(_demo(cassette))


async def _demo(cassette: Path) -> None:
    _title(f"1. Record from the sandbox into {cassette}")
    free = Settings(upstream="sandbox", listen="127.0.0.1:0", control="127.0.0.1:0")
    recorded = await _run(free, cassette, Mode.ONCE)
    _check({a.source for a in recorded} == {"recorded"}, "every answer came from the sandbox")
    _check(recorded[-1].value == "unknown", "the disconnect went through to its end")
    click.echo("  the sandbox is stopped")

    _title("2. Replay the same calls offline")
    replayed = await _run(free, cassette, Mode.NONE)
    _check({a.source for a in replayed} == {"replayed"}, "every answer came from the cassette")
    _check(
        [a.value for a in replayed] == [a.value for a in recorded],
        "the answers are those recorded",
    )

    _title("3. Replay them again with --status failed")
    failing = msgspec.structs.replace(free, status=("failed",))
    bent = await _run(failing, cassette, Mode.NONE)
    _check({a.value for a in bent} == {"failed"}, "every status answered is 'failed'")

    click.echo()
    click.echo(f"The cassette: {cassette}")
    click.echo(f"Look at it:   graphtape show {cassette}")
    click.echo(f"Serve it:     graphtape replay {cassette} --status failed")


async def _run(settings: Settings, cassette: Path, mode: Mode) -> list[Answer]:
    """Make the demo's calls through a proxy of their own."""
    proxy = runner.Proxy(settings=settings, cassettes=(cassette,), mode=mode)
    async with proxy, aiohttp.ClientSession(timeout=TIMEOUT) as client:
        base = proxy.addresses.proxy
        return [await _call(client, base, call) for call in CALLS]


async def _call(client: aiohttp.ClientSession, base: str, call: Call) -> Answer:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with client.request(
        call.method, base + call.path, json=call.body, headers=headers
    ) as response:
        body = await response.read()
    source = response.headers.get("Graphtape-Result", "?")
    value = _value(body, call.field)
    click.echo(f"  {call.method:<4} {call.path}")
    click.echo(f"       {response.status} {value!r}, {source}")
    _check(response.status == HTTPStatus.OK, f"{call.method} {call.path} answers 200")
    return Answer(source=source, value=value)


def _value(body: bytes, field: str) -> str:
    """Return the status an answer holds, of its first setting where it is a list."""
    try:
        answer = json.loads(body)
        value = answer[field] if field in answer else answer["value"][0][field]
    except (ValueError, LookupError, TypeError):
        return "?"
    return str(value)


def _title(text: str) -> None:
    click.echo()
    click.echo(text)


def _check(true: bool, claim: str) -> None:  # noqa: FBT001 - a claim and whether it holds
    if not true:
        raise DemoError(f"the demo failed: it should be that {claim}")
