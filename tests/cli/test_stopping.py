"""How a run ends: with requests in flight, with an upstream that is gone, on a full disk."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests
import yaml

from commands import GRAPHTAPE, environment, serving
from proxies import AUTH, OK, RawServer


def slow(seconds: float) -> RawServer:
    def answer(_: bytes) -> bytes:
        time.sleep(seconds)  # noqa: TID251 - an upstream that takes its time
        return OK

    return RawServer(answer=answer)


def ask(url: str, into: list[object]) -> threading.Thread:
    def run() -> None:
        try:
            into.append(requests.post(url, headers=AUTH, timeout=20).status_code)
        except requests.RequestException as exc:
            into.append(type(exc).__name__)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def wait_for(server: RawServer) -> None:
    deadline = time.monotonic() + 10
    while not server.requests and time.monotonic() < deadline:
        time.sleep(0.01)  # noqa: TID251 - polls another thread
    assert server.requests


def test_a_request_in_flight_at_the_stop_is_answered_and_recorded(tmp_path: Path) -> None:
    got: list[object] = []
    with (
        slow(1) as upstream,
        serving("record", "t.yaml", "--upstream", upstream.url, cwd=tmp_path) as served,
    ):
        thread = ask(f"{served.url}/v1.0/x", got)
        wait_for(upstream)
        served.stop()
        thread.join()
    assert got == [200]
    assert served.code == 0
    assert "1 request in flight" in served.stderr
    assert len(yaml.safe_load((tmp_path / "t.yaml").read_text())["interactions"]) == 1


def test_a_second_signal_cuts_what_is_in_flight_and_says_so(tmp_path: Path) -> None:
    got: list[object] = []
    with (
        slow(5) as upstream,
        serving("record", "t.yaml", "--upstream", upstream.url, cwd=tmp_path) as served,
    ):
        thread = ask(f"{served.url}/v1.0/x", got)
        wait_for(upstream)
        began = time.monotonic()
        served.process.send_signal(signal.SIGINT)
        time.sleep(0.3)  # noqa: TID251 - between two key strokes
        served.stop()
        assert time.monotonic() - began < 4
        thread.join()
    assert got == ["ConnectionError"]
    assert "unfinished: POST /v1.0/x: cut off in flight when the proxy stopped" in served.stderr
    assert not (tmp_path / "t.yaml").exists()
    assert not (tmp_path / "t.yaml.part").exists()


def test_a_run_whose_upstream_is_never_reached_fails(tmp_path: Path) -> None:
    with serving("record", "t.yaml", "--upstream", "http://127.0.0.1:9", cwd=tmp_path) as served:
        got = requests.post(f"{served.url}/v1.0/x", headers=AUTH, timeout=10)
        assert got.status_code == 502
        assert got.json()["error"]["code"] == "GraphtapeUpstreamUnreachable"
    assert served.code == 1


def test_on_a_full_disk_answers_pass_and_the_run_fails(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands in for a full disk: the part can't grow past it."""
    tape = tmp_path / "t.yaml"
    ready = tmp_path / "ready.json"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    with RawServer() as upstream:
        upstream.answer = lambda _: (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9002\r\n\r\n"
            b'"' + b"x" * 9000 + b'"'
        )
        process = subprocess.Popen(
            [
                *(*GRAPHTAPE, "record", tape, "--upstream", upstream.url, "--listen"),
                *("127.0.0.1:0", "--control", "127.0.0.1:0", "--ready-file", ready),
            ],
            cwd=tmp_path,
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=limit,  # noqa: PLW1509 - the child is single-threaded here
        )
        deadline = time.monotonic() + 20
        while not ready.exists() and time.monotonic() < deadline:
            time.sleep(0.02)  # noqa: TID251 - waits for another process
        url = str(yaml.safe_load(ready.read_text())["proxy"])
        answers = [requests.get(f"{url}/v1.0/{n}", headers=AUTH, timeout=10) for n in range(4)]
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert [(a.status_code, len(a.content)) for a in answers] == [(200, 9002)] * 4
    assert "is NOT on the tape" in said
    assert process.returncode == 1


def test_a_folder_that_cannot_be_written_is_said_at_once_and_answers_pass(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("needs a path under a file")
    tape = Path("/proc/graphtape-cannot-write-here.yaml")
    with serving("record", tape, "--upstream", "sandbox", cwd=tmp_path) as served:
        got = requests.get(f"{served.url}/v1.0/me", headers=AUTH, timeout=10)
        assert got.status_code == 200
    assert served.code == 1
    assert "can't be written" in served.stderr
    assert "nothing is recorded" in served.stderr


def test_two_processes_on_one_cassette_the_second_is_told(tmp_path: Path) -> None:
    with serving("record", "t.yaml", "--upstream", "sandbox", cwd=tmp_path) as served:
        second = subprocess.run(
            [*GRAPHTAPE, "record", "t.yaml", "--upstream", "sandbox", "--listen", "127.0.0.1:0"],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert second.returncode == 1
        assert f"process {served.process.pid}" in second.stderr
        assert len(second.stderr.splitlines()) == 1
    assert served.code == 0
