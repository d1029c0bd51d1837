"""Ranges, conditional requests, HEAD and codings, recorded from a server and replayed without."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

import brotli
import pytest
import requests

from proxies import RawServer, exchange, recording, replaying
from tapes import exchanged, taped

if TYPE_CHECKING:
    from pathlib import Path

PHOTO = b"\xff\xd8\xff\xe0-eight-and-more"
ETAG = b'"v1"'
URL = "/v1.0/me/photo/$value"
STATUS = b'{"value": "inprogress"}'


def storage(request: bytes) -> bytes:
    """Answer as a server that knows ranges and entity tags."""
    if ETAG in request:
        return b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\nContent-Length: 18\r\n\r\n'
    ranged = re.search(rb"\r\nRange: bytes=(\d+)-(\d+)\r\n", request)
    if ranged:
        first, last = int(ranged[1]), int(ranged[2])
        part = PHOTO[first : last + 1]
        head = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d\r\n" % (
            *(first, last),
            len(PHOTO),
        )
    else:
        part, head = PHOTO, b"HTTP/1.1 200 OK\r\n"
    head += b'Content-Type: image/jpeg\r\nETag: "v1"\r\nContent-Length: %d\r\n\r\n' % len(part)
    return head if request.startswith(b"HEAD") else head + part


def get(base: str, **headers: str) -> requests.Response:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(f"{base}{URL}", headers=fields, timeout=5)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "tape.yaml"
    with RawServer(answer=storage) as upstream, recording(path, upstream=upstream.url) as proxy:
        get(proxy.url)
        get(proxy.url, Range="bytes=0-3")
        get(proxy.url, Range="bytes=4-9")
        get(proxy.url, If_None_Match='"v1"')
        requests.head(f"{proxy.url}{URL}", timeout=5)
        assert len(upstream.requests) == 5
    return path


def test_each_range_replays_as_its_own_206(tape: Path) -> None:
    with replaying(tape) as proxy:
        second = get(proxy.url, Range="bytes=4-9")
        first = get(proxy.url, Range="bytes=0-3")
        whole = get(proxy.url)
    assert [r.status_code for r in (first, second, whole)] == [206, 206, 200]
    assert [r.content for r in (first, second, whole)] == [PHOTO[:4], PHOTO[4:10], PHOTO]
    assert first.headers["Content-Range"] == f"bytes 0-3/{len(PHOTO)}"
    assert second.headers["Content-Range"] == f"bytes 4-9/{len(PHOTO)}"
    assert second.headers["Content-Length"] == "6"


def test_a_range_that_was_not_recorded_is_a_miss_that_names_it(tape: Path) -> None:
    with replaying(tape) as proxy:
        got = get(proxy.url, Range="bytes=10-12")
    assert got.status_code == 599
    assert "header.Range" in got.json()["error"]["message"]


def test_a_304_replays_without_a_body_and_the_connection_goes_on(tape: Path) -> None:
    asked = f"GET {URL} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    with replaying(tape) as proxy:
        raw = exchange(
            proxy.url,
            f'{asked}If-None-Match: "v1"\r\n\r\n{asked}Connection: close\r\n\r\n'.encode(),
        )
    unmodified, _, rest = raw.partition(b"\r\n\r\n")
    assert unmodified.startswith(b"HTTP/1.1 304 ")
    assert b'ETag: "v1"' in unmodified
    assert b"transfer-encoding" not in unmodified.lower()
    assert rest.startswith(b"HTTP/1.1 200 ")
    assert rest.endswith(b"\r\n\r\n" + PHOTO)


def test_another_entity_tag_is_a_miss(tape: Path) -> None:
    with replaying(tape) as proxy:
        got = get(proxy.url, If_None_Match='"v2"')
    assert got.status_code == 599
    assert "header.If-None-Match" in got.json()["error"]["message"]


def test_head_replays_the_length_and_no_body(tape: Path) -> None:
    asked = f"HEAD {URL} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    with replaying(tape) as proxy:
        raw = exchange(proxy.url, asked.encode())
    head, blank, body = raw.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert f"Content-Length: {len(PHOTO)}".encode() in head
    assert (blank, body) == (b"\r\n\r\n", b"")


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        pytest.param("gzip", gzip.compress(STATUS), id="gzip"),
        pytest.param("br", brotli.compress(STATUS), id="br"),
        pytest.param("br, gzip", gzip.compress(brotli.compress(STATUS)), id="both"),
        pytest.param("gzip", STATUS, id="decoded-by-its-recorder"),
    ],
)
def test_a_body_recorded_in_a_coding_is_served_decoded(
    tmp_path: Path, coding: str, packed: bytes
) -> None:
    path = taped(
        tmp_path,
        exchanged(
            "GET",
            "/v1.0/me",
            packed,
            Content_Encoding=coding,
            Content_Type="application/json",
            Content_Length=str(len(packed)),
        ),
    )
    asked = "GET /v1.0/me HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip, br\r\n"
    with replaying(path) as proxy:
        raw = exchange(proxy.url, f"{asked}Connection: close\r\n\r\n".encode())
    head, _, body = raw.partition(b"\r\n\r\n")
    assert body == STATUS
    assert b"content-encoding" not in head.lower()
    assert f"Content-Length: {len(STATUS)}".encode() in head


def test_a_204_has_no_length(tmp_path: Path) -> None:
    path = taped(tmp_path, exchanged("DELETE", "/v1.0/a", "", status=204, content_length="0"))
    with replaying(path) as proxy:
        got = requests.delete(f"{proxy.url}/v1.0/a", timeout=5)
    assert got.status_code == 204
    assert "Content-Length" not in got.headers
