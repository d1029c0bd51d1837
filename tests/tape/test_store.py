from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from graphtape.core.errors import CassetteError
from graphtape.core.message import Interaction, Request, Response
from graphtape.tape.store import open_cassette, save_cassette

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX file modes and links")


def tape(count: int = 1, body: bytes = b"ok") -> list[Interaction]:
    one = Interaction(
        request=Request(method="GET", url="https://graph.microsoft.com/v1.0/me"),
        response=Response(status=200, body=body),
    )
    return [one] * count


@pytest.mark.parametrize("name", ["a.yaml", "a.yml", "a", "a.tape"])
def test_what_was_saved_is_opened(name: str, tmp_path: Path) -> None:
    save_cassette(tmp_path / name, tape(2), metadata=None)
    assert open_cassette(tmp_path / name).interactions == tuple(tape(2))


def test_folders_are_made(tmp_path: Path) -> None:
    save_cassette(tmp_path / "deep" / "er" / "a.yaml", tape(), metadata=None)
    assert [path.name for path in (tmp_path / "deep" / "er").iterdir()] == ["a.yaml"]


def test_json_is_opened_by_its_suffix(tmp_path: Path) -> None:
    path = tmp_path / "a.JSON"
    path.write_text('{"interactions": [], "version": 1}')
    assert open_cassette(path).interactions == ()


def test_json_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match=r"a\.json: JSON cassettes are read, not written; name"):
        save_cassette(tmp_path / "a.json", tape(), metadata=None)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_cassette_is_refused_with_the_command_that_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with pytest.raises(CassetteError) as caught:
        open_cassette(path)
    expected = f"{path}: no such cassette; record it first with `graphtape record {path}`"
    assert str(caught.value) == expected


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="is a folder; name a cassette file in it"):
        open_cassette(tmp_path)


@posix
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.symlink_to(path)  # root reads whatever its mode says, but no loop
    with pytest.raises(CassetteError, match=r"a\.yaml: can't be read \(.+\); check the path"):
        open_cassette(path)


def test_a_broken_cassette_is_named_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("hello")
    with pytest.raises(CassetteError) as caught:
        open_cassette(path)
    assert str(caught.value).startswith(f"{path}: not a cassette")


def test_a_folder_in_the_files_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="is a folder; name a cassette file in it"):
        save_cassette(tmp_path, tape(), metadata=None)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CassetteError, match="can't be written"):
        save_cassette(tmp_path / "file" / "a.yaml", tape(), metadata=None)


@posix
@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_an_existing_files_mode_is_kept(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.touch()
    path.chmod(mode)
    save_cassette(path, tape(), metadata=None)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@posix
def test_a_new_file_has_the_mode_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    save_cassette(tmp_path / "a.yaml", tape(), metadata=None)
    assert (tmp_path / "a.yaml").stat().st_mode == (tmp_path / "other").stat().st_mode


@posix
def test_a_link_keeps_pointing_at_the_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "a.yaml"
    link.symlink_to(tmp_path / "real" / "b.yaml")
    save_cassette(link, tape(), metadata=None)
    assert link.is_symlink()
    assert open_cassette(tmp_path / "real" / "b.yaml").interactions == tuple(tape())


SAVER = """
import sys
from pathlib import Path
from graphtape.core.message import Interaction, Request, Response
from graphtape.tape.store import save_cassette

request = Request(method="GET", url="https://graph.microsoft.com/v1.0/me")
tapes = [
    [Interaction(request=request, response=Response(status=200, body=letter * 2_000_000))]
    for letter in (b"a", b"b")
]
print("ready", flush=True)
while True:
    for tape in tapes:
        save_cassette(Path(sys.argv[1]), tape, metadata=None)
"""


def test_a_save_that_is_killed_leaves_a_whole_cassette(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    save_cassette(path, tape(body=b"a" * 2_000_000), metadata=None)
    for attempt in range(4):
        saver = subprocess.Popen(
            [sys.executable, "-c", SAVER, str(path)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        with saver:
            assert saver.stdout is not None
            saver.stdout.readline()
            time.sleep(0.02 + 0.013 * attempt)  # noqa: TID251  # no loop here to block
            saver.kill()
        (one,) = open_cassette(path).interactions
        assert set(one.response.body) in ({ord("a")}, {ord("b")})
        assert len(one.response.body) == 2_000_000


FULL_DISK = """
import resource
import sys
from pathlib import Path
from graphtape.core.errors import CassetteError
from graphtape.core.message import Interaction, Request, Response
from graphtape.tape.store import save_cassette

resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
request = Request(method="GET", url="https://graph.microsoft.com/v1.0/me")
tape = [Interaction(request=request, response=Response(status=200, body=b"b" * 100_000))]
try:
    save_cassette(Path(sys.argv[1]), tape, metadata=None)
except CassetteError as exc:
    print(exc)
"""


@posix
def test_a_save_that_runs_out_of_space_leaves_the_old_cassette_and_no_draft(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.yaml"
    save_cassette(path, tape(), metadata=None)
    saved = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)],
        capture_output=True,
        check=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert saved.stdout.startswith(f"{path}: can't be written (File too large); check folder")
    assert open_cassette(path).interactions == tuple(tape())
    assert [each.name for each in tmp_path.iterdir()] == ["a.yaml"]
