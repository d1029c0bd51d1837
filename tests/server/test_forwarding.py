"""What goes up and what comes back, byte for byte, at a raw socket."""

from __future__ import annotations

import gzip
import subprocess
import threading
from typing import TYPE_CHECKING

import brotli
import pytest
import requests

from graphtape.tape.store import open_cassette
from proxies import AUTH, OK, RawServer, exchange, recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from graphtape.core.message import Interaction
    from proxies import Running

DISCONNECT = "/beta/deviceManagement/chromeOSOnboardingSettings/disconnect"


def response(body: bytes, *fields: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.fixture
def upstream() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    return tmp_path / "tape.yaml"


@pytest.fixture
def proxy(upstream: RawServer, cassette: Path) -> Iterator[Running]:
    with recording(cassette, upstream=upstream.url) as running:
        yield running


def curl(url: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--max-time", "20", *arguments, url],
        capture_output=True,
        check=True,
    )


def head_lines(request: bytes) -> list[bytes]:
    return request.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")


def only(cassette: Path) -> Interaction:
    (interaction,) = open_cassette(cassette).interactions
    return interaction


@pytest.mark.parametrize(
    ("arguments", "length"),
    [
        pytest.param(["-X", "POST"], None, id="no-length"),
        pytest.param(["-d", ""], b"content-length: 0", id="form-type-length-0"),
        pytest.param(
            ["-X", "POST", "-H", "Content-Length: 0"], b"content-length: 0", id="length-0"
        ),
        pytest.param(
            ["-X", "POST", "-H", "Content-Type: application/json", "-H", "Content-Length: 0"],
            b"content-length: 0",
            id="json-type-length-0",
        ),
    ],
)
def test_an_empty_post_goes_up_with_the_framing_it_came_with(
    proxy: Running, upstream: RawServer, arguments: list[str], length: bytes | None
) -> None:
    curl(proxy.url + DISCONNECT, *arguments)
    (request,) = upstream.requests
    lines = head_lines(request)
    assert lines[0] == b"post " + DISCONNECT.lower().encode() + b" http/1.1"
    assert [line for line in lines if line.startswith(b"content-length")] == (
        [length] if length else []
    )
    assert not any(line.startswith(b"transfer-encoding") for line in lines)
    if "Content-Type: application/json" not in arguments and arguments[0] != "-d":
        assert not any(line.startswith(b"content-type") for line in lines)


def test_an_empty_chunked_post_goes_up_chunked(proxy: Running, upstream: RawServer) -> None:
    exchange(
        proxy.url,
        f"POST {DISCONNECT} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode(),
    )
    (request,) = upstream.requests
    assert b"transfer-encoding: chunked" in head_lines(request)
    assert request.endswith(b"\r\n\r\n0\r\n\r\n")


def test_a_gzip_body_goes_up_untouched_and_is_readable_on_tape(
    upstream: RawServer, cassette: Path
) -> None:
    body = gzip.compress(b'{"displayName": "a"}')
    with recording(cassette, upstream=upstream.url) as proxy:
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        requests.post(proxy.url + "/v1.0/groups", data=body, headers=headers, timeout=10)
    (request,) = upstream.requests
    assert request.partition(b"\r\n\r\n")[2] == body
    assert b"content-encoding: gzip" in head_lines(request)
    assert only(cassette).request.body == b'{"displayName": "a"}'
    assert "Content-Encoding" not in only(cassette).request.headers


def test_an_upload_that_waits_for_100_continue_arrives_whole(
    proxy: Running, upstream: RawServer, tmp_path: Path
) -> None:
    upload = tmp_path / "upload.bin"
    upload.write_bytes(bytes(range(256)) * 8192)
    curl(
        proxy.url + "/v1.0/me/photo/$value",
        *("-X", "PUT", "--data-binary", f"@{upload}", "-H", "Expect: 100-continue"),
        *("-H", "Content-Type: image/jpeg"),
    )
    (request,) = upstream.requests
    assert request.partition(b"\r\n\r\n")[2] == upload.read_bytes()
    assert b"expect: 100-continue" in head_lines(request)


def test_a_chunked_upload_goes_up_chunked(proxy: Running, upstream: RawServer) -> None:
    chunks = [b"a" * 70_000, b"b" * 70_000]
    requests.put(proxy.url + "/v1.0/me/photo/$value", data=iter(chunks), timeout=10)
    (request,) = upstream.requests
    assert b"transfer-encoding: chunked" in head_lines(request)
    assert request.count(b"a" * 1000) == 70
    assert request.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    "target",
    [
        "/v1.0/users?%24filter=a+eq+%27b%27&$top=5",
        "/v1.0/users/a%40b.example/..%2Fx",
        "/v1.0/users/../me",
        "/v1.0/users?a=&b",
        "/v1.0/drive/root:/%E2%82%AC%20x.txt:/content",
    ],
)
def test_a_target_goes_up_as_it_was_sent(proxy: Running, upstream: RawServer, target: str) -> None:
    exchange(proxy.url, f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert upstream.requests[0].startswith(f"GET {target} HTTP/1.1\r\n".encode())


def test_an_absolute_form_target_goes_to_the_same_place(
    proxy: Running, upstream: RawServer
) -> None:
    host = proxy.url.removeprefix("http://")
    exchange(
        proxy.url,
        f"GET {proxy.url}/v1.0/me HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode(),
    )
    assert upstream.requests[0].startswith(b"GET /v1.0/me HTTP/1.1\r\n")


def test_hop_by_hop_fields_stay_and_repeated_ones_go_up(
    proxy: Running, upstream: RawServer
) -> None:
    exchange(
        proxy.url,
        b"GET /v1.0/me HTTP/1.1\r\nHost: proxy.example\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n"
        b"Keep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nProxy-Authorization: Basic eA==\r\n"
        b"Prefer: a\r\nPrefer: b\r\nGraphtape-Scenario: status=failed\r\n\r\n",
    )
    lines = head_lines(upstream.requests[0])
    names = [line.partition(b":")[0] for line in lines]
    assert not {b"x-hop", b"keep-alive", b"te", b"upgrade", b"proxy-authorization"} & set(names)
    assert not any(name.startswith(b"graphtape") for name in names)
    assert [line for line in lines if line.startswith(b"prefer")] == [b"prefer: a", b"prefer: b"]
    assert b"host: " + upstream.url.removeprefix("http://").encode() in lines
    assert names.count(b"user-agent") == 0
    assert names.count(b"accept") == 0


def test_an_answer_comes_back_as_it_was_sent(upstream: RawServer, cassette: Path) -> None:
    body = brotli.compress(b'{"id": "1"}')
    upstream.answer = lambda _: response(
        body,
        "Content-Type: application/json",
        "Content-Encoding: br",
        "Set-Cookie: a=1; path=/",
        "Set-Cookie: b=2; path=/",
        "X-MS-Odd: yes",
        status="200 Very OK",
    )
    with recording(cassette, upstream=upstream.url) as proxy:
        got = exchange(proxy.url, b"GET /v1.0/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, _, received = got.partition(b"\r\n\r\n")
    assert received == body
    assert head.startswith(b"HTTP/1.1 200 Very OK\r\n")
    assert b"Set-Cookie: a=1; path=/\r\nSet-Cookie: b=2; path=/\r\n" in head
    assert b"X-MS-Odd: yes" in head
    assert b"Server:" not in head
    assert only(cassette).response.body == b'{"id": "1"}'
    assert len(only(cassette).response.headers.all("Set-Cookie")) == 2


@pytest.mark.parametrize(
    ("method", "answer", "body"),
    [
        pytest.param(
            "HEAD",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
            b"",
            id="head",
        ),
        pytest.param("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n", b"", id="204"),
        pytest.param("GET", b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', b"", id="304"),
        pytest.param(
            "GET",
            b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n"
            b"Content-Length: 2\r\n\r\nok",
            b"ok",
            id="103-then-200",
        ),
        pytest.param(
            "GET",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            b"2\r\nok\r\n0\r\n\r\n",
            id="chunked",
        ),
    ],
)
def test_framing_follows_the_method_and_the_status(
    proxy: Running, upstream: RawServer, method: str, answer: bytes, body: bytes
) -> None:
    upstream.answer = lambda _: answer
    got = exchange(
        proxy.url, f"{method} /v1.0/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    )
    head, _, received = got.partition(b"\r\n\r\n")
    assert received == body
    if method == "HEAD":
        assert b"Content-Length: 1234" in head


def test_a_body_far_above_a_mebibyte_passes_both_ways(proxy: Running, upstream: RawServer) -> None:
    body = bytes(range(256)) * 16_384
    upstream.answer = lambda _: response(body, "Content-Type: image/png")
    got = requests.put(proxy.url + "/v1.0/me/photo/$value", data=body, timeout=30)
    assert got.content == body
    assert upstream.requests[0].endswith(body[-1000:])
    assert len(upstream.requests[0]) > len(body)


def test_a_redirect_is_passed_on(proxy: Running, upstream: RawServer) -> None:
    upstream.answer = lambda _: response(b"", "Location: /elsewhere", status="302 Found")
    got = requests.get(proxy.url + "/v1.0/x", allow_redirects=False, timeout=10)
    assert (got.status_code, got.headers["Location"]) == (302, "/elsewhere")
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_a_request_with_effects_is_sent_once_even_when_its_connection_is_lost(
    proxy: Running, upstream: RawServer, method: str
) -> None:
    upstream.answer = lambda _: b""
    upstream.close_after = True
    got = requests.request(method, proxy.url + "/v1.0/x", headers=AUTH, timeout=10)
    assert got.status_code == 502
    assert got.json()["error"]["code"] == "GraphtapeUpstreamLost"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_a_request_with_effects_does_not_meet_a_stale_connection(
    proxy: Running, upstream: RawServer, method: str
) -> None:
    upstream.answer = lambda _: OK
    upstream.close_after = True
    for _ in range(3):
        got = requests.request(method, proxy.url + "/v1.0/x", headers=AUTH, timeout=10)
        assert got.status_code == 200
    assert len(upstream.requests) == 3


def test_writes_share_the_connection_of_an_upstream_that_keeps_it(
    proxy: Running, upstream: RawServer
) -> None:
    for _ in range(4):
        assert requests.post(proxy.url + "/v1.0/x", timeout=10).status_code == 200
        threading.Event().wait(0.2)  # an idle connection that stays open shows it
    assert upstream.connections == 1


def test_writes_never_share_connections_of_an_upstream_that_closed_one_early(
    proxy: Running, upstream: RawServer
) -> None:
    upstream.close_after = True
    for _ in range(2):
        assert requests.post(proxy.url + "/v1.0/x", timeout=10).status_code == 200
        threading.Event().wait(0.2)
    upstream.close_after = False
    before = upstream.connections
    for _ in range(3):
        assert requests.post(proxy.url + "/v1.0/x", timeout=10).status_code == 200
        threading.Event().wait(0.2)
    assert upstream.connections == before + 3


def test_a_read_that_meets_a_stale_connection_is_repeated(
    proxy: Running, upstream: RawServer
) -> None:
    upstream.close_after = True
    for _ in range(3):
        assert requests.get(proxy.url + "/v1.0/x", timeout=10).status_code == 200


def test_curl_offering_http2_is_answered_in_http1(proxy: Running, upstream: RawServer) -> None:
    done = curl(proxy.url + DISCONNECT, "--http2", "-X", "POST", "-d", "{}")
    assert done.stdout == b"{}"
    assert b"upgrade" not in upstream.requests[0].lower()


def test_http_1_0_without_a_length_is_answered_to_the_end(
    proxy: Running, upstream: RawServer
) -> None:
    upstream.answer = lambda _: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    )
    got = exchange(proxy.url, b"GET /v1.0/x HTTP/1.0\r\n\r\n")
    assert got.endswith(b"\r\n\r\nok")
