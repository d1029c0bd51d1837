"""The control API: whom it lets in, and what can't be done to it."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

import pytest
import requests

from control_api import TOKEN, controlled
from graphtape.core.address import Address
from graphtape.core.errors import UsageError
from graphtape.server.control import check_control_address
from proxies import AUTH, exchange, recording

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from control_api import Control

BEARER = {"Authorization": f"Bearer {TOKEN}"}
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("guard") / "tape.yaml"
    with recording(path, upstream="sandbox") as proxy:
        requests.get(f"{proxy.url}/v1.0/me", headers=AUTH, timeout=5)
    return path


@pytest.fixture
async def control(tape: Path) -> AsyncIterator[Control]:
    async with controlled(tape) as serving:
        yield serving


@pytest.fixture
async def guarded(tape: Path) -> AsyncIterator[Control]:
    async with controlled(tape, token=TOKEN) as serving:
        yield serving


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        pytest.param("GET", "/health", {"Host": "evil.example"}, 403, id="rebound-host"),
        pytest.param("GET", "/health", {"Host": "127.0.0.1.evil.example"}, 403, id="host-alike"),
        pytest.param("GET", "/health", {"Host": "evil.example:8788"}, 403, id="host-with-port"),
        pytest.param("GET", "/health", {"Host": "a@127.0.0.1"}, 400, id="host-with-user"),
        pytest.param("GET", "/health", {"Origin": "https://evil.example"}, 403, id="origin"),
        pytest.param("GET", "/health", {"Origin": "null"}, 403, id="sandboxed-origin"),
        pytest.param("GET", "/events", {"Origin": "https://a.example"}, 403, id="event-source"),
        pytest.param("GET", "/health", {"Sec-Fetch-Site": "cross-site"}, 403, id="cross-site"),
        pytest.param("POST", "/sessions", {"Content-Type": FORM}, 415, id="form"),
        pytest.param("POST", "/sessions", {"Content-Type": "text/plain"}, 415, id="simple-type"),
        pytest.param(
            "POST", "/sessions/default/rewind", {"Content-Type": FORM}, 415, id="empty-form"
        ),
        pytest.param(
            "POST",
            "/sessions",
            {"Content-Type": "application/json", "Content-Encoding": "gzip"},
            415,
            id="coded",
        ),
        pytest.param("TRACE", "/health", {}, 405, id="trace"),
    ],
)
async def test_what_a_page_could_send_is_refused(
    control: Control, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    response = await control.ask(method, path, headers=headers)
    assert response.status == status
    assert (await response.json())["error"]["code"].startswith("Graphtape")


async def test_a_preflight_gets_no_leave(control: Control) -> None:
    headers = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "PUT"}
    response = await control.ask("OPTIONS", "/sessions/default/scenario", headers=headers)
    assert response.status == 403
    assert not [name for name in response.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:3000",
        "http://127.0.0.1",
        "http://[::1]:1",
        "http://localhost:{port}",
        "http://127.0.0.2:{port}",
        "https://127.0.0.1:{port}",
        "http://127.0.0.1:{port}.evil.example",
        "http://127.0.0.1:{port}/",
        "http://127.0.0.1:{port}@evil.example",
        "http://x@127.0.0.1:{port}",
        "http://evil.example#127.0.0.1:{port}",
        "//127.0.0.1:{port}",
        "127.0.0.1:{port}",
        "http://127.0.0.1:{port} http://evil.example",
        "http://",
        "null",
        "",
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/health"),
        ("GET", "/sessions/default/report"),
        ("GET", "/events"),
        ("POST", "/sessions/default/rewind"),
        ("DELETE", "/sessions/default/scenario"),
    ],
)
async def test_a_page_of_another_origin_is_refused(
    control: Control, method: str, path: str, origin: str
) -> None:
    said = origin.replace("{port}", control.url.rpartition(":")[2])
    response = await control.ask(method, path, headers={"Origin": said})
    assert response.status == 403
    assert (await response.json())["error"]["code"] == "GraphtapeOrigin"
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
async def test_a_page_of_the_control_port_itself_is_let_in(control: Control, host: str) -> None:
    named = f"{host}:{control.url.rpartition(':')[2]}"
    headers = {"Host": named, "Origin": f"http://{named.lower()}", "Sec-Fetch-Site": "same-origin"}
    response = await control.ask("POST", "/sessions/default/rewind", headers=headers)
    assert response.status == 204


async def test_the_usual_port_may_be_left_out_of_an_origin(control: Control) -> None:
    headers = {"Host": "localhost:80", "Origin": "http://localhost"}
    assert (await control.ask("GET", "/health", headers=headers)).status == 200


@pytest.mark.parametrize("path", ["/health", "/sessions/default/journal"])
@pytest.mark.parametrize(
    ("site", "status"),
    [("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403), ("?", 403)],
)
async def test_a_read_without_an_origin_is_judged_by_its_site(
    control: Control, path: str, site: str, status: int
) -> None:
    response = await control.ask("GET", path, headers={"Sec-Fetch-Site": site})
    assert response.status == status


async def test_one_origin_among_several_that_is_foreign_is_enough(control: Control) -> None:
    headers = [("Origin", control.url), ("Origin", "http://localhost:3000")]
    assert (await control.ask("GET", "/health", headers=headers)).status == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/sessions/..%2f", 404),
        ("/sessions/%2e%2e%2fhealth", 404),
        ("/sessions/default%2fjournal", 404),
        ("/sessions/default%00", 404),
        ("/sessions/%ff%fe", 404),
        ("/sessions/é", 400),
        ("/sessions/../../etc/passwd", 404),
        ("//health", 404),
        ("/sessions/" + "x" * 4000, 404),
        ("/sessions/" + "x" * 70000, 400),
        ("/health/", 404),
        ("*", 400),
    ],
    ids=lambda value: str(value)[:24],
)
async def test_a_trick_with_the_path_is_a_clean_refusal(
    control: Control, path: str, status: int
) -> None:
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    answer = await asyncio.to_thread(exchange, control.url, head)
    line, _, rest = answer.partition(b"\r\n")
    assert line.split()[1] == str(status).encode()
    assert b"Traceback" not in rest
    assert b"root:" not in rest


@pytest.mark.parametrize("field", ["", "Host: a\r\nHost: 127.0.0.1\r\n"], ids=["none", "two"])
async def test_a_request_names_one_host(control: Control, field: str) -> None:
    head = f"GET /health HTTP/1.1\r\n{field}Connection: close\r\n\r\n".encode()
    answer = await asyncio.to_thread(exchange, control.url, head)
    assert answer.split()[1] == b"400"


async def test_a_method_that_is_none_is_answered_with_those_there_are(control: Control) -> None:
    response = await control.ask("PATCH", "/sessions")
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD, POST")


async def test_a_body_above_a_mebibyte_is_refused(control: Control) -> None:
    body = b'{"id": "' + b"x" * 1_048_577 + b'"}'
    headers = {"Content-Type": "application/json"}
    response = await control.ask("POST", "/sessions", data=io.BytesIO(body), headers=headers)
    assert response.status == 413


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'{"id": "\xff"}', b"[" * 100_000, b"nul"])
async def test_what_is_no_json_is_refused(control: Control, body: bytes) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    response = await control.ask("POST", "/sessions", data=body, headers=headers)
    assert response.status == 400


@pytest.mark.parametrize("path", ["/health", "/openapi.json", "/nothing", "/sessions/default"])
async def test_every_call_shows_the_token(guarded: Control, path: str) -> None:
    response = await guarded.ask("GET", path)
    assert response.status == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="graphtape"'
    assert TOKEN not in await response.text()


@pytest.mark.parametrize(
    "shown",
    ["Bearer wrong", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer", "", "Bearer é"],
)
async def test_a_wrong_token_is_refused(guarded: Control, shown: str) -> None:
    response = await guarded.ask("GET", "/health", headers={"Authorization": shown})
    assert response.status == 401


async def test_the_token_opens_under_any_host(guarded: Control) -> None:
    headers = {**BEARER, "Host": "graphtape.example:8788"}
    response = await guarded.ask("POST", "/sessions", json={"id": "far"}, headers=headers)
    port = guarded.data.rpartition(":")[2]
    base = (await response.json())["base_url"]
    assert base == f"http://graphtape.example:{port}/_session/far"


async def test_the_token_opens_to_no_page(guarded: Control) -> None:
    headers = {**BEARER, "Origin": "https://evil.example"}
    assert (await guarded.ask("GET", "/health", headers=headers)).status == 403


@pytest.mark.parametrize("address", ["127.0.0.1:8788", "[::1]:0", "localhost:8788"])
def test_a_loopback_address_needs_no_token(address: str) -> None:
    check_control_address(Address.parse(address), None)


@pytest.mark.parametrize("address", ["0.0.0.0:8788", "[::]:8788", "192.0.2.7:1", "graph.example:1"])
def test_another_address_needs_a_token(address: str) -> None:
    with pytest.raises(UsageError, match="--control-token"):
        check_control_address(Address.parse(address), None)
    check_control_address(Address.parse(address), TOKEN)


@pytest.mark.parametrize("token", ["", "two words", "clé", "line\n"])
def test_what_no_header_can_carry_is_no_token(token: str) -> None:
    with pytest.raises(UsageError, match="--control-token"):
        check_control_address(Address.parse("127.0.0.1:0"), token)
