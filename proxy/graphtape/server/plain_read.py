"""A read without a body on its way up: over aiohttp's pooled connections, in one write.

It stands on private ground of aiohttp's: on what `FITS` looks for. Where that is missing, the
normal way is taken. aiohttp's own request and answer cost more than all that Graphtape does to
record one.
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import ClientRequest
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from graphtape.core.errors import UpstreamError
from graphtape.server.fault import translated
from graphtape.server.upstream_answer import (
    OWN_OF_REQUEST,
    UpstreamAnswer,
    answer_of,
    next_chunk,
    once,
    passed_on,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from ssl import SSLContext
    from types import TracebackType

    from aiohttp import BaseConnector, ClientTimeout, StreamReader
    from aiohttp.client_reqrep import ConnectionKey
    from aiohttp.connector import Connection
    from aiohttp.http_parser import RawResponseMessage

    from graphtape.server.incoming import Incoming

FITS = all(
    hasattr(ResponseHandler, name) for name in ("set_response_params", "start_timeout", "read")
)
"""Whether the aiohttp that runs is built as this module expects."""

_ATTEMPTS = 2
"""As aiohttp's: a pooled connection may have been closed meanwhile, and a read can be repeated."""

_SWITCHING = 101
_FINAL = 200
_READ_SIZE = 64 * 1024


class _Asker(ClientRequest):
    """Says of each request to one origin which connection it may take."""

    @cached_property
    def connection_key(self) -> ConnectionKey:
        return super().connection_key


class Reply:
    """An answer whose head has arrived.

    Attributes:
        message: Its head.
        content: Its body.
    """

    __slots__ = ("_connection", "content", "message")

    def __init__(
        self, message: RawResponseMessage, content: StreamReader, connection: Connection
    ) -> None:
        """Take an answer over from its connection."""
        self.message = message
        self.content = content
        self._connection: Connection | None = connection
        if content.is_eof():
            self.release()

    def whole(self) -> bytes | None:
        """Return the body, where all of it arrived with the head."""
        content = self.content
        if not content.is_eof() or content.exception() is not None:
            return None
        return content.read_nowait()

    def release(self) -> None:
        """Give the connection back; one with a body still on it is closed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()

    @property
    def protocol(self) -> ResponseHandler | None:
        """What reads the connection; None once it has been given back."""
        return None if self._connection is None else self._connection.protocol


class Road:
    """The way to one origin."""

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
            connector: Has the connections.
            timeout: To connect, and without a byte.
            tls: As for `ClientRequest`.
            max_line: Bytes of a line of an answer's head.
        """
        self._connector = connector
        self._timeout = timeout
        self._max_line = max_line
        loop = asyncio.get_running_loop()
        self._asker = _Asker("GET", URL(origin + "/", encoded=True), loop=loop, ssl=tls)
        self._host = self._asker.headers["Host"]

    async def ask(self, method: str, target: str, fields: Iterable[tuple[str, str]]) -> Reply:
        """Send a request and wait for the head of its answer.

        Args:
            method: Without effects.
            target: Path and query, as they are sent.
            fields: Of the head, without Host.

        Raises:
            aiohttp.ClientError: As from aiohttp.
        """
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in fields]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")
        for attempt in range(_ATTEMPTS):
            try:
                return await self._attempt(method, head)
            except aiohttp.ClientConnectorError:
                raise
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
                if attempt + 1 == _ATTEMPTS:
                    raise
        raise AssertionError  # the last attempt returns or raises

    async def _attempt(self, method: str, head: bytes) -> Reply:
        connection = await self._connect()
        try:
            protocol, transport = connection.protocol, connection.transport
            if protocol is None or transport is None:
                raise aiohttp.ServerDisconnectedError  # noqa: TRY301 - closed in the pool
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
            transport.write(head)
            protocol.start_timeout()
            message, content = await protocol.read()
            while message.code < _FINAL and message.code != _SWITCHING:
                message, content = await protocol.read()
        except BaseException:
            connection.close()
            raise
        return Reply(message, content, connection)

    async def _connect(self) -> Connection:
        try:
            return await self._connector.connect(self._asker, [], self._timeout)
        except TimeoutError as exc:
            raise aiohttp.ConnectionTimeoutError(
                f"Connection timeout to host {self._asker.url}"
            ) from exc


class Read:
    """A read on its way up, while the block runs."""

    __slots__ = ("_incoming", "_origin", "_reply", "_road", "_target")

    def __init__(self, incoming: Incoming, road: Road, *, origin: str, target: str) -> None:
        """Send nothing yet; `origin` and `target` are the two parts of a URL."""
        self._incoming = incoming
        self._road = road
        self._origin = origin
        self._target = target
        self._reply: Reply | None = None

    async def __aenter__(self) -> UpstreamAnswer:
        """Ask, and wait for the head of the answer.

        Raises:
            UpstreamError: There is none.
        """
        incoming = self._incoming
        fields = passed_on(incoming.wire_headers, without=OWN_OF_REQUEST)
        try:
            reply = await self._road.ask(incoming.request.method, self._target, fields)
        except Exception:
            with translated(URL(self._origin, encoded=True)):
                raise
        self._reply = reply
        message, body = reply.message, reply.whole()
        try:
            return answer_of(
                message.code,
                message.reason,
                message.raw_headers,
                origin=self._origin,
                chunks=self._chunks(reply) if body is None else once(body),
                body=body,
            )
        except UpstreamError:
            reply.release()
            raise

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._reply is not None:
            self._reply.release()
        if exc is not None:
            translated(URL(self._origin, encoded=True)).__exit__(exc_type, exc, traceback)

    async def _chunks(self, reply: Reply) -> AsyncIterator[bytes]:
        with translated(URL(self._origin, encoded=True)):
            while chunk := await next_chunk(reply.content, reply):
                yield chunk
