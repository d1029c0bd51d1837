"""A connection to Redis: the commands of one turn of the loop in one write, answers in order."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import TYPE_CHECKING, cast

import hiredis
from redis.connection import SSLConnection, UnixDomainSocketConnection, parse_url

from graphtape.core.errors import RequestError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 5.0
"""Seconds that an answer may take."""

_SOONEST, _LATEST = 0.05, 2.0
"""Seconds from one attempt to connect to the next."""


class UnavailableError(RequestError):
    """Redis doesn't answer. No SDK repeats a 599: a 503 would be repeated, and hidden."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the state of this session can't be reached: Redis {why}",
            status=599,
            code="GraphtapeStateUnavailable",
        )


class Link(asyncio.Protocol):
    """A connection to Redis, made anew where it breaks. For the loop's own thread."""

    def __init__(self, url: str, *, on_push: Callable[[list[object]], None] | None = None) -> None:
        """Not connected yet; `made` counts the connections.

        Args:
            url: `redis://`, `rediss://` or `unix://`, as redis-py takes it.
            on_push: Told what channels say, once it has subscribed to some.

        Raises:
            UsageError: It is no such URL.
        """
        try:
            self._at = parse_url(url)
            self._at["db"] = int(self._at.get("db") or 0)
            self._at.get("host") or self._at["path"]
        except (ValueError, LookupError) as exc:
            raise UsageError(
                "--state takes redis://HOST:PORT/DB, rediss://HOST:PORT/DB or unix:///PATH?db=DB"
            ) from exc
        self._on_push = on_push
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[asyncio.Future[object], float]] = deque()
        self._written: list[bytes] = []
        self._connecting: asyncio.Task[None] | None = None
        self._next = 0.0
        self._pause = _SOONEST
        self._watch: asyncio.TimerHandle | None = None
        self._closed = False
        self._ready = False  # once it has shown who it is, and chosen its database
        self.made = 0

    async def call(self, *command: bytes | str | int) -> object:
        """Send a command; return its answer.

        Raises:
            UnavailableError: There was none, or not in time. It may have been done all the same.
            hiredis.ReplyError: It was refused.
        """
        if not self._ready:
            await self._connect()
        return await self._sent(command)

    def close(self) -> None:
        """Close it for good."""
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
        if self._transport is not None:
            self._transport.close()

    def _sent(self, command: tuple[bytes | str | int, ...]) -> asyncio.Future[object]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[object] = loop.create_future()
        if not self._written:
            loop.call_soon(self._flush)
        self._written.append(hiredis.pack_command(command))  # type: ignore[arg-type] # its stub has tuples of one
        self._waiting.append((future, loop.time()))
        return future

    def _flush(self) -> None:
        if self._transport is not None:
            self._transport.write(b"".join(self._written))
        self._written.clear()

    async def _connect(self) -> None:
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connected())
        await asyncio.shield(self._connecting)

    async def _connected(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._next:
            raise UnavailableError("refused a connection a moment ago")
        kind = self._at.get("connection_class")
        try:
            async with asyncio.timeout(PATIENCE):
                if kind is UnixDomainSocketConnection:
                    path = str(self._at["path"])
                    await loop.create_unix_connection(lambda: self, path)
                else:
                    roots = self._at.get("ssl_ca_certs")
                    secured = kind is SSLConnection
                    tls = ssl.create_default_context(cafile=roots) if secured else None
                    host, port = self._at.get("host", "localhost"), self._at.get("port", 6379)
                    await loop.create_connection(lambda: self, host, port, ssl=tls)
                await self._introduce()
        except (OSError, TimeoutError, hiredis.ReplyError, UnavailableError) as exc:
            self._next = loop.time() + self._pause
            self._pause = min(_LATEST, self._pause * 2)
            self._drop("can't be connected to")
            # Of a password it says nothing.
            raise UnavailableError(f"can't be connected to ({type(exc).__name__}: {exc})") from exc
        self._pause = _SOONEST
        self._ready = True

    async def _introduce(self) -> None:
        if self._at.get("password") is not None:
            name = [self._at["username"]] if self._at.get("username") else []
            await self._sent(("AUTH", *name, self._at["password"]))
        if self._at.get("db"):
            await self._sent(("SELECT", int(self._at["db"])))
        await self._sent(("PING",))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of another class
        self.made += 1
        self._reader = hiredis.Reader()
        self._look()

    def data_received(self, data: bytes) -> None:
        """Hand each answer to whoever waits for it."""
        self._reader.feed(data)
        while (answer := self._reader.gets()) is not False:
            if self._on_push is not None and isinstance(answer, list) and answer[0] == b"message":
                self._on_push(answer)
                continue
            future, _ = self._waiting.popleft()
            if future.done():
                continue
            if isinstance(answer, hiredis.ReplyError):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell all who wait."""
        del exc
        self._drop("closed the connection")

    def _drop(self, why: str) -> None:
        self._ready = False
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        if self._watch is not None:
            self._watch.cancel()
        self._written.clear()
        waiting, self._waiting = self._waiting, deque()
        for future, _ in waiting:
            if not future.done():
                future.set_exception(UnavailableError(why))
                future.exception()  # who no longer waits misses nothing

    def _look(self) -> None:
        """Give up a connection on which an answer takes too long."""
        loop = asyncio.get_running_loop()
        if self._waiting and loop.time() - self._waiting[0][1] > PATIENCE:
            self._drop(f"didn't answer within {PATIENCE:.0f} s")
        elif not self._closed:
            self._watch = loop.call_later(0.5, self._look)
