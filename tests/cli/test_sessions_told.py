"""What the command line says of sessions, their cassettes and how a run ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
import requests

from commands import GRAPHTAPE, environment, graphtape, serving
from proxies import AUTH
from tapes import exchanged, taped

if TYPE_CHECKING:
    from pathlib import Path

    from commands import Serving

WRITE = "/beta/deviceManagement/chromeOSOnboardingSettings/disconnect"


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return taped(tmp_path, exchanged("GET", "/v1.0/me"), exchanged("POST", WRITE))


def opened(served: Serving, **wish: str) -> str:
    """Open a session; return its base URL."""
    got = requests.post(f"{served.ready['control']}/sessions", json=wish, timeout=5)
    assert got.status_code == 201, got.text
    return str(got.json()["base_url"])


def test_what_became_of_the_cassette_of_each_session_is_said(tmp_path: Path) -> None:
    with serving("record", "own.yaml", "--upstream", "sandbox", cwd=tmp_path) as served:
        for name in ("ended", "open"):
            base = opened(served, id=name, cassettes=f"{name}.yaml")
            requests.get(f"{base}/v1.0/me", headers=AUTH, timeout=5)
        opened(served, id="idle", cassettes="idle.yaml")
        requests.delete(f"{served.ready['control']}/sessions/ended", timeout=5)
    lines = [line for line in served.stderr.splitlines() if ".yaml" in line]
    assert lines[1:] == [
        "own.yaml was not written: nothing was recorded",
        "idle.yaml was not written: nothing was recorded",
        "saved open.yaml: 1 interaction, 1 new",
        "saved ended.yaml: 1 interaction, 1 new",
    ]


def test_many_cassettes_of_sessions_are_cut(tmp_path: Path) -> None:
    with serving("record", "own.yaml", "--upstream", "sandbox", cwd=tmp_path) as served:
        for number in range(25):
            opened(served, cassettes=f"{number}.yaml")
    assert served.stderr.count("was not written") == 21
    assert "and 5 more" in served.stderr.splitlines()


def test_a_miss_says_whose_it_is_and_how_that_session_begins_again(
    tmp_path: Path, tape: Path
) -> None:
    with serving("replay", tape, cwd=tmp_path) as served:
        base = opened(served, id="t1")
        for url in (f"{base}/v1.0/you", f"{served.url}/v1.0/they"):
            requests.get(url, headers=AUTH, timeout=5)
        written = [requests.post(base + WRITE, headers=AUTH, timeout=5) for _ in range(2)]
    warned = [line for line in served.stderr.splitlines() if "WARNING" in line]
    assert warned[0].startswith("graphtape: WARNING: session t1: Nothing recorded answers GET")
    assert warned[1].startswith("graphtape: WARNING: Nothing recorded answers GET /v1.0/they")
    again = written[1].json()["error"]["message"]
    assert "POST /sessions/t1/rewind" in again
    assert "restart the replay" not in again


def test_the_control_port_is_named_at_the_start(tmp_path: Path, tape: Path) -> None:
    with serving("replay", tape, cwd=tmp_path) as served:
        pass
    started = f"on {served.url}, control on {served.ready['control']}"
    assert served.stderr.splitlines()[0].endswith(started)


def test_a_run_that_fails_on_unused_interactions_says_so_last(tmp_path: Path, tape: Path) -> None:
    with serving("replay", tape, "--fail-on-unused", cwd=tmp_path) as served:
        requests.get(f"{served.url}/v1.0/me", headers=AUTH, timeout=5)
    assert served.code == 4
    assert served.stderr.splitlines()[-1] == "failed: 1 unused interaction (--fail-on-unused)"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_clean_stop_takes_the_ready_file_away(tmp_path: Path, tape: Path, number: int) -> None:
    with serving("replay", tape, cwd=tmp_path) as served:
        served.stop(number)
    assert not (tmp_path / "ready.json").exists()


def test_a_command_that_ends_takes_the_ready_file_away(tmp_path: Path, tape: Path) -> None:
    looks = "test -e ready.json"
    graphtape("replay", tape, "--ready-file", "ready.json", "--", "sh", "-c", looks, cwd=tmp_path)
    assert not (tmp_path / "ready.json").exists()


def test_the_ready_file_of_another_run_stays(tmp_path: Path, tape: Path) -> None:
    with serving("replay", tape, cwd=tmp_path):
        (tmp_path / "ready.json").write_text(json.dumps({"pid": os.getpid()}))
    assert (tmp_path / "ready.json").exists()


def test_a_file_that_is_no_cassette_is_not_recorded_into(tmp_path: Path) -> None:
    script = tmp_path / "precious.sh"
    script.write_text("echo precious\n")
    done = subprocess.run(
        [*GRAPHTAPE, "record", script.name, "--mode", "all", "--upstream", "sandbox"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "record into precious.yaml" in done.stderr
    assert script.read_text() == "echo precious\n"
