from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from graphtape.core.errors import CassetteError
from graphtape.tape.lock import held_here, lock_path, locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX links")

HOLDER = """
import sys
from pathlib import Path
from graphtape.tape.lock import locked

with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def held_elsewhere(cassette: Path) -> Iterator[subprocess.Popen[str]]:
    """Lock a cassette in another process while the block runs."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(cassette)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_told_who_records(tmp_path: Path) -> None:
    cassette = tmp_path / "tape.yaml"
    with held_elsewhere(cassette) as other:
        for _ in range(2):  # the first attempt must not spoil the second's message
            with pytest.raises(CassetteError) as caught, locked(cassette):
                pass
            assert str(caught.value) == (
                f"{cassette}: another graphtape (process {other.pid}) is recording into it; "
                "stop that one, or record into another file"
            )


def test_a_second_recording_in_one_process_is_refused(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "tape.yaml"),
        pytest.raises(
            CassetteError, match="another session of this proxy is recording into it; DELETE"
        ),
        locked(tmp_path / "tape.yaml"),
    ):
        pass


def test_a_process_knows_what_it_records_into(tmp_path: Path) -> None:
    cassette = tmp_path / "tape.yaml"
    with locked(cassette):
        assert held_here(cassette)
    assert not held_here(cassette)
    with held_elsewhere(cassette):
        assert not held_here(cassette)


def test_a_lock_is_free_again_after_its_holder_was_killed(tmp_path: Path) -> None:
    cassette = tmp_path / "tape.yaml"
    with held_elsewhere(cassette) as other:
        other.kill()
        other.wait()
        with locked(cassette):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_leaves_nothing_behind(tmp_path: Path) -> None:
    with locked(tmp_path / "tape.yaml"):
        assert [path.name for path in tmp_path.iterdir()] == [".tape.yaml.lock"]
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_freed_when_recording_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "tape.yaml"):
        raise ZeroDivisionError
    with locked(tmp_path / "tape.yaml"):
        pass


def test_a_lock_can_be_freed_in_another_thread(tmp_path: Path) -> None:
    holding = locked(tmp_path / "tape.yaml")
    holding.__enter__()
    thread = threading.Thread(target=holding.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    with locked(tmp_path / "tape.yaml"):
        pass


def test_two_cassettes_in_one_folder_are_locked_apart(tmp_path: Path) -> None:
    with locked(tmp_path / "one.yaml"), locked(tmp_path / "two.yaml"):
        pass


@posix
def test_links_to_one_cassette_share_its_lock(tmp_path: Path) -> None:
    (tmp_path / "link.yaml").symlink_to(tmp_path / "tape.yaml")
    with (
        locked(tmp_path / "tape.yaml"),
        pytest.raises(CassetteError, match="another session"),
        locked(tmp_path / "link.yaml"),
    ):
        pass


def test_the_folder_is_made(tmp_path: Path) -> None:
    with locked(tmp_path / "deep" / "tape.yaml"):
        assert lock_path(tmp_path / "deep" / "tape.yaml").exists()


def test_a_folder_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), locked(tmp_path / "file" / "tape.yaml"):
        pass


def test_a_lock_raises_no_warning(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with locked(tmp_path / "tape.yaml"):
            pass


def test_only_one_of_many_that_come_and_go_holds_it(tmp_path: Path) -> None:
    inside: list[int] = []
    most = 0
    entered = 0
    guard = threading.Lock()

    def come_and_go() -> None:
        nonlocal most, entered
        for _ in range(15):
            try:
                with locked(tmp_path / "tape.yaml"):
                    with guard:
                        inside.append(1)
                        most = max(most, len(inside))
                        entered += 1
                    with guard:
                        inside.pop()
            except CassetteError:
                pass

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert entered > 4
