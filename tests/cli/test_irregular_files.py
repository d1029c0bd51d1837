"""What is no regular file is said in a line, exit code 2, by whatever command it is named to."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from commands import graphtape

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes and links")
TAPE = Path(__file__).parents[2] / "cassettes" / "disconnect-documentation.yaml"


def _socket(path: Path) -> None:
    # By its name in the folder: a whole path may be too long for a socket.
    folder = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
    finally:
        os.chdir(folder)


def _loop(path: Path) -> None:
    path.symlink_to(path.with_suffix(".other"))
    path.with_suffix(".other").symlink_to(path)


KINDS: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo if hasattr(os, "mkfifo") else Path.mkdir,
    "socket": _socket,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "empty device": lambda path: path.symlink_to("/dev/null"),
    "loop of links": _loop,
    "folder": Path.mkdir,
}
PLAYED: dict[str, tuple[str, ...]] = {
    "replay": ("replay", "{}", "--", "true"),
    "record": ("record", "{}", "--upstream", "sandbox", "--", "true"),
    "record all": ("record", "{}", "--upstream", "sandbox", "--mode", "all", "--", "true"),
    "show": ("show", "{}"),
    "diff old": ("diff", "{}", str(TAPE)),
    "diff new": ("diff", str(TAPE), "{}"),
    "convert from": ("convert", "{}", "new.yaml"),
    "convert to": ("convert", "t.har", "{}", "--force"),
    "trim": ("trim", "{}"),
}
LOOKED: dict[str, tuple[str, ...]] = {"scan": ("scan", "{}"), "redact": ("redact", "{}")}
REPLAY = ("replay", str(TAPE), "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0")
SCAN = ("scan", str(TAPE))
NAMED: dict[str, tuple[str, ...]] = {
    "--config": (*REPLAY, "--config", "{}", "--", "true"),
    "--scenario": (*REPLAY, "--scenario", "./{}", "--", "true"),
    "--tls-cert": (*REPLAY, "--tls-cert", "{}", "--", "true"),
    "--report": (*REPLAY, "--report", "{}.json", "--", "true"),
    "--ready-file": (*REPLAY, "--ready-file", "{}", "--", "true"),
    "--upstream-ca": ("record", "n.yaml", "--upstream-ca", "{}", "--", "true"),
    "--baseline": (*SCAN, "--baseline", "{}"),
    "--write-baseline": (*SCAN, "--write-baseline", "{}"),
    "trim --report": ("trim", str(TAPE), "--dry-run", "--report", "{}"),
    "scenarios": ("scenarios", "./{}"),
    "ca --pkcs12": ("ca", "--pkcs12", "{}"),
}


def refused(command: tuple[str, ...], name: str, cwd: Path) -> str:
    """Run a command on a name; return its last line on stderr."""
    before = (cwd / name).lstat().st_mode if os.path.lexists(cwd / name) else None
    ran = graphtape(*(word.replace("{}", name) for word in command), cwd=cwd)
    assert ran.returncode == 2, ran
    assert "Traceback" not in ran.stderr
    if before is not None:
        assert (cwd / name).lstat().st_mode == before
    return ran.stderr.strip().splitlines()[-1]


def named(command: tuple[str, ...], kind: str, folder: Path) -> str:
    name = "t.yaml" if not any("{}.json" in word for word in command) else "t.yaml.json"
    KINDS[kind](folder / name)
    (folder / "t.har").write_text('{"log": {"entries": []}}')
    return refused(command, "t.yaml", folder)


@pytest.mark.parametrize("kind", ["pipe", "loop of links", "folder"])
@pytest.mark.parametrize("command", PLAYED.values(), ids=PLAYED)
def test_a_cassette_is_a_regular_file(tmp_path: Path, command: tuple[str, ...], kind: str) -> None:
    assert "t.yaml" in named(command, kind, tmp_path)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "folder"])
@pytest.mark.parametrize("command", LOOKED.values(), ids=LOOKED)
def test_nothing_waits_for_what_is_no_file(
    tmp_path: Path, command: tuple[str, ...], kind: str
) -> None:
    named(command, kind, tmp_path)


@pytest.mark.parametrize("kind", ["pipe", "endless device"])
@pytest.mark.parametrize("command", NAMED.values(), ids=NAMED)
def test_a_file_named_to_an_option_is_a_regular_one(
    tmp_path: Path, command: tuple[str, ...], kind: str
) -> None:
    assert "t.yaml" in named(command, kind, tmp_path)


@pytest.mark.parametrize("command", [*PLAYED.values(), *LOOKED.values()], ids=[*PLAYED, *LOOKED])
@pytest.mark.parametrize("name", ["n" * 300 + ".yaml", ""], ids=["too long", "empty"])
def test_a_name_that_no_file_can_have_is_refused(
    tmp_path: Path, command: tuple[str, ...], name: str
) -> None:
    (tmp_path / "t.har").write_text('{"log": {"entries": []}}')
    assert len(refused(command, name, tmp_path)) < 700


@pytest.mark.parametrize("command", [("show", "{}"), *LOOKED.values()])
def test_a_link_to_nothing_is_said_to_be_one(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "t.yaml").symlink_to("gone.yaml")
    ran = graphtape(*(word.replace("{}", "t.yaml") for word in command), cwd=tmp_path)
    assert ran.returncode == 2
    assert "t.yaml: can't be read (it is a link to what isn't there)" in ran.stderr


@pytest.mark.parametrize("command", [("show", "{}"), ("scan", "{}")])
def test_a_link_to_a_cassette_is_as_good(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "t.yaml").symlink_to(TAPE)
    ran = graphtape(*(word.replace("{}", "t.yaml") for word in command), cwd=tmp_path)
    assert ran.returncode == 0, ran


def test_the_other_files_are_looked_at_all_the_same(tmp_path: Path) -> None:
    KINDS["pipe"](tmp_path / "a.yaml")
    (tmp_path / "b.yaml").symlink_to(TAPE)
    ran = graphtape("scan", tmp_path / "a.yaml", tmp_path / "b.yaml", cwd=tmp_path)
    assert "1 cassette: 0 findings; 1 file could not be looked at" in ran.stderr


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.json", "c.yaml.part"):
        KINDS["pipe"](tmp_path / name)
    ran = graphtape("scan", tmp_path, cwd=tmp_path)
    assert ran.returncode == 2
    assert "a.yaml: can't be read (it is a named pipe, not a regular file)" in ran.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_the_place_of_an_append_file_is_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "tape.yaml.part")
    done = graphtape("record", "tape.yaml", "--upstream", "sandbox", cwd=tmp_path)
    assert done.returncode == 2
    assert "tape.yaml.part: can't be read (it is a named pipe" in done.stderr
    assert len(done.stderr.splitlines()) == 1
