"""Bodies that unpack to much more than they are: refused, or passed on and left off the tape."""

from __future__ import annotations

import gzip
import sys
import zlib
from typing import TYPE_CHECKING

import brotli
import pytest
import requests

from graphtape.tape.store import open_cassette
from proxies import AUTH, RawServer, exchange, recording, replaying
from tapes import exchanged, taped

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Packer = Callable[[bytes], bytes]

LIMIT = 3_000_000
MORE = b'{"a":"' + b"a" * LIMIT + b'"}'
LESS = b'{"a":"' + b"b" * (LIMIT - 100) + b'"}'

PACKERS = [
    pytest.param("gzip", gzip.compress, id="gzip"),
    pytest.param("deflate", zlib.compress, id="deflate"),
    pytest.param("br", brotli.compress, id="br"),
    pytest.param("zstd", zstd.compress, id="zstd"),
    pytest.param("gzip, gzip", lambda data: gzip.compress(gzip.compress(data)), id="twice"),
    pytest.param("gzip, br", lambda data: brotli.compress(gzip.compress(data)), id="mixed"),
]


def packed(coding: str, **headers: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "Content-Encoding": coding, **AUTH, **headers}


@pytest.mark.parametrize(("coding", "pack"), PACKERS)
def test_in_replay_a_request_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, coding: str, pack: Packer
) -> None:
    tape = taped(tmp_path, exchanged("POST", "/v1.0/users", "{}", body=LESS.decode()))
    with replaying(tape, max_body=LIMIT) as proxy:
        got = requests.post(
            f"{proxy.url}/v1.0/users", data=pack(MORE), headers=packed(coding), timeout=30
        )
        assert (got.status_code, got.json()["error"]["code"]) == (413, "GraphtapeBodyTooLarge")
        got = requests.post(
            f"{proxy.url}/v1.0/users", data=pack(LESS), headers=packed(coding), timeout=30
        )
        assert got.status_code == 200


@pytest.mark.parametrize(("coding", "pack"), PACKERS)
def test_while_recording_it_passes_as_it_came_and_is_left_off_the_tape(
    tmp_path: Path, coding: str, pack: Packer
) -> None:
    tape, wire = tmp_path / "t.yaml", pack(MORE)
    with RawServer() as graph, recording(tape, upstream=graph.url, max_body=LIMIT) as proxy:
        for body in (wire, pack(LESS)):
            got = requests.post(
                f"{proxy.url}/v1.0/users", data=body, headers=packed(coding), timeout=30
            )
            assert got.status_code == 200
    assert wire in graph.requests[0]
    (kept,) = open_cassette(tape).interactions
    assert kept.request.body == LESS
    assert [entry.source for entry in proxy.entries] == ["passed", "recorded"]
    assert f"larger than {LIMIT} bytes" in proxy.entries[0].note


@pytest.mark.parametrize("media", ["application/json", "text/csv", "application/octet-stream"])
@pytest.mark.parametrize(("coding", "pack"), PACKERS)
def test_an_answer_counts_as_what_would_be_on_tape(
    tmp_path: Path, coding: str, pack: Packer, media: str
) -> None:
    answers = [pack(MORE), pack(LESS)]

    def answer(_: bytes) -> bytes:
        body = answers[len(graph.requests) - 1]
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nContent-Encoding: {coding}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    tape = tmp_path / "t.yaml"
    with (
        RawServer(answer=answer) as graph,
        recording(tape, upstream=graph.url, max_body=LIMIT) as proxy,
    ):
        for expected in answers:
            got = exchange(
                proxy.url, b"GET /v1.0/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
            )
            assert got.endswith(expected)
    (kept,) = open_cassette(tape).interactions
    assert kept.response.body == LESS
    assert "Content-Encoding" not in kept.response.headers


@pytest.mark.parametrize("side", ["request", "answer"])
@pytest.mark.parametrize("kept", [False, True])
def test_what_cannot_be_opened_passes_and_is_left_off_the_tape(
    tmp_path: Path, *, side: str, kept: bool
) -> None:
    broken = gzip.compress(b'{"password": "Fake-Canary-1"}', mtime=0)[:-9]
    sent, answered = (broken, b"{}") if side == "request" else (b"{}", broken)

    def answer(_: bytes) -> bytes:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x\r\nContent-Length: {len(answered)}"
        return head.encode() + b"\r\n\r\n" + answered

    tape = tmp_path / "t.yaml"
    with (
        RawServer(answer=answer) as graph,
        recording(tape, upstream=graph.url, keep_opaque=kept) as proxy,
    ):
        for method in ("POST", "GET"):
            data = sent if method == "POST" else None
            got = requests.request(method, f"{proxy.url}/v1.0/x", data=data, timeout=30)
            assert got.content == answered
    missing = [] if kept else [0] if side == "request" else [0, 1]
    kept_ones = open_cassette(tape).interactions if tape.exists() else ()
    assert len(kept_ones) == 2 - len(missing)
    for number in missing:
        assert "--keep-opaque" in proxy.entries[number].note
        assert proxy.entries[number].source == "passed"
