from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from graphtape.core.address import Address
from graphtape.core.errors import RequestError, UsageError
from graphtape.server.signin.local_client import check_client, check_listen_address
from proxies import exchange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOST = "Host: 127.0.0.1:8787"


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async def answer(http: web.BaseRequest) -> web.Response:
        try:
            check_client(http)
        except RequestError as exc:
            return web.Response(status=exc.status, text=f"{exc.code}: {exc}")
        return web.Response(text="let in")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def asked(url: str, *lines: str) -> str:
    head = "\r\n".join(["POST /beta/x HTTP/1.1", *lines, "Connection: close", "", ""])
    return (await asyncio.to_thread(exchange, url, head.encode())).decode()


@pytest.mark.parametrize(
    "lines",
    [
        [HOST],
        ["Host: localhost:8787"],
        ["Host: [::1]:8787"],
        [HOST, "Sec-Fetch-Site: none"],
        [HOST, "Sec-Fetch-Site: same-origin"],
    ],
)
async def test_programs_of_this_machine_are_let_in(url: str, lines: list[str]) -> None:
    assert "let in" in await asked(url, *lines)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(["Host: evil.example"], id="rebinding"),
        pytest.param(["Host: 127.0.0.1.evil.example"], id="look-alike"),
        pytest.param(["Host: 192.0.2.1:8787"], id="another-machine"),
        pytest.param([HOST, "Origin: https://evil.example"], id="page"),
        pytest.param([HOST, "Origin: http://localhost:3000"], id="local-page"),
        pytest.param([HOST, "Origin: null"], id="sandboxed-page"),
        pytest.param([HOST, "Sec-Fetch-Site: cross-site"], id="cross-site"),
        pytest.param([HOST, "Sec-Fetch-Site: Same-Site"], id="same-site"),
    ],
)
async def test_pages_and_foreign_hosts_are_refused(url: str, lines: list[str]) -> None:
    answer = await asked(url, *lines)
    assert answer.startswith("HTTP/1.1 403 ")
    assert "GraphtapeNotLocal" in answer


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_loopback_address_may_be_listened_on(host: str) -> None:
    check_listen_address(Address(host, 8787))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "proxy.example"])  # noqa: S104
def test_no_other_address_may_be(host: str) -> None:
    with pytest.raises(UsageError, match="--token-command adds your token"):
        check_listen_address(Address(host, 8787))
