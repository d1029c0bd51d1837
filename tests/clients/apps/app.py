"""An app that a test drives over its standard streams: the same jobs, whatever the client.

A line in, such as `{"base": "http://127.0.0.1:8787", "upload": "/path"}`, is a run of all jobs; the
line out maps each job to what the app saw of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

TOKEN = "not-a-real-token"
SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"
UNKNOWN_ID = "00000000-0000-0000-0000-00000000dead"
CONNECT = {"ownerUserPrincipalName": "admin@contoso.com", "ownerAccessToken": TOKEN}
PAGE = 2
_POLLS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An error answer, as the client tells it.

    Attributes:
        type: The name of the client's exception.
        code: Graph's.
    """

    type: str
    status: int
    code: str


class Client(Protocol):
    """What a client of Graph must be able to do; paths begin with Graph's version."""

    async def name(self) -> str: ...
    async def pages(self) -> list[list[str]]: ...
    async def connect(self) -> str: ...
    async def disconnect(self) -> str: ...
    async def status(self, setting: str) -> str: ...
    async def batch(self) -> dict[str, int]: ...
    async def missing(self) -> Refused: ...
    async def download(self) -> bytes: ...
    async def upload(self, data: bytes) -> None: ...


@dataclass(slots=True, kw_only=True)
class _Run:
    client: Client
    data: bytes
    setting: str = ""

    async def throttled(self) -> object:
        return await self.client.name()

    async def pages(self) -> object:
        pages = await self.client.pages()
        self.setting = pages[0][0]
        return [len(page) for page in pages]

    async def connect(self) -> object:
        return await self.client.connect()

    async def onboarded(self) -> object:
        return await self._polls("onboarded")

    async def disconnect(self) -> object:
        return await self.client.disconnect()

    async def offboarded(self) -> object:
        return await self._polls("unknown")

    async def batch(self) -> object:
        return await self.client.batch()

    async def missing(self) -> object:
        refused = await self.client.missing()
        return {"type": refused.type, "status": refused.status, "code": refused.code}

    async def download(self) -> object:
        return hashlib.sha256(await self.client.download()).hexdigest()

    async def upload(self) -> object:
        await self.client.upload(self.data)
        return hashlib.sha256(await self.client.download()).hexdigest()

    async def _polls(self, end: str) -> list[str]:
        seen: list[str] = []
        while len(seen) < _POLLS and end not in seen:
            seen.append(await self.client.status(self.setting))
        return seen


async def run_jobs(client: Client, data: bytes, names: Sequence[str]) -> dict[str, object]:
    """Do jobs in order; one that fails leaves its exception as its outcome."""
    run = _Run(client=client, data=data)
    outcomes: dict[str, object] = {}
    for name in names:
        job: Callable[[], Awaitable[object]] = getattr(run, name)
        try:
            outcomes[name] = await job()
        except Exception as exc:  # noqa: BLE001 - what the test is told
            outcomes[name] = {"raised": type(exc).__name__, "message": str(exc)[:500]}
    return outcomes


def serve(opened: Callable[[str], AbstractAsyncContextManager[Client]]) -> None:
    """Answer runs until the input ends.

    Args:
        opened: From the root of Graph, or what stands in for it, to a client.
    """

    async def run(order: Mapping[str, str]) -> dict[str, object]:
        data = await asyncio.to_thread(Path(order["upload"]).read_bytes)
        try:
            async with opened(order["base"]) as client:
                return await run_jobs(client, data, order["jobs"].split())
        except Exception as exc:  # noqa: BLE001 - what the test is told
            failed = {"raised": type(exc).__name__, "message": str(exc)[:500]}
            return dict.fromkeys(order["jobs"].split(), failed)

    for line in sys.stdin:
        sys.stdout.write(json.dumps(asyncio.run(run(json.loads(line)))) + "\n")
        sys.stdout.flush()
