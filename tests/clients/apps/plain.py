"""Graph by bare HTTP, for clients that know nothing of it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod

from clients.apps.app import CONNECT, PAGE, SETTINGS, UNKNOWN_ID, Refused

BATCH = {
    "requests": [
        {"id": "me", "method": "GET", "url": "/me"},
        {"id": "none", "method": "GET", "url": f"{SETTINGS.removeprefix('/beta')}/{UNKNOWN_ID}"},
        {"id": "list", "method": "GET", "url": SETTINGS.removeprefix("/beta")},
    ]
}


class PlainClient(ABC):
    """A client that sends what it is told."""

    def __init__(self, root: str) -> None:
        self.root = root

    @abstractmethod
    async def send(self, method: str, url: str, body: bytes | None, media_type: str) -> bytes:
        """Return the body of a good answer; raise the client's own error for another one."""

    @abstractmethod
    async def refused(self, url: str) -> Refused:
        """Get what isn't there."""

    async def name(self) -> str:
        return str((await self._json("GET", "/beta/me"))["displayName"])

    async def pages(self) -> list[list[str]]:
        found: list[list[str]] = []
        link: object = f"{self.root}{SETTINGS}?$top={PAGE}"
        while isinstance(link, str):
            page = json.loads(await self.send("GET", link, None, ""))
            found.append([item["id"] for item in page["value"]])
            link = page.get("@odata.nextLink")
        return found

    async def connect(self) -> str:
        return str((await self._json("POST", f"{SETTINGS}/connect", CONNECT))["value"])

    async def disconnect(self) -> str:
        return str((await self._json("POST", f"{SETTINGS}/disconnect"))["value"])

    async def status(self, setting: str) -> str:
        return str((await self._json("GET", f"{SETTINGS}/{setting}"))["onboardingStatus"])

    async def batch(self) -> dict[str, int]:
        answered = (await self._json("POST", "/beta/$batch", BATCH))["responses"]
        assert isinstance(answered, list)
        return {part["id"]: part["status"] for part in answered}

    async def missing(self) -> Refused:
        return await self.refused(f"{self.root}{SETTINGS}/{UNKNOWN_ID}")

    async def download(self) -> bytes:
        return await self.send("GET", f"{self.root}/beta/me/photo/$value", None, "")

    async def upload(self, data: bytes) -> None:
        await self.send("PUT", f"{self.root}/beta/me/photo/$value", data, "image/jpeg")

    async def _json(self, method: str, path: str, body: object = None) -> dict[str, object]:
        data = None if body is None else json.dumps(body).encode()
        read = json.loads(await self.send(method, self.root + path, data, "application/json"))
        assert isinstance(read, dict)
        return read
