"""Header values are bytes: they come back as they went, whatever coding they are in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxies import RawServer, exchange, recording, replaying

if TYPE_CHECKING:
    from pathlib import Path

VALUES = {
    "latin-1": b'attachment; filename="na\xefve.txt"',
    "utf-8": 'attachment; filename="na\u00efve.txt"'.encode(),
    "both": "\u00ef".encode() + b" and \xef",
    "c1": b"a\x85b\x9f",
    "no-text": bytes(range(0x80, 0x100)),
    "wide": "\u65e5\u672c".encode(),
    "cut": "\u65e5".encode()[:2],
}
MEDIA = ["application/json", "text/plain"]


@pytest.mark.parametrize("media", MEDIA)
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_they_come_back_as_they_went(tmp_path: Path, value: bytes, media: str, method: str) -> None:
    def answer(_: bytes) -> bytes:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nContent-Length: 2\r\n"
        return head.encode() + b"Content-Disposition: " + value + b"\r\n\r\n{}"

    request = (
        f"{method} /v1.0/me HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n".encode()
        + b"Connection: close\r\nX-Odd: " + value + b"\r\n\r\n"
    )  # fmt: skip
    field = b"\r\nContent-Disposition: " + value + b"\r\n"
    tape = tmp_path / "tape.yaml"
    with RawServer(answer=answer) as graph, recording(tape, upstream=graph.url) as proxy:
        assert field in exchange(proxy.url, request)
    assert b"X-Odd: " + value + b"\r\n" in graph.requests[0]
    with replaying(tape) as proxy:
        assert field in exchange(proxy.url, request)
        if method == "GET":
            assert field in exchange(proxy.url, request)  # known again


def test_the_reason_comes_back_as_it_went(tmp_path: Path) -> None:
    line = b"HTTP/1.1 200 \xc7a va\r\n"
    tape, request = (
        tmp_path / "tape.yaml",
        b"GET /v1.0/me HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    )
    with (
        RawServer(answer=lambda _: line + b"Content-Length: 0\r\n\r\n") as graph,
        recording(tape, upstream=graph.url) as proxy,
    ):
        exchange(proxy.url, request)
    with replaying(tape) as proxy:
        assert exchange(proxy.url, request).startswith(line)
