from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING

from graphtape.sandbox.tenant import Tenant
from sandbox.service import NOON, SETTINGS, SandboxClient, serve

if TYPE_CHECKING:
    from datetime import datetime

    import pytest

CONNECT = {"ownerUserPrincipalName": "new@contoso.com", "ownerAccessToken": "fake-owner-token"}
GZIP = {"Content-Type": "application/json", "Content-Encoding": "gzip"}


async def test_reset_puts_everything_back(sandbox: SandboxClient) -> None:
    before = [(await sandbox.ask("GET", path)).body for path in (SETTINGS, "/beta/users")]
    await sandbox.ask("POST", f"{SETTINGS}/connect", payload=CONNECT)
    await sandbox.ask("POST", f"{SETTINGS}/disconnect")
    await sandbox.ask("PATCH", "/v1.0/me", payload={"jobTitle": "CEO"})
    await sandbox.ask("DELETE", "/v1.0/me/photo/$value")
    async with sandbox.session.post(f"{sandbox.address}/_sandbox/reset") as reset:
        assert reset.status == 204
    after = [(await sandbox.ask("GET", path)).body for path in (SETTINGS, "/beta/users")]
    assert after == before
    assert (await sandbox.ask("GET", "/v1.0/me/photo/$value")).status == 200


async def test_a_gzip_body_is_taken(sandbox: SandboxClient) -> None:
    data = gzip.compress(json.dumps(CONNECT).encode())
    answer = await sandbox.ask("POST", f"{SETTINGS}/connect", data=data, headers=GZIP)
    assert answer.status == 200
    assert len(await sandbox.statuses()) == 4


async def test_a_body_that_is_not_gzip_as_said_is_a_400_and_the_sandbox_goes_on(
    sandbox: SandboxClient,
) -> None:
    answer = await sandbox.ask("POST", f"{SETTINGS}/connect", data=b"plain", headers=GZIP)
    assert answer.status == 400
    assert (await sandbox.ask("GET", SETTINGS)).status == 200


async def test_eight_mib_arrive_and_seventeen_are_a_413(sandbox: SandboxClient) -> None:
    headers = {"Content-Type": "application/json"}
    padded = json.dumps(CONNECT).encode() + b" " * (8 * 1024 * 1024)
    path = f"{SETTINGS}/connect"
    assert (await sandbox.ask("POST", path, data=padded, headers=headers)).status == 200
    too_much = bytes(17 * 1024 * 1024)
    answer = await sandbox.ask("POST", path, data=too_much, headers=headers)
    assert (answer.status, answer.error["code"]) == (413, "RequestEntityTooLarge")


async def test_head_is_a_405_without_a_body(sandbox: SandboxClient) -> None:
    answer = await sandbox.ask("HEAD", SETTINGS)
    assert (answer.status, answer.body) == (405, b"")


async def test_an_absolute_request_target_reaches_the_same_path(sandbox: SandboxClient) -> None:
    port = int(sandbox.address.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET {sandbox.address}/v1.0/users?$top=1 HTTP/1.1\r\nHost: x\r\n"
        "Authorization: Bearer fake\r\nConnection: close\r\n\r\n".encode()
    )
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.count(b'"userPrincipalName"') == 1


async def test_the_sandboxs_own_mistake_is_a_graph_shaped_500(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ticks = iter([NOON])

    def broken_once() -> datetime:
        nonlocal ticks
        if next(ticks, None) is not None:
            raise OSError("the clock has stopped")
        return NOON

    async with serve(Tenant(now=broken_once)) as sandbox:
        answer = await sandbox.ask("GET", "/v1.0/me?$select=secret")
        assert (answer.status, answer.error["code"]) == (500, "GraphtapeSandbox")
        assert (await sandbox.ask("GET", "/v1.0/me")).status == 200
    assert "The sandbox failed on GET /v1.0/me" in caplog.text
    assert "secret" not in caplog.messages[0]
