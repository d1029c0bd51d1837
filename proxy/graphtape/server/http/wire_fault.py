"""Faults of the connection: what a client meets where the network fails it.

`reset`, `close`, `hang` and `garbage` stand in for an answer; `truncate`, `drip` and `bad_chunk`
write one, and are entered like `respond`.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import shake_256
from http import HTTPStatus
from typing import TYPE_CHECKING

from graphtape.server.http.response import LastByte, Sent, bodyless, break_off, respond

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.web import BaseRequest

    from graphtape.server.http.response import Outgoing

_GLANCE = 0.1
_TICK = 0.02
_NOISE = 64
_NO_SIZE = b"zz\r\n"
_STATUS_LINE_CUT = b"HTTP/1.1 "


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How slowly a body goes out.

    Attributes:
        piece: Bytes that go out together, at least 1.
        seconds: Before each piece; before one that is shorter, less.
    """

    piece: int
    seconds: float

    @classmethod
    def per_byte(cls, seconds: float) -> Pace:
        """Return the pace at which each byte takes `seconds`.

        What takes less than a timer can tell goes out together.
        """
        piece = math.ceil(_TICK / seconds) if seconds > 0 else 1 << 16
        return cls(piece=piece, seconds=piece * seconds)

    def before(self, piece: bytes) -> float:
        """Return the seconds to wait before a piece."""
        return self.seconds * len(piece) / self.piece


async def pause(http: BaseRequest, seconds: float, *, closing: asyncio.Event) -> None:
    """Wait; less long where the client leaves or the proxy stops.

    Args:
        http: Whose answer waits.
        seconds: How long. A client that has ended its half alone is waited for.
        closing: Set once the proxy stops.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    # aiohttp tells nobody that a client has left, but by cancelling the handler, which would cut
    # recordings short: so this looks up now and then.
    while http.transport is not None and not closing.is_set() and (left := until - clock()) > 0:
        # Not wait_for: that of Python 3.11 can swallow a cancellation.
        with suppress(TimeoutError):
            async with asyncio.timeout(min(left, _GLANCE)):
                await closing.wait()


def reset(http: BaseRequest) -> Sent:
    """Reset the connection (RST) in place of an answer."""
    return break_off(http)


def close(http: BaseRequest) -> Sent:
    """Close the connection in order (FIN), without a byte of an answer."""
    return _finish(http)


async def hang(http: BaseRequest, *, closing: asyncio.Event) -> Sent:
    """Send nothing until the client leaves or the proxy stops."""
    while http.transport is not None and not closing.is_set():
        if getattr(http.protocol, "ended", False):  # it has nothing to wait for
            return break_off(http)
        await pause(http, _GLANCE, closing=closing)
    return _finish(http)


async def garbage(http: BaseRequest, *, seed: str) -> Sent:
    """Send bytes that are no HTTP, the same ones for the same seed, and close."""
    last_byte = LastByte(http)
    last_byte.hold(noise(seed))
    await last_byte()
    return _finish(http)


def noise(seed: str) -> bytes:
    """Return bytes that no client takes for HTTP."""
    drawn = shake_256(seed.encode()).digest(_NOISE)
    # The first is never ASCII, let alone an H; the end of a head keeps nobody waiting for more.
    return bytes([drawn[0] | 0x80]) + drawn[1:] + b"\r\n\r\n"


@asynccontextmanager
async def truncate(http: BaseRequest, outgoing: Outgoing) -> AsyncIterator[LastByte]:
    """Write an answer whose body stops halfway, and close (FIN).

    Of a body in chunks whose length isn't known, half of the first chunk goes out, and no
    terminator. An answer without a body stops within its status line.
    """
    body = outgoing.body
    length = len(body) if isinstance(body, bytes) else outgoing.length
    if length == 0 or bodyless(http.method, outgoing.status):
        async for _ in _chunks(body):
            pass
        yield _BrokenEnd(http, _STATUS_LINE_CUT)
        return
    # Without a length, HTTP/1.0 takes an orderly close for the end of the body.
    last = _BrokenEnd(http, abrupt=length is None and http.version < (1, 1))
    half = replace(outgoing, body=_first_half(_chunks(body), length), length=length)
    async with respond(http, half, last=last):
        yield last


@asynccontextmanager
async def bad_chunk(http: BaseRequest, outgoing: Outgoing) -> AsyncIterator[LastByte]:
    """Write an answer in chunks: half of the body, then a chunk size that is none, and close.

    Where there are no chunks (HTTP/1.0, an answer without a body), it is truncated.
    """
    if http.version < (1, 1) or bodyless(http.method, outgoing.status):
        async with truncate(http, outgoing) as last_byte:
            yield last_byte
        return
    body = outgoing.body
    length = len(body) if isinstance(body, bytes) else outgoing.length
    half = replace(outgoing, body=_first_half(_chunks(body), length), length=None)
    last = _BrokenEnd(http, _NO_SIZE)
    async with respond(http, half, last=last):
        yield last


@asynccontextmanager
async def drip(
    http: BaseRequest, outgoing: Outgoing, *, pace: Pace, closing: asyncio.Event
) -> AsyncIterator[LastByte]:
    """Write an answer piece by piece, whole in the end; at once where the proxy stops."""
    if bodyless(http.method, outgoing.status):
        slow = outgoing
    else:
        body = outgoing.body
        length = len(body) if isinstance(body, bytes) else outgoing.length
        pieces = _pieces(_chunks(body), http, pace, closing)
        slow = replace(outgoing, body=pieces, length=length)
    async with respond(http, slow) as last_byte:
        yield last_byte


class _BrokenEnd(LastByte):
    """An end that is none: what is held back never goes out."""

    def __init__(self, http: BaseRequest, ending: bytes = b"", *, abrupt: bool = False) -> None:
        super().__init__(http)
        self._ending = ending
        self._abrupt = abrupt

    async def __call__(self) -> bool:
        """Break the connection; the answer is never whole."""
        self._held = self._ending
        await super().__call__()
        if self._abrupt:
            break_off(self._http)
        else:
            _finish(self._http)
        self.gone = True
        return False


def _finish(http: BaseRequest) -> Sent:
    """End what is sent; aiohttp closes the connection once the request has been read.

    Closing it now would turn into a reset where bytes of the request are still unread.
    """
    transport = http.transport
    # TLS has no half-close.
    if transport is not None and transport.can_write_eof() and not transport.is_closing():
        # A client may have reset the connection without the loop knowing yet.
        with suppress(OSError):
            transport.write_eof()
    return Sent(HTTPStatus.BAD_GATEWAY, keep_alive=False)


async def _chunks(body: bytes | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if isinstance(body, bytes):
        yield body
        return
    async for chunk in body:
        # An empty one says nothing, and would be no half.
        if chunk:
            yield chunk


async def _first_half(chunks: AsyncIterator[bytes], length: int | None) -> AsyncIterator[bytes]:
    """Pass half of a body; the rest is read all the same, since it belongs on the tape."""
    left = None if length is None else length // 2
    async for chunk in chunks:
        if left is None:
            left = (len(chunk) + 1) // 2
        if left:
            yield chunk[:left]
            left -= min(left, len(chunk))


async def _pieces(
    chunks: AsyncIterator[bytes], http: BaseRequest, pace: Pace, closing: asyncio.Event
) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        for start in range(0, len(chunk), pace.piece):
            piece = chunk[start : start + pace.piece]
            await pause(http, pace.before(piece), closing=closing)
            yield piece
