"""An answer on its way to the client, written byte by byte as it is meant."""

from __future__ import annotations

import re
import socket
import struct
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from graphtape.server.http.half_close import has_left

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.web import BaseRequest

    from graphtape.core.message import Headers

CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What no line of a head may hold."""

_NO_BODY = frozenset({204, 304})
# struct linger: on, and no seconds for what hasn't been sent (Windows' has shorts).
_RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


@dataclass(slots=True, kw_only=True)  # not frozen: one is made for each request
class Outgoing:
    """What the client is to get.

    Attributes:
        status: 200 to 599.
        reason: The reason phrase.
        headers: End-to-end; Content-Length counts only where there is no body to measure.
        body: Whole, or in chunks while it arrives.
        length: Of a body in chunks, where it is known.
    """

    status: int
    reason: str
    headers: Headers
    body: bytes | AsyncIterator[bytes]
    length: int | None = None


class Sent(web.StreamResponse):
    """Tells aiohttp that the answer has been written already."""

    def __init__(self, status: int, *, keep_alive: bool) -> None:
        """Remember what aiohttp asks for afterwards."""
        super().__init__(status=status)
        self._keep_alive = keep_alive

    async def prepare(self, request: BaseRequest) -> None:
        """Write nothing: the head is out."""
        del request

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing: the body is out."""
        del data


@lru_cache(maxsize=64)
def sent_of(status: int, *, keep_alive: bool) -> Sent:
    """Return what the handler hands to aiohttp; it holds nothing of one answer."""
    return Sent(status, keep_alive=keep_alive)


def break_off(http: BaseRequest) -> Sent:
    """Reset the connection: nothing else says for every framing that a body isn't whole.

    An orderly close is how a body of HTTP/1.0 ends, and abort() alone closes in order.
    """
    transport = http.transport
    if transport is not None:
        sock: socket.socket | None = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    return Sent(HTTPStatus.BAD_GATEWAY, keep_alive=False)


class LastByte:
    """What is held back of an answer until it has been remembered.

    Attributes:
        gone: Whether the client isn't getting the rest: the answer is not whole.
        keep_alive: Whether the connection is for another request.
    """

    def __init__(self, http: BaseRequest) -> None:
        """Hold nothing yet."""
        self._http = http
        self._held = b""
        self.gone = False
        self.keep_alive = http.keep_alive

    def hold(self, data: bytes) -> None:
        """Keep bytes back, after those kept before."""
        self._held += data

    async def write(self, data: bytes) -> None:
        """Let bytes go, after those kept before."""
        await self._write(self._held + data if self._held else data)
        self._held = b""

    async def __call__(self) -> bool:
        """Let the rest go; tell whether the client was still there to take it."""
        if self._held:
            await self._write(self._held)
            self._held = b""
        if not self.gone:
            try:
                await self._http.writer.drain()
            except ConnectionError:
                self.gone = True
            self.gone = self.gone or await has_left(self._http)
        return not self.gone

    async def _write(self, data: bytes) -> None:
        if self.gone:
            return
        try:
            await self._http.writer.write(data)
        except ConnectionError:
            self.gone = True

    def sent(self, status: int) -> Sent:
        """Return what the handler hands to aiohttp."""
        return sent_of(status, keep_alive=self.keep_alive and not self.gone)


def bodyless(method: str, status: int) -> bool:
    """Tell whether an answer has no body, whatever its fields say (RFC 9112 section 6.3)."""
    return method == "HEAD" or status in _NO_BODY


@asynccontextmanager
async def respond(
    http: BaseRequest, outgoing: Outgoing, *, last: LastByte | None = None
) -> AsyncIterator[LastByte]:
    """Write an answer but for its last byte, which goes out when what is yielded is called.

    A client that leaves doesn't stop it: what upstream still sends is read to its end, since it
    happened and belongs on the tape.

    Args:
        http: What is answered.
        outgoing: The answer.
        last: Ends it in another way than it should end.
    """
    if last is None:
        last = LastByte(http)
    body = outgoing.body
    empty = bodyless(http.method, outgoing.status)
    chunks = http.version >= (1, 1)
    if not (chunks or empty or isinstance(body, bytes) or outgoing.length is not None):
        # HTTP/1.0 knows no chunks: the end of the connection is the end of the body.
        last.keep_alive = False
    head = head_of(outgoing, empty=empty, keep_alive=last.keep_alive, chunks=chunks)
    if isinstance(body, bytes):
        last.hold(head if empty else head + body)
    elif empty:
        last.hold(head)
        async for _ in body:
            pass
    else:
        await last.write(head)
        if outgoing.length is not None:
            await _stream_counted(body, outgoing.length, last)
        else:
            await _stream_open(body, last, chunked=chunks)
    yield last


async def _stream_counted(body: AsyncIterator[bytes], length: int, last: LastByte) -> None:
    async for chunk in body:
        length -= len(chunk)
        if length > 0:
            await last.write(chunk)
        else:
            last.hold(chunk)


async def _stream_open(body: AsyncIterator[bytes], last: LastByte, *, chunked: bool) -> None:
    """Stream a body whose end isn't known: held back is the last chunk, or the terminator."""
    async for chunk in body:
        if chunked:
            await last.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        else:
            await last.write(b"")
            last.hold(chunk)
    if chunked:
        last.hold(b"0\r\n\r\n")


def head_of(
    outgoing: Outgoing,
    *,
    empty: bool,
    keep_alive: bool,
    chunks: bool = True,
    date: str | None = None,
) -> bytes:
    """Write status line and fields; the framing is the proxy's own (RFC 9112 section 6).

    Args:
        outgoing: The answer.
        empty: Whether it has no body, whatever its fields say.
        keep_alive: Whether the connection is for another request.
        chunks: Whether the client knows them: since HTTP/1.1.
        date: Of an answer that has none; None is now.
    """
    lines = [f"HTTP/1.1 {outgoing.status} {outgoing.reason}"]
    dated = False
    for name, value in outgoing.headers.pairs:
        lower = name.lower()
        if lower == "content-length" and not empty:
            continue
        dated = dated or lower == "date"
        lines.append(f"{name}: {value}")
    if not empty:
        length = len(outgoing.body) if isinstance(outgoing.body, bytes) else outgoing.length
        if length is not None:
            lines.append(f"Content-Length: {length}")
        elif chunks:
            lines.append("Transfer-Encoding: chunked")
    if not dated:
        lines.append(f"Date: {date or formatdate(usegmt=True)}")
    if not keep_alive:
        lines.append("Connection: close")
    elif not chunks:
        lines.append("Connection: keep-alive")
    # A cassette edited by hand may hold anything; a line break would end the head early.
    if CONTROL.search("".join(lines)) is not None:
        lines = [CONTROL.sub(" ", line) for line in lines]
    return "\r\n".join((*lines, "", "")).encode("utf-8", "surrogateescape")
