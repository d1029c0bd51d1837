"""What stock vcrpy recorded with each of its clients, Graphtape reads."""

from __future__ import annotations

import asyncio
import gzip
import io
from typing import TYPE_CHECKING

import aiohttp
import httpx
import pytest
import requests  # one of the clients vcrpy patches
import vcr
from aiohttp import web

from graphtape.tape.store import open_cassette, save_cassette

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from graphtape.core.message import Interaction

PHOTO = b"\xff\xd8\xff\xe0\x00\x10JFIF"
STATUS = b'{"value": "inprogress"}'


async def answer(request: web.Request) -> web.Response:
    await request.read()
    match request.path:
        case "/gzip":
            fields = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
            return web.Response(body=gzip.compress(STATUS), headers=fields)
        case "/photo":
            return web.Response(body=PHOTO, content_type="image/jpeg")
        case "/none":
            return web.Response(status=204)
        case "/users":
            created = web.Response(
                status=201, text="{}", headers={"Location": "https://graph.microsoft.com"}
            )
            created.set_cookie("a", "1")
            created.set_cookie("b", "2")
            return created
        case "/latin":
            return web.Response(body="Zoë".encode("latin-1"), content_type="text/plain")
        case _:
            return web.Response(text="ok")


@pytest.fixture
async def base() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


CALLS: list[tuple[str, str, bytes | None]] = [
    ("GET", "/gzip", None),
    ("GET", "/photo", None),
    ("GET", "/none", None),
    ("POST", "/users", b'{"displayName": "Zo\xc3\xab"}'),
    ("GET", "/latin", None),
    ("POST", "/disconnect", None),
    ("PUT", "/photo/$value", PHOTO),
    ("HEAD", "/gzip", None),
]


async def with_requests(base: str, cassette: Path) -> None:
    def record() -> None:
        with vcr.use_cassette(str(cassette)):
            for method, path, sent in CALLS:
                requests.request(method, base + path, data=sent, timeout=5)

    await asyncio.to_thread(record)


async def with_httpx(base: str, cassette: Path) -> None:
    with vcr.use_cassette(str(cassette)):
        async with httpx.AsyncClient() as client:
            for method, path, sent in CALLS:
                await client.request(method, base + path, content=sent)


async def with_aiohttp(base: str, cassette: Path) -> None:
    with vcr.use_cassette(str(cassette)):
        async with aiohttp.ClientSession() as client:
            for method, path, sent in CALLS:
                async with client.request(method, base + path, data=sent) as response:
                    await response.read()


CLIENTS = [with_requests, with_httpx, with_aiohttp]


@pytest.mark.parametrize("record", CLIENTS)
async def test_a_recording_of_stock_vcrpy_loads_as_it_was(
    record: Callable[[str, Path], Awaitable[None]], base: str, tmp_path: Path
) -> None:
    cassette = tmp_path / "theirs.yaml"
    await record(base, cassette)
    loaded = open_cassette(cassette)
    assert (loaded.metadata, loaded.edited) == (None, False)
    packed, photo, none, created, latin, disconnect, upload, head = loaded.interactions
    assert [
        (each.request.method, each.request.url, each.request.body) for each in loaded.interactions
    ] == [(method, base + path, sent or b"") for method, path, sent in CALLS]
    assert packed.response.body == STATUS
    assert photo.response.body == PHOTO
    assert (none.response.status, none.response.reason, none.response.body) == (
        204, "No Content", b"",
    )  # fmt: skip
    assert created.response.status == 201
    assert created.response.headers.all("location") == ("https://graph.microsoft.com",)
    assert created.response.headers.all("set-cookie") == ("a=1; Path=/", "b=2; Path=/")
    assert latin.response.body == "Zoë".encode("latin-1")
    assert disconnect.response.body == upload.response.body == b"ok"
    assert head.response.body == b""
    assert not any("Content-Encoding" in each.response.headers for each in loaded.interactions)


@pytest.mark.parametrize("record", CLIENTS)
async def test_a_recording_of_stock_vcrpy_survives_being_dumped(
    record: Callable[[str, Path], Awaitable[None]], base: str, tmp_path: Path
) -> None:
    await record(base, tmp_path / "theirs.yaml")
    loaded = open_cassette(tmp_path / "theirs.yaml").interactions
    save_cassette(tmp_path / "ours.yaml", loaded, metadata=None)
    ours = open_cassette(tmp_path / "ours.yaml").interactions

    def essence(tape: tuple[Interaction, ...]) -> list[tuple[str, bytes, int, bytes]]:
        return [
            (each.request.url, each.request.body, each.response.status, each.response.body)
            for each in tape
        ]

    assert essence(ours) == essence(loaded)


async def test_files_and_iterators_sent_with_requests_load_as_their_bytes(
    base: str, tmp_path: Path
) -> None:
    cassette = tmp_path / "theirs.yaml"

    def record() -> None:
        with vcr.use_cassette(str(cassette)):
            requests.post(base + "/file", data=io.BytesIO(PHOTO), timeout=5)
            requests.post(base + "/parts", data=iter([b"one ", b"two"]), timeout=5)

    await asyncio.to_thread(record)
    file, parts = open_cassette(cassette).interactions
    assert (file.request.body, parts.request.body) == (PHOTO, b"one two")


async def test_json_given_to_aiohttp_loads_as_json(base: str, tmp_path: Path) -> None:
    cassette = tmp_path / "theirs.yaml"
    with vcr.use_cassette(str(cassette)):
        async with aiohttp.ClientSession() as client:
            await client.post(base + "/users", json={"tags": [1, None, "é"]})
    (one,) = open_cassette(cassette).interactions
    assert one.request.body == b'{"tags": [1, null, "\\u00e9"]}'


async def test_a_json_recording_of_stock_vcrpy_loads(base: str, tmp_path: Path) -> None:
    cassette = tmp_path / "theirs.json"
    with vcr.use_cassette(str(cassette), serializer="json"):
        async with httpx.AsyncClient() as client:
            await client.post(base + "/disconnect")
    (one,) = open_cassette(cassette).interactions
    assert (one.request.method, one.response.status, one.response.body) == ("POST", 200, b"ok")
