"""Starts proxies and upstreams for tests, on 127.0.0.1 and free ports."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from graphtape import runner
from graphtape.core.tape.outcome import Mode
from graphtape.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from graphtape.core.journal import Entry

SHARED = Path(__file__).parents[2] / "shared" / "cassettes"
TOKEN = "not-a-real-token"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
needs_recordings = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"needs the real recordings at {SHARED}"
)


@dataclass(slots=True)
class Running:
    """A proxy that listens, and the entries of its journal so far."""

    proxy: runner.Proxy
    url: str
    control: str
    entries: list[Entry]


@contextmanager
def proxied(cassette: Path | list[Path], *, mode: Mode, **settings: object) -> Iterator[Running]:
    """Run a proxy in a thread while the block runs."""
    entries: list[Entry] = []
    free = {"listen": "127.0.0.1:0", "control": "127.0.0.1:0", **settings}
    proxy = runner.Proxy(
        settings=Settings(**free),  # type: ignore[arg-type]
        cassettes=(cassette,) if isinstance(cassette, Path) else tuple(cassette),
        mode=mode,
        on_entry=lambda _, entry: entries.append(entry),
    )
    with runner.InThread(proxy) as thread:
        addresses = thread.addresses
        assert addresses.control is not None
        yield Running(proxy, addresses.proxy, addresses.control, entries)


@contextmanager
def recording(cassette: Path, **settings: object) -> Iterator[Running]:
    """Run a proxy that records into a new cassette."""
    with proxied(cassette, mode=Mode.ONCE, **settings) as running:
        yield running


@contextmanager
def replaying(cassette: Path | list[Path], **settings: object) -> Iterator[Running]:
    """Run a proxy that replays, offline."""
    with proxied(cassette, mode=Mode.NONE, **settings) as running:
        yield running


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@dataclass(slots=True)
class RawServer:
    """An upstream that keeps the very bytes it got, and answers what it is told.

    Attributes:
        answer: From the request's bytes to the bytes sent back.
        requests: The bytes of each request, head and body.
        connections: How many were accepted.
    """

    answer: Callable[[bytes], bytes] = lambda _: OK
    close_after: bool = False
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    _socket: socket.socket = field(init=False)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._start(self._accept)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._start(partial(self._serve, connection))

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(30)
        with connection:
            while True:
                try:
                    request = read_request(connection)
                except OSError:
                    return
                if not request:
                    return
                self.requests.append(request)
                connection.sendall(self.answer(request))
                if self.close_after:
                    return


def read_request(connection: socket.socket) -> bytes:
    """Read one HTTP/1.1 request as its bytes stand on the wire."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more

    def rest() -> bytes:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError("the peer closed in the middle of a body")
        return more

    head, _, body = data.partition(b"\r\n\r\n")
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        while not body.endswith(b"0\r\n\r\n"):
            body += rest()
    elif b"content-length:" in lower:
        length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += rest()
    return head + b"\r\n\r\n" + body


def exchange(url: str, request: bytes, *, timeout: float = 10) -> bytes:
    """Send raw bytes and read until the server closes."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=timeout) as connection:
        connection.sendall(request)
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
    return data
