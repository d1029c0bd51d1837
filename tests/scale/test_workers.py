"""`replay --workers`: sessions divided among processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
import requests

from commands import GRAPHTAPE, environment, graphtape, serving
from scaled import READ, WRITE, control, opened, refused, state, tape, workers, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork, which Windows hasn't")


def until(true: Callable[[], bool], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # noqa: TID251 - waits for another process


def report_of(folder: Path) -> dict[str, dict[str, object]]:
    """Return what a report file tells of each session, by id."""
    told = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return {each["session"]: each for each in (told, *told["sessions"])}


def test_sessions_go_to_workers_in_turn_and_their_urls_straight_to_them(tmp_path: Path) -> None:
    with serving("replay", tape(tmp_path), "--workers", "3", cwd=tmp_path) as served:
        found = [opened(served) for _ in range(6)]
        assert [name.partition(".")[0] for name, _ in found] == ["w0", "w1", "w2"] * 2
        ports = [base.partition("/_session/")[0] for _, base in found]
        assert ports[:3] == ports[3:]
        assert len(set(ports)) == 3
        assert ports[0] == served.url
        assert all(base.endswith(f"/_session/{name}") for name, base in found)
        write(found[0][1])
        assert [state(base) for _, base in found] == ["after", *["before"] * 5]
        link = requests.get(found[1][1] + READ, timeout=10).json()["@odata.nextLink"]
        assert link == found[1][1] + READ
    assert served.code == 0, served.stderr


@pytest.mark.parametrize("many", ["1", "2"])
def test_the_default_session_is_the_first_workers_alone(tmp_path: Path, many: str) -> None:
    with serving("replay", tape(tmp_path), "--workers", many, cwd=tmp_path) as served:
        write(served.url)
        assert state(served.url) == "after"
        facts = requests.get(f"{control(served)}/sessions/default", timeout=10).json()
        assert facts["requests"] == 2
        assert facts["base_url"] == served.url
        listed = requests.get(f"{control(served)}/sessions", timeout=10).json()
        assert [each["id"] for each in listed["sessions"]] == ["default"]
        health = requests.get(f"{control(served)}/health", timeout=10).json()
        assert (health["sessions"], health["requests"]) == (1, 2)
        _, last = [opened(served) for _ in range(int(many))][-1]
        if many != "1":
            root = last.partition("/_session/")[0]
            answer = requests.get(root + READ, timeout=10)
            assert answer.status_code == 404
            assert answer.json()["error"]["code"] == "GraphtapeUnknownSession"
            assert served.url in answer.json()["error"]["message"]


def test_a_killed_worker_fails_its_sessions_and_no_others(tmp_path: Path) -> None:
    cassette = tape(tmp_path)
    run = ("replay", cassette, "--workers", "3", "-q", "--report", "report.json")
    with serving(*run, cwd=tmp_path) as served:
        processes = workers(served)
        found = [opened(served) for _ in range(5)]
        ended, _ = opened(served, id="w1.ended")
        deleted = requests.delete(f"{control(served)}/sessions/{ended}", timeout=10)
        assert deleted.status_code == 200
        stop, answers = threading.Event(), []

        def load(base: str) -> None:
            while not stop.is_set():
                try:
                    answers.append(requests.get(base + READ, timeout=10).status_code)
                except requests.ConnectionError:
                    return

        threads = [threading.Thread(target=load, args=(base,)) for _, base in found]
        for thread in threads:
            thread.start()
        until(lambda: len(answers) > 50)
        os.kill(processes["w1"], signal.SIGKILL)
        lost = [name for name, _ in found if name.startswith("w1.")]
        until(lambda: refused(dict(found)[lost[0]]))
        before = len(answers)
        until(lambda: len(answers) > before + 50)
        stop.set()
        for thread in threads:
            thread.join(20)
        assert set(answers) == {200}
        gone = requests.get(f"{control(served)}/sessions/{lost[0]}", timeout=10)
        assert (gone.status_code, gone.json()["error"]["code"]) == (502, "GraphtapeReplicaGone")
        assert "SIGKILL" in gone.json()["error"]["message"]
        listed = requests.get(f"{control(served)}/sessions", timeout=10).json()
        assert listed["unreachable"] == ["w1"]
        assert {each["id"].partition(".")[0] for each in listed["sessions"]} == {
            "default",
            "w0",
            "w2",
        }
        assert [opened(served)[0].partition(".")[0] for _ in range(4)].count("w1") == 0
    assert served.code == 1
    assert "worker w1 was ended by SIGKILL; 2 open sessions" in served.stderr
    told = report_of(tmp_path)
    failed = {name for name, each in told.items() if each["failures"]}
    assert failed == {*lost, ended}
    assert "while this session was open" in str(told[lost[0]]["failures"])
    assert "after this session ended" in str(told[ended]["failures"])


def test_a_killed_first_worker_takes_the_default_session_with_it(tmp_path: Path) -> None:
    run = ("replay", tape(tmp_path), "--workers", "2", "--report", "report.json")
    with serving(*run, cwd=tmp_path) as served:
        processes = workers(served)
        os.kill(processes["w0"], signal.SIGKILL)
        until(lambda: refused(served.url))
        _, base = opened(served)
        assert state(base) == "before"
        gone = requests.get(f"{control(served)}/sessions/default", timeout=10)
        assert gone.status_code == 502
    assert served.code == 1
    assert report_of(tmp_path)["default"]["failures"]


def test_the_run_ends_with_its_last_worker(tmp_path: Path) -> None:
    with serving("replay", tape(tmp_path), "--workers", "2", cwd=tmp_path) as served:
        for process in workers(served).values():
            os.kill(process, signal.SIGKILL)
        assert served.process.wait(30) == 1


def test_no_worker_outlives_the_process_that_started_it(tmp_path: Path) -> None:
    with serving("replay", tape(tmp_path), "--workers", "2", cwd=tmp_path) as served:
        bases = [served.url, opened(served)[1], opened(served)[1]]
        served.process.kill()
        for base in bases:
            until(lambda base=base: refused(base))  # type: ignore[misc]


def test_what_all_workers_left_unused_is_told_once_and_by_name(tmp_path: Path) -> None:
    run = ("replay", tape(tmp_path), "--workers", "2", "--fail-on-unused", "--report")
    with serving(*run, "report.json", cwd=tmp_path) as served:
        bases = [opened(served)[1] for _ in range(2)]
        state(bases[0])
    assert served.code == 4
    assert f"  1 POST {WRITE}" in served.stderr.splitlines()
    told = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert told["unused"] == {str(tmp_path / "tape.yaml"): [1]}
    with serving(*run, "report.json", cwd=tmp_path) as served:
        bases = [opened(served)[1] for _ in range(2)]
        state(bases[0])
        write(bases[1])
    assert served.code == 0, served.stderr


def test_a_miss_at_any_worker_is_the_runs(tmp_path: Path) -> None:
    run = ("replay", tape(tmp_path), "--workers", "2", "--report", "report.xml")
    with serving(*run, cwd=tmp_path) as served:
        _, base = [opened(served) for _ in range(2)][1]
        assert requests.get(f"{base}/v1.0/groups", timeout=10).status_code == 599
    assert served.code == 3
    assert "/v1.0/groups" in (tmp_path / "report.xml").read_text(encoding="utf-8")


def test_control_calls_go_to_the_worker_of_their_session(tmp_path: Path) -> None:
    with serving("replay", tape(tmp_path), "--workers", "2", cwd=tmp_path) as served:
        (one, _), (other, base) = opened(served, id="one"), opened(served, status="failed")
        assert one == "w0.one"
        url = f"{control(served)}/sessions/{other}"
        assert requests.post(base + WRITE, timeout=10).json() == {"value": "failed"}
        assert requests.post(f"{url}/rewind", timeout=10).status_code == 204
        directed = requests.put(f"{url}/scenario", json={"status": "unknown"}, timeout=10)
        assert directed.json() == {"scenario": [], "status": ["unknown"]}
        assert requests.post(base + WRITE, timeout=10).json() == {"value": "unknown"}
        scenario = {"name": "mine", "rules": [{"answer": {"status": 503}}]}
        assert requests.put(f"{url}/scenario", json=scenario, timeout=10).status_code == 200
        assert requests.get(base + READ, timeout=10).status_code == 503
        journal = requests.get(f"{url}/journal", timeout=10).json()["entries"]
        assert [each["status"] for each in journal] == [200, 200, 503]
        markdown = requests.get(f"{url}/report", headers={"Accept": "text/markdown"}, timeout=10)
        assert markdown.headers["Content-Type"].startswith("text/markdown")
        wrong = requests.put(f"{url}/scenario", json={"scenario": "no-such"}, timeout=10)
        assert wrong.json()["error"]["code"] == "GraphtapeScenario"
        assert requests.put(f"{url}/journal", json={}, timeout=10).status_code == 405
        taken = requests.post(f"{control(served)}/sessions", json={"id": one}, timeout=10)
        assert taken.json()["error"]["code"] == "GraphtapeSessionInUse"
        assert requests.delete(url, timeout=10).json()["requests"] == 3
        again = requests.delete(url, timeout=10)
        assert (again.status_code, again.json()["error"]["code"]) == (
            404,
            "GraphtapeUnknownSession",
        )
        for unknown in ("one", "w9.one"):
            asked = requests.get(f"{control(served)}/sessions/{unknown}", timeout=10)
            assert asked.json()["error"]["code"] == "GraphtapeUnknownSession"
            assert "w0 to w1" in asked.json()["error"]["message"]


def test_the_control_port_is_guarded_and_those_of_the_workers_are(tmp_path: Path) -> None:
    token = "not-a-real-control-token"
    run = ("replay", tape(tmp_path), "--workers", "2", "--control-token", token)
    with serving(*run, cwd=tmp_path) as served:
        url = f"{control(served)}/sessions"
        assert requests.get(url, timeout=10).status_code == 401
        shown = {"Authorization": f"Bearer {token}"}
        listed = requests.get(url, headers={**shown, "Host": "named.test:9"}, timeout=10).json()
        base = listed["sessions"][0]["base_url"]
        assert base == f"http://named.test:{served.url.rpartition(':')[2]}"
        elsewhere = {**shown, "Origin": "http://elsewhere.test"}
        assert requests.get(url, headers=elsewhere, timeout=10).status_code == 403
        page = requests.get(f"{control(served)}/console", timeout=10)
        assert page.headers["Content-Type"].startswith("text/html")


def test_events_of_all_workers_are_one_stream_that_goes_on_where_it_broke(tmp_path: Path) -> None:
    with serving("replay", tape(tmp_path), "--workers", "2", cwd=tmp_path) as served:
        found = dict(opened(served) for _ in range(2))
        url = f"{control(served)}/events?every=50ms&newest=100"

        def ticks(since: str, wanted: int) -> tuple[str, list[tuple[str, int]]]:
            """Ask every session once the stream has begun; return its entries, and the last id."""
            seen: list[tuple[str, int]] = []
            last, begun = since, 0
            headers = {"Last-Event-ID": since} if since else {}
            with requests.get(url, headers=headers, stream=True, timeout=20) as stream:
                for line in stream.iter_lines():
                    name, _, value = line.decode().partition(": ")
                    if name == "id":
                        last, begun = value, begun + 1
                        if begun == 2 and not since:  # both have said where they begin
                            for base in found.values():
                                state(base)
                    if name == "data":
                        tick = json.loads(value)
                        assert tick["id"] == last
                        seen += [(entry[0], entry[1]) for entry in tick["entries"]]
                        if len(seen) >= wanted:
                            return last, seen
            raise AssertionError(seen)

        since, seen = ticks("", 2)
        assert sorted(seen) == sorted((name, 1) for name in found)
        for base in found.values():
            state(base)
        _, more = ticks(since, 2)
        assert sorted(more) == sorted((name, 2) for name in found)
        one = next(iter(found))
        with requests.get(
            f"{control(served)}/events?session={one}", stream=True, timeout=20
        ) as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith(b":")
            for base in found.values():
                state(base)
            entry = next(line for line in lines if line.startswith(b"data: "))
        assert json.loads(entry.removeprefix(b"data: "))["session"] == one


def test_a_command_runs_with_workers_and_its_code_is_the_runs(tmp_path: Path) -> None:
    code = (
        "import json, os, sys, urllib.request as u;"
        "c = os.environ['GRAPHTAPE_CONTROL_URL'] + '/sessions';"
        "r = u.Request(c, b'{}', {'Content-Type': 'application/json'});"
        "bases = [json.load(u.urlopen(r))['base_url'] for _ in range(2)];"
        f"[u.urlopen(b + {READ!r}).read() for b in (*bases, os.environ['GRAPH_BASE_URL'])];"
        "sys.exit(6)"
    )
    done = graphtape(
        "replay", tape(tmp_path), "--workers", "2", "--", sys.executable, "-c", code, cwd=tmp_path
    )
    assert done.returncode == 6, done.stderr
    assert done.stderr.count("1 request: 1 replayed") == 3


def test_ctrl_c_of_a_terminal_reaches_all_and_still_ends_in_a_report(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    process = subprocess.Popen(
        [
            *GRAPHTAPE,
            *("replay", str(tape(tmp_path)), "--workers", "2", "--ready-file", str(ready)),
            *("--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"),
        ],
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        until(ready.exists)
        assert json.loads(ready.read_text())["pid"] == process.pid
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert process.returncode == 0, said
    assert "0 requests" in said.splitlines()
    assert "Traceback" not in said
    assert not ready.exists()


def test_tls_holds_for_every_worker(tmp_path: Path) -> None:
    with serving("replay", tape(tmp_path), "--workers", "2", "--tls", cwd=tmp_path) as served:
        for _ in range(2):
            _, base = opened(served)
            assert base.startswith("https://")
            answer = requests.get(base + READ, verify=str(served.ready["ca"]), timeout=10)
            assert answer.json()["@odata.nextLink"] == base + READ


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--workers", "2", "--replica", "r1"), "--replica"),
        (("--workers", "2", "--peers", "r1=http://r1:8788"), "--peers"),
        (("--workers", "2", "--forward"), "--forward"),
        (("--workers", "0"), "--workers"),
        (("--public-url", "http://r1.test"), "--replica"),
        (("--replica", "r1", "--peers", "r2"), "NAME=URL"),
        (("--replica", "r1", "--peers", "r2=http://a,r2=http://b"), "twice"),
        (("--replica", "r.1"), "--replica"),
        (("--replica", "r1", "--public-url", "http://host/path"), "--public-url"),
        (("--replica", "r1", "--public-url", "host:8787"), "--public-url"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    tmp_path: Path, options: tuple[str, ...], named: str
) -> None:
    free = ("--listen", "127.0.0.1:0", "--control", "127.0.0.1:0")
    done = graphtape("replay", tape(tmp_path), *options, *free, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert named in done.stderr.splitlines()[-1]


def test_a_taken_port_and_a_broken_cassette_leave_no_process_behind(tmp_path: Path) -> None:
    with serving("replay", tape(tmp_path), "--workers", "2", cwd=tmp_path) as served:
        taken = control(served).removeprefix("http://")
        done = graphtape(
            *("replay", tmp_path / "tape.yaml", "--workers", "2"),
            *("--listen", "127.0.0.1:0", "--control", taken),
            cwd=tmp_path,
        )
        assert done.returncode == 1
        assert f"something listens on {taken}" in done.stderr
    done = graphtape("replay", "none.yaml", "--workers", "2", cwd=tmp_path)
    assert done.returncode == 1
    assert "none.yaml" in done.stderr
