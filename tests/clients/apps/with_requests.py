"""The app on requests; urllib3 repeats what was throttled."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from clients.apps.app import TOKEN, Refused, serve
from clients.apps.plain import PlainClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class RequestsClient(PlainClient):
    def __init__(self, root: str, token: str = TOKEN) -> None:
        super().__init__(root)
        retries = HTTPAdapter(
            max_retries=Retry(total=3, status_forcelist=[429, 503, 504], allowed_methods=None)
        )
        self.session = requests.Session()
        self.session.mount("https://", retries)
        self.session.mount("http://", retries)
        self.session.headers["Authorization"] = f"Bearer {token}"

    async def send(self, method: str, url: str, body: bytes | None, media_type: str) -> bytes:
        fields = {"Content-Type": media_type} if body is not None else {}
        answer = self.session.request(method, url, data=body, headers=fields, timeout=30)
        answer.raise_for_status()
        return answer.content

    async def refused(self, url: str) -> Refused:
        try:
            await self.send("GET", url, None, "")
        except requests.HTTPError as exc:
            code = exc.response.json()["error"]["code"]
            return Refused(type="HTTPError", status=exc.response.status_code, code=code)
        raise AssertionError("it was there")


@asynccontextmanager
async def opened(root: str) -> AsyncIterator[RequestsClient]:
    client = RequestsClient(root)
    with client.session:
        yield client


if __name__ == "__main__":
    serve(opened)
