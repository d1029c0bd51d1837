"""The app on httpx, which offers HTTP/2; what was throttled the app repeats itself."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx

from clients.apps.app import TOKEN, Refused, serve
from clients.apps.plain import PlainClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TRIES = 4


class HttpxClient(PlainClient):
    def __init__(self, root: str, http: httpx.AsyncClient) -> None:
        super().__init__(root)
        self.http = http

    async def send(self, method: str, url: str, body: bytes | None, media_type: str) -> bytes:
        fields = {"Content-Type": media_type} if body is not None else {}
        for _ in range(TRIES):
            answer = await self.http.request(method, url, content=body, headers=fields)
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                break
            await asyncio.sleep(float(answer.headers["Retry-After"]))
        answer.raise_for_status()
        return answer.content

    async def refused(self, url: str) -> Refused:
        try:
            await self.send("GET", url, None, "")
        except httpx.HTTPStatusError as exc:
            code = exc.response.json()["error"]["code"]
            return Refused(type="HTTPStatusError", status=exc.response.status_code, code=code)
        raise AssertionError("it was there")


@asynccontextmanager
async def opened(root: str) -> AsyncIterator[HttpxClient]:
    shown = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(http2=True, headers=shown, timeout=30) as http:
        yield HttpxClient(root, http)


if __name__ == "__main__":
    serve(opened)
