"""What Graphtape wrote, stock vcrpy plays to each of the clients it patches."""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import aiohttp
import httpx
import pytest
import requests  # one of the clients vcrpy patches
import vcr
from vcr.persisters.filesystem import FilesystemPersister
from vcr.serializers import yamlserializer

from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.tape.store import open_cassette, save_cassette
from graphtape.tape.vcr_format import Metadata

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

ROOT = "https://graph.microsoft.com/beta"
JSON = ("Content-Type", "application/json;odata.metadata=minimal;charset=utf-8")
PHOTO = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\r\n\x1a"


def entry(
    method: str, path: str, status: int, *fields: tuple[str, str], sent: bytes = b"", body: bytes
) -> Interaction:
    asked = Headers.of([("Accept", "*/*"), ("Prefer", "one"), ("Prefer", "two")])
    return Interaction(
        request=Request(method=method, url=ROOT + path, headers=asked, body=sent),
        response=Response(
            status=status, reason="As Recorded", headers=Headers.of(fields), body=body
        ),
    )


TAPE = {
    "json": entry("GET", "/me", 200, JSON, body='{"displayName": "Zoë 😀\u2028"}'.encode()),
    "crlf": entry("GET", "/crlf", 200, JSON, body=b'{\r\n  "value": "inprogress"\r\n}'),
    "disconnect": entry(
        "POST",
        "/deviceManagement/chromeOSOnboardingSettings/disconnect",
        200,
        JSON,
        ("Content-Length", "29"),
        body=b'{"value": "offboarding"}',
    ),
    "photo": entry("GET", "/me/photo/$value", 200, ("Content-Type", "image/jpeg"), body=PHOTO),
    "created": entry(
        "POST",
        "/users",
        201,
        ("Location", "https://graph.microsoft.com"),
        ("Set-Cookie", "a=1; path=/"),
        ("Set-Cookie", "b=2; path=/"),
        sent=b'{"accountEnabled": true}',
        body=b"{}",
    ),
    "no-content": entry("DELETE", "/users/1", 204, ("Content-Length", "7"), body=b""),
    "latin-1": entry(
        "GET",
        "/latin",
        200,
        ("Content-Type", "text/plain; charset=iso-8859-1"),
        body="Zoë".encode("latin-1"),
    ),
    "packed": entry(
        "GET",
        "/packed",
        200,
        JSON,
        ("Content-Encoding", "gzip"),
        ("Content-Length", "31"),
        body=gzip.compress(b'{"value": []}'),
    ),
    "head": entry("HEAD", "/me", 200, JSON, ("Content-Length", "512"), body=b""),
    "throttled": entry("GET", "/busy", 429, JSON, ("Retry-After", "10"), body=b'{"error": {}}'),
}
EXPECTED_BODIES = {"packed": b'{"value": []}'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    reason: str
    headers: Headers
    body: bytes


async def with_requests(method: str, url: str, sent: bytes) -> Answer:
    answer = await asyncio.to_thread(requests.request, method, url, data=sent, timeout=5)
    # requests joins repeated fields; the parts of a cookie jar are apart again.
    fields = [(name, value) for name, value in answer.headers.items() if name != "Set-Cookie"]
    fields += [("Set-Cookie", f"{each.name}={each.value}; path=/") for each in answer.cookies]
    return Answer(
        status=answer.status_code,
        reason=answer.reason,
        headers=Headers.of(fields),
        body=answer.content,
    )


async def with_httpx(method: str, url: str, sent: bytes) -> Answer:
    async with httpx.AsyncClient() as client:
        answer = await client.request(method, url, content=sent)
    return Answer(
        status=answer.status_code,
        reason=answer.reason_phrase,
        headers=Headers.of(answer.headers.multi_items()),
        body=answer.content,
    )


async def with_aiohttp(method: str, url: str, sent: bytes) -> Answer:
    async with aiohttp.ClientSession() as client, client.request(method, url, data=sent) as answer:
        return Answer(
            status=answer.status,
            reason=answer.reason or "",
            headers=Headers.of((str(name), value) for name, value in answer.headers.items()),
            body=await answer.read(),
        )


@pytest.mark.parametrize("ask", [with_requests, with_httpx, with_aiohttp])
@pytest.mark.parametrize("name", TAPE)
async def test_stock_vcrpy_plays_status_headers_and_body(
    name: str, ask: Callable[[str, str, bytes], Awaitable[Answer]], tmp_path: Path
) -> None:
    cassette = tmp_path / "ours.yaml"
    metadata = Metadata(
        graphtape="0.1.0", upstream="sandbox", recorded_at="2026-11-23T12:00:00Z", salt="c2FsdA=="
    )
    save_cassette(cassette, TAPE.values(), metadata=metadata, other_metadata={"mine": [1]})
    recorded = TAPE[name]
    body = EXPECTED_BODIES.get(name, recorded.response.body)
    with vcr.use_cassette(str(cassette), record_mode="none") as played:
        answer = await ask(recorded.request.method, recorded.request.url, recorded.request.body)
        assert played.play_count == 1
    assert (answer.status, answer.reason) == (recorded.response.status, "As Recorded")
    assert answer.body == body
    for field, _ in recorded.response.headers.without("Content-Length", "Content-Encoding"):
        assert answer.headers.all(field) == recorded.response.headers.all(field)
    assert answer.headers.get("Content-Encoding") is None
    if name != "head" and "Content-Length" in recorded.response.headers:
        assert answer.headers.all("Content-Length") == (str(len(body)),)


def saved_again_by_vcrpy(path: Path) -> None:
    requests_, responses, metadata = FilesystemPersister.load_cassette(path, yamlserializer)
    whole = {"requests": requests_, "responses": responses, "metadata": metadata}
    FilesystemPersister.save_cassette(path, whole, yamlserializer)


def test_a_cassette_saved_again_by_vcrpy_loads_the_same(tmp_path: Path) -> None:
    cassette = tmp_path / "ours.yaml"
    metadata = Metadata(graphtape="0.1.0", upstream="global", recorded_at="2026-11-23T12:00:00Z")
    accept = Headers.of([("Accept", "*/*")])
    tape = [replace(one, request=replace(one.request, headers=accept)) for one in TAPE.values()]
    save_cassette(cassette, tape, metadata=metadata, other_metadata={"mine": [1]})
    before = open_cassette(cassette)
    saved_again_by_vcrpy(cassette)
    assert open_cassette(cassette) == before


def test_a_repeated_request_header_that_vcrpy_lost_counts_as_an_edit(tmp_path: Path) -> None:
    cassette = tmp_path / "ours.yaml"
    metadata = Metadata(graphtape="0.1.0", upstream="global", recorded_at="2026-11-23T12:00:00Z")
    save_cassette(cassette, [TAPE["json"]], metadata=metadata)
    saved_again_by_vcrpy(cassette)
    after = open_cassette(cassette)
    assert after.interactions[0].request.headers.all("Prefer") == ("one",)
    assert after.edited
