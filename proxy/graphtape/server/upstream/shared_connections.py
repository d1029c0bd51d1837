"""The connections to one origin that requests share whose body is here.

They are aiohttp's, on private ground of it: on what `FITS` looks for. Where that is missing, the
normal way is taken.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import ClientRequest
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from yarl import URL

from graphtape.server.upstream.answer import (
    UpstreamAnswer,
    next_chunk,
    once,
)
from graphtape.server.upstream.fault import SentOnceError, translated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from ssl import SSLContext

    from aiohttp import BaseConnector, ClientTimeout, StreamReader
    from aiohttp.client_reqrep import ConnectionKey
    from aiohttp.http_parser import RawResponseMessage


FITS = all(
    hasattr(ResponseHandler, name) for name in ("set_response_params", "start_timeout", "read")
)
"""Whether the aiohttp that runs is built as this module expects."""

READS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods without effects: such a request can be repeated."""

_ATTEMPTS = 2
"""As aiohttp's: a pooled connection may have been closed meanwhile, and a read can be repeated."""

_NOT_KEPT = "HEAD"
"""How an answer is parsed depends on whether it is one to this."""

_IDLE = 15.0
"""Seconds that a connection is kept for, as aiohttp's pool does."""

_FRESH = 1.0
"""Seconds since its last answer during which a connection takes a request with effects.

It is never sent twice, so it must not meet a connection that upstream is about to close. It takes
one once upstream has been seen to keep others open, and never where it closes them early.
"""

_KEPT = 0.1
"""Seconds after which a connection that is still open shows that upstream keeps them."""

_EARLY = 4.0
"""Seconds before which no server in use closes a connection that is idle; many do after 5."""

_SWITCHING = 101
_FINAL = 200
_READ_SIZE = 64 * 1024


# epoll's would be a file of its own to open and close.
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


class _Asker(ClientRequest):
    """Says of each request to one origin which connection it may take."""

    @cached_property
    def connection_key(self) -> ConnectionKey:
        return super().connection_key


class Reply:
    """An answer whose head has arrived; its connection goes back to where it came from.

    Attributes:
        message: Its head.
        content: Its body.
    """

    __slots__ = ("_connection", "_give_back", "content", "message")

    def __init__(
        self,
        message: RawResponseMessage,
        content: StreamReader,
        connection: Connection,
        give_back: Callable[[Connection], None],
    ) -> None:
        """Take an answer over from its connection."""
        self.message = message
        self.content = content
        self._connection: Connection | None = connection
        self._give_back = give_back
        if content.is_eof():
            self.release()

    def whole(self) -> bytes | None:
        """Return the body, where all of it arrived with the head."""
        content = self.content
        if not content.is_eof() or content.exception() is not None:
            return None
        return content.read_nowait()

    def answer(self, body: bytes | None, *, origin: str) -> UpstreamAnswer:
        """Return it as everybody else reads it.

        Args:
            body: All of it; None where it is still arriving.
            origin: Whose it is.

        Raises:
            UpstreamError: It is no final one.
        """
        message = self.message
        return UpstreamAnswer(
            message.code,
            message.reason,
            message.raw_headers,
            origin=origin,
            chunks=self._chunks(origin) if body is None else once(body),
            body=body,
        )

    async def _chunks(self, origin: str) -> AsyncIterator[bytes]:
        with translated(URL(origin, encoded=True)):
            while chunk := await next_chunk(self.content, self):
                yield chunk

    def release(self) -> None:
        """Give the connection back; one with a body still on it is closed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._give_back(connection)

    @property
    def protocol(self) -> ResponseHandler | None:
        """What reads the connection; None once it has been given back."""
        return None if self._connection is None else self._connection.protocol


class Connections:
    """The connections to one origin."""

    def __init__(
        self,
        origin: str,
        *,
        connector: BaseConnector,
        timeout: ClientTimeout,
        tls: SSLContext | bool,
        max_line: int,
    ) -> None:
        """Say where to.

        Args:
            origin: Scheme, host and port of a URL, as written.
            connector: Makes the connections.
            timeout: To connect, and without a byte.
            tls: As for `ClientRequest`.
            max_line: Bytes of a line of an answer's head.
        """
        self.origin = origin
        self._connector = connector
        self._timeout = timeout
        self._max_line = max_line
        self._loop = asyncio.get_running_loop()
        url = URL(origin + "/", encoded=True)
        self._asker = _Asker("GET", url, loop=self._loop, ssl=tls)
        self.host = self._asker.headers["Host"]
        self._idle: deque[tuple[Connection, float]] = deque()  # the one used last stands last
        self._cleaning: asyncio.TimerHandle | None = None
        self._closed = False
        self._keeps = self._closes_early = False

    async def ask(self, method: str, data: bytes) -> Reply:
        """Send a request and wait for the head of its answer.

        Args:
            method: Its method. One with effects is sent once.
            data: Its head, and its body.

        Raises:
            aiohttp.ClientError: As from aiohttp.
            SentOnceError: The connection was lost, and upstream may have seen the request.
        """
        if method not in READS:
            return await self._attempt(method, data, self._one_for_write())
        for attempt in range(_ATTEMPTS):
            try:
                return await self._attempt(method, data, self._idle_one(method))
            except aiohttp.ClientConnectorError:
                raise
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
                if attempt + 1 == _ATTEMPTS:
                    raise
        raise AssertionError  # the last attempt returns or raises

    async def _attempt(self, method: str, data: bytes, connection: Connection | None) -> Reply:
        fresh = connection is None
        if connection is None:
            connection = await self._connect()
        try:
            protocol, transport = connection.protocol, connection.transport
            if protocol is None or transport is None:
                raise aiohttp.ServerDisconnectedError  # noqa: TRY301 - closed in the pool
            if fresh:
                self._expect_answers(protocol, method)
            transport.write(data)
            protocol.start_timeout()
            message, content = await protocol.read()
            while message.code < _FINAL and message.code != _SWITCHING:
                message, content = await protocol.read()
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
            connection.close()
            if method in READS:
                raise
            raise SentOnceError from exc
        except BaseException:
            connection.close()
            raise
        give_back = Connection.release if method == _NOT_KEPT else self._keep
        return Reply(message, content, connection, give_back)

    def _expect_answers(self, protocol: ResponseHandler, method: str) -> None:
        protocol.set_response_params(
            skip_payload=method == "HEAD",
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=self._timeout.sock_read,
            read_bufsize=_READ_SIZE,
            timeout_ceil_threshold=self._timeout.ceil_threshold,
            max_line_size=self._max_line,
            max_field_size=self._max_line,
        )

    def _idle_one(self, method: str) -> Connection | None:
        """Return a connection that has answered, and can answer again; its parser goes on."""
        while self._idle and method != _NOT_KEPT:
            connection, _ = self._idle.pop()
            if _is_fit(connection):
                return connection
            connection.close()
        return None

    def _one_for_write(self) -> Connection | None:
        """Return a connection that has just answered, if upstream is known to keep them open."""
        now = self._loop.time()
        if self._idle and not self._keeps:  # the oldest one shows it
            connection, since = self._idle[0]
            self._keeps = now - since >= _KEPT and self._is_open(connection, now - since)
        if not self._idle or not self._keeps or self._closes_early:
            return None
        connection, since = self._idle[-1]
        if now - since > _FRESH or not self._is_open(connection, now - since):
            return None
        self._idle.pop()
        return connection

    def _is_open(self, connection: Connection, age: float) -> bool:
        """Tell whether nothing has arrived on a connection: it would be the end.

        Args:
            connection: That is idle.
            age: Seconds since its last answer.
        """
        transport = connection.transport
        socket = None if transport is None else transport.get_extra_info("socket")
        is_open = False
        if socket is not None and _is_fit(connection):
            with _Selector() as selector:
                selector.register(socket.fileno(), selectors.EVENT_READ)
                is_open = not selector.select(0)
        self._closes_early = self._closes_early or (age < _EARLY and not is_open)
        return is_open

    def _keep(self, connection: Connection) -> None:
        """Keep a connection for the next request, for as long as aiohttp's own pool would."""
        protocol = connection.protocol
        if self._closed or protocol is None or protocol.should_close:
            connection.release()  # which closes what isn't fit
            return
        self._idle.append((connection, self._loop.time()))
        if self._cleaning is None:
            self._cleaning = self._loop.call_later(_IDLE, self._clean)

    def _clean(self) -> None:
        """Close what nobody has used for long."""
        now = self._loop.time()
        while self._idle and now - self._idle[0][1] >= _IDLE:
            self._idle.popleft()[0].close()
        wait = _IDLE - (now - self._idle[0][1]) if self._idle else None
        self._cleaning = None if wait is None else self._loop.call_later(wait, self._clean)

    def close(self) -> None:
        """Keep no connection from now on."""
        self._closed = True
        if self._cleaning is not None:
            self._cleaning.cancel()
            self._cleaning = None
        while self._idle:
            self._idle.pop()[0].close()

    async def _connect(self) -> Connection:
        try:
            return await self._connector.connect(self._asker, [], self._timeout)
        except TimeoutError as exc:
            raise aiohttp.ConnectionTimeoutError(
                f"Connection timeout to host {self._asker.url}"
            ) from exc


def _is_fit(connection: Connection) -> bool:
    protocol = connection.protocol
    return protocol is not None and protocol.is_connected() and not protocol.should_close
