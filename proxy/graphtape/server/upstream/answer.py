"""An answer of upstream whose head has arrived, and its body as it comes."""

from __future__ import annotations

import asyncio
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

import aiohttp

from graphtape.core.errors import UpstreamError
from graphtape.core.message import HOP_BY_HOP, Headers, end_to_end
from graphtape.server.upstream.fault import translated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from aiohttp import ClientResponse, StreamReader
    from aiohttp.client_proto import ResponseHandler
    from yarl import URL


_LIVENESS = 0.5
"""Seconds between two looks at whether the connection of a body is still there."""

_OF_HOP = frozenset(name.lower() for name in HOP_BY_HOP)
OWN_OF_REQUEST = frozenset({"host", "content-length"})
"""Fields of a request, in lower case, that say where it goes and how it is framed on one hop."""

_NAMES_NOTHING = frozenset({"keep-alive", "close"})
_NONE: frozenset[str] = frozenset()


class UpstreamAnswer:
    """An answer whose head has arrived.

    Attributes:
        status: 200 to 599.
        reason: As received.
        raw_headers: As received.
        chunks: The body as received, still coded.
        body: The same at once, where it is already here; either is read, not both.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        raw_headers: Sequence[tuple[bytes, bytes]],
        *,
        origin: str,
        chunks: AsyncIterator[bytes],
        body: bytes | None = None,
    ) -> None:
        """Take a head, and what follows it; `origin` is whose it is.

        Raises:
            UpstreamError: It is no final one.
        """
        if status < HTTPStatus.OK:
            # Upgrade ends at the proxy: nobody has asked for another protocol.
            raise UpstreamError(
                f"upstream {origin} answered {status}, which is no final answer; is "
                "it an HTTP server that speaks like Graph?",
                status=502,
                code="GraphtapeUpstreamGarbled",
            )
        self.status = status
        self.reason = reason
        self.raw_headers = raw_headers
        self.chunks = chunks
        self.body = body

    @cached_property
    def headers(self) -> Headers:
        """Its fields, end-to-end only."""
        pairs = [
            (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
            for name, value in self.raw_headers
        ]
        return passed_on(Headers(tuple(pairs)))

    @property
    def length(self) -> int | None:
        """Content-Length as received."""
        length = self.headers.get("Content-Length")
        return int(length) if length is not None and length.isdigit() else None


def passed_on(headers: Headers, *, without: frozenset[str] = _NONE) -> Headers:
    """Return the fields that go on to the next hop, as `end_to_end` does, in one go.

    Args:
        headers: All there are.
        without: More names to leave out, in lower case.
    """
    kept: list[tuple[str, str]] = []
    for pair in headers.pairs:
        name = pair[0].lower()
        if name == "connection" and pair[1].lower() not in _NAMES_NOTHING:
            return end_to_end(headers).without(*without)
        if name not in _OF_HOP and name not in without:
            kept.append(pair)
    return Headers(tuple(kept))


async def once(body: bytes) -> AsyncIterator[bytes]:
    """Give a body that is here already."""
    if body:
        yield body


async def chunks_of(response: ClientResponse, target: URL) -> AsyncIterator[bytes]:
    """Give a body as it arrives, still coded."""
    with translated(target):
        while chunk := await next_chunk(response.content, response):
            yield chunk


async def next_chunk(content: StreamReader, answer: ClientResponse | Answered) -> bytes:
    """Return what has arrived of a body; nothing at its end.

    aiohttp tells a reader neither of a chunk that it can't parse nor, once it has closed the
    connection over it, of its timeout: whoever reads would wait without end.
    """
    while True:
        try:
            async with asyncio.timeout(_LIVENESS) as patience:
                return await content.readany()
        except TimeoutError:
            if not patience.expired():
                raise
            protocol = _protocol(answer)
            told = content.is_eof() or content.exception() is not None
            if protocol is not None and protocol.transport is None and not told:
                raise protocol.exception() or aiohttp.ClientPayloadError from None


class Answered(Protocol):
    """An answer that knows its connection."""

    @property
    def protocol(self) -> ResponseHandler | None:
        """What reads the connection; None once it has been given back."""


def _protocol(answer: ClientResponse | Answered) -> ResponseHandler | None:
    if not isinstance(answer, aiohttp.ClientResponse):
        return answer.protocol
    return answer.connection.protocol if answer.connection is not None else None
