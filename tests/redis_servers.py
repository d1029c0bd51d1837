"""A real redis-server for a test, on a unix socket in its folder."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REDIS = shutil.which("redis-server")
needs_redis = pytest.mark.skipif(
    REDIS is None, reason="needs redis-server: apt-get install redis-server"
)
needs_state = pytest.mark.skipif(
    find_spec("hiredis") is None or find_spec("redis") is None,
    reason="needs hiredis and redis: pip install 'graphtape[state]'",
)


@dataclass(slots=True)
class Redis:
    """A redis-server that runs."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def path(self) -> Path:
        return self.folder / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def ask(self, *command: str) -> bytes:
        """Send a command; return the bytes of its answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self.path))
            words = [word.encode() for word in command]
            framed = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
            connection.sendall(b"*%d\r\n%b" % (len(words), framed))
            connection.shutdown(socket.SHUT_WR)
            data = b""
            while piece := connection.recv(65536):
                data += piece
        return data

    def restart(self) -> None:
        """Come back empty."""
        self.process.kill()
        self.process.wait(10)
        self.process = _started(self.folder)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@contextmanager
def redis_in(folder: Path) -> Iterator[Redis]:
    """Run a redis-server while the block runs."""
    folder.mkdir(exist_ok=True)
    server = Redis(folder, _started(folder))
    try:
        yield server
    finally:
        server.kill()


def _started(folder: Path) -> subprocess.Popen[bytes]:
    path = folder / "redis.sock"
    path.unlink(missing_ok=True)
    process = subprocess.Popen(
        [
            str(REDIS),
            *("--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    while not path.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)  # noqa: TID251 - waits for another process
    return process
