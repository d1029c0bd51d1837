"""The app on azure-cli's `az rest`; the program is its argument."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from clients.apps.app import TOKEN, Refused, serve
from clients.apps.plain import PlainClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class AzError(Exception):
    """What az says of an error answer: the reason of its status, and Graph's code."""

    def __init__(self, exit_code: int, said: str) -> None:
        found = re.search(r'ERROR: ([\w ]+)\(\{"error": \{"code": "(\w+)"', said)
        self.exit_code = exit_code
        self.reason, self.code = found.groups() if found else (said, "")
        super().__init__(f"exit code {exit_code}: {self.reason}, {self.code}")


class AzClient(PlainClient):
    def __init__(self, root: str, folder: Path) -> None:
        super().__init__(root)
        self.folder = folder

    async def send(self, method: str, url: str, body: bytes | None, media_type: str) -> bytes:
        return await asyncio.to_thread(self._send, method, url, body, media_type)

    def _send(self, method: str, url: str, body: bytes | None, media_type: str) -> bytes:
        got, sent = self.folder / "got", self.folder / "sent"
        got.unlink(missing_ok=True)
        command = [sys.argv[1], "rest", "--method", method.lower()]
        command += ["--url", url, "--output-file", str(got)]
        fields = [f"Authorization=Bearer {TOKEN}"]
        if body is not None:
            sent.write_bytes(body)
            fields.append(f"Content-Type={media_type}")
            command += ["--body", f"@{sent}"]
        command += ["--headers", *fields]
        quiet = {"AZURE_CONFIG_DIR": str(self.folder / "az"), "AZURE_CORE_COLLECT_TELEMETRY": "no"}
        done = subprocess.run(
            command,
            env={**os.environ, **quiet, "AZURE_CORE_ONLY_SHOW_ERRORS": "yes"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise AzError(done.returncode, done.stderr)
        return got.read_bytes() if got.exists() else b""

    async def refused(self, url: str) -> Refused:
        try:
            await self.send("GET", url, None, "")
        except AzError as exc:
            # It prints the reason alone.
            status = HTTPStatus[exc.reason.upper().replace(" ", "_")]
            return Refused(type=f"exit code {exc.exit_code}", status=status, code=exc.code)
        raise AssertionError("it was there")


@asynccontextmanager
async def opened(root: str) -> AsyncIterator[AzClient]:
    with tempfile.TemporaryDirectory() as folder:
        yield AzClient(root, Path(folder))


if __name__ == "__main__":
    serve(opened)
