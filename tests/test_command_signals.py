"""Signals to a run with `-- COMMAND`, and to the command."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from commands import GRAPHTAPE, environment
from graphtape.runner.command import Command, Exited
from tapes import exchanged, taped
from terminals import ON_TERMINAL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX's signals")

# sh runs a trap only between two commands: short ones.
LOOP = "echo $$; while :; do sleep 0.05; done"
STUBBORN = "trap '' TERM; sleep 60 & echo $!; while :; do sleep 0.05; done"
COUNTING = """
import os, signal, sys, time
got = []
signal.signal(signal.SIGINT, lambda *_: got.append(1))
print("ready", os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp(), flush=True)
end = time.monotonic() + 3
while time.monotonic() < end:
    time.sleep(0.05)
sys.exit(10 + len(got))
"""


@contextmanager
def running(folder: Path, script: str, *prefix: str) -> Iterator[subprocess.Popen[str]]:
    """Run a shell script for a replay, in a session without a terminal, up to its first line."""
    tape = taped(folder, exchanged("GET", "/v1.0/me"))
    process = subprocess.Popen(
        [*prefix, *GRAPHTAPE, "replay", str(tape), "--", "sh", "-c", script],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that nobody has waited for yet is dead all the same.
    done = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "QUIT"])
def test_a_signal_reaches_the_command_whose_code_is_kept(tmp_path: Path, name: str) -> None:
    with running(tmp_path, f"trap 'exit 7' {name}; {LOOP}") as process:
        first_line(process)
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert process.wait(15) == 7


def test_a_signal_that_ends_the_command_is_its_code(tmp_path: Path) -> None:
    with running(tmp_path, LOOP) as process:
        first_line(process)
        process.terminate()
        _, said = process.communicate(timeout=15)
    assert process.returncode == 128 + signal.SIGTERM
    assert "sh was ended by SIGTERM" in said


def test_a_signal_that_asks_for_no_end_is_passed_on_too(tmp_path: Path) -> None:
    with running(tmp_path, f"trap 'echo again' USR1; trap 'exit 5' USR2; {LOOP}") as process:
        first_line(process)
        for _ in range(3):
            process.send_signal(signal.SIGUSR1)
            assert first_line(process) == "again"
        process.send_signal(signal.SIGUSR2)
        assert process.wait(15) == 5


def test_a_signal_sent_twice_at_once_counts_as_one(tmp_path: Path) -> None:
    """`timeout` signals its child, and then the group the child is in."""
    with running(tmp_path, f"trap 'sleep 0.5; exit 7' TERM; {LOOP}") as process:
        first_line(process)
        process.terminate()
        time.sleep(0.2)  # noqa: TID251 - between two signals
        process.terminate()
        assert process.wait(15) == 7


def test_a_second_signal_kills_a_stubborn_command_and_what_it_started(tmp_path: Path) -> None:
    with running(tmp_path, STUBBORN) as process:
        grandchild = int(first_line(process))
        process.terminate()
        time.sleep(1.2)  # noqa: TID251 - two signals, not one sent twice
        assert process.poll() is None
        process.terminate()
        # Their end of the pipe closes only when the grandchild is gone as well.
        _, said = process.communicate(timeout=15)
        assert process.returncode == 128 + signal.SIGKILL
        assert not is_alive(grandchild)
    assert "sh was told twice to end; killing it and what it started" in said


async def test_a_stubborn_command_is_killed_when_its_grace_is_over() -> None:
    said: list[str] = []
    command = Command(words=("sh", "-c", STUBBORN), on_note=said.append, grace=0.3)
    asyncio.get_running_loop().call_later(0.5, command.signalled, signal.SIGTERM)
    ending = await asyncio.wait_for(command.run(os.environ), 15)
    assert ending == Exited(code=128 + signal.SIGKILL, by="SIGKILL")
    assert said == ["sh did not end within 0 s of being told to; killing it and what it started"]


async def test_a_signal_before_the_command_runs_reaches_it_when_it_does() -> None:
    command = Command(words=("sleep", "60"), on_note=print)
    command.signalled(signal.SIGTERM)
    ending = await asyncio.wait_for(command.run(os.environ), 15)
    assert ending == Exited(code=128 + signal.SIGTERM, by="SIGTERM")


def test_a_run_that_is_broken_off_leaves_no_command_behind() -> None:
    before = set(psutil.Process().children(recursive=True))

    async def run() -> None:
        command = Command(words=("sleep", "61"), on_note=print)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(command.run(os.environ), 0.5)

    asyncio.run(run())
    assert set(psutil.Process().children(recursive=True)) <= before


def test_what_is_ignored_stays_ignored_in_the_command(tmp_path: Path) -> None:
    """As under nohup; without it, the same command ends by SIGHUP."""
    script = f"kill -HUP $$; kill -HUP $PPID; (trap 'exit 6' TERM; {LOOP})"
    ignoring = ("sh", "-c", "trap '' HUP; exec \"$@\"", "sh")
    with running(tmp_path, script, *ignoring) as process:
        assert first_line(process)
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)  # noqa: TID251 - time to do wrong in
        assert process.poll() is None


def test_ctrl_c_at_a_terminal_is_the_commands_own_and_reaches_it_once(tmp_path: Path) -> None:
    tape = taped(tmp_path, exchanged("GET", "/v1.0/me"))
    ours, theirs = os.openpty()
    try:
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", ON_TERMINAL, *GRAPHTAPE),
                *("replay", str(tape), "--", sys.executable, "-c", COUNTING),
            ],
            cwd=tmp_path,
            env=environment(),
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert first_line(process) == "ready True"
        os.write(ours, b"\x03")
        time.sleep(1.2)  # noqa: TID251 - two key strokes, not one that bounced
        os.write(ours, b"\x03")
        _, said = process.communicate(timeout=20)
    finally:
        os.close(ours)
        os.close(theirs)
    assert process.returncode == 12, said
