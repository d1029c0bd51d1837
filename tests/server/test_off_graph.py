"""Hosts off Graph: reached where an answer named them, without the token, and never else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from proxies import AUTH, RawServer, exchange, recording, replaying

if TYPE_CHECKING:
    from pathlib import Path


def redirect(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


def ok(body: bytes, *fields: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", *fields, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def test_a_download_is_followed_without_the_token_and_replays_offline(tmp_path: Path) -> None:
    path = tmp_path / "tape.yaml"
    files, graph = RawServer(), RawServer()

    def serve_files(request: bytes) -> bytes:
        if request.startswith(b"GET /content?tempauth=secret123"):
            return redirect("/moved/here")
        return ok(b"\x00\x01binary", "Content-Type: application/octet-stream")

    files.answer = serve_files
    with files, graph:
        graph.answer = lambda _: redirect(f"{files.url}/content?tempauth=secret123")
        with recording(path, upstream=graph.url) as proxy:
            url = f"{proxy.url}/v1.0/me/drive/items/1/content"
            got = requests.get(url, headers={**AUTH, "Cookie": "a=b"}, timeout=10)
            assert got.content == b"\x00\x01binary"
            assert got.url.startswith(proxy.url)
            assert [entry.source for entry in proxy.entries] == ["recorded"] * 3
    assert b"uthorization" in graph.requests[0]
    assert len(files.requests) == 2
    for request in files.requests:
        assert b"uthorization" not in request
        assert b"ookie" not in request
    assert b"secret123" not in path.read_bytes()
    with replaying(path) as proxy:
        again = requests.get(f"{proxy.url}/v1.0/me/drive/items/1/content", headers=AUTH, timeout=10)
        assert again.content == b"\x00\x01binary"
        assert [entry.source for entry in proxy.entries] == ["replayed"] * 3


def test_an_upload_session_is_recorded_and_replays(tmp_path: Path) -> None:
    path = tmp_path / "tape.yaml"
    files, graph = RawServer(), RawServer()
    with files, graph:
        graph.answer = lambda _: ok(
            f'{{"uploadUrl": "{files.url}/up/Sessions/x?authtoken=s3cr3t-upload"}}'.encode(),
            "Content-Type: application/json",
        )
        files.answer = lambda _: ok(b'{"id": "x"}', "Content-Type: application/json")

        def upload(base: str) -> list[int]:
            made = requests.post(f"{base}/v1.0/me/drive/up", headers=AUTH, timeout=10)
            session = made.json()["uploadUrl"]
            assert session.startswith(f"{base}/_origin/")
            return [
                requests.put(
                    session, data=chunk, headers={"Content-Range": span}, timeout=10
                ).status_code
                for chunk, span in [(b"ab", "bytes 0-1/4"), (b"cd", "bytes 2-3/4")]
            ]

        with recording(path, upstream=graph.url) as proxy:
            assert upload(proxy.url) == [200, 200]
    assert b"s3cr3t" not in path.read_bytes()
    with replaying(path) as proxy:
        assert upload(proxy.url) == [200, 200]


@pytest.mark.parametrize(
    "target",
    [
        "/_origin/127.0.0.1:{port}/x",
        "/_origin/localhost:{port}/x",
        "/_origin/127.1:{port}/x",
        "/_origin/2130706433:{port}/x",
        "/_origin/0x7f000001:{port}/x",
        "/_origin/[::1]:{port}/x",
        "/_origin/[::ffff:127.0.0.1]:{port}/x",
        "/_origin/graph.microsoft.com@127.0.0.1:{port}/x",
        "/_origin/127.0.0.1%3A{port}/x",
        "/_origin/..%2f127.0.0.1:{port}/x",
        "/_origin//127.0.0.1:{port}/x",
        "/_origin/http:%2F%2F127.0.0.1:{port}/x",
        "http://127.0.0.1:{port}/x",
        "/_origin/169.254.169.254/metadata",
    ],
)
def test_a_host_no_answer_named_is_refused(tmp_path: Path, target: str) -> None:
    with RawServer() as graph, RawServer() as inside:
        port = inside.url.rpartition(":")[2]
        asked = target.format(port=port)
        with recording(tmp_path / "tape.yaml", upstream=graph.url) as proxy:
            got = exchange(
                proxy.url,
                f"GET {asked} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode(),
            )
        assert got.partition(b" ")[2][:3] in {b"403", b"400"}
        assert b'"Graphtape' in got
        assert inside.requests == []
        assert graph.requests == []


def test_a_host_named_in_one_scheme_is_not_reached_in_another(tmp_path: Path) -> None:
    with RawServer() as graph, RawServer() as other:
        host = other.url.removeprefix("http://")
        graph.answer = lambda _: redirect(f"https://{host}/x")
        with recording(tmp_path / "tape.yaml", upstream=graph.url, connect_timeout=1.0) as proxy:
            got = requests.get(f"{proxy.url}/v1.0/x", headers=AUTH, timeout=10)
        assert got.status_code in {502, 504}
        assert other.requests == [] or not other.requests[0].startswith(b"GET")


def test_a_foreign_json_answer_has_its_links_kept_inside(tmp_path: Path) -> None:
    path = tmp_path / "tape.yaml"
    with RawServer() as files, RawServer() as graph:
        graph.answer = lambda _: (
            f"HTTP/1.1 202 Accepted\r\nLocation: {files.url}/monitor/1\r\nContent-Length: 0\r\n\r\n"
        ).encode()
        polls = iter([b'{"status": "running"}', b'{"status": "completed"}'])
        files.answer = lambda _: ok(next(polls), "Content-Type: application/json")

        def watch(base: str) -> list[str]:
            started = requests.post(f"{base}/v1.0/me/drive/copy", headers=AUTH, timeout=10)
            monitor = started.headers["Location"]
            assert monitor.startswith(f"{base}/_origin/")
            return [requests.get(monitor, timeout=10).json()["status"] for _ in range(2)]

        with recording(path, upstream=graph.url) as proxy:
            assert watch(proxy.url) == ["running", "completed"]
    with replaying(path) as proxy:
        assert watch(proxy.url) == ["running", "completed"]
