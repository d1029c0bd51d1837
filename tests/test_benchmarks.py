"""The benchmarks: that they check what they measure, and hand over what they found.

Nothing here holds a time: the loads are as small as they go.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from commands import environment
from proxies import OK, RawServer

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
SMALL = ("--seconds", "1", "--rounds", "1", "--connections", "2", "--opened", "2")
linux = pytest.mark.skipif(
    sys.platform != "linux", reason="the benchmarks read /proc and set affinities: Linux alone"
)
needs_wrk = pytest.mark.skipif(
    shutil.which("wrk") is None, reason="wrk makes the load; `apt-get install wrk` has it"
)
takes_long = pytest.mark.skipif(
    os.environ.get("GRAPHTAPE_FULL") != "1", reason="GRAPHTAPE_FULL=1 runs what takes a minute"
)
pytestmark = linux


def benchmarks(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Import a module of the benchmarks, which aren't installed."""
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: importlib.import_module(f"benchmarks.{name}")


def served(module: Callable[[str], Any], url: str, folder: Path) -> object:
    made: object = module("process").Served(url=url, pid=0, folder=folder)
    return made


def response(body: bytes, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nGraphtape-Result: replayed\r\n\r\n"
    return head.encode() + body


@takes_long
@needs_wrk
def test_replay_is_measured_beside_the_bare_handler(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    wanted = ("--only", "graphtape", "--only", "bare", "--interactions", "3")
    done = benchmarks("replay", *SMALL, *wanted, "--json", str(file))
    assert done.returncode == 0, done.stderr
    results = json.loads(file.read_text())
    loaded = {each["name"]: each for each in results["loaded"]}
    assert {"graphtape", "graphtape, a scenario", "bare handler"} <= loaded.keys()
    assert all(each["interactions"] == 3 for each in loaded.values())
    assert all(each["many"]["requests"] > 0 for each in loaded.values())
    # A row more where there is a browser to follow the console with.
    assert [goal["name"] for goal in results["goals"]][:4] == [
        "requests/s, 3 interactions, beside the bare handler",
        "p50 of one connection, 3 interactions, beside the bare handler",
        "p99 of one connection, 3 interactions, beside the bare handler",
        "requests/s, 3 who follow the events, beside none",
    ]
    assert "requests/s" in done.stdout
    assert ">= 2 (floor 1.2)" in done.stdout


@takes_long
@needs_wrk
def test_kinds_of_requests_are_measured_beside_the_bare_handler(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    wanted = ("--only", "$batch", "--only", "answers 403", "--only", "a new query")
    done = benchmarks("kinds", *SMALL, *wanted, "--json", str(file))
    assert not done.returncode, done.stderr
    results = json.loads(file.read_text())
    names = [each["name"] for each in results["goals"]]
    assert "a scenario that answers 403, over TLS" in names
    assert len(names) == 8
    assert all(each["value"] > 0 for each in results["goals"])


@needs_wrk
def test_record_is_measured_beside_a_bare_proxy(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    done = benchmarks("record", *SMALL, "--json", str(file))
    assert done.returncode == 0, done.stderr
    results = json.loads(file.read_text())
    assert {each["name"] for each in results["loaded"]} == {
        "graphtape record",
        "bare streaming proxy",
    }
    assert {each["name"] for each in results["goals"]} >= {
        "GET",
        "POST with JSON",
        "GET under --status failed",
    }
    assert all(each["value"] > 0 for each in results["goals"])


@needs_wrk
def test_memory_is_measured_while_a_download_is_recorded(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    done = benchmarks("memory", *SMALL, "--only", "download", "--json", str(file))
    assert done.returncode == 0, done.stderr
    goals = json.loads(file.read_text())["goals"]
    assert [goal["name"] for goal in goals] == ["growth while 50 MB are recorded"]


def test_memory_is_measured_over_a_long_body_of_each_kind(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    done = benchmarks("memory", *SMALL, "--only", "body: 50 MB of binary", "--json", str(file))
    assert done.returncode == 0, done.stderr
    goals = json.loads(file.read_text())["goals"]
    names = ["50 MB of binary", "50 MB of binary, gzip"]
    assert [goal["name"] for goal in goals] == [
        f"growth while {name} are {done}" for name in names for done in ("recorded", "saved")
    ]


@needs_wrk
def test_workers_are_measured_beside_one_process(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    done = benchmarks("scale", *SMALL, "--interactions", "3", "--json", str(file))
    assert done.returncode == 0, done.stderr
    results = json.loads(file.read_text())
    names = [goal["name"] for goal in results["goals"]]
    assert names[0] == "requests/s by CPU, 2 workers beside one process"
    if shutil.which("redis-server") is not None:
        assert names[1:] == [
            "CPU/request, reads of one answer with --state, beside none",
            "a step, CPU of the replica beyond the decision",
            "a step, CPU of Redis",
            "a step, p99 at 20,000/s",
        ]
    assert all(each["value"] > 0 for each in results["figures"])


def test_explored_runs_are_measured_beside_the_command_by_itself(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    done = benchmarks("explore", *SMALL, "--json", str(file))
    assert done.returncode == 0, done.stderr
    results = json.loads(file.read_text())
    assert [goal["name"] for goal in results["goals"]] == [
        "100 runs of a command that takes 0.1 s",
        "100 runs, beside the command by itself",
    ]
    assert all(each["value"] > 0 for each in (*results["goals"], *results["figures"]))


def test_start_is_measured_without_wrk_too(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    done = benchmarks("start", *SMALL, "--interactions", "3", "--json", str(file))
    assert done.returncode == 0, done.stderr
    results = json.loads(file.read_text())
    assert [figure["name"] for figure in results["figures"]] == [
        "exec to first answer, graphtape replay",
        "exec to first answer, bare handler",
        "2 interactions, first",
        "2 interactions, again",
        "2 interactions, read by vcrpy",
    ]
    assert all(figure["value"] > 0 for figure in results["figures"])
    assert "exec to first answer, bare handler" in done.stdout


def test_redaction_is_measured_beside_reading(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    done = benchmarks("redact", *SMALL, "--only", "70 users", "--json", str(file))
    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_text())["figures"]
    assert [figure["unit"] for figure in figures] == ["ms", "x"] * 2
    assert all(figure["value"] > 0 for figure in figures)


def test_without_wrk_a_load_is_refused_with_what_to_install(tmp_path: Path) -> None:
    done = benchmarks("replay", "--json", str(tmp_path / "results.json"), PATH=str(tmp_path))
    assert done.returncode == 2
    assert "apt-get install wrk" in done.stderr


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(OK, "Graphtape-Result is None", id="a field is missing"),
        pytest.param(response(b"{}"), "another body", id="another body"),
        pytest.param(response(b"{}", "599 Miss"), "status 599", id="another status"),
    ],
)
def test_an_answer_that_is_not_the_tapes_fails_its_contestant(
    module: Callable[[str], Any], tmp_path: Path, answer: bytes, why: str
) -> None:
    fields = {"Graphtape-Result": "replayed"}
    with RawServer(lambda _: answer) as server:
        contestant = served(module, server.url, tmp_path)
        with pytest.raises(module("process").Failed, match=why):
            module("answer").check(contestant, 1, prefixes=[""], fields=fields)


def test_links_that_lead_to_the_proxy_are_right_too(
    module: Callable[[str], Any], tmp_path: Path
) -> None:
    body: bytes = module("tape").body(0)
    with RawServer() as server:
        server.answer = lambda _: response(body.replace(b"https://graph.microsoft.com", root))
        root = f"{server.url}/_session/s1".encode()
        module("answer").check(
            served(module, server.url, tmp_path), 1, prefixes=["/_session/s1"], fields={}
        )
        assert server.requests[0].startswith(b"GET /_session/s1/v1.0/users/")


@needs_wrk
def test_a_load_that_is_answered_with_errors_fails(
    module: Callable[[str], Any], tmp_path: Path
) -> None:
    process = module("process")
    paths = tmp_path / "paths.txt"
    # Longer than a line that aiohttp reads: a 400.
    paths.write_text(f"/v1.0/users/{'x' * 10_000}\n")
    with (
        process.by_ready_file(process.python("benchmarks.servers.bare")) as bare,
        pytest.raises(process.Failed, match="weren't answered as they must be"),
    ):
        module("load").put(bare, paths, connections=1, seconds=1)


@pytest.mark.parametrize(
    ("value", "word"),
    [(2.0, "reached"), (1.2, "above the floor"), (1.19, "missed")],
)
def test_a_ratio_is_told_with_how_it_stands_to_its_goal(
    module: Callable[[str], Any], value: float, word: str
) -> None:
    table = module("table")
    goal = table.Goal(part="replay", name="requests/s", value=value, goal=2.0, floor=1.2)
    results = table.Results(goals=[goal])
    assert results.as_json()["goals"][0]["word"] == word
    assert results.as_text().endswith(f">= 2 (floor 1.2)  {word}")


def test_each_path_of_a_tape_is_asked_once_a_turn(module: Callable[[str], Any]) -> None:
    tape = module("tape")
    prefixes = ["/_session/a", "/_session/b"]
    lines = tape.request_paths(10, prefixes).read_text().splitlines()
    assert {line.removeprefix(prefixes[turn % 2]) for turn, line in enumerate(lines)} == {
        tape.path(number) for number in range(10)
    }
