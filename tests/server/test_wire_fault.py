"""Faults of the connection, as they arrive at a raw socket and in real clients."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import struct
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Self

import httpx
import pytest
import requests
import trustme
from aiohttp import web

from graphtape.core.message import Headers
from graphtape.server.http import wire_fault
from graphtape.server.http.connection import DataServer
from graphtape.server.http.response import Outgoing, Sent, respond
from graphtape.server.http.wire_fault import Pace, pause

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from graphtape.server.http.response import LastByte

Loop = asyncio.AbstractEventLoop

BODY = b'{"value": "inprogress", "id": "0123456789"}'
RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
SLOW = Pace(piece=8, seconds=0.02)


def _uvloop() -> Loop:
    uvloop = pytest.importorskip("uvloop", reason="there is no uvloop on this platform")
    loop: Loop = uvloop.new_event_loop()
    return loop


LOOPS = pytest.mark.parametrize(
    "loop", [asyncio.new_event_loop, _uvloop], ids=["asyncio", "uvloop"]
)


@dataclass(slots=True)
class FaultyServer:
    """A data port that does to each request what its path says: `/FAULT/BODY`.

    Attributes:
        cuts: Whether a stop cancels what is in flight, in place of letting it end.
        ended: What each `last_byte()` told, by path.
        gone: What each `last_byte.gone` was then, by path.
        waited: Seconds that each pause took, by path.
        left: Set once a hanging or pausing request goes on, and once a busy one is busy.
        go_on: Ends a busy one.
        tasks: That served requests, by path.
        upstream_read: Chunks of streamed bodies that were read.
    """

    loop: Callable[[], Loop]
    tls: ssl.SSLContext | None = None
    cuts: bool = False
    ended: dict[str, bool] = field(default_factory=dict)
    gone: dict[str, bool] = field(default_factory=dict)
    waited: dict[str, float] = field(default_factory=dict)
    left: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    tasks: dict[str, asyncio.Task[object]] = field(default_factory=dict)
    upstream_read: int = 0
    port: int = 0
    _closing: asyncio.Event = field(default_factory=asyncio.Event)
    _stop: Callable[[], object] = lambda: None
    _up: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread = field(init=False)

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://localhost:{self.port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> float:
        """Stop as the proxy does; return how many seconds it took."""
        began = time.monotonic()
        if self._thread.is_alive():
            self._stop()
        self._thread.join(30)
        assert not self._thread.is_alive()
        return time.monotonic() - began

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self.loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        sock = socket.create_server(("127.0.0.1", 0))
        self.port = sock.getsockname()[1]
        stopped = asyncio.Event()
        self._stop = partial(asyncio.get_running_loop().call_soon_threadsafe, stopped.set)
        async with AsyncExitStack() as stack:
            server = web.ServerRunner(DataServer(self._handle), shutdown_timeout=0.1)
            await server.setup()
            stack.push_async_callback(server.cleanup)
            await web.SockSite(server, sock, ssl_context=self.tls).start()
            self._up.set()
            await stopped.wait()
            if self.cuts:
                for task in self.tasks.values():
                    task.cancel()
            else:
                self._closing.set()
            if self.tasks:
                await asyncio.wait(self.tasks.values())

    async def _handle(self, request: web.BaseRequest) -> Sent:
        task = asyncio.current_task()
        assert task is not None
        self.tasks[request.path] = task
        _, fault, argument, *_ = f"{request.path}/".split("/")
        match fault:
            case "reset":
                sent = wire_fault.reset(request)
            case "close":
                sent = wire_fault.close(request)
            case "garbage":
                sent = await wire_fault.garbage(request, seed=argument)
            case "hang":
                sent = await wire_fault.hang(request, closing=self._closing)
                self.left.set()
            case "busy":
                # The loop learns nothing of its clients meanwhile.
                self.left.set()
                assert self.go_on.wait(10)
                sent = wire_fault.close(request)
                self.ended[request.path] = True
            case "pause":
                await self._pause(request, float(argument))
                sent = await self._send(request, respond(request, self._outgoing("whole")))
            case _:
                sent = await self._send(request, self._responding(request, fault, argument))
        return sent

    async def _pause(self, request: web.BaseRequest, seconds: float) -> None:
        began = time.monotonic()
        await pause(request, seconds, closing=self._closing)
        self.waited[request.path] = time.monotonic() - began
        self.left.set()

    def _responding(
        self, request: web.BaseRequest, fault: str, body: str
    ) -> AbstractAsyncContextManager[LastByte]:
        match fault:
            case "truncate":
                return wire_fault.truncate(request, self._outgoing(body))
            case "bad_chunk":
                return wire_fault.bad_chunk(request, self._outgoing(body))
            case "drip":
                outgoing = self._outgoing(body)
                return wire_fault.drip(request, outgoing, pace=SLOW, closing=self._closing)
            case _:
                return respond(request, self._outgoing("whole"))

    async def _send(
        self, request: web.BaseRequest, responding: AbstractAsyncContextManager[LastByte]
    ) -> Sent:
        async with responding as last_byte:
            pass
        self.ended[request.path] = await last_byte()
        self.gone[request.path] = last_byte.gone
        return last_byte.sent(200)

    def _outgoing(self, body: str) -> Outgoing:
        headers = Headers.of([("Content-Type", "application/json"), ("Date", "now")])
        make = partial(Outgoing, reason="OK", headers=headers)
        match body:
            case "whole":
                return make(status=200, body=BODY)
            case "counted":
                return make(status=200, body=self._streamed(), length=len(BODY))
            case "open":
                return make(status=200, body=self._streamed())
            case "large":
                return make(status=200, body=bytes(1 << 20))
            case "none":
                return make(status=200, body=b"")
            case "nocontent":
                return make(status=204, body=b"")
            case _:
                raise AssertionError(body)

    async def _streamed(self) -> AsyncIterator[bytes]:
        for start in range(0, len(BODY), 20):
            self.upstream_read += 1
            await asyncio.sleep(0)
            yield BODY[start : start + 20]


@contextmanager
def asking(
    server: FaultyServer, path: str, *, method: str = "GET", version: str = "1.1"
) -> Iterator[socket.socket]:
    """Send a request; the socket is for reading what comes back."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"{method} {path} HTTP/{version}\r\nHost: localhost\r\n\r\n".encode())
        yield connection


def until_closed(connection: socket.socket) -> bytes:
    data = b""
    while chunk := connection.recv(65536):
        data += chunk
    return data


def told(server: FaultyServer, path: str, *, method: str = "GET", version: str = "1.1") -> bytes:
    """Return what arrives before the connection is closed in order."""
    with asking(server, path, method=method, version=version) as connection:
        return until_closed(connection)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: now\r\n"
COUNTED = HEAD + b"Content-Length: 43\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@LOOPS
def test_reset_arrives_as_rst(loop: Callable[[], Loop]) -> None:
    with (
        FaultyServer(loop) as server,
        asking(server, "/reset") as connection,
        pytest.raises(ConnectionResetError),
    ):
        connection.recv(1)


@LOOPS
def test_close_arrives_as_fin_without_a_byte(loop: Callable[[], Loop]) -> None:
    with FaultyServer(loop) as server:
        assert told(server, "/close") == b""


@LOOPS
@pytest.mark.parametrize("fault", ["close", "garbage/seed"])
def test_an_upload_still_arriving_does_not_turn_fin_into_rst(
    loop: Callable[[], Loop], fault: str
) -> None:
    head = b"POST /%b HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" % fault.encode()
    with (
        FaultyServer(loop) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection,
    ):
        connection.sendall(head + bytes(1000))
        until_closed(connection)
        connection.sendall(bytes(999_000))
        assert connection.recv(1) == b""


@LOOPS
def test_close_minds_no_client_that_has_reset_the_connection(loop: Callable[[], Loop]) -> None:
    with FaultyServer(loop) as server:
        with asking(server, "/busy") as connection:
            assert server.left.wait(5)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        server.go_on.set()
    assert server.ended == {"/busy": True}


@LOOPS
def test_hang_sends_no_byte_and_stays_open(loop: Callable[[], Loop]) -> None:
    with FaultyServer(loop) as server, asking(server, "/hang") as connection:
        connection.settimeout(0.4)
        with pytest.raises(TimeoutError):
            connection.recv(1)


@LOOPS
def test_hang_ends_when_the_client_leaves(loop: Callable[[], Loop]) -> None:
    with FaultyServer(loop) as server:
        with asking(server, "/hang"):
            assert not server.left.wait(0.2)
        assert server.left.wait(5)


@LOOPS
def test_hang_ends_when_the_client_resets(loop: Callable[[], Loop]) -> None:
    with FaultyServer(loop) as server:
        with asking(server, "/hang") as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        assert server.left.wait(5)


@LOOPS
@pytest.mark.parametrize("path", ["/hang", "/pause/600"])
def test_a_stop_is_prompt_while_a_request_waits(loop: Callable[[], Loop], path: str) -> None:
    with FaultyServer(loop) as server, asking(server, path) as connection:
        assert not server.left.wait(0.2)
        assert server.stop() < 5
        # Closed in order: what waited for nothing gets nothing, what was delayed its answer.
        assert until_closed(connection) == (b"" if path == "/hang" else COUNTED + BODY)


@LOOPS
@pytest.mark.parametrize("path", ["/hang", "/pause/600", "/drip/large"])
def test_a_waiting_request_can_be_cancelled(loop: Callable[[], Loop], path: str) -> None:
    with FaultyServer(loop, cuts=True) as server, asking(server, path):
        while path not in server.tasks:
            time.sleep(0.01)  # noqa: TID251 - waits for another thread
        assert server.stop() < 5
        assert server.tasks[path].cancelled()


@LOOPS
def test_garbage_is_seeded_and_no_http(loop: Callable[[], Loop]) -> None:
    with FaultyServer(loop) as server:
        first = told(server, "/garbage/a")
        assert told(server, "/garbage/a") == first
        assert told(server, "/garbage/b") != first
    assert first == wire_fault.noise("a")
    assert len(first) == 68
    assert first[0] >= 0x80


@LOOPS
@pytest.mark.parametrize(
    ("body", "arrives"),
    [
        ("whole", COUNTED + BODY[:21]),
        ("counted", COUNTED + BODY[:21]),
        ("open", CHUNKED + b"a\r\n" + BODY[:10] + b"\r\n"),
        ("none", b"HTTP/1.1 "),
        ("nocontent", b"HTTP/1.1 "),
    ],
)
def test_truncate_stops_halfway_and_closes(
    loop: Callable[[], Loop], body: str, arrives: bytes
) -> None:
    with FaultyServer(loop) as server:
        assert told(server, f"/truncate/{body}") == arrives
    assert server.ended == {f"/truncate/{body}": False}
    assert server.gone == {f"/truncate/{body}": True}


@LOOPS
def test_truncate_sends_half_of_a_large_body(loop: Callable[[], Loop]) -> None:
    with FaultyServer(loop) as server:
        head, _, body = told(server, "/truncate/large").partition(b"\r\n\r\n")
    assert b"Content-Length: 1048576" in head
    assert len(body) == 1 << 19


@LOOPS
@pytest.mark.parametrize(
    ("body", "arrives"),
    [
        ("whole", CHUNKED + b"15\r\n" + BODY[:21] + b"\r\nzz\r\n"),
        ("counted", CHUNKED + b"14\r\n" + BODY[:20] + b"\r\n1\r\n" + BODY[20:21] + b"\r\nzz\r\n"),
        ("open", CHUNKED + b"a\r\n" + BODY[:10] + b"\r\nzz\r\n"),
        ("none", CHUNKED + b"zz\r\n"),
        ("nocontent", b"HTTP/1.1 "),
    ],
)
def test_bad_chunk_follows_half_of_the_body(
    loop: Callable[[], Loop], body: str, arrives: bytes
) -> None:
    with FaultyServer(loop) as server:
        assert told(server, f"/bad_chunk/{body}") == arrives
    assert server.ended == {f"/bad_chunk/{body}": False}
    assert server.gone == {f"/bad_chunk/{body}": True}


@pytest.mark.parametrize("fault", ["truncate", "bad_chunk"])
@pytest.mark.parametrize("body", ["counted", "open"])
def test_what_upstream_sends_is_read_to_its_end_for_the_tape(fault: str, body: str) -> None:
    with FaultyServer(asyncio.new_event_loop) as server:
        told(server, f"/{fault}/{body}")
    assert server.upstream_read == 3


@LOOPS
@pytest.mark.parametrize("fault", ["truncate", "bad_chunk"])
def test_an_http_1_0_client_can_tell_that_the_body_is_not_whole(
    loop: Callable[[], Loop], fault: str
) -> None:
    with FaultyServer(loop) as server:
        counted = told(server, f"/{fault}/whole", version="1.0")
        assert counted == COUNTED[:-2] + b"Connection: close\r\n\r\n" + BODY[:21]
        with (
            asking(server, f"/{fault}/open", version="1.0") as connection,
            pytest.raises(ConnectionResetError),
        ):
            until_closed(connection)


@LOOPS
def test_a_truncated_answer_to_head_stops_in_its_status_line(loop: Callable[[], Loop]) -> None:
    with FaultyServer(loop) as server:
        assert told(server, "/truncate/whole", method="HEAD") == b"HTTP/1.1 "


def arrivals(connection: socket.socket, *, size: int) -> list[tuple[float, bytes]]:
    """Read so many bytes; return each piece with the moment it came."""
    pieces: list[tuple[float, bytes]] = []
    while sum(len(piece) for _, piece in pieces) < size:
        data = connection.recv(65536)
        assert data
        pieces.append((time.monotonic(), data))
    return pieces


@LOOPS
def test_drip_arrives_slowly_and_whole(loop: Callable[[], Loop]) -> None:
    with FaultyServer(loop) as server, asking(server, "/drip/whole") as connection:
        pieces = arrivals(connection, size=len(COUNTED + BODY))
        # Five waits of 20 ms for eight bytes each, and one for the last three.
        assert pieces[-1][0] - pieces[0][0] >= 0.1
        assert b"".join(piece for _, piece in pieces) == COUNTED + BODY
        assert pieces[0][1] == COUNTED
        connection.sendall(b"GET /other HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert until_closed(connection).endswith(BODY)
    assert server.ended["/drip/whole"] is True
    assert server.gone["/drip/whole"] is False


@LOOPS
def test_drip_keeps_a_streamed_answer_in_chunks(loop: Callable[[], Loop]) -> None:
    with (
        FaultyServer(loop) as server,
        closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as client,
    ):
        client.request("GET", "/drip/open")
        answer = client.getresponse()
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert answer.read1(100) == BODY[:8]
        assert answer.read() == BODY[8:]


@pytest.mark.parametrize("body", ["none", "nocontent"])
def test_drip_has_nothing_to_wait_for_where_there_is_no_body(body: str) -> None:
    with FaultyServer(asyncio.new_event_loop) as server:
        got = requests.get(f"{server.url}/drip/{body}", timeout=5)
    assert got.content == b""
    assert server.ended[f"/drip/{body}"] is True


def test_drip_to_a_client_that_left_ends_and_says_so() -> None:
    path = "/drip/large"
    with FaultyServer(asyncio.new_event_loop) as server:
        with asking(server, path) as connection:
            connection.recv(100)
        deadline = time.monotonic() + 10
        while path not in server.ended and time.monotonic() < deadline:
            time.sleep(0.01)  # noqa: TID251 - waits for another thread
        assert server.ended == {path: False}


@LOOPS
def test_drip_hurries_when_the_proxy_stops(loop: Callable[[], Loop]) -> None:
    with FaultyServer(loop) as server, asking(server, "/drip/large") as connection:
        connection.recv(100)
        # As a whole it would take 43 minutes.
        with ThreadPoolExecutor(1) as pool:
            reader = pool.submit(until_closed, connection)
            assert server.stop() < 20
            assert len(reader.result(10)) > (1 << 20) - 1000
    assert server.ended["/drip/large"] is True


def test_a_pause_lasts_as_long_as_told() -> None:
    with FaultyServer(asyncio.new_event_loop) as server:
        for path in ("/pause/0", "/pause/0.25"):
            requests.get(server.url + path, timeout=5)
    assert server.waited["/pause/0"] < 0.1
    assert 0.25 <= server.waited["/pause/0.25"] < 1


def test_a_pause_ends_when_the_client_resets() -> None:
    with FaultyServer(asyncio.new_event_loop) as server:
        with asking(server, "/pause/600") as connection:
            assert not server.left.wait(0.2)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        assert server.left.wait(5)


@pytest.mark.parametrize(
    ("seconds", "pace"),
    [
        (0.05, Pace(piece=1, seconds=0.05)),
        (0.001, Pace(piece=20, seconds=0.02)),
        (0.0, Pace(piece=65536, seconds=0.0)),
    ],
)
def test_a_pace_per_byte_waits_no_less_than_a_timer_can_tell(seconds: float, pace: Pace) -> None:
    got = Pace.per_byte(seconds)
    assert got.piece == pace.piece
    assert got.seconds == pytest.approx(pace.seconds)
    assert got.before(b"x") == pytest.approx(seconds)


CLIENTS = [
    ("reset", requests.ConnectionError, httpx.ReadError),
    ("close", requests.ConnectionError, httpx.RemoteProtocolError),
    ("hang", requests.ReadTimeout, httpx.ReadTimeout),
    ("garbage/a", requests.ConnectionError, httpx.RemoteProtocolError),
    ("truncate/whole", requests.exceptions.ChunkedEncodingError, httpx.RemoteProtocolError),
    ("truncate/open", requests.exceptions.ChunkedEncodingError, httpx.RemoteProtocolError),
    ("truncate/nocontent", requests.ConnectionError, httpx.RemoteProtocolError),
    ("bad_chunk/whole", requests.exceptions.ChunkedEncodingError, httpx.RemoteProtocolError),
    ("bad_chunk/none", requests.exceptions.ChunkedEncodingError, httpx.RemoteProtocolError),
]


@LOOPS
@pytest.mark.parametrize(
    ("path", "in_requests", "in_httpx"), CLIENTS, ids=[path for path, _, _ in CLIENTS]
)
def test_requests_and_httpx_raise_what_such_a_network_makes_them_raise(
    loop: Callable[[], Loop],
    path: str,
    in_requests: type[Exception],
    in_httpx: type[Exception],
) -> None:
    with FaultyServer(loop) as server:
        url = f"{server.url}/{path}"
        with pytest.raises(in_requests) as from_requests:
            requests.get(url, timeout=0.5)
        with pytest.raises(in_httpx) as from_httpx:
            httpx.get(url, timeout=0.5)
    assert from_requests.type is in_requests
    assert from_httpx.type is in_httpx


@LOOPS
def test_requests_and_httpx_get_a_dripped_answer_whole(loop: Callable[[], Loop]) -> None:
    with FaultyServer(loop) as server:
        assert requests.get(f"{server.url}/drip/whole", timeout=5).content == BODY
        assert httpx.get(f"{server.url}/drip/open", timeout=5).content == BODY


@LOOPS
def test_other_connections_are_served_meanwhile(loop: Callable[[], Loop]) -> None:
    with FaultyServer(loop) as server, ExitStack() as open_connections:
        for path in ("/hang", "/pause/600", "/drip/large"):
            open_connections.enter_context(asking(server, path))
        began = time.monotonic()
        for path in ("/reset", "/close", "/garbage/a", "/truncate/whole", "/bad_chunk/whole"):
            with pytest.raises(requests.RequestException):
                requests.get(server.url + path, timeout=5)
            assert requests.get(server.url, timeout=5).content == BODY
        assert time.monotonic() - began < 5


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@contextmanager
def asking_tls(server: FaultyServer, path: str, authority: trustme.CA) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        yield connection


@LOOPS
@pytest.mark.parametrize(
    ("path", "arrives"),
    [
        ("/close", b""),
        ("/garbage/a", wire_fault.noise("a")),
        ("/truncate/whole", COUNTED + BODY[:21]),
        ("/truncate/nocontent", b"HTTP/1.1 "),
        ("/bad_chunk/whole", CHUNKED + b"15\r\n" + BODY[:21] + b"\r\nzz\r\n"),
    ],
)
def test_the_same_arrives_over_tls(
    loop: Callable[[], Loop],
    tls: ssl.SSLContext,
    authority: trustme.CA,
    path: str,
    arrives: bytes,
) -> None:
    with FaultyServer(loop, tls) as server, asking_tls(server, path, authority) as connection:
        assert until_closed(connection) == arrives


def until_closed_below_tls(connection: ssl.SSLSocket) -> None:
    """Read ciphertext: Python's ssl calls a reset an early end, the socket below knows better."""
    while socket.socket.recv(connection, 65536):
        pass


@LOOPS
def test_reset_over_tls_is_rst_and_no_orderly_end(
    loop: Callable[[], Loop], tls: ssl.SSLContext, authority: trustme.CA
) -> None:
    with (
        FaultyServer(loop, tls) as server,
        asking_tls(server, "/reset", authority) as connection,
        pytest.raises(ConnectionResetError),
    ):
        until_closed_below_tls(connection)


@LOOPS
def test_hang_and_drip_over_tls(
    loop: Callable[[], Loop], tls: ssl.SSLContext, authority: trustme.CA
) -> None:
    with FaultyServer(loop, tls) as server:
        with asking_tls(server, "/drip/whole", authority) as connection:
            pieces = arrivals(connection, size=len(COUNTED + BODY))
            assert pieces[-1][0] - pieces[0][0] >= 0.1
        with asking_tls(server, "/hang", authority):
            assert not server.left.wait(0.2)
        assert server.left.wait(5)
