"""A contestant's process: started on its core, waited for, asked what it used, ended."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.tape import CACHE, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_TICK = os.sysconf("SC_CLK_TCK")
_PATIENCE = 900
"""Seconds a contestant has to come up: 100,000 interactions of YAML take minutes."""


class NotThere(Exception):  # noqa: N818 - no error: the contestant is left out, and why is printed
    """Says why a contestant can't take part."""


class Failed(Exception):  # noqa: N818 - reads as what happened
    """Says what a contestant did wrong: it didn't start, or its answers aren't right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A process that answers.

    Attributes:
        url: Its root.
        control: Of its control API, where it has one.
        pid: Of the process that does the work.
        folder: Its own, gone with it.
    """

    url: str
    control: str | None = None
    pid: int
    folder: Path

    def cpu_seconds(self) -> float:
        """Return what it used so far, in user and system mode."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / _TICK

    def resident(self) -> int:
        """Return the bytes of memory it holds."""
        return self._status("VmRSS")

    def peak(self) -> int:
        """Return the most bytes of memory it ever held."""
        return self._status("VmHWM")

    def _status(self, name: str) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise Failed(f"/proc/{self.pid}/status has no {name}")


def pinned(command: Sequence[str], *, server: bool) -> list[str]:
    """Return a command that runs on the servers' core, or on that of their clients.

    Where there is only one core, or no taskset, it runs anywhere.
    """
    if not can_pin():
        return [*command]
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[0] if server else cores[1]), *command]


def can_pin() -> bool:
    """Tell whether servers and clients have a core each."""
    return shutil.which("taskset") is not None and len(os.sched_getaffinity(0)) > 1


def free_port() -> int:
    """Return a port nobody listens on, for what can't take one by itself."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without what would reach into a run."""
    kept = {k: v for k, v in os.environ.items() if not k.upper().startswith("GRAPHTAPE_")}
    ours = {
        "NO_PROXY": "127.0.0.1,localhost",
        "PYTHONUNBUFFERED": "1",
        # What is kept of large tapes is kept here, not among the user's own.
        "XDG_CACHE_HOME": str(CACHE / "xdg"),
    }
    return {**kept, **ours, **extra}


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder that is gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="graphtape-bench-") as name:
        yield Path(name)


@contextmanager
def started(
    command: Sequence[str],
    *,
    place: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    server: bool = True,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command while the block runs; what it says is in `output.txt` of its place.

    It is killed: what it would save at its end isn't measured.
    """
    with (place / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            pinned(command, server=server),
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=cwd or place,
            env=environment(**(env or {})),
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def said(place: Path) -> str:
    """Return the end of what a process said."""
    return (place / "output.txt").read_text(encoding="utf-8", errors="replace")[-2000:].strip()


@contextmanager
def by_ready_file(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, server: bool = True
) -> Iterator[Served]:
    """Run a command that takes `--ready-file` while the block runs."""
    with folder() as place:
        ready = place / "ready.json"
        line = [*command, "--ready-file", str(ready)]
        # From the root, where the benchmarks can be imported and cassettes be named.
        with started(line, place=place, cwd=ROOT, env=env, server=server) as process:
            _wait(process, place, ready.exists)
            facts = json.loads(ready.read_text(encoding="utf-8"))
            yield Served(
                url=facts["proxy"], control=facts.get("control"), pid=process.pid, folder=place
            )


@contextmanager
def by_port(
    command: Sequence[str], *, port: int, place: Path, server: bool = True
) -> Iterator[Served]:
    """Run a command that listens on a port while the block runs."""
    with started(command, place=place, server=server) as process:
        _wait(process, place, lambda: answers(port))
        yield Served(url=f"http://127.0.0.1:{port}", pid=process.pid, folder=place)


def answers(port: int, path: str = "/") -> bool:
    """Tell whether anything answers HTTP on a port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _wait(process: subprocess.Popen[bytes], place: Path, up: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not up():
        if process.poll() is not None:
            raise Failed(f"{process.args!r} ended with {process.returncode}: {said(place)}")
        if time.monotonic() > deadline:
            raise Failed(f"{process.args!r} isn't up after {_PATIENCE} s: {said(place)}")
        time.sleep(0.02)  # noqa: TID251 - waits for another process


def python(module: str, *arguments: str) -> list[str]:
    """Return the command of a module of this Python."""
    return [sys.executable, "-m", module, *arguments]
