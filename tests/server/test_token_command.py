from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import shlex
import sys
import time
from typing import TYPE_CHECKING

import pytest

from graphtape.core.errors import UpstreamError, UsageError
from graphtape.core.message import Headers, Request
from graphtape.server.http.request import Incoming
from graphtape.server.signin.token_command import TokenCommand

if TYPE_CHECKING:
    from pathlib import Path

OPAQUE = "not-a-real-token"


def jwt(exp: float) -> str:
    coded = base64.urlsafe_b64encode(json.dumps({"exp": int(exp)}).encode()).decode()
    return f"e30.{coded.rstrip('=')}.ZmFrZQ"


def program(folder: Path, body: str) -> str:
    """Write a program that notes each run in a file; return its command line."""
    script = folder / "print token.py"
    log = folder / "runs"
    script.write_text(
        f"import sys, time\nopen({str(log)!r}, 'a').write('x')\n{body}\n", encoding="utf-8"
    )
    return f'{shlex.quote(sys.executable)} "{script}"'


def runs(folder: Path) -> int:
    log = folder / "runs"
    return len(log.read_text(encoding="utf-8")) if log.exists() else 0


@pytest.mark.parametrize(
    "printed",
    [
        OPAQUE,
        f"  {OPAQUE}\n\n",
        f"Bearer {OPAQUE}",
        json.dumps(OPAQUE),
        json.dumps({"accessToken": OPAQUE, "expires_on": 4102444800, "tokenType": "Bearer"}),
        json.dumps({"access_token": OPAQUE}),
    ],
    ids=["tsv", "blanks", "scheme", "json-text", "az", "oauth"],
)
async def test_a_token_is_read_as_command_lines_print_it(tmp_path: Path, printed: str) -> None:
    command = TokenCommand(program(tmp_path, f"print({printed!r})"))
    assert await command.token() == OPAQUE


async def test_the_command_runs_once_for_all_who_ask_meanwhile(tmp_path: Path) -> None:
    command = TokenCommand(program(tmp_path, f"time.sleep(0.2)\nprint({OPAQUE!r})"))
    tokens = await asyncio.gather(*(command.token() for _ in range(10)))
    assert set(tokens) == {OPAQUE}
    assert runs(tmp_path) == 1


async def test_a_token_that_says_nothing_of_its_end_is_kept_five_minutes(tmp_path: Path) -> None:
    now = time.time()
    command = TokenCommand(program(tmp_path, f"print({OPAQUE!r})"), clock=lambda: now)
    await command.token()
    now += 299
    await command.token()
    assert runs(tmp_path) == 1
    now += 2
    await command.token()
    assert runs(tmp_path) == 2


@pytest.mark.parametrize(
    "printed",
    [jwt, lambda end: json.dumps({"accessToken": OPAQUE, "expires_on": int(end)})],
    ids=["jwt", "az"],
)
async def test_a_token_is_renewed_before_its_end(tmp_path: Path, printed: object) -> None:
    assert callable(printed)
    now = float(int(time.time()))
    body = f"print({printed(now + 3600)!r})"
    command = TokenCommand(program(tmp_path, body), clock=lambda: now)
    await command.token()
    now += 3299
    await command.token()
    assert runs(tmp_path) == 1
    now += 2
    await command.token()
    assert runs(tmp_path) == 2


async def test_a_short_token_is_used_for_half_its_life(tmp_path: Path) -> None:
    now = float(int(time.time()))
    command = TokenCommand(program(tmp_path, f"print({jwt(now + 100)!r})"), clock=lambda: now)
    await command.token()
    now += 49
    await command.token()
    assert runs(tmp_path) == 1


async def test_a_failed_renewal_leaves_the_token_that_is_still_good(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = float(int(time.time()))
    good = jwt(now + 3600)
    body = f"import os\nif os.path.exists({str(tmp_path / 'bad')!r}): sys.exit(3)\nprint({good!r})"
    command = TokenCommand(program(tmp_path, body), clock=lambda: now)
    await command.token()
    (tmp_path / "bad").touch()
    now += 3400
    with caplog.at_level(logging.WARNING, logger="graphtape"):
        assert await command.token() == good
        assert await command.token() == good
    assert runs(tmp_path) == 2
    assert good not in caplog.text
    now += 300
    with pytest.raises(UpstreamError, match="ended with code 3"):
        await command.token()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param("print('planted-token'); sys.exit(1)", "ended with code 1", id="code"),
        pytest.param("print('planted token of blanks')", "printed no token", id="prose"),
        pytest.param('print(\'{"other": "planted-token"}\')', "printed no token", id="json"),
        pytest.param("print('planted-token' * 100000)", "printed no token", id="flood"),
        pytest.param("", "printed no token", id="nothing"),
        pytest.param(f"print({jwt(1)!r})", "is over already", id="over"),
        pytest.param("time.sleep(60)", "did not end within 0.5 s", id="slow"),
    ],
)
async def test_an_error_is_one_line_without_what_was_printed(
    tmp_path: Path, body: str, why: str
) -> None:
    timeout = 0.5 if "sleep" in body else 20
    command = TokenCommand(f"{program(tmp_path, body)} planted-argument", timeout=timeout)
    with pytest.raises(UpstreamError, match=why) as caught:
        await command.token()
    said = str(caught.value)
    assert "planted" not in said
    assert jwt(1) not in said
    assert "\n" not in said
    assert caught.value.code == "GraphtapeTokenCommand"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
async def test_what_a_slow_command_started_is_ended_with_it(tmp_path: Path) -> None:
    script = tmp_path / "slow.sh"
    script.write_text(f"sleep 60 & echo $! > {tmp_path}/pid; wait\n", encoding="utf-8")
    command = TokenCommand(f"sh {script}", timeout=0.5)
    with pytest.raises(UpstreamError, match="did not end"):
        await command.token()
    pid = int((tmp_path / "pid").read_text(encoding="utf-8"))
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if "\nState:\tZ" in (status_of(pid)):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"process {pid} still runs")


def status_of(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:  # noqa: PTH123
            return "\n" + file.read()
    except OSError:
        return ""


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    command = TokenCommand(f"{tmp_path}/no-such-program planted-argument")
    with pytest.raises(UpstreamError, match="no-such-program can't be run: No such file"):
        await command.token()


@pytest.mark.parametrize(
    ("command", "why"), [("", "is empty"), ("  ", "is empty"), ("az 'x", "no closing quotation")]
)
def test_a_command_that_can_not_be_read_is_refused_at_once(command: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        TokenCommand(command)


def incoming(*, off_graph: bool = False, **headers: str) -> Incoming:
    fields = Headers.of(headers.items())
    url = "https://graph.microsoft.com/v1.0/me"
    return Incoming(
        request=Request(method="GET", url=url, headers=fields),
        session=None,
        base="http://127.0.0.1:1",
        off_graph=off_graph,
        wire_headers=fields,
        options={},
    )


async def test_the_token_is_on_the_way_up_alone(tmp_path: Path) -> None:
    command = TokenCommand(program(tmp_path, f"print({OPAQUE!r})"))
    given = incoming(Accept="text/plain")
    up = await command.bearing(given)
    assert up.wire_headers.all("Authorization") == (f"Bearer {OPAQUE}",)
    assert "Authorization" not in given.wire_headers
    assert "Authorization" not in up.request.headers


async def test_a_clients_own_token_stays_and_hosts_off_graph_get_none(tmp_path: Path) -> None:
    command = TokenCommand(program(tmp_path, f"print({OPAQUE!r})"))
    own = incoming(Authorization="Bearer its-own")
    assert await command.bearing(own) is own
    elsewhere = incoming(off_graph=True)
    assert await command.bearing(elsewhere) is elsewhere
    assert runs(tmp_path) == 0
