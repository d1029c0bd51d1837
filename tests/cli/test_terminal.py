"""What a user sees at a terminal."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import requests

from graphtape.cli.terminal.screen import legible, middle_cut
from graphtape.core.graph.actions import decoded
from tapes import exchanged, taped
from terminals import CTRL_C, ESCAPE, Terminal, at_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX's terminals")

GROUPS = "/v1.0/groups?%24filter=displayName%20eq%20'Ren%C3%A9%26Co'&%24select=id,mailNickname"
DEVICE = "/v1.0/deviceManagement/managedDevices/3b1c5f0e-77d2-4c55-9c7e-0a4f2a1d9e10/retire"


def ask(base: str, path: str, method: str = "GET") -> int:
    return requests.request(method, base + path, timeout=20).status_code


@contextmanager
def replaying(
    folder: Path,
    *more: str,
    columns: int = 120,
    env: dict[str, str] | None = None,
) -> Iterator[tuple[Terminal, str, str]]:
    """Replay a tape at a terminal; yield it, the proxy's URL and the control API's."""
    tape = taped(
        folder,
        exchanged("GET", GROUPS),
        exchanged("POST", DEVICE),
        exchanged("GET", "/v1.0/me"),
    )
    ports = ("--listen", "127.0.0.1:0", "--control", "127.0.0.1:0")
    ready = folder / "ready.json"
    with at_terminal(
        *("replay", tape.name, *ports, "--ready-file", "ready.json", *more),
        cwd=folder, columns=columns, env=env,
    ) as terminal:  # fmt: skip
        terminal.until("stop with Ctrl-C")
        said = json.loads(ready.read_text())
        yield terminal, said["proxy"], said["control"]


def line_with(terminal: Terminal, text: str) -> str:
    terminal.until(text)
    return next(line for line in terminal.lines if text in line)


@pytest.mark.parametrize("columns", [60, 120])
def test_live_lines_are_columns_no_wider_than_the_terminal(tmp_path: Path, columns: int) -> None:
    with replaying(tmp_path, columns=columns) as (terminal, proxy, _):
        ask(proxy, GROUPS)
        ask(proxy, DEVICE, "POST")
        first = line_with(terminal, "200")
        second = line_with(terminal, " POST ")
        terminal.press(CTRL_C)
        terminal.finish()
    assert terminal.code == 0
    assert first.index("replayed") == second.index("replayed")
    assert first.index(" 200 ") == second.index(" 200 ")
    assert {len(first), len(second)} == {columns}
    assert second.endswith(" ms")
    assert ("…" in second) == (columns == 60)
    assert "/retire" in second


def test_where_a_path_has_no_room_it_stands_below_its_line(tmp_path: Path) -> None:
    with replaying(tmp_path, columns=40) as (terminal, proxy, _):
        ask(proxy, DEVICE, "POST")
        line = line_with(terminal, " POST ")
        terminal.until("/retire")
        terminal.press(CTRL_C)
        terminal.finish()
    assert " 200 replayed" in line
    assert line.endswith(" ms")
    assert max(map(len, terminal.lines[terminal.lines.index(line) :])) <= 40
    below = terminal.lines[terminal.lines.index(line) + 1]
    assert below.startswith("  /v1.0/")
    assert below.endswith("/retire")


def test_a_long_method_keeps_the_columns(tmp_path: Path) -> None:
    with replaying(tmp_path) as (terminal, proxy, _):
        ask(proxy, "/v1.0/you", "PROPFIND")
        ask(proxy, "/v1.0/me")
        missed, hit = line_with(terminal, " missed "), line_with(terminal, " replayed ")
    assert missed.index("/v1.0/you") == hit.index("/v1.0/me")


def test_a_live_line_is_decoded_where_that_leaves_no_doubt(tmp_path: Path) -> None:
    with replaying(tmp_path) as (terminal, proxy, _):
        ask(proxy, GROUPS)
        line = line_with(terminal, "/v1.0/groups")
    assert "/v1.0/groups?$filter=displayName eq 'René%26Co'&$select=id,mailNickname" in line


def test_the_session_is_named_where_it_is_another(tmp_path: Path) -> None:
    with replaying(tmp_path) as (terminal, proxy, control):
        body = {"id": "shard-7", "cassettes": ["tape.yaml"]}
        base = requests.post(f"{control}/sessions", json=body, timeout=20).json()["base_url"]
        ask(base, "/v1.0/me")
        assert line_with(terminal, "/v1.0/me").endswith(" ms shard-7")
        ask(proxy, GROUPS)
        assert line_with(terminal, "/v1.0/groups").endswith(" ms")


def test_a_miss_is_a_block_told_once(tmp_path: Path) -> None:
    with replaying(tmp_path, columns=60) as (terminal, proxy, _):
        for path in ("/v1.0/you", "/v1.0/you", "/v1.0/me"):
            ask(proxy, path)
        terminal.until(" /v1.0/me ")
        live = terminal.lines
    assert sum(" missed " in line for line in live) == 2
    (top,) = (number for number, line in enumerate(live) if line.startswith("╭"))
    (bottom,) = (number for number, line in enumerate(live) if line.startswith("╰"))
    block = live[top : bottom + 1]
    assert {len(line) for line in block} == {60}
    text = " ".join(line.strip("│ ") for line in block)
    assert "Nothing recorded answers GET /v1.0/you" in text
    assert "--mode new_episodes" in text
    assert not any("WARNING" in line for line in live)


def test_what_a_client_sends_can_not_steer_the_terminal(tmp_path: Path) -> None:
    with replaying(tmp_path) as (terminal, proxy, _):
        ask(proxy, "/v1.0/%1b%5b2J%9b%e2%80%ae[red]x[/red]")
        line = line_with(terminal, "[red]")
    assert r"/v1.0/\x1b[2J\udc9b\u202e[red]x[/red]" in line
    assert "\x1b[2J" not in terminal.drawn


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_without_colours_there_is_no_escape_sequence(tmp_path: Path, env: dict[str, str]) -> None:
    with replaying(tmp_path, columns=70, env=env) as (terminal, proxy, _):
        ask(proxy, "/v1.0/me")
        ask(proxy, "/v1.0/you")
        terminal.until("╰")
        line = line_with(terminal, "/v1.0/me")
        terminal.press(CTRL_C)
        terminal.finish()
    assert "\x1b" not in terminal.drawn
    assert len(line) == 70
    assert terminal.code == 3


def test_with_colours_there_are_some(tmp_path: Path) -> None:
    with replaying(tmp_path) as (terminal, proxy, _):
        ask(proxy, "/v1.0/me")
        terminal.until("/v1.0/me")
    assert ESCAPE.search(terminal.drawn)


def test_ctrl_c_stands_on_a_line_of_its_own(tmp_path: Path) -> None:
    with replaying(tmp_path) as (terminal, _, _):
        terminal.press(CTRL_C)
        terminal.finish()
    assert "^C" in terminal.lines


def test_a_quiet_run_warns_of_a_miss_as_before(tmp_path: Path) -> None:
    with replaying(tmp_path, "--quiet") as (terminal, proxy, _):
        ask(proxy, "/v1.0/you")
        terminal.until("WARNING: Nothing recorded answers GET /v1.0/you")
    assert not any(" missed " in line for line in terminal.lines)


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://graph.microsoft.com/v1.0/users?%24top=3", "/v1.0/users?$top=3"),
        ("/v1.0/a%2Fb%3fc%23d%26e%2bf%25g", "/v1.0/a%2Fb%3fc%23d%26e%2bf%25g"),
        ("/v1.0/J%C3%BCrgen", "/v1.0/Jürgen"),
        ("/v1.0/%FF", "/v1.0/\\udcff"),
        ("/v1.0/%0d%0a", "/v1.0/\\r\\n"),
        ("/v1.0/%252F", "/v1.0/%252F"),
    ],
)
def test_a_url_is_decoded_for_people(url: str, read: str) -> None:
    assert legible(url) == read


def test_decoding_leaves_what_steers_a_terminal_to_whoever_prints() -> None:
    assert decoded("/v1.0/%1b") == "/v1.0/\x1b"


@pytest.mark.parametrize(
    ("text", "width", "cut"),
    [
        ("abcdefghij", 10, "abcdefghij"),
        ("abcdefghij", 7, "ab…ghij"),
        ("日本語日本語", 8, "日…本語"),
        ("abcdefghij", 1, "…"),
    ],
)
def test_the_middle_is_cut(text: str, width: int, cut: str) -> None:
    assert middle_cut(text, width, mark="…").replace(" ", "") == cut
