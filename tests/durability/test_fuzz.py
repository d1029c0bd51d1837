"""Whatever comes in, no traceback goes out and the process lives."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import random
import socket
import socketserver
import threading
import time
from typing import TYPE_CHECKING

import pytest

from commands import graphtape
from durability.logged import logged
from graphtape.core.errors import CassetteError
from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.tape.store import open_cassette, save_cassette
from graphtape.tape.vcr_format import Metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from durability.logged import Logged

FULL = os.environ.get("GRAPHTAPE_FULL") == "1"
SECONDS = 9.0 if FULL else 3.0
"""Of each of the three; they share the half minute that a full run has."""

JSON = (("Content-Type", "application/json"),)
TRACES = (b"Traceback", b'File "', b"site-packages")
GOOD = b'{"requests":[{"id":"1","method":"GET","url":"/me"}],"a":["x@acme.test",1e9,null]}'
PIECES = (
    *(b"{", b"}", b"[", b"]", b'"', b"\\u00", b"\\ud800", b"\x00", b"\xff\xfe", b"1e999", b"@"),
    *(b": ", b"\r\n", b"\r\n\r\n", b"&", b"%", b"%zz", b"eyJ", b"--b\r\n", b"!!python/tuple"),
    *(b"*a", b"&a ", b"- ", b"? ", b"|", b"!!binary", b"<<: ", b"\xe2\x80\xa8", b"'", b"\t"),
)


@pytest.fixture
def chance() -> random.Random:
    seed = int(os.environ.get("GRAPHTAPE_SEED") or random.SystemRandom().randrange(2**32))
    print(f"GRAPHTAPE_SEED={seed} repeats this run")  # noqa: T201 - pytest shows it on failure
    return random.Random(seed)


def broken(chance: random.Random, data: bytes) -> bytes:
    """Cut, repeat, swap or replace some bytes."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at, to = sorted(chance.choices(range(len(out) + 1), k=2))
        match chance.randrange(6):
            case 0:
                del out[at : min(to, at + 40)]
            case 1:
                out[at:at] = chance.choice(PIECES)
            case 2:
                out[at : at + 1] = chance.randbytes(1)
            case 3:
                out[at:at] = out[at : min(to, at + 200)]
            case 4:
                del out[max(at, 1) :]
            case _:
                out[at:at] = chance.choice(PIECES) * chance.choice((2, 50, 3000))
    return bytes(out)


def tape(path: Path) -> bytes:
    """Write a cassette with all there is in one."""
    fields = Headers.of([*JSON, ("Set-Cookie", "a=b"), ("Content-Encoding", "gzip")])
    bodies = (GOOD, gzip.compress(GOOD), b"\x00\xff", "ö\u2028".encode(), b"")
    interactions = [
        Interaction(
            request=Request(
                method="POST",
                url=f"https://graph.microsoft.com/v1.0/$batch?n={n}",
                headers=Headers.of(JSON),
                body=body,
            ),
            response=Response(status=200, reason="OK", headers=fields, body=body),
        )
        for n, body in enumerate(bodies)
    ]
    about = Metadata(graphtape="0.1.0", upstream="custom", recorded_at="now", salt="ab")
    save_cassette(path, interactions, metadata=about)
    return path.read_bytes()


def test_a_broken_cassette_is_refused_in_words(tmp_path: Path, chance: random.Random) -> None:
    whole = tape(tmp_path / "whole.yaml")
    path = tmp_path / "t.yaml"
    refused: list[bytes] = []
    said: list[str] = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        data = broken(chance, whole)
        path.write_bytes(data)
        began = time.monotonic()
        try:
            open_cassette(path)
        except CassetteError as exc:
            refused.append(data)
            said.append(str(exc))
        assert time.monotonic() - began < 5
    assert refused
    assert [text for text in said if "t.yaml" not in text] == []
    for data in chance.sample(refused, k=2):
        path.write_bytes(data)
        done = graphtape("replay", "t.yaml", "--listen", "127.0.0.1:0", cwd=tmp_path)
        assert done.returncode == 1
        assert "t.yaml" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_cassette_with_half_an_ipv6_address_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_bytes(tape(path).replace(b"graph.microsoft.com", b"[graph.microsoft.com"))
    with contextlib.suppress(CassetteError):
        open_cassette(path)


def request_line(chance: random.Random) -> bytes:
    targets = (
        *(b"/v1.0/me", b"/", b"*", b"http://h/x", b"//", b"/_session//x", b"/_origin/", b"/%00"),
        *(b"/v1.0/users/%zz", b"/v1.0/$batch", b"/\xff\xfe", b"/v1.0/x?" + b"a=b&" * 300),
        b"/_session/" + b"s" * 70 + b"/v1.0/me",
    )
    method = chance.choice((b"GET", b"POST", b"PATCH", b"OPTIONS", b"HEAD", b"CONNECT", b"G\x00T"))
    version = chance.choice((b"HTTP/1.1",) * 6 + (b"HTTP/1.0", b"HTTP/2.0", b"HTTP/x"))
    return b" ".join((method, chance.choice(targets), version))


def header(chance: random.Random) -> bytes:
    return chance.choice(
        (
            b"Content-Type: application/json",
            b"Content-Type: application/json; charset=nothing",
            b"Content-Type: multipart/form-data; boundary=" + chance.randbytes(4).hex().encode(),
            b"Content-Type: application/x-www-form-urlencoded",
            b"Content-Type: ;;;=",
            b"Content-Encoding: gzip",
            b"Content-Encoding: gzip, br, gzip",
            b"Content-Encoding: zstd",
            b"Authorization: " + chance.randbytes(8),
            b"Cookie: =;=;;",
            b"Expect: 100-continue",
            b"Range: bytes=9-1",
            b"Connection: upgrade",
            b"Upgrade: websocket",
            b"Transfer-Encoding: gzip",
            b"Host: " + chance.choice((b"a b", b"[::", b"h:99999", b"")),
            b"Graphtape-Scenario: none",
            b"X: " + b"y" * chance.choice((10, 9000, 70000)),
            b" folded",
            b"no colon",
            b": no name",
        )
    )


def body(chance: random.Random) -> bytes:
    return chance.choice(
        (
            lambda: broken(chance, GOOD),
            lambda: broken(chance, gzip.compress(GOOD)),
            lambda: gzip.compress(broken(chance, GOOD)),
            lambda: chance.randbytes(chance.randrange(2000)),
            lambda: b"[" * 100_000,
            lambda: b"client_secret=" + chance.choice(PIECES) * 20,
            lambda: GOOD,
        )
    )()


def request(chance: random.Random) -> bytes:
    """Make a request that is wrong somewhere, or no request at all."""
    if chance.random() < 0.1:
        return chance.randbytes(chance.randrange(1, 400))
    lines = [request_line(chance), *(header(chance) for _ in range(chance.randrange(4)))]
    data = body(chance)
    if chance.random() < 0.3:
        lines.append(b"Transfer-Encoding: chunked")
        data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)
        data = broken(chance, data) if chance.random() < 0.5 else data
    else:
        length = len(data) + chance.choice((0, 0, 0, 0, -1, 5))
        lines.append(b"Content-Length: " + chance.choice((b"%d" % max(length, 0), b"-1", b"x")))
    head = b"\r\n".join([*lines, b"Connection: close", b"", b""])
    return (broken(chance, head) if chance.random() < 0.2 else head) + data


def response(chance: random.Random) -> bytes:
    """Answer as no upstream should."""
    if chance.random() < 0.1:
        return chance.randbytes(100) + b"\r\n\r\n"
    data = body(chance)
    lines = [b"HTTP/1.1 %d OK" % chance.choice((200, 200, 204, 304, 302, 429, 599, 999))]
    lines += [
        chance.choice(
            (
                b"Content-Type: application/json",
                b"Content-Encoding: gzip",
                b"Content-Encoding: br",
                b"Location: "
                + chance.choice((b"//", b"http://[", b"/x", b"https://h:x/", b"\xff")),
                b"Set-Cookie: ;;",
                b"WWW-Authenticate: Bearer realm=",
                b"Content-Type: \xff",
            )
        )
        for _ in range(chance.randrange(4))
    ]
    lines.append(b"Content-Length: %d" % (len(data) + chance.choice((0, 0, 0, 3))))
    head = b"\r\n".join([*lines, b"", b""])
    return (broken(chance, head) if chance.random() < 0.2 else head) + data


@contextlib.contextmanager
def upstream_of(answer: Callable[[bytes], bytes]) -> Iterator[str]:
    """Serve one answer per connection, whatever part of the request has arrived."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(2)
            with contextlib.suppress(OSError):
                self.request.sendall(answer(self.request.recv(65536)))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(5)


def throw(url: str, data: bytes) -> bytes:
    """Send bytes and no more, and return what comes back."""
    host, port = url.removeprefix("http://").split(":")
    got = b""
    with (
        contextlib.suppress(OSError),
        socket.create_connection((host, int(port)), timeout=5) as connection,
    ):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while chunk := connection.recv(65536):
            got += chunk
    return got


def bombard(proxy: Logged, chance: random.Random, make: Callable[[random.Random], bytes]) -> int:
    """Throw requests for a while; return how many were answered."""
    answered = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        got = throw(proxy.url, make(chance))
        answered += bool(got)
        assert [trace for trace in TRACES if trace in got] == []
        assert proxy.process.poll() is None
    assert "Traceback" not in proxy.stderr
    return answered


def ask(url: str, path: str) -> int:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Host": "x"})
        return connection.getresponse().status


def inner_errors(proxy: Logged) -> list[str]:
    return [
        line
        for line in proxy.stderr.splitlines()
        if "GraphtapeInternal" in line or " failed: " in line
    ]


def test_a_replaying_proxy_lives_through_what_clients_send(
    tmp_path: Path, chance: random.Random
) -> None:
    tape(tmp_path / "t.yaml")
    with logged("replay", "t.yaml", cwd=tmp_path) as proxy:
        assert bombard(proxy, chance, request) > 10
        assert ask(proxy.url, "/v1.0/nothing") == 599
    assert proxy.code == 3
    assert inner_errors(proxy) == []


def test_a_recording_proxy_lives_through_what_clients_and_upstream_send(
    tmp_path: Path, chance: random.Random
) -> None:
    good = json.dumps({"fine": True}).encode()
    fine = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(good), good)

    def answer(sent: bytes) -> bytes:
        return fine if b"/v1.0/fine" in sent else response(chance)

    with (
        upstream_of(answer) as url,
        logged(
            *("record", "t.yaml", "--upstream", url, "--read-timeout", "2", "--keep-opaque"),
            cwd=tmp_path,
        ) as proxy,
    ):
        assert bombard(proxy, chance, request) > 10
        assert ask(proxy.url, "/v1.0/fine") == 200
    assert proxy.code == 0, proxy.stderr[-2000:]
    assert inner_errors(proxy) == []
    assert open_cassette(tmp_path / "t.yaml").interactions[-1].response.body == good
