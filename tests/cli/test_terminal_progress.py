"""How far long work is, as a user sees it at a terminal."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import pytest
import requests

from commands import graphtape
from graphtape.tape.progress import step, told
from proxies import AUTH
from terminals import CTRL_C, at_terminal

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX's terminals")
BAR = re.compile(r"\d+ %  \d+\.\d %/s, \d+:\d\d left")
# Machines are of any speed: what takes long on one is done at once on another.
IMPATIENT = (
    sys.executable,
    "-c",
    (
        "from graphtape import cli; from graphtape.cli.terminal import progress; "
        "progress._PATIENCE = progress._BETWEEN = 0.01; cli.main()"
    ),
)
INTERACTION = """\
- request:
    method: GET
    uri: https://graph.microsoft.com/v1.0/devices/{0}
    headers: {{}}
    body: null
  response:
    status: {{code: 200, message: OK}}
    headers: {{Content-Type: [application/json]}}
    body: {{string: '{{"id":"{0}","deviceSecret":"{0}-not-a-real-one","notes":"{1}"}}'}}
"""


def cassette(folder: Path, interactions: int) -> Path:
    """Write a cassette that takes a while to work on."""
    path = folder / "large.yaml"
    notes = "lorem ipsum dolor sit amet " * 20
    with path.open("w", encoding="utf-8") as file:
        file.write("interactions:\n")
        file.writelines(INTERACTION.format(number, notes) for number in range(interactions))
        file.write("version: 1\n")
    return path


def har(folder: Path) -> Path:
    """Write a HAR file that takes a while to redact."""
    text = json.dumps({"owners": [f"person{n}@contoso.example" for n in range(40)]})
    entries = [
        {
            "startedDateTime": "2026-02-03T04:05:06.000Z",
            "request": {
                "method": "GET",
                "url": f"https://graph.microsoft.com/v1.0/groups/{number}",
                "headers": [],
            },
            "response": {
                "status": 200,
                "headers": [{"name": "Content-Type", "value": "application/json"}],
                "content": {"mimeType": "application/json", "text": text},
            },
        }
        for number in range(3_000)
    ]
    path = folder / "large.har"
    path.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))
    return path


@posix
@pytest.mark.parametrize(
    ("command", "columns"), [("scan", 40), ("scan", 60), ("scan", 120), ("redact", 120)]
)
def test_long_work_on_a_cassette_shows_rate_and_time_left(
    tmp_path: Path, command: str, columns: int
) -> None:
    cassette(tmp_path, 1_500)
    with at_terminal(
        command, "large.yaml", cwd=tmp_path, program=IMPATIENT, columns=columns
    ) as terminal:
        terminal.finish()
    assert BAR.search(terminal.drawn)
    assert not BAR.search(terminal.lines[-2])


@posix
@pytest.mark.parametrize(
    "arguments",
    [("show", "large.yaml", "--index", "1"), ("diff", "large.yaml", "large.yaml"),
     ("trim", "--dry-run", "large.yaml")],
    ids=lambda arguments: str(arguments[0]),
)  # fmt: skip
def test_opening_a_large_cassette_shows_it(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    cassette(tmp_path, 4_000)
    with at_terminal(*arguments, cwd=tmp_path, program=IMPATIENT) as terminal:
        terminal.finish()
    assert terminal.code == 0
    assert BAR.search(terminal.drawn)
    assert not BAR.search(terminal.text)


@posix
def test_a_scan_of_many_small_files_shows_it(tmp_path: Path) -> None:
    text = cassette(tmp_path, 10).read_text()
    for number in range(400):
        (tmp_path / f"small-{number}.yaml").write_text(text)
    with at_terminal("scan", ".", cwd=tmp_path, program=IMPATIENT) as terminal:
        terminal.finish()
    assert "scanning 401 files" in terminal.drawn
    assert BAR.search(terminal.drawn)


@posix
@pytest.mark.parametrize("command", ["scan", "replay"])
def test_what_fails_leaves_no_bar_behind(tmp_path: Path, command: str) -> None:
    with cassette(tmp_path, 4_000).open("a") as file:
        file.write("- [\n")
    env = {"GRAPHTAPE_CACHE_DIR": str(tmp_path / "cache")}
    with at_terminal(
        command, "large.yaml", cwd=tmp_path, program=IMPATIENT, columns=200, env=env
    ) as terminal:
        terminal.finish()
    assert BAR.search(terminal.drawn)
    assert "large.yaml, line" in terminal.text
    assert not BAR.search(terminal.text)


@posix
def test_a_long_conversion_shows_it(tmp_path: Path) -> None:
    har(tmp_path)
    with at_terminal(
        "convert", "large.har", "new.yaml", cwd=tmp_path, program=IMPATIENT
    ) as terminal:
        terminal.finish()
    assert terminal.code == 0
    assert BAR.search(terminal.drawn)
    assert "converting large.har" in terminal.drawn


@posix
def test_opening_a_large_tape_and_saving_it_again_show_it(tmp_path: Path) -> None:
    cassette(tmp_path, 4_000)
    ports = ("--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--ready-file", "ready.json")
    env = {"GRAPHTAPE_CACHE_DIR": str(tmp_path / "cache")}
    with at_terminal(
        "replay", "large.yaml", *ports, cwd=tmp_path, program=IMPATIENT, env=env
    ) as terminal:
        terminal.until("stop with Ctrl-C")
        assert "loading, kept for next time" in terminal.drawn
        assert BAR.search(terminal.drawn)
        terminal.press(CTRL_C)
        terminal.finish()
    more = ("--mode", "new_episodes", "--upstream", "sandbox")
    with at_terminal(
        "record", "large.yaml", *more, *ports, cwd=tmp_path, program=IMPATIENT, env=env
    ) as terminal:
        terminal.until("stop with Ctrl-C")
        url = json.loads((tmp_path / "ready.json").read_text())["proxy"]
        assert requests.get(f"{url}/v1.0/me", headers=AUTH, timeout=20).status_code == 200
        terminal.until("/v1.0/me")
        terminal.press(CTRL_C)
        terminal.finish()
    assert terminal.code == 0, terminal.text
    saving = terminal.drawn.partition("^C")[2]
    assert re.search(r"saving .*" + BAR.pattern, saving)
    assert "4001 interactions, 1 new" in terminal.text


def test_where_there_is_no_terminal_nothing_is_drawn(tmp_path: Path) -> None:
    cassette(tmp_path, 3_000)
    done = graphtape("redact", "large.yaml", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "masked 3000 secrets" in done.stdout


def test_items_are_told_as_they_are_taken_and_at_the_end() -> None:
    seen: list[tuple[int, int]] = []
    items = told("abc", 3, lambda *far: seen.append(far))
    assert next(items) == "a"
    assert seen == [(0, 3)]
    assert list(items) == ["b", "c"]
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_step_is_told_as_its_part_of_the_whole() -> None:
    seen: list[tuple[int, int]] = []
    second = step(lambda *far: seen.append(far), 1, 4)
    assert second is not None
    second(0, 10)
    second(10, 10)
    assert seen == [(10, 40), (20, 40)]
    assert step(None, 1, 4) is None
