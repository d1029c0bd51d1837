"""Record modes, on cassettes that are there or not, after runs that went well or not."""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
import requests

from commands import serving
from graphtape.tape.store import part_path
from proxies import AUTH, RawServer
from recorded_place import Counter, Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    counter = Counter()
    with RawServer(answer=counter) as upstream:
        yield Place(tmp_path, upstream, counter)


@pytest.mark.parametrize("mode", ["once", "new_episodes", "all"])
def test_without_a_cassette_every_mode_records(place: Place, mode: str) -> None:
    assert place.record(mode, "a", "a", "b").code == 0
    assert place.answers == [1, 2, 3]
    assert place.on_tape() == ["a1", "a2", "b3"]


@pytest.mark.parametrize(
    ("mode", "answers", "asked", "tape", "code"),
    [
        # Each recorded answer plays once, in vcrpy's own order; nothing else is asked for.
        (
            "once",
            [1, 2, "GraphtapeMiss", "GraphtapeMiss"],
            [],
            ["a1", "a2", "b3"],
            3,
        ),
        ("new_episodes", [1, 2, 4, 5], ["a", "c"], ["a1", "a2", "b3", "a4", "c5"], 0),
        ("all", [4, 5, 6, 7], ["a", "a", "a", "c"], ["a4", "a5", "a6", "c7"], 0),
    ],
    ids=["once", "new_episodes", "all"],
)
def test_with_a_cassette_each_mode_does_as_vcrpys(
    place: Place, mode: str, answers: list[object], asked: list[str], tape: list[str], code: int
) -> None:
    place.record("once", "a", "a", "b")
    before = place.tape.read_bytes()
    place.counter.asked[:] = place.counter.asked[:3]
    served = place.record(mode, "a", "a", "a", "c")
    assert place.answers == answers
    assert [path.rpartition("/")[2] for path in place.counter.asked[3:]] == asked
    assert place.on_tape() == tape
    assert served.code == code
    assert (place.tape.read_bytes() == before) == (mode == "once")
    assert not part_path(place.tape).exists()


@pytest.mark.parametrize("mode", ["once", "new_episodes"])
@pytest.mark.parametrize("after", ["once", "new_episodes", "all"])
def test_what_an_interrupted_run_recorded_is_in_the_cassette_before_the_next_one(
    place: Place, mode: str, after: str
) -> None:
    place.kill(mode, "a", "b")
    assert not place.tape.exists()
    served = place.record(after, *([] if after == "once" else ["c"]))
    assert served.code == 0
    assert "2 interactions of it are now in t.yaml" in served.stderr
    expected = {"once": ["a1", "b2"], "new_episodes": ["a1", "b2", "c3"], "all": ["c3"]}
    assert place.on_tape() == expected[after]
    assert not part_path(place.tape).exists()


def test_what_an_interrupted_run_added_follows_what_was_there(place: Place) -> None:
    place.record("once", "a")
    place.kill("new_episodes", "a", "b", "c")
    assert place.on_tape() == ["a1"]
    place.record("new_episodes", "d")
    assert place.on_tape() == ["a1", "b2", "c3", "d4"]


def test_an_interrupted_rerecording_leaves_the_cassette_and_is_set_aside(place: Place) -> None:
    place.record("once", "a")
    before = place.tape.read_bytes()
    place.kill("all", "a", "b")
    assert place.tape.read_bytes() == before
    served = place.record("once", "a")
    assert place.answers == [1]
    assert place.tape.read_bytes() == before
    assert "t.yaml.part-1" in served.stderr
    assert (place.folder / "t.yaml.part-1").exists()


def test_a_rerecording_that_lost_something_does_not_replace(place: Place) -> None:
    place.record("once", "a", "b")
    before = place.tape.read_bytes()
    served = place.record("all", "a", "b", options=("--max-body", "3"))
    assert served.code == 1
    assert place.tape.read_bytes() == before
    place.upstream.answer = lambda request: (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n"
        b'{"n": 10000}'
        if b"/b" in request
        else place.counter(request)
    )
    served = place.record("all", "a", "b", options=("--max-body", "10"))
    assert served.code == 1
    assert place.tape.read_bytes() == before
    assert "t.yaml is as it was, since this run didn't go well" in served.stderr
    assert f"what it recorded is in {part_path(place.tape)}" in served.stderr
    assert part_path(place.tape).exists()


def test_a_rerecording_that_recorded_nothing_does_not_replace(place: Place) -> None:
    place.record("once", "a")
    before = place.tape.read_bytes()
    assert "nothing was recorded" in place.record("all").stderr
    assert place.tape.read_bytes() == before
    assert not part_path(place.tape).exists()


USERS = ("GET", "v1.0/users")
SETTINGS = ("GET", "beta/deviceManagement/chromeOSOnboardingSettings")
DISCONNECT = ("POST", "beta/deviceManagement/chromeOSOnboardingSettings/disconnect")
NOBODY = ("GET", "v1.0/users/nobody")


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, check=True, text=True
    ).stdout


def record_sandbox(folder: Path, *calls: tuple[str, str]) -> None:
    with serving(
        "record", "t.yaml", "--upstream", "sandbox", "--mode", "all", cwd=folder
    ) as served:
        for method, path in calls:
            requests.request(method, f"{served.url}/{path}", headers=AUTH, timeout=10)
    assert served.code == 0, served.stderr


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


@needs_git
def test_recording_the_same_again_changes_no_byte(tmp_path: Path) -> None:
    calls = (USERS, SETTINGS, DISCONNECT, NOBODY, USERS)
    record_sandbox(tmp_path, *calls)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "t.yaml")
    for _ in range(2):
        record_sandbox(tmp_path, *calls)
        assert git(tmp_path, "diff") == ""


@needs_git
def test_the_diff_of_a_rerecording_is_what_changed(tmp_path: Path) -> None:
    """The entity is modified by the disconnect, at another time in each run."""
    calls = (USERS, SETTINGS, DISCONNECT, SETTINGS, USERS)
    record_sandbox(tmp_path, *calls)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "t.yaml")
    time.sleep(1.1)  # noqa: TID251 - into the next second, which Date counts in
    record_sandbox(tmp_path, *calls)
    lines = git(tmp_path, "diff", "--unified=0").splitlines()
    gone = [line for line in lines if line.startswith("-") and not line.startswith("---")]
    assert len([line for line in gone if "lastModifiedDateTime" in line]) == 1
    # Of the one that changed, and of the cassette.
    assert len([line for line in gone if " GMT" in line]) <= 1
    assert len(gone) <= 6
