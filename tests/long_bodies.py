"""Upstreams that answer long bodies, at once, in two halves or row by row."""

from __future__ import annotations

import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import requests

from commands import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedIOBase
    from pathlib import Path


def answered(body: bytes, *fields: bytes) -> bytes:
    head = (b"HTTP/1.1 200 OK", *fields, b"Content-Length: %d" % len(body))
    return b"\r\n".join(head) + b"\r\n\r\n" + body


@contextmanager
def _served(write: Callable[[bytes, BufferedIOBase], None]) -> Iterator[str]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            target = self.rfile.readline()
            while self.rfile.readline() not in {b"\r\n", b""}:
                pass
            write(target, self.wfile)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _head(field: bytes, size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\n%b\r\nContent-Length: %d\r\n\r\n" % (field, size)


@contextmanager
def waiting(first: bytes, rest: bytes, field: bytes) -> Iterator[tuple[str, threading.Event]]:
    """Serve a body whose rest waits for an event."""
    go = threading.Event()

    def write(_: bytes, out: BufferedIOBase) -> None:
        out.write(_head(field, len(first) + len(rest)) + first)
        assert go.wait(20)
        out.write(rest)

    with _served(write) as url:
        yield url, go


@contextmanager
def endless(
    start: bytes,
    row: bytes,
    end: bytes,
    *,
    mib: int,
    field: bytes,
    sent: list[int] | None = None,
) -> Iterator[str]:
    """Serve a body of that size below `/long`, which nobody holds, and a short one elsewhere.

    The bytes of each row that could be sent are added to `sent`.
    """

    def write(target: bytes, out: BufferedIOBase) -> None:
        count = mib * 1024 * 1024 // len(row) if b"/long" in target else 1
        out.write(_head(field, len(start) + count * len(row) + len(end)) + start)
        for _ in range(count):
            out.write(row)
            if sent is not None:
                sent.append(len(row))
        out.write(end)

    with _served(write) as url:
        yield url


def grown_by(tape: Path, upstream: str) -> int:
    """Record a short body and a long one; return by how many bytes the long one made it grow."""
    with serving("record", tape, "--upstream", upstream, cwd=tape.parent) as recorder:
        process = psutil.Process(recorder.process.pid)
        requests.get(recorder.url + "/v1.0/short", timeout=60)
        before = most = process.memory_info().rss
        with requests.get(recorder.url + "/v1.0/long", timeout=60, stream=True) as answer:
            for _ in answer.iter_content(1024 * 1024):
                most = max(most, process.memory_info().rss)
    return most - before
