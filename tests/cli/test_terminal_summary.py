"""What a run came to, as the table of a terminal."""

from __future__ import annotations

import io
import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import requests
from rich.console import Console

from commands import graphtape
from graphtape.cli.terminal.summary import summary
from graphtape.core.report.report import Taping
from graphtape.core.verdict.verdict import Kind, Verdict
from proxies import AUTH
from reports import eventful, fine, miss, session, tape, tell, used
from tapes import exchanged, taped
from terminals import CTRL_C, at_terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from graphtape.core.report.report import Report

    Golden = Callable[[str, str], None]


def drawn(
    *reports: Report,
    width: int = 120,
    failed: bool = False,
    saved: tuple[str, ...] = (),
    recorded: str | None = None,
) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, color_system=None, markup=False, highlight=False)
    console.print(summary(reports, failed=failed, saved=saved, recorded=recorded))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


@pytest.mark.parametrize("width", [60, 120])
def test_the_table_tells_everything(golden: Golden, width: int) -> None:
    table = drawn(eventful(), width=width)
    assert max(map(len, table.splitlines())) <= width
    golden(f"summary-{width}.txt", table)


def test_verdicts_are_grouped_by_their_kind() -> None:
    seen = [
        Verdict(kind=Kind.NO_RETRY, number=number, text=f"request {number} gave up")
        for number in range(4, 40)
    ]
    other = Verdict(kind=Kind.EARLY_RETRY, number=50, text="request 50 came back")
    lines = [line.strip() for line in drawn(tell(session(used()), *seen, other)).splitlines()]
    assert "verdicts   no-retry: 36 requests, first request 4 gave up" in lines
    assert "early-retry: 1 request, first request 50 came back" in lines


def test_what_was_masked_and_where_it_was_saved_is_told_with_the_commands_that_show_it() -> None:
    taping = Taping(saved=2, recorded=2, redacted={"secrets": 3, "identities": 1})
    lines = drawn(
        tell(session(used()), taping=taping),
        saved=("saved a b.yaml: 2 interactions, 2 new",),
        recorded="a b.yaml",
    ).splitlines()
    assert "masked     3 secrets masked, 1 identity replaced by pseudonyms" in lines
    assert "           more: graphtape show 'a b.yaml' --verbose" in lines
    assert lines[-2:] == [
        "saved      a b.yaml: 2 interactions, 2 new",
        "           more: graphtape show 'a b.yaml'",
    ]


def test_what_a_failed_command_left_unused_is_counted_alone() -> None:
    table = drawn(tell(session(used())), failed=True)
    assert "unused     3 interactions of tape.yaml" in table
    assert "/v1.0/me" not in table


def test_unused_interactions_are_named_as_ranges() -> None:
    lone = tape(*(f"GET /v1.0/{number}" for number in range(40)))
    assert "graphtape show tape.yaml --index 0-39" in drawn(tell(session(lone)))


def test_of_many_unused_interactions_those_not_named_are_counted() -> None:
    many = tape(*(f"GET /v1.0/{number}" for number in range(317)))
    assert "           and 307 more" in drawn(tell(session(many))).splitlines()


def test_a_session_with_something_to_tell_has_its_own_rows() -> None:
    other = session(used(), name="w-2")
    miss(other, "/v1.0/%5Bblink%5D")
    lines = drawn(fine(), tell(other)).splitlines()
    assert "session    w-2" in lines
    assert "misses     GET /v1.0/[blink]" in lines


def test_no_text_of_a_run_can_steer_the_terminal() -> None:
    told = session(used())
    miss(told, "/v1.0/%1b]0;x", "why\x1b]0;x\nmore")
    report = tell(told, taping=Taping(failures=("no\x07",), dropped=("left\x9b",)))
    report = replace(report, idle=("rule\x1b",), session="\x1b")
    table = drawn(report, saved=("saved x",))
    assert all(line.isprintable() for line in table.splitlines())


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX's terminals")
def test_each_command_of_the_table_runs(tmp_path: Path) -> None:
    taped(tmp_path, exchanged("GET", "/v1.0/me"), exchanged("GET", "/v1.0/organization"))
    ports = ("--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--ready-file", "ready.json")
    with at_terminal("replay", "tape.yaml", *ports, cwd=tmp_path, columns=200) as terminal:
        terminal.until("stop with Ctrl-C")
        (url,) = (line for line in terminal.lines if line.startswith("replaying"))
        base = url.split(" on ")[1].split(",")[0]
        requests.get(f"{base}/v1.0/me", headers=AUTH, timeout=20)
        terminal.until("/v1.0/me")
        terminal.press(CTRL_C)
        terminal.finish()
    assert terminal.code == 0
    commands = {line.partition("more: ")[2] for line in terminal.lines if "more: " in line}
    shown = "graphtape show tape.yaml --index 1"
    assert shown in commands
    assert any("1 replayed" in line for line in terminal.lines)
    done = graphtape(*shlex.split(shown)[1:], cwd=tmp_path)
    assert "/v1.0/organization" in done.stdout
