"""One process of the command: its streams in files, its end or its time limit."""

from __future__ import annotations

import asyncio
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core.errors import GraphtapeError
from graphtape.runner.command import exited, kill_tree, not_started, start

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor
    from pathlib import Path

LONGEST_READ = 4 * 1024 * 1024
"""Bytes of a stream that are judged; the file holds all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended.

    Attributes:
        code: As a shell has it.
        signal: That ended it; '' where none did.
        late: Whether it was killed at the time limit.
        seconds: It took.
    """

    code: int
    signal: str
    late: bool
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """The files that a process writes its streams to."""

    stdout: Path
    stderr: Path

    def read(self) -> tuple[str, str]:
        """Return both as text; what isn't UTF-8 is replaced."""
        return _text(self.stdout), _text(self.stderr)


async def run(
    words: tuple[str, ...],
    environment: Mapping[str, str],
    streams: Streams,
    *,
    limit: float | None,
    threads: Executor,
) -> Ended:
    """Run a command to its end, in a session of its own: Ctrl-C is for the exploration.

    Args:
        words: The program and its arguments.
        environment: Whole.
        streams: Written; stdin is empty.
        limit: Seconds; None for any time.
        threads: One waits for the process.

    Raises:
        GraphtapeError: The command can't be started.
    """
    loop = asyncio.get_running_loop()
    begun = time.monotonic()
    try:
        process = await loop.run_in_executor(threads, _start, words, environment, streams)
    except OSError as exc:
        raise GraphtapeError(not_started(words[0], exc).reason) from exc
    ending = loop.run_in_executor(threads, process.wait)
    late = False
    try:
        done, _ = await asyncio.wait({ending}, timeout=limit)
        late = not done
    finally:
        if not ending.done():
            # At once, in this thread: a run that is cancelled must leave nothing behind.
            kill_tree(process.pid)
    code = await ending
    found = exited(code)
    return Ended(code=found.code, signal=found.by, late=late, seconds=time.monotonic() - begun)


def _start(
    words: tuple[str, ...], environment: Mapping[str, str], streams: Streams
) -> subprocess.Popen[bytes]:
    # Its stdin is no terminal: many run at once.
    with streams.stdout.open("wb") as stdout, streams.stderr.open("wb") as stderr:
        return start(
            words, environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, apart=True
        )


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(LONGEST_READ).decode("utf-8", "replace")
