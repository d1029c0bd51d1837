"""A serving command whose stderr can be read while it runs, however much it says."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from commands import GRAPHTAPE, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(slots=True, kw_only=True)
class Logged:
    """A command that serves.

    Attributes:
        url: Of its data port.
        code: Once it has stopped.
    """

    process: subprocess.Popen[bytes]
    url: str
    file: Path
    code: int | None = None

    @property
    def stderr(self) -> str:
        return self.file.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, text: str) -> None:
        """Wait until it has said something."""
        deadline = time.monotonic() + 10
        while text not in self.stderr:
            assert time.monotonic() < deadline, self.stderr
            time.sleep(0.02)  # noqa: TID251 - waits for another process


@contextmanager
def logged(*arguments: str | Path, cwd: Path) -> Iterator[Logged]:
    """Run a command that serves while the block runs; stop it with SIGINT."""
    ready = cwd / "logged-ready.json"
    ready.unlink(missing_ok=True)
    file = cwd / "stderr.txt"
    ports = ("--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--ready-file", str(ready))
    with file.open("wb") as stderr:
        process = subprocess.Popen(
            [*GRAPHTAPE, *map(str, arguments), *ports], cwd=cwd, env=environment(), stderr=stderr
        )
    try:
        deadline = time.monotonic() + 30
        while not ready.exists():
            assert process.poll() is None, file.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)  # noqa: TID251 - waits for another process
        served = Logged(process=process, url=str(json.loads(ready.read_text())["proxy"]), file=file)
        yield served
        process.send_signal(signal.SIGINT)
        served.code = process.wait(30)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
