"""The app on curl."""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from clients.apps.app import TOKEN, Refused, serve
from clients.apps.plain import PlainClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class CurlError(Exception):
    """curl's exit code, the status and the body it got."""

    def __init__(self, code: int, status: int, body: bytes, said: str) -> None:
        super().__init__(f"exit code {code}: {said}")
        self.code, self.status, self.body = code, status, body


class CurlClient(PlainClient):
    def __init__(self, root: str, folder: Path) -> None:
        super().__init__(root)
        self.folder = folder

    async def send(self, method: str, url: str, body: bytes | None, media_type: str) -> bytes:
        return await asyncio.to_thread(self._send, method, url, body, media_type)

    def _send(self, method: str, url: str, body: bytes | None, media_type: str) -> bytes:
        got, sent = self.folder / "got", self.folder / "sent"
        command = ["curl", "-sS", "--fail-with-body", "--retry", "3", "-X", method, url]
        command += ["-H", f"Authorization: Bearer {TOKEN}", "-o", str(got)]
        command += ["-w", "%{http_code}", "--max-time", "30"]
        if body is not None:
            sent.write_bytes(body)
            # Of -T it announces the body by Expect: 100-continue.
            how = ["-T", str(sent)] if method == "PUT" else ["--data-binary", f"@{sent}"]
            command += ["-H", f"Content-Type: {media_type}", *how]
        got.write_bytes(b"")
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise CurlError(done.returncode, int(done.stdout), got.read_bytes(), done.stderr)
        return got.read_bytes()

    async def refused(self, url: str) -> Refused:
        try:
            await self.send("GET", url, None, "")
        except CurlError as exc:
            code = json.loads(exc.body)["error"]["code"]
            return Refused(type=f"exit code {exc.code}", status=exc.status, code=code)
        raise AssertionError("it was there")


@asynccontextmanager
async def opened(root: str) -> AsyncIterator[CurlClient]:
    with tempfile.TemporaryDirectory() as folder:
        yield CurlClient(root, Path(folder))


if __name__ == "__main__":
    serve(opened)
