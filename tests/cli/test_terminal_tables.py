"""`show`, `scenarios`, `sessions` and `diff` at a terminal."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
import requests

from commands import graphtape, serving
from graphtape.scenarios import load, presets
from proxies import AUTH
from tapes import exchanged, taped
from terminals import ESCAPE, Terminal, at_terminal

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX's terminals")

WIDTHS = pytest.mark.parametrize("columns", [40, 60, 120])
LONG = "/v1.0/groups/%7Bid%7D/members?%24filter=startswith(displayName,'%C3%84')&%24select=id,mail"


def run(
    folder: Path, *arguments: str | Path, columns: int, env: dict[str, str] | None = None
) -> Terminal:
    with at_terminal(*arguments, cwd=folder, columns=columns, env=env) as terminal:
        terminal.finish()
    return terminal


def in_one(terminal: Terminal) -> str:
    """Return the text without blanks and line ends: as one reads what is wrapped."""
    return "".join(terminal.text.split())


@WIDTHS
def test_show_wraps_and_decodes(tmp_path: Path, columns: int) -> None:
    tape = taped(tmp_path, exchanged("GET", LONG), exchanged("DELETE", "/v1.0/users/9", status=404))
    terminal = run(tmp_path, "show", tape.name, columns=columns)
    assert terminal.code == 0
    assert max(map(len, terminal.lines)) <= columns
    assert any(ESCAPE.search(line) for line in terminal.drawn.splitlines() if "404" in line)
    assert "startswith(displayName,'Ä')" in in_one(terminal)
    assert "&$select=id,mail" in in_one(terminal)


def test_a_path_has_room_however_long_a_method_is(tmp_path: Path) -> None:
    tape = taped(tmp_path, exchanged("QUERY" * 12, LONG), exchanged("GET", "/v1.0/me"))
    terminal = run(tmp_path, "show", tape.name, columns=50)
    assert max(map(len, terminal.lines)) <= 50
    assert "  /v1.0/me" in terminal.lines
    assert "startswith(displayName,'Ä')" in in_one(terminal)


@WIDTHS
def test_scenarios_wrap(tmp_path: Path, columns: int) -> None:
    terminal = run(tmp_path, "scenarios", columns=columns)
    assert terminal.code == 0
    assert max(map(len, terminal.lines)) <= columns
    assert set(terminal.text.split()).issuperset(presets())
    text = in_one(terminal)  # a word longer than its column is broken
    for name in presets():
        assert "".join(load(name).description.split()) in text


@pytest.mark.parametrize("columns", [60, 120])
def test_a_diff_is_a_table_for_each_operation(tmp_path: Path, columns: int) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    old = taped(
        tmp_path / "a",
        exchanged("GET", "/v1.0/me", '{"age": 1, "jobTitle": "x", "n\\u001b[2J": 1}'),
        exchanged("GET", "/v1.0/organization"),
    )
    new = taped(
        tmp_path / "b",
        exchanged("GET", "/v1.0/me", '{"age": "1", "mail": "y"}'),
        exchanged("GET", "/v1.0/organization", status=403),
    )
    terminal = run(tmp_path, "diff", old, new, columns=columns)
    assert terminal.code == 1
    assert max(map(len, terminal.lines)) <= columns
    rows = [line.split() for line in terminal.lines]
    assert ["GET", "/v1.0/me"] in rows or ["GET", "/me"] in rows, terminal.text
    assert ["changed", "field", "age", "number", "string"] in rows
    assert ["vanished", "field", "jobTitle", "string"] in rows
    assert ["appeared", "field", "mail", "string"] in rows
    assert ["changed", "status", "200", "403"] in rows
    assert "\x1b[2J" not in terminal.drawn
    plain = graphtape("diff", old, new, cwd=tmp_path).stdout
    assert "\x1b" not in plain
    assert r"field n\x1b[2J (number) vanished" in plain


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_sessions_are_listed(tmp_path: Path, columns: int) -> None:
    tape = taped(tmp_path, exchanged("GET", "/v1.0/me"), exchanged("GET", "/v1.0/users"))
    with serving("replay", tape.name, "--control-token", "obviously-fake", cwd=tmp_path) as served:
        wish = {"id": "spec-4", "cassettes": [tape.name], "status": "failed"}
        asked = {"Authorization": "Bearer obviously-fake"}
        control = f"{served.ready['control']}/sessions"
        base = requests.post(control, json=wish, headers=asked, timeout=20).json()["base_url"]
        requests.get(f"{base}/v1.0/me", headers=AUTH, timeout=20)
        requests.get(f"{base}/v1.0/you", headers=AUTH, timeout=20)
        where = ("--ready-file", "ready.json", "--control-token", "obviously-fake")
        terminal = run(tmp_path, "sessions", *where, columns=columns)
        plain = graphtape("sessions", *where, cwd=tmp_path)
        tree = graphtape("sessions", *where, "--format", "json", cwd=tmp_path)
        refused = graphtape("sessions", "--ready-file", "ready.json", cwd=tmp_path)
    assert terminal.code == 0
    assert max(map(len, terminal.lines)) <= columns
    for word in ("default", "spec-4", "failed", tape.name):
        assert word in in_one(terminal)
    assert "1replayed,1missed" in in_one(terminal) or columns == 80
    row = plain.stdout.splitlines()[2].split("\t")
    assert row == ["spec-4", "none", "2", "1 replayed, 1 missed", "failed", tape.name]
    listed = json.loads(tree.stdout)["sessions"]
    assert [each["id"] for each in listed] == ["default", "spec-4"]
    assert refused.returncode == 1
    assert "--control-token" in refused.stderr


def test_where_no_proxy_runs_it_is_said(tmp_path: Path) -> None:
    done = graphtape("sessions", "--control", "127.0.0.1:9", cwd=tmp_path)
    assert done.returncode == 1
    assert "nothing answers at http://127.0.0.1:9/sessions" in done.stderr


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_tables_without_colours_have_no_escape_sequence(
    tmp_path: Path, env: dict[str, str]
) -> None:
    tape = taped(tmp_path, exchanged("GET", LONG))
    for arguments in (("show", tape.name), ("scenarios",)):
        terminal = run(tmp_path, *arguments, columns=70, env=env)
        assert terminal.code == 0
        assert "\x1b" not in terminal.drawn
        assert max(map(len, terminal.lines)) <= 70


def test_a_terminal_of_few_letters_gets_the_others_spelled_out(tmp_path: Path) -> None:
    tape = taped(tmp_path, exchanged("GET", "/v1.0/%C3%A9t%C3%A9"))
    few = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    terminal = run(tmp_path, "show", tape.name, columns=120, env=few)
    assert terminal.code == 0
    assert r"/v1.0/\xe9t\xe9" in terminal.text


HOSTILE = "/v1.0/a\x1b]0;x\x07b[red]c[/red]"


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "-v", "tape.yaml"),
        ("scan", "tape.yaml"),
        ("trim", "--dry-run", "--unused", "0,1", "tape.yaml"),
        ("diff", "tape.yaml", "other/tape.yaml"),
        ("convert", "\x1b[7m.har", "new.yaml"),
    ],
    ids=lambda arguments: str(arguments[0]),
)
def test_nothing_of_a_tape_steers_whoever_reads(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    secret = json.dumps({"k\x1b[2J": {"clientSecret": "no-real-one-Zm9v"}, "[red]x": 1})
    taped(tmp_path, exchanged("GET", HOSTILE), exchanged("G\x1b[7mT", "/v1.0/me", secret))
    (tmp_path / "other").mkdir()
    taped(tmp_path / "other", exchanged("G\x1b[7mT", "/v1.0/me", '{"\\u009b31m": 1}'))
    plain = graphtape(*arguments, cwd=tmp_path)
    assert all(line.isprintable() for line in (plain.stdout + plain.stderr).split("\n"))
    terminal = run(tmp_path, *arguments, columns=80)
    assert all(line.isprintable() for line in terminal.lines)
    if arguments[0] in {"show", "trim"}:
        assert r"/v1.0/a\x1b]0;x\x07b[red]c[/red]" in in_one(terminal)
        assert r"/v1.0/a\x1b]0;x\x07b[red]c[/red]" in plain.stdout
