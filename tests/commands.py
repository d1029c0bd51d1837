"""Runs the command line as a user does: in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GRAPHTAPE = (sys.executable, "-m", "graphtape")


def environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without what would reach into a run."""
    kept = {k: v for k, v in os.environ.items() if not k.upper().startswith("GRAPHTAPE_")}
    kept |= {name: os.environ[name] for name in ("GRAPHTAPE_CACHE_DIR", "GRAPHTAPE_DATA_DIR")}
    return {**kept, "NO_PROXY": "127.0.0.1,localhost", **extra}


def graphtape(
    *arguments: str | Path, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*GRAPHTAPE, *map(str, arguments)],
        cwd=cwd,
        env=environment(**(env or {})),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def program(code: str, *, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of Python to its end."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@dataclass(slots=True)
class Serving:
    """A command that serves.

    Attributes:
        ready: What its ready file says.
        stderr, code: Of the stopped command.
    """

    process: subprocess.Popen[str]
    ready: dict[str, object]
    stdout: str = ""
    stderr: str = ""
    code: int | None = None

    @property
    def url(self) -> str:
        return str(self.ready["proxy"])

    def stop(self, number: int = signal.SIGINT) -> None:
        if self.code is None:
            self.process.send_signal(number)
            self.stdout, self.stderr = self.process.communicate(timeout=30)
            self.code = self.process.returncode


@contextmanager
def serving(
    *arguments: str | Path, cwd: Path, env: dict[str, str] | None = None
) -> Iterator[Serving]:
    """Run a command that serves while the block runs; stop it with SIGINT."""
    ready_file = cwd / "ready.json"
    ready_file.unlink(missing_ok=True)
    ports = () if arguments[0] == "sandbox" else ("--control", "127.0.0.1:0")
    process = subprocess.Popen(
        [
            *GRAPHTAPE,
            *map(str, arguments),
            *("--listen", "127.0.0.1:0", "--ready-file", str(ready_file)),
            *ports,
        ],
        cwd=cwd,
        env=environment(**(env or {})),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 30
        while not ready_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise AssertionError(process.communicate()[1])
            time.sleep(0.02)  # noqa: TID251 - waits for another process
        served = Serving(process, json.loads(ready_file.read_text()))
        yield served
        served.stop()
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
