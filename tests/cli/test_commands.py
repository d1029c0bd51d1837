"""The commands, as a user runs them."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import pytest
import requests
import yaml

from commands import graphtape, serving
from proxies import AUTH

SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"
ONE = {
    "interactions": [
        {
            "request": {
                "method": "GET",
                "uri": "https://graph.microsoft.com/v1.0/me",
                "body": None,
                "headers": {},
            },
            "response": {
                "status": {"code": 200, "message": "OK"},
                "headers": {"content-type": ["application/json"]},
                "body": {"string": '{"id": "1"}'},
            },
        }
    ],
    "version": 1,
}


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "tape.yaml"
    path.write_text(yaml.safe_dump(ONE, sort_keys=False))
    return path


def test_demo_shows_the_loop_and_exits_0(tmp_path: Path) -> None:
    done = graphtape("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("'inprogress', recorded") == 2
    assert done.stdout.count("'inprogress', replayed") == 2
    assert done.stdout.count("'failed', replayed") == 5
    cassette = done.stdout.partition("The cassette: ")[2].splitlines()[0]
    assert yaml.safe_load(Path(cassette).read_text())["version"] == 1


def test_record_saves_on_sigint_and_replay_plays_it(tmp_path: Path) -> None:
    with serving("record", "t.yaml", "--upstream", "sandbox", cwd=tmp_path) as served:
        assert served.ready["pid"] == served.process.pid
        assert served.ready["ca"] is None
        assert requests.get(f"{served.ready['control']}/health", timeout=5).status_code == 200
        got = requests.post(f"{served.url}{SETTINGS}/disconnect", headers=AUTH, timeout=5)
        assert got.headers["Graphtape-Result"] == "recorded"
    assert served.code == 0
    assert f"POST {SETTINGS}/disconnect 200 recorded" in served.stderr
    assert "saved t.yaml: 1 interaction, 1 new" in served.stderr
    assert served.stdout == ""
    with serving("replay", "t.yaml", "-q", cwd=tmp_path) as served:
        again = requests.post(f"{served.url}{SETTINGS}/disconnect", timeout=5)
        assert again.content == got.content
    assert served.code == 0
    assert "disconnect 200" not in served.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_a_signal_is_a_clean_stop(tmp_path: Path, tape: Path, number: int) -> None:
    with serving("replay", tape, cwd=tmp_path) as served:
        served.stop(number)
    assert served.code == 0


def test_a_miss_ends_the_run_with_3(tmp_path: Path, tape: Path) -> None:
    with serving("replay", tape, cwd=tmp_path) as served:
        requests.get(f"{served.url}/v1.0/you", headers=AUTH, timeout=5)
    assert served.code == 3
    assert "Nothing recorded answers GET /v1.0/you" in served.stderr
    assert "not-a-real-token" not in served.stderr


def test_a_miss_that_repeats_is_told_in_short(tmp_path: Path, tape: Path) -> None:
    with serving("replay", tape, cwd=tmp_path) as served:
        for _ in range(3):
            requests.get(f"{served.url}/v1.0/you", headers=AUTH, timeout=5)
    assert served.stderr.count("Nearest in") == 1
    assert served.stderr.count("(again)") == 2


def test_unused_interactions_end_the_run_with_4_when_asked(tmp_path: Path, tape: Path) -> None:
    with serving("replay", tape, "--fail-on-unused", cwd=tmp_path) as served:
        pass
    assert served.code == 4
    with serving("replay", tape, cwd=tmp_path, env={"GRAPHTAPE_FAIL_ON_UNUSED": "1"}) as served:
        requests.get(f"{served.url}/v1.0/me", timeout=5)
    assert served.code == 0


def test_once_on_an_existing_cassette_plays_it_and_says_so(tmp_path: Path, tape: Path) -> None:
    before = tape.read_bytes()
    with serving("record", tape, "--upstream", "sandbox", cwd=tmp_path) as served:
        assert requests.get(f"{served.url}/v1.0/me", timeout=5).json() == {"id": "1"}
        assert requests.get(f"{served.url}/v1.0/users", timeout=5).status_code == 599
    assert "mode is once: it plays, and nothing is forwarded" in served.stderr
    assert served.code == 3
    assert tape.read_bytes() == before


def test_new_episodes_adds_what_is_not_recorded(tmp_path: Path, tape: Path) -> None:
    options = ("--upstream", "sandbox", "--mode", "new_episodes")
    with serving("record", tape, *options, cwd=tmp_path) as served:
        assert requests.get(f"{served.url}/v1.0/me", timeout=5).json() == {"id": "1"}
        users = requests.get(f"{served.url}/v1.0/users", headers=AUTH, timeout=5)
        assert users.headers["Graphtape-Result"] == "recorded"
        assert users.headers["Graphtape-Interaction"] == "1"
    assert [i["request"]["uri"] for i in yaml.safe_load(tape.read_text())["interactions"]] == [
        "https://graph.microsoft.com/v1.0/me",
        "https://graph.microsoft.com/v1.0/users",
    ]


def test_all_replaces_the_cassette(tmp_path: Path, tape: Path) -> None:
    options = ("--upstream", "sandbox", "--mode", "all")
    with serving("record", tape, *options, cwd=tmp_path) as served:
        requests.get(f"{served.url}/v1.0/users", headers=AUTH, timeout=5)
    (only,) = yaml.safe_load(tape.read_text())["interactions"]
    assert only["request"]["uri"].endswith("/v1.0/users")


def test_a_taken_port_is_named(tmp_path: Path, tape: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = graphtape(
            "replay",
            tape,
            "--listen",
            f"127.0.0.1:{port}",
            "--control",
            "127.0.0.1:0",
            cwd=tmp_path,
        )
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(None, "no such cassette", id="missing"),
        pytest.param("", "empty", id="empty"),
        pytest.param("a: [", "not YAML", id="not-yaml"),
        pytest.param("interactions: []\n", "version", id="truncated"),
        pytest.param("interactions: []\nversion: 7\n", "found 7", id="unknown-version"),
        pytest.param("- request: {}\n", "1.0", id="pre-1.0"),
        pytest.param("hello: world\nversion: 1\n", "not a cassette", id="no-cassette"),
    ],
)
def test_a_cassette_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, content: str | None, says: str
) -> None:
    path = tmp_path / "bad.yaml"
    if content is not None:
        path.write_text(content)
    done = graphtape("replay", path, "--listen", "127.0.0.1:0", cwd=tmp_path)
    assert done.returncode == 1
    assert says in done.stderr
    assert "bad.yaml" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["record", "t.yaml", "--upstream", "graf"], "usgov-dod"),
        (["record", "t.json", "--upstream", "sandbox"], "record into t.yaml"),
        (["replay", "tape.yaml", "--listen", "8787"], "HOST:PORT"),
        (["replay", "tape.yaml", "--status", "explode=x"], "connect, disconnect"),
        (["replay", "tape.yaml", "--match-on", "colour"], "raw_body"),
        (["replay", "tape.yaml", "--fail-on", "rudeness"], "blind-retry"),
        (["replay", "tape.yaml", "--scenario", "nonsense"], "late-failure"),
        (["replay", "tape.yaml", "--config", "none.toml"], "no settings file"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_bad_usage_exits_2_and_lists_what_is_valid(
    tmp_path: Path, tape: Path, arguments: list[str], says: str
) -> None:
    assert tape.exists()
    done = graphtape(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr


def test_an_unknown_settings_key_is_an_error(tmp_path: Path, tape: Path) -> None:
    (tmp_path / "graphtape.toml").write_text('upstraem = "sandbox"\n')
    done = graphtape("replay", tape, cwd=tmp_path)
    assert done.returncode == 2
    assert "upstraem" in done.stderr
    assert "upstream" in done.stderr


def test_flags_beat_the_environment_which_beats_the_file(tmp_path: Path, tape: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.graphtape]\nstatus = "unknown"\nfail_on_unused = true\n'
    )
    with serving("replay", tape, cwd=tmp_path) as served:
        pass
    assert served.code == 4
    with serving(
        "replay", tape, cwd=tmp_path, env={"GRAPHTAPE_STATUS": "weird, disconnect=odd"}
    ) as served:
        requests.get(f"{served.url}/v1.0/me", timeout=5)
    assert "'weird'" in served.stderr
    assert "'odd'" in served.stderr
    with serving(
        "replay", tape, "--status", "other", cwd=tmp_path, env={"GRAPHTAPE_STATUS": "weird"}
    ) as served:
        requests.get(f"{served.url}/v1.0/me", timeout=5)
    assert "'other'" in served.stderr
    assert "'weird'" not in served.stderr


def test_show_prints_a_table_and_bodies(tmp_path: Path, tape: Path) -> None:
    done = graphtape("show", tape, "-v", cwd=tmp_path)
    assert done.returncode == 0
    assert "GET" in done.stdout
    assert "/v1.0/me" in done.stdout
    assert '"id": "1"' in done.stdout


def test_sandbox_serves_the_tenant(tmp_path: Path) -> None:
    with serving("sandbox", cwd=tmp_path) as served:
        assert served.ready["control"] is None
        got = requests.post(f"{served.url}{SETTINGS}/disconnect", headers=AUTH, timeout=5)
        assert got.json()["value"] == "inprogress"
        assert requests.get(f"{served.url}{SETTINGS}", timeout=5).status_code == 401
    assert served.code == 0


def test_the_control_port_refuses_a_foreign_host(tmp_path: Path, tape: Path) -> None:
    with serving("replay", tape, cwd=tmp_path) as served:
        got = requests.get(
            f"{served.ready['control']}/health", headers={"Host": "evil.example"}, timeout=5
        )
    assert got.status_code == 403


def test_the_ready_file_is_whole_and_names_this_process(tmp_path: Path, tape: Path) -> None:
    stale = tmp_path / "ready.json"
    stale.write_text(json.dumps({"pid": os.getpid()}))
    with serving("replay", tape, cwd=tmp_path) as served:
        assert set(served.ready) == {"proxy", "control", "console", "ca", "pid"}
        assert served.ready["pid"] == served.process.pid
