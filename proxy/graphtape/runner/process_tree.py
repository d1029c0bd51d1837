"""A process and all it has started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROC = Path("/proc")


def kill_tree(pid: int) -> None:
    """Kill a process and its descendants. Asks the system for all processes: not for the loop."""
    if sys.platform == "win32":
        # Also where a .cmd shim is the process, and the program a child of it.
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(pid)], capture_output=True, check=False)  # noqa: S603, S607 - Windows' own, and a number
        return
    # Before anything is killed: an orphan's parent is forgotten.
    for each in (pid, *descendants(pid)):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(each, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Return the processes a process has started, and those they have, parents first."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found = [pid]
    for each in found:
        found += children.get(each, ())
    return found[1:]


def _parents() -> Iterator[tuple[int, int]]:
    """Yield each process with its parent."""
    if not (_PROC / "self" / "stat").exists():
        yield from _listed()
        return
    for stat in _PROC.glob("[0-9]*/stat"):
        # A process may end at any moment; its name, in parentheses, may hold anything.
        with suppress(OSError):
            text = stat.read_bytes()
            yield int(stat.parent.name), int(text.rpartition(b")")[2].split()[1])


def _listed() -> Iterator[tuple[int, int]]:
    """Yield them where there is no /proc, as on macOS."""
    try:
        done = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid="],  # noqa: S607 - POSIX's
            capture_output=True,
            check=False,
            timeout=5,
        )
    except (OSError, subprocess.TimeoutExpired):
        return
    for line in done.stdout.splitlines():
        child, parent = line.split()
        yield int(child), int(parent)
