"""A client may end its half after its last request, and still gets its answers."""

from __future__ import annotations

import contextlib
import socket
import time
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from proxies import RawServer, recording, replaying
from tapes import exchanged, taped

if TYPE_CHECKING:
    from pathlib import Path

READ = b"GET /v1.0/me HTTP/1.1\r\nHost: h\r\n\r\n"
WRITE = b'POST /v1.0/users HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n{"a":"b"}'
LONG = b"a" * 3_000_000


def half_closed(url: str, sent: bytes, *, pause: float = 0) -> bytes:
    """Send bytes, end our half, and return all that comes until the other half ends."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=10) as client:
        client.sendall(sent)
        time.sleep(pause)  # noqa: TID251 - the client's own thread
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(partial(client.recv, 65536), b""))


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return taped(
        tmp_path,
        exchanged("GET", "/v1.0/me", b'{"id": "me"}'),
        exchanged("POST", "/v1.0/users", b'{"id": "new"}', body='{"a":"b"}'),
    )


@pytest.mark.parametrize("pause", [0, 0.1], ids=["at once", "later"])
@pytest.mark.parametrize("sent", [READ, READ * 5, WRITE, READ + WRITE], ids=range(4))
def test_in_replay_every_request_is_answered(tape: Path, sent: bytes, pause: float) -> None:
    with replaying(tape) as proxy:
        got = half_closed(proxy.url, sent, pause=pause)
    assert got.count(b"HTTP/1.1 200 ") == sent.count(b"HTTP/1.1")


def test_a_late_answer_is_waited_for(tmp_path: Path) -> None:
    def late(_: bytes) -> bytes:
        time.sleep(0.3)  # noqa: TID251 - the server's own thread
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LONG) + LONG

    with (
        RawServer(late) as upstream,
        recording(tmp_path / "t.yaml", upstream=upstream.url) as proxy,
    ):
        for sent in (READ, WRITE):
            assert half_closed(proxy.url, sent).endswith(LONG)
    assert len(proxy.entries) == 2


def test_a_request_cut_short_is_not_played(tape: Path) -> None:
    with replaying(tape) as proxy:
        with contextlib.suppress(ConnectionResetError):
            assert half_closed(proxy.url, WRITE[:-1]) == b""
        assert half_closed(proxy.url, WRITE).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("sent", [b"", b"GET /v1.0/me HT"], ids=["nothing", "half a line"])
def test_a_connection_that_asked_nothing_is_closed(tape: Path, sent: bytes) -> None:
    with replaying(tape) as proxy:
        assert half_closed(proxy.url, sent) == b""
        assert half_closed(proxy.control, sent) == b""


def test_the_control_port_answers(tape: Path) -> None:
    with replaying(tape) as proxy:
        place = urlsplit(proxy.control).netloc.encode()
        request = b"GET /health HTTP/1.1\r\nHost: " + place + b"\r\n\r\n"
        assert half_closed(proxy.control, request * 2).count(b"HTTP/1.1 200 ") == 2
