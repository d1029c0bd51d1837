"""Long bodies that are no text: they pass in pieces, and stand whole on the tape or not at all."""

from __future__ import annotations

import asyncio
import http.client
import random
import signal
import socketserver
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import pytest
import requests

from commands import serving
from graphtape.core.message import Headers
from graphtape.core.redaction import Redactor
from graphtape.core.tape.outcome import Mode
from graphtape.server.record.tee import IN_MEMORY, Tee, Untaped
from graphtape.tape.digest import digest
from graphtape.tape.part import Part
from graphtape.tape.record import Header, Kind
from graphtape.tape.recovery import recover
from graphtape.tape.spool import Spool, Spooled
from graphtape.tape.store import open_cassette, part_path
from graphtape.tape.vcr_format import Metadata
from proxies import AUTH, RawServer, recording
from recorded_parts import spans

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

MIB = 1024 * 1024
SIZE = 3 * MIB
BINARY = {"Content-Type": "application/octet-stream"}
TYPE = b"Content-Type: application/octet-stream\r\n"


def noise(seed: int, size: int = SIZE) -> bytes:
    """Return bytes that are no text from the first on."""
    return b"\x00\xff" + random.Random(seed).randbytes(size - 2)


@dataclass(slots=True)
class Halves:
    """An upstream that sends half a body, and the rest or nothing more when it is told.

    Attributes:
        url: Its root.
        halfway: By path: set once the first half is on its way.
        go: By path: set by a test, for the second half.
        cut: Paths that get no second half.
    """

    url: str
    halfway: dict[str, threading.Event] = field(default_factory=dict)
    go: dict[str, threading.Event] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)

    def expect(self, path: str) -> None:
        """Make the events of a path."""
        self.halfway[path], self.go[path] = threading.Event(), threading.Event()

    def serve(self, request: socketserver.StreamRequestHandler) -> None:
        """Answer one request: its path ends in the seed of the body."""
        path = request.rfile.readline().split(b" ")[1].decode()
        while request.rfile.readline() not in {b"\r\n", b""}:
            pass
        body = noise(int(path.rpartition("/")[2]))
        head = b"HTTP/1.1 200 OK\r\n" + TYPE + b"Content-Length: %d\r\n\r\n" % len(body)
        request.wfile.write(head + body[: SIZE // 2])
        self.halfway[path].set()
        assert self.go[path].wait(20)
        if path not in self.cut:
            request.wfile.write(body[SIZE // 2 :])


@contextmanager
def halves() -> Iterator[Halves]:
    upstream = Halves("")

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            upstream.serve(self)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        upstream.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield upstream
        server.shutdown()


def fetch(url: str, into: dict[str, bytes], path: str) -> None:
    into[path] = requests.get(url + path, headers=AUTH, timeout=30).content


def started(target: partial[None]) -> threading.Thread:
    thread = threading.Thread(target=target)
    thread.start()
    return thread


def about() -> Header:
    metadata = Metadata(graphtape="0", upstream="sandbox", recorded_at="", salt="s")
    return Header(mode=Mode.ONCE, cassette="t.yaml", base=digest(()), metadata=metadata)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return tmp_path / "t.yaml"


async def passed(tee: Tee) -> tuple[int, int]:
    """Let a body pass; return its size, and the most that was held of it."""
    size = most = 0
    async for chunk in tee:
        size += len(chunk)
        most = max(most, tee.held)
    return size, most


async def pieces(count: int, piece: bytes) -> AsyncIterator[bytes]:
    for _ in range(count):
        await asyncio.sleep(0)
        yield piece


@pytest.mark.parametrize("mib", [2, 32])
def test_no_more_of_a_long_body_is_held_the_longer_it_is(tape: Path, mib: int) -> None:
    part = Part.create(tape, about())
    spool = Spool(part, 1, Redactor(salt="s"))
    piece = noise(1, 64 * 1024)
    tee = Tee(
        pieces(mib * 16, piece),
        limit=64 * MIB,
        begin=lambda begins: spool.response(begins, Headers.of(BINARY.items())),
    )
    assert asyncio.run(passed(tee)) == (mib * MIB, IN_MEMORY)
    assert isinstance(tee.body(), Spooled)
    part.close()
    assert part.path.stat().st_size > mib * MIB - 64 * 1024


def test_what_is_known_to_be_too_long_is_never_held(tape: Path) -> None:
    part = Part.create(tape, about())
    tee = Tee(pieces(64, noise(1, 64 * 1024)), limit=MIB, length=4 * MIB)
    assert asyncio.run(passed(tee)) == (4 * MIB, 0)
    assert isinstance(tee.body(), Untaped)
    part.close()


def test_what_stands_behind_a_long_string_is_redacted(tape: Path) -> None:
    secret = b'{"value": "' + b"x" * MIB + b'", "password": "not-a-real-password"}'
    answer = b"HTTP/1.1 200 OK\r\n" + TYPE + b"Content-Length: %d\r\n\r\n" % len(secret)
    with (
        RawServer(answer=lambda _: answer + secret) as upstream,
        recording(tape, upstream=upstream.url) as proxy,
    ):
        assert requests.get(proxy.url + "/v1.0/a", headers=AUTH, timeout=30).content == secret
    assert b"not-a-real-password" not in tape.read_bytes()


@pytest.mark.parametrize("length", [True, False], ids=["length", "chunks"])
def test_a_long_download_stands_whole_on_the_tape(tape: Path, length: bool) -> None:  # noqa: FBT001 - pytest gives it by name
    body = noise(1)
    head = b"HTTP/1.1 200 OK\r\n" + TYPE
    framed = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    if length:
        framed = b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    with (
        RawServer(answer=lambda _: head + framed) as upstream,
        recording(tape, upstream=upstream.url) as proxy,
    ):
        assert requests.get(proxy.url + "/v1.0/a", headers=AUTH, timeout=30).content == body
        kinds = [span.kind for span in spans(part_path(tape))]
        assert kinds.count(Kind.RESPONSE_CHUNK) > 2
    (interaction,) = open_cassette(tape).interactions
    assert interaction.response.body == body


def test_a_long_upload_goes_up_and_onto_the_tape(tape: Path) -> None:
    body = noise(2)
    with RawServer() as upstream, recording(tape, upstream=upstream.url) as proxy:
        url = proxy.url + "/v1.0/me/drive/root:/a.bin:/content"
        requests.put(url, data=body, headers={**AUTH, **BINARY}, timeout=30)
        assert Kind.REQUEST_CHUNK in {span.kind for span in spans(part_path(tape))}
        assert upstream.requests[0].partition(b"\r\n\r\n")[2] == body
    (interaction,) = open_cassette(tape).interactions
    assert (interaction.request.body, interaction.response.body) == (body, b"{}")


def test_two_downloads_at_once_lie_between_each_other_and_are_both_recovered(tape: Path) -> None:
    got: dict[str, bytes] = {}
    with halves() as upstream, recording(tape, upstream=upstream.url) as proxy:
        threads = []
        for path in ("/v1.0/1", "/v1.0/2"):
            upstream.expect(path)
            threads.append(started(partial(fetch, proxy.url, got, path)))
            assert upstream.halfway[path].wait(20)
        for path, thread in zip(("/v1.0/2", "/v1.0/1"), reversed(threads), strict=True):
            upstream.go[path].set()
            thread.join(20)
        order = [each.stream for each in spans(part_path(tape)) if each.stream]
        assert order.index(2) < len(order) - order[::-1].index(1) - 1
        assert order[-1] == 1
        left = recover(part_path(tape))
        assert left is not None
        assert [each.response.body for each in left] == [noise(1), noise(2)]
    assert got == {"/v1.0/1": noise(1), "/v1.0/2": noise(2)}
    urls = [each.request.url for each in open_cassette(tape).interactions]
    assert [url.rpartition("/")[2] for url in urls] == ["1", "2"]


def test_a_download_that_upstream_cuts_short_leaves_nothing_on_the_tape(tape: Path) -> None:
    with halves() as upstream, recording(tape, upstream=upstream.url) as proxy:
        upstream.expect("/v1.0/1")
        upstream.cut.add("/v1.0/1")
        upstream.go["/v1.0/1"].set()
        with pytest.raises(requests.RequestException):
            requests.get(proxy.url + "/v1.0/1", headers=AUTH, timeout=30)
        upstream.expect("/v1.0/2")
        upstream.go["/v1.0/2"].set()
        requests.get(proxy.url + "/v1.0/2", headers=AUTH, timeout=30)
    (interaction,) = open_cassette(tape).interactions
    assert interaction.response.body == noise(2)


def test_a_body_that_outgrows_the_limit_midway_reaches_the_client_alone(
    tape: Path, caplog: pytest.LogCaptureFixture
) -> None:
    body = noise(1)
    chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)

    def answer(request: bytes) -> bytes:
        if b"/large" in request:
            return b"HTTP/1.1 200 OK\r\n" + TYPE + chunked
        return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

    with (
        RawServer(answer=answer) as upstream,
        recording(tape, upstream=upstream.url, max_body=MIB) as proxy,
    ):
        assert requests.get(proxy.url + "/v1.0/large", headers=AUTH, timeout=30).content == body
        requests.get(proxy.url + "/v1.0/small", headers=AUTH, timeout=30)
    (interaction,) = open_cassette(tape).interactions
    assert interaction.request.url.endswith("/small")
    assert "is NOT on the tape: the answer's body is larger than 1048576 bytes" in caplog.text


def test_a_token_in_a_binary_body_is_masked_wherever_the_pieces_end(tape: Path) -> None:
    token = b"password=not-a-real-password"
    body = (noise(3, 64 * 1024 - 10) + b"\x00" + token + b"\x00") * 20
    head = b"HTTP/1.1 200 OK\r\n" + TYPE + b"Content-Length: %d\r\n\r\n" % len(body)
    with (
        RawServer(answer=lambda _: head + body) as upstream,
        recording(tape, upstream=upstream.url) as proxy,
    ):
        assert requests.get(proxy.url + "/v1.0/a", headers=AUTH, timeout=30).content == body
    (interaction,) = open_cassette(tape).interactions
    assert b"not-a-real-password" not in interaction.response.body
    assert interaction.response.body.count(b"password=REDACTED") == 20


def test_a_kill_in_the_middle_of_a_body_loses_that_one_alone(tape: Path) -> None:
    with (
        halves() as upstream,
        serving(
            *("record", tape, "--upstream", upstream.url, "--mode", "new_episodes"),
            cwd=tape.parent,
        ) as recorder,
    ):
        for path in ("/v1.0/1", "/v1.0/2"):
            upstream.expect(path)
        upstream.go["/v1.0/1"].set()
        requests.get(recorder.url + "/v1.0/1", headers=AUTH, timeout=30)
        connection = http.client.HTTPConnection(recorder.url.removeprefix("http://"), timeout=20)
        connection.request("GET", "/v1.0/2")
        connection.getresponse().read(SIZE // 2)
        recorder.stop(signal.SIGKILL)
        upstream.go["/v1.0/2"].set()
        connection.close()
    left = recover(part_path(tape))
    assert left is not None
    assert (len(left), left.uncommitted) == (1, 1)
    assert [each.response.body for each in left] == [noise(1)]
