"""Old cassettes: said, not played, and recorded anew."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from commands import graphtape
from graphtape.tape.store import open_cassette, save_cassette

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"
LONG_AGO = "2020-01-02T03:04:05Z"
ASK = """
import os, sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for path in sys.argv[1:]:
    request = urllib.request.Request(os.environ["GRAPH_BASE_URL"] + path)
    request.add_header("Authorization", "Bearer not-a-real-token")
    opener.open(request, timeout=10).read()
"""


def ask(*paths: str) -> tuple[str, ...]:
    return (sys.executable, "-c", ASK, *paths)


def recorded(folder: Path, name: str, *paths: str, at: str | None = LONG_AGO) -> Path:
    """Record from the sandbox, a while ago."""
    path = folder / name
    done = graphtape("record", name, "--upstream", "sandbox", "--", *ask(*paths), cwd=folder)
    assert done.returncode == 0, done.stderr
    if at is not None:
        redate(path, at)
    return path


def redate(path: Path, at: str) -> None:
    cassette = open_cassette(path)
    assert cassette.metadata is not None
    metadata = replace(cassette.metadata, recorded_at=at)
    save_cassette(path, cassette.interactions, metadata=metadata)


def date(path: Path) -> str:
    metadata = open_cassette(path).metadata
    assert metadata is not None
    return metadata.recorded_at


def test_replay_says_which_cassettes_are_too_old_or_does_not_play_them(tmp_path: Path) -> None:
    recorded(tmp_path, "old.yaml", "/v1.0/users")
    recorded(tmp_path, "new.yaml", "/v1.0/users", at=None)
    run = ("--", *ask("/v1.0/users"))
    told = graphtape("replay", "old.yaml", "new.yaml", "--max-age", "90d", *run, cwd=tmp_path)
    assert told.returncode == 0
    notes = [line for line in told.stderr.splitlines() if "max-age" in line]
    (note,) = notes
    assert note.startswith("note: old.yaml: was recorded 2020-01-02, ")
    failed = graphtape("replay", "old.yaml", "--max-age", "90d=fail", *run, cwd=tmp_path)
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1
    assert "which is more than max-age 90d; record it anew" in failed.stderr
    played = graphtape("replay", "new.yaml", "--max-age", "90d=fail", *run, cwd=tmp_path)
    assert played.returncode == 0
    usage = graphtape("replay", "new.yaml", "--max-age", "soon", *run, cwd=tmp_path)
    assert usage.returncode == 2
    assert "max-age: 'soon' is no age; write 36h, 90d or 12w" in usage.stderr


def test_what_did_not_change_stays_byte_for_byte_but_for_its_date(tmp_path: Path) -> None:
    old = recorded(tmp_path, "old.yaml", "/v1.0/users", SETTINGS)
    fresh = recorded(tmp_path, "fresh.yaml", "/v1.0/users", at=None)
    before, untouched = old.read_text(), fresh.read_bytes()
    command = ask("/v1.0/users", SETTINGS)
    done = graphtape("refresh", ".", "--older", "60d", "--", *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert fresh.read_bytes() == untouched
    assert date(old) > "2026"
    assert old.read_text() == re.sub(LONG_AGO, date(old), before)
    assert not open_cassette(old).edited
    lines = done.stdout.splitlines()
    assert lines[:5] == [
        "## Recordings made anew",
        "",
        "1 of 2 cassettes was older than 60d.",
        "",
        "### old.yaml",
    ]
    assert re.fullmatch(
        r"Recorded 2020-01-02, [0-9]+ days ago\. 2 interactions: 2 as before, 0 new; 0 of the old "
        r"ones went\.",
        lines[6],
    )
    assert lines[8:] == ["No operation answers otherwise in shape."]
    again = graphtape("refresh", ".", "--older", "60d", "--", "false", cwd=tmp_path)
    assert (again.returncode, again.stdout.splitlines()[-1]) == (
        0,
        "0 of 2 cassettes were older than 60d.",
    )


def test_what_changed_is_the_text_of_a_pull_request(tmp_path: Path) -> None:
    old = recorded(tmp_path, "old.yaml", "/v1.0/users")
    command = ("refresh", "old.yaml", "--older", "1w", "--summary", "pr.md", "--")
    done = graphtape(*command, *ask("/v1.0/users", SETTINGS), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "pr.md").read_text()
    assert "2 interactions: 1 as before, 1 new; 0 of the old ones went." in text
    assert text.endswith(f"\n- GET {SETTINGS}: operation appeared\n")
    assert len(open_cassette(old).interactions) == 2


def test_the_command_is_told_which_cassette_and_a_failed_run_changes_nothing(
    tmp_path: Path,
) -> None:
    for name in ("a.yaml", "b.yaml"):
        recorded(tmp_path, name, "/v1.0/users")
    before = (tmp_path / "a.yaml").read_bytes()
    script = f"case $1 in *a.yaml) exit 7;; esac; exec {shlex.join(ask('/v1.0/users'))}"
    done = graphtape(
        "refresh", ".", "--older", "60d", "--", "sh", "-c", script, "sh", "{}", cwd=tmp_path
    )
    assert done.returncode == 7
    assert (tmp_path / "a.yaml").read_bytes() == before
    assert date(tmp_path / "b.yaml") > "2026"
    assert "days ago. The run failed, and it is as it was." in done.stdout
    assert "1 interaction: 1 as before" in done.stdout


def test_what_says_no_date_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    save_cassette(path, (), metadata=None)
    done = graphtape("refresh", ".", "--older", "1d", "--", "false", cwd=tmp_path)
    assert done.returncode == 0
    assert "mine.yaml doesn't say when it was recorded, and is left as it is" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("old.yaml", "--older", "60d"), "say how they are recorded, after --"),
        (("old.yaml", "--", "true"), "Missing option '--older'"),
        (("old.yaml", "--older", "2 months", "--", "true"), "--older: '2 months' is no age"),
        (("no.yaml", "--older", "2d", "--", "true"), "no.yaml: no such cassette"),
        (("custom.yaml", "--older", "2d", "--", "true"), "custom.yaml doesn't say where it was"),
    ],
)
def test_what_can_not_be_refreshed_is_said(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    for name, upstream in (("old.yaml", "sandbox"), ("custom.yaml", "custom")):
        (tmp_path / name).write_text(
            f"interactions: []\nmetadata:\n  graphtape: {{format: 1, graphtape: 0.1.0, upstream: "
            f"{upstream}, recorded_at: '{LONG_AGO}', interactions: 0}}\nversion: 1\n"
        )
    done = graphtape("refresh", *arguments, cwd=tmp_path)
    assert done.returncode in {1, 2}
    assert said in done.stderr
    assert "Traceback" not in done.stderr
