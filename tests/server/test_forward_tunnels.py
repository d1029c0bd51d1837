"""Tunnels that end elsewhere, while recording."""

from __future__ import annotations

import base64
import os
import socket
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from graphtape.core.errors import UsageError
from graphtape.settings import Settings
from proxies import RawServer, exchange, recording, replaying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proxies import Running

pytestmark = pytest.mark.skipif(
    "forward" not in Settings.__struct_fields__, reason="needs the setting `forward`"
)
MIB = 1024 * 1024
TAPE = Path(__file__).parents[2] / "cassettes" / "disconnect-documentation.yaml"


@pytest.fixture(autouse=True, params=["uvloop", "asyncio"])
def any_loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    if request.param == "asyncio":
        monkeypatch.setitem(sys.modules, "uvloop", None)


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve one connection in a thread; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def run() -> None:
            connection, _ = server.accept()
            connection.settimeout(10)
            with connection:
                serve(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)
        assert not thread.is_alive()


def everything(connection: socket.socket) -> bytes:
    data = b""
    while chunk := connection.recv(65536):
        data += chunk
    return data


@contextmanager
def tunnel(proxy: Running, port: int) -> Iterator[socket.socket]:
    host, own = proxy.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(own)), timeout=10) as raw:
        raw.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        told = b"HTTP/1.1 200 Connection Established\r\n\r\n"
        assert raw.recv(len(told), socket.MSG_WAITALL) == told
        yield raw


def test_a_mebibyte_goes_both_ways_and_either_half_is_closed_alone(tmp_path: Path) -> None:
    sent = os.urandom(MIB)

    def serve(connection: socket.socket) -> None:
        connection.sendall(everything(connection)[::-1])

    with (
        recording(tmp_path / "tape.yaml", upstream="sandbox", forward=True) as proxy,
        listening(serve) as port,
        tunnel(proxy, port) as raw,
    ):
        raw.sendall(sent)
        raw.shutdown(socket.SHUT_WR)
        assert everything(raw) == sent[::-1]
    (entry,) = proxy.entries
    assert (entry.method, entry.source) == ("CONNECT", "passed")
    assert f"{MIB} bytes up, {MIB} down" in entry.note
    assert not (tmp_path / "tape.yaml").exists()


def test_the_far_side_may_end_first(tmp_path: Path) -> None:
    got: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        connection.sendall(b"bye")
        connection.shutdown(socket.SHUT_WR)
        got.append(everything(connection))

    with (
        recording(tmp_path / "tape.yaml", upstream="sandbox", forward=True) as proxy,
        listening(serve) as port,
        tunnel(proxy, port) as raw,
    ):
        assert everything(raw) == b"bye"
        raw.sendall(b"still here")
        raw.shutdown(socket.SHUT_WR)
    assert got == [b"still here"]


def test_bytes_right_behind_connect_are_passed_on(tmp_path: Path) -> None:
    def serve(connection: socket.socket) -> None:
        assert connection.recv(5) == b"early"
        connection.sendall(b"late")

    with (
        recording(tmp_path / "tape.yaml", upstream="sandbox", forward=True) as proxy,
        listening(serve) as port,
    ):
        asked = f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\nearly"
        host, own = proxy.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(own)), timeout=10) as raw:
            raw.sendall(asked.encode())
            raw.shutdown(socket.SHUT_WR)
            assert everything(raw).endswith(b"\r\n\r\nlate")


def test_a_silent_tunnel_ends(tmp_path: Path) -> None:
    settings = {"upstream": "sandbox", "forward": True, "read_timeout": 0.3}
    with (
        recording(tmp_path / "tape.yaml", **settings) as proxy,
        listening(_take) as port,
        tunnel(proxy, port) as raw,
    ):
        assert _quietly(raw) == b""
    assert "no byte either way" in proxy.entries[0].note


def _quietly(connection: socket.socket) -> bytes:
    try:
        return everything(connection)
    except ConnectionResetError:
        return b""


def test_stopping_cuts_an_open_tunnel(tmp_path: Path) -> None:
    with listening(_take) as port:
        with recording(tmp_path / "tape.yaml", upstream="sandbox", forward=True) as proxy:
            kept = tunnel(proxy, port)
            raw = kept.__enter__()
        assert _quietly(raw) == b""
        raw.close()
    assert "the proxy stopped" in proxy.entries[0].note


def _take(connection: socket.socket) -> None:
    _quietly(connection)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"])  # noqa: S104 - asked for, not bound
@pytest.mark.parametrize("which", ["data", "control"])
def test_its_own_ports_are_not_reached(tmp_path: Path, host: str, which: str) -> None:
    with recording(tmp_path / "tape.yaml", upstream="sandbox", forward=True) as proxy:
        url = proxy.url if which == "data" else proxy.control
        port = url.rpartition(":")[2]
        got = exchange(proxy.url, f"CONNECT {host}:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert got.startswith(b"HTTP/1.1 403 ")
    assert b"GraphtapeOwnPort" in got


def test_a_host_that_is_not_there_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with recording(tmp_path / "tape.yaml", upstream="sandbox", forward=True) as proxy:
        got = exchange(proxy.url, f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert got.startswith(b"HTTP/1.1 502 ")
    assert b"GraphtapeUpstreamUnreachable" in got


def test_a_corporate_proxy_is_asked_for_the_tunnel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        heads.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nhello")
        connection.shutdown(socket.SHUT_WR)
        everything(connection)

    with listening(serve) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:pass@127.0.0.1:{port}")
        with recording(tmp_path / "tape.yaml", upstream="sandbox", forward=True) as proxy:
            asked = b"CONNECT files.example:443 HTTP/1.1\r\nHost: x\r\n\r\n"
            host, own = proxy.url.removeprefix("http://").split(":")
            with socket.create_connection((host, int(own)), timeout=10) as raw:
                raw.sendall(asked)
                raw.shutdown(socket.SHUT_WR)
                assert everything(raw).endswith(b"hello")
    assert heads[0].startswith(b"CONNECT files.example:443 HTTP/1.1\r\n")
    assert base64.b64encode(b"me:pass") in heads[0]


def test_a_corporate_proxy_that_refuses_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"
    with RawServer(answer=lambda _: refusal) as corporate:
        monkeypatch.setenv("HTTPS_PROXY", corporate.url)
        with recording(tmp_path / "tape.yaml", upstream="sandbox", forward=True) as proxy:
            asked = b"CONNECT files.example:443 HTTP/1.1\r\nHost: x\r\n\r\n"
            got = exchange(proxy.url, asked)
    assert got.startswith(b"HTTP/1.1 502 ")
    assert b"407 Who are you" in got


def test_recording_is_no_open_proxy_on_a_network(tmp_path: Path) -> None:
    everywhere = {"listen": "0.0.0.0:0", "forward": True}
    with (
        pytest.raises(UsageError, match="--listen"),
        recording(tmp_path / "tape.yaml", upstream="sandbox", **everywhere),
    ):
        pass
    with replaying(TAPE, **everywhere):
        pass


def test_it_does_not_go_up_through_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("HTTPS_PROXY", f"http://{listen}")
    with (
        pytest.raises(UsageError, match="is this proxy itself"),
        recording(tmp_path / "tape.yaml", upstream="sandbox", forward=True, listen=listen),
    ):
        pass
