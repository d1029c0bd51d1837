"""The bearer token that the proxy adds while recording: a command of the user's prints it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import shlex
import shutil
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from graphtape.core.errors import UpstreamError, UsageError
from graphtape.core.signin.token import expiry_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.server.http.request import Incoming

TIMEOUT = 60.0
"""Seconds that the command is given."""
UNTOLD = 300.0
"""Seconds that a token is kept where nothing says when it ends."""
AHEAD = 300.0
"""Seconds before its end that a new one is asked for; at half its life, if that is later."""
PATIENCE = 30.0
"""Seconds after a failed renewal in which the old token does without another."""

_LONGEST = 64 * 1024
_TOKEN = re.compile(r"[!-~]{8,}")
_NAMES = ("accessToken", "access_token", "token")

log = logging.getLogger("graphtape")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """A token.

    Attributes:
        renew: When a new one is asked for, Unix seconds.
        end: When it is over, likewise.
    """

    text: str
    renew: float
    end: float

    def __repr__(self) -> str:  # never in a log, nor in a traceback that shows its locals
        return f"_Kept(renew={self.renew}, end={self.end})"


class TokenCommand:
    """Runs the user's command, and keeps its token until shortly before its end."""

    def __init__(
        self,
        command: str,
        *,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Read a command; it isn't run before a token is asked for.

        Args:
            command: Program and arguments as in a shell, of which there is none: no pipes, no
                variables.
            timeout: Seconds that it is given.
            clock: Unix time in seconds.

        Raises:
            UsageError: It is empty, or a quote in it isn't closed.
        """
        self._words = _split(command)
        self._name = PurePath(self._words[0]).name
        self._timeout = timeout
        self._clock = clock
        self._kept: _Kept | None = None
        self._running = asyncio.Lock()

    async def bearing(self, incoming: Incoming) -> Incoming:
        """Return a request with the token, for the way up alone: the one given stays as it is.

        It stays bare where the client sent a token of its own, or where it leaves Graph.

        Raises:
            UpstreamError: The command gave none.
        """
        if incoming.off_graph or "Authorization" in incoming.wire_headers:
            return incoming
        value = f"Bearer {await self.token()}"
        return replace(incoming, wire_headers=incoming.wire_headers.add("Authorization", value))

    async def token(self) -> str:
        """Return a token that is good for a while; who asks meanwhile waits for the same run.

        Raises:
            UpstreamError: The command gave none.
        """
        kept = self._kept
        if kept is not None and self._clock() < kept.renew:
            return kept.text
        async with self._running:
            return await self._renewed()

    async def _renewed(self) -> str:
        kept, now = self._kept, self._clock()
        if kept is not None and now < kept.renew:
            return kept.text
        try:
            self._kept = self._read(await self._run())
        except UpstreamError as exc:
            if kept is None or now >= kept.end:
                raise
            log.warning("%s; the token at hand is good for %.0f s more", exc, kept.end - now)
            self._kept = replace(kept, renew=min(now + PATIENCE, kept.end))
            return kept.text
        return self._kept.text

    async def _run(self) -> bytes:
        try:
            process = await _start(self._words)
        except OSError as exc:
            raise self._failed(f"can't be run: {exc.strerror or 'it is no program'}") from None
        try:
            async with asyncio.timeout(self._timeout):
                printed = await _printed(process)
                code = await process.wait()
        except TimeoutError:
            raise self._failed(f"did not end within {self._timeout:g} s") from None
        finally:
            if process.returncode is None:
                await _end(process)
        if code != 0:
            raise self._failed(f"ended with code {code}")
        return printed

    def _read(self, printed: bytes) -> _Kept:
        text, told = _token_in(printed.decode("utf-8", "replace").strip())
        if text is None:
            raise self._failed(
                "printed no token: one line with the token alone, or JSON with accessToken, is "
                "expected"
            )
        now = self._clock()
        ends = expiry_of(text) or told
        if ends is None:
            return _Kept(text=text, renew=now + UNTOLD, end=now + UNTOLD)
        if ends <= now:
            raise self._failed("printed a token that is over already")
        return _Kept(text=text, renew=max(ends - AHEAD, (now + ends) / 2), end=ends)

    def _failed(self, why: str) -> UpstreamError:
        # Neither its arguments nor what it printed: either may hold the token.
        return UpstreamError(
            f"--token-command: {self._name} {why}; run the command by itself to see what it says",
            status=502,
            code="GraphtapeTokenCommand",
        )


def _split(command: str) -> tuple[str, ...]:
    windows = sys.platform == "win32"
    try:
        # There a backslash is a part of a path, and nothing is escaped by it.
        words = shlex.split(command, posix=not windows)
    except ValueError as exc:
        raise UsageError(f"--token-command: {str(exc).lower()}; quote it as in a shell") from exc
    if windows:
        words = [
            word[1:-1] if re.fullmatch(r"\"[^\"]*\"|'[^']*'", word) else word for word in words
        ]
    if not words or not words[0]:
        raise UsageError(
            "--token-command is empty; name a program, such as az account get-access-token "
            "--resource-type ms-graph"
        )
    return tuple(words)


async def _start(words: tuple[str, ...]) -> asyncio.subprocess.Process:
    program, *arguments = words
    if sys.platform == "win32":
        program = shutil.which(program) or program  # finds az.cmd by the name az
    return await asyncio.create_subprocess_exec(
        program,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        # A group of its own, so that it can be ended with what it started: az is a script.
        start_new_session=sys.platform != "win32",
    )


async def _printed(process: asyncio.subprocess.Process) -> bytes:
    """Read to the end what a command prints; nothing of what is far too much for a token."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    printed = b""
    while chunk := await process.stdout.read(_LONGEST):
        printed = printed + chunk if len(printed) <= _LONGEST else printed
    return printed if len(printed) <= _LONGEST else b""


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a command, and what it started where the system knows that."""
    with suppress(ProcessLookupError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    # What it started may hold its output open where it outlives it.
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            await _printed(process)
            await process.wait()


def _token_in(printed: str) -> tuple[str | None, float | None]:
    """Find the token in what was printed, and when it ends where that stands beside it."""
    ends: float | None = None
    text: object = printed
    if printed[:1] in {"{", '"'}:
        try:
            text = json.loads(printed)
        except (ValueError, RecursionError):
            return None, None
    if isinstance(text, dict):
        told = text.get("expires_on")
        ends = float(told) if isinstance(told, int) else None
        text = next((text[name] for name in _NAMES if name in text), None)
    if not isinstance(text, str):
        return None, None
    text = text.removeprefix("Bearer ").strip()
    return (text, ends) if _TOKEN.fullmatch(text) else (None, None)
