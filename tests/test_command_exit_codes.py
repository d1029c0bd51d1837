"""What `record` and `replay` exit with after `-- COMMAND`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest

from commands import graphtape
from proxies import OK, RawServer
from tapes import exchanged, taped

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the commands are a POSIX shell's")

ME = 'curl -sS -o answer.json "$GRAPH_BASE_URL/v1.0/me"'
OTHER = 'curl -sS -o answer.json "$GRAPH_BASE_URL/v1.0/organization"'
REACHED_NOBODY = "no request reached the proxy: is the base URL set? The command gets it as GRAPH_"


def sh(script: str) -> tuple[str, ...]:
    return ("--", "sh", "-c", script)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    (tmp_path / "not-a-program").write_text("plain text, with a mode that says so")
    (tmp_path / "without-a-first-line").write_text("exit 5\n")
    (tmp_path / "without-a-first-line").chmod(0o755)
    (tmp_path / "lost-interpreter").write_text("#!/no/such/interpreter\n")
    (tmp_path / "lost-interpreter").chmod(0o755)
    return taped(
        tmp_path, exchanged("GET", "/v1.0/me", '{"id": "1"}'), exchanged("GET", "/v1.0/users")
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(sh(ME), 0, "1 request: 1 replayed", id="ok"),
        pytest.param(sh(f"{ME}; exit 9"), 9, "sh exited with 9", id="command fails"),
        pytest.param(sh(f"{ME}; kill -KILL $$"), 137, "sh was ended by SIGKILL", id="killed"),
        pytest.param(sh(f"{ME}; kill -TERM $$"), 143, "sh was ended by SIGTERM", id="terminated"),
        pytest.param(("--", "no-such-command"), 127, "it is not on the PATH", id="not found"),
        pytest.param(("--", "./no-such-file"), 127, "no such file", id="no such file"),
        pytest.param(("--", "./lost-interpreter"), 127, "its #! line names", id="no interpreter"),
        pytest.param(("--", "./not-a-program"), 126, "may be executed", id="not executable"),
        pytest.param(("--", "./without-a-first-line"), 126, "no #! line", id="no first line"),
        pytest.param(("--", "."), 126, "can't be run", id="a folder"),
        pytest.param(sh(OTHER), 3, "1 request: 1 missed", id="miss"),
        pytest.param(sh(f"{OTHER}; exit 9"), 9, "1 request: 1 missed", id="fails and misses"),
        pytest.param(sh("true"), 3, REACHED_NOBODY, id="none arrived"),
        pytest.param(sh("exit 9"), 9, REACHED_NOBODY, id="fails and none arrived"),
        pytest.param(("--fail-on-unused", *sh(ME)), 4, "unused in tape.yaml: 1", id="unused"),
        pytest.param(("--fail-on-unused", *sh("true")), 3, REACHED_NOBODY, id="unused, none came"),
        pytest.param(
            ("--fail-on-unused", *sh(f"{ME}; {OTHER}")), 3, "1 missed", id="unused and a miss"
        ),
        pytest.param(("--fail-on", "no-token", *sh(ME)), 1, "no-token", id="verdict"),
        pytest.param(("--",), 2, "`--` begins the command to run, and none follows", id="nothing"),
        pytest.param(("--", ""), 2, "none follows", id="an empty word"),
        pytest.param(("--listen", "nowhere", *sh("touch ran")), 2, "no address", id="bad address"),
    ],
)
def test_a_replay_with_a_command_exits_with(
    tmp_path: Path, tape: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    done = graphtape("replay", tape.name, *words, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stdout == ""


def test_a_recording_whose_upstream_is_never_reached_exits_with_1(tmp_path: Path) -> None:
    done = graphtape("record", "t.yaml", "--upstream", "http://127.0.0.1:9", *sh(ME), cwd=tmp_path)
    assert done.returncode == 1


def test_a_command_is_not_run_where_the_proxy_cannot_start(tmp_path: Path) -> None:
    done = graphtape("replay", "no-such.yaml", *sh("touch ran"), cwd=tmp_path)
    assert done.returncode == 1
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("code", [0, 3], ids=["succeeds", "fails"])
def test_mode_all_replaces_a_cassette_only_when_the_command_succeeds(
    tmp_path: Path, tape: Path, code: int
) -> None:
    before = tape.read_bytes()
    kept = code != 0
    done = graphtape(
        *("record", tape.name, "--mode", "all", "--upstream", "sandbox"),
        *("--", "sh", "-c", f"{ME} -H 'Authorization: Bearer not-a-real-token'; exit {code}"),
        cwd=tmp_path,
    )
    assert done.returncode == code, done.stderr
    assert (tape.read_bytes() == before) is kept
    assert ("is as it was" in done.stderr) is kept


def test_a_new_recording_is_kept_though_its_command_fails(tmp_path: Path) -> None:
    script = f"{ME} -H 'Authorization: Bearer not-a-real-token'; exit 3"
    done = graphtape("record", "t.yaml", "--upstream", "sandbox", *sh(script), cwd=tmp_path)
    assert done.returncode == 3
    assert "saved t.yaml: 1 interaction, 1 new" in done.stderr


def test_a_request_in_flight_when_the_command_ends_is_recorded(tmp_path: Path) -> None:
    def answer(_: bytes) -> bytes:
        time.sleep(1)  # noqa: TID251 - an upstream that takes its time
        return OK

    with RawServer(answer=answer) as upstream:
        done = graphtape(
            *("record", "t.yaml", "--upstream", upstream.url),
            *sh(f"{ME} & sleep 0.4"),
            cwd=tmp_path,
        )
    assert done.returncode == 0, done.stderr
    assert "1 request in flight" in done.stderr
    assert "saved t.yaml: 1 interaction" in done.stderr
