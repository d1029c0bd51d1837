"""A sandbox on a real port, and a client that talks to it."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web
from yarl import URL

from graphtape.sandbox.app import make_app
from graphtape.sandbox.tenant import Tenant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from multidict import CIMultiDictProxy

GRAPH = "https://graph.microsoft.com"
SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TOKEN = "Bearer fake-token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    reason: str | None
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = self.json["error"]
        return error


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxClient:
    session: aiohttp.ClientSession
    address: str

    async def ask(
        self,
        method: str,
        path: str,
        *,
        payload: object = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask with a token, but for where `headers` say otherwise; `path` may be a Graph URL."""
        url = URL(self.address + path.removeprefix(GRAPH), encoded=True)
        sent = {"Authorization": TOKEN, **(headers or {})}
        body = data
        if payload is not None:
            sent.setdefault("Content-Type", "application/json")
            body = json.dumps(payload).encode()
        # aiohttp sends a large body in pieces only where it comes from a file.
        stream = None if body is None else io.BytesIO(body)
        async with self.session.request(method, url, data=stream, headers=sent) as response:
            return Answer(
                status=response.status,
                reason=response.reason,
                headers=response.headers,
                body=await response.read(),
            )

    async def pages(self, path: str) -> list[dict[str, Any]]:
        """Follow the next links to the end."""
        seen = [(await self.ask("GET", path)).json]
        while "@odata.nextLink" in seen[-1]:
            seen.append((await self.ask("GET", seen[-1]["@odata.nextLink"])).json)
        return seen

    async def statuses(self) -> list[str]:
        """Read the list once; say each setting's status."""
        answer = await self.ask("GET", SETTINGS)
        return [setting["onboardingStatus"] for setting in answer.json["value"]]


@contextlib.asynccontextmanager
async def serve(tenant: Tenant | None = None) -> AsyncIterator[SandboxClient]:
    runner = web.AppRunner(make_app(tenant or Tenant(now=lambda: NOON)))
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession() as session:
            yield SandboxClient(session=session, address=f"http://127.0.0.1:{port}")
    finally:
        await runner.cleanup()
