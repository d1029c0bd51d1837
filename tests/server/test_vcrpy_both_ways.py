"""Stock vcrpy plays what the proxy recorded, and the proxy what vcrpy recorded."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import aiohttp
import httpx
import pytest
import requests
import vcr

from graphtape.core.tape.outcome import Mode
from proxies import AUTH, RawServer, recording, replaying

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PHOTO = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
LATIN = "caf\u00e9".encode("latin-1")
ANSWERS = {
    b"/v1.0/me": (200, b'{"displayName": "Zo\xc3\xab"}', ["Content-Type: application/json"]),
    b"/v1.0/zip": (
        200,
        gzip.compress(b'{"zipped": true}'),
        ["Content-Type: application/json", "Content-Encoding: gzip"],
    ),
    b"/v1.0/me/photo/$value": (200, PHOTO, ["Content-Type: image/png"]),
    b"/v1.0/latin": (200, LATIN, ["Content-Type: text/plain; charset=iso-8859-1"]),
    b"/v1.0/cookies": (200, b"{}", ["X-Repeated: a", "X-Repeated: b"]),
    b"/v1.0/gone": (204, b"", []),
    b"/v1.0/empty": (200, b"", ["Content-Type: text/plain"]),
    b"/v1.0/none": (404, b'{"error": {"code": "x"}}', ["Content-Type: application/json"]),
}
EXPECTED = {
    path.decode(): (status, gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
    for path, (status, body, _) in ANSWERS.items()
}
Seen = dict[str, tuple[int, bytes]]


@pytest.fixture
def upstream() -> Iterator[RawServer]:
    def answer(request: bytes) -> bytes:
        status, body, fields = ANSWERS[request.split(b" ")[1]]
        length = [] if status == 204 else [f"Content-Length: {len(body)}"]
        head = "\r\n".join([f"HTTP/1.1 {status} X", *fields, *length, "", ""])
        return head.encode() + body

    with RawServer(answer=answer) as server:
        yield server


def with_requests(root: str) -> Seen:
    got = {path: requests.get(root + path, headers=AUTH, timeout=10) for path in EXPECTED}
    return {path: (answer.status_code, answer.content) for path, answer in got.items()}


def with_httpx(root: str) -> Seen:
    with httpx.Client(trust_env=False) as client:
        got = {path: client.get(root + path, headers=AUTH) for path in EXPECTED}
    return {path: (answer.status_code, answer.content) for path, answer in got.items()}


async def with_aiohttp(root: str) -> Seen:
    seen: Seen = {}
    async with aiohttp.ClientSession() as client:
        for path in EXPECTED:
            async with client.get(root + path, headers=AUTH) as answer:
                seen[path] = (answer.status, await answer.read())
    return seen


@pytest.fixture
def recorded(upstream: RawServer, tmp_path: Path) -> Path:
    path = tmp_path / "ours.yaml"
    with recording(path, upstream=upstream.url) as proxy:
        assert with_requests(proxy.url) == EXPECTED
    return path


def test_vcrpy_plays_ours_to_requests(recorded: Path) -> None:
    with vcr.use_cassette(str(recorded), record_mode="none"):
        assert with_requests("https://graph.microsoft.com") == EXPECTED


def test_vcrpy_plays_ours_to_httpx(recorded: Path) -> None:
    with vcr.use_cassette(str(recorded), record_mode="none"):
        assert with_httpx("https://graph.microsoft.com") == EXPECTED


async def test_vcrpy_plays_ours_to_aiohttp(recorded: Path) -> None:
    with vcr.use_cassette(str(recorded), record_mode="none"):
        assert await with_aiohttp("https://graph.microsoft.com") == EXPECTED


def as_graph(path: Path, root: str) -> Path:
    """Let a cassette recorded at a local server be one of Graph."""
    path.write_text(path.read_text().replace(root, "https://graph.microsoft.com"))
    return path


@pytest.mark.parametrize("client", ["requests", "httpx", "aiohttp"])
async def test_we_play_what_vcrpy_recorded(
    upstream: RawServer, tmp_path: Path, client: str
) -> None:
    path = tmp_path / "vcrpy.yaml"
    with vcr.use_cassette(str(path)):
        match client:
            case "requests":
                with_requests(upstream.url)
            case "httpx":
                with_httpx(upstream.url)
            case _:
                await with_aiohttp(upstream.url)
    with replaying(as_graph(path, upstream.url)) as proxy:
        assert with_requests(proxy.url) == EXPECTED
        assert {entry.source for entry in proxy.entries} == {"replayed"}


def test_a_cassette_vcrpy_saved_again_plays(recorded: Path, upstream: RawServer) -> None:
    with vcr.use_cassette(str(recorded), record_mode=vcr.mode.NEW_EPISODES):
        requests.get(f"{upstream.url}/v1.0/me", timeout=10)
    assert recorded.read_text().count("uri: ") == len(EXPECTED) + 1
    with replaying(recorded) as proxy:
        assert proxy.proxy.mode is Mode.NONE
        assert with_requests(proxy.url) == EXPECTED
