"""An upstream answer on its way to the client and to the tape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core import coding
from graphtape.core.message import Response, is_json, media_type
from graphtape.core.origin import localise, to_tape
from graphtape.server.answer import Outgoing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from graphtape.core.message import Headers
    from graphtape.core.origin import Upstream
    from graphtape.server.upstream import UpstreamAnswer

_NO_BODY = frozenset({204, 304})


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLarge:
    """A body that is passed on and left off the tape.

    Attributes:
        limit: Bytes it outgrew.
    """

    limit: int


class Tee:
    """Hands chunks on and keeps a copy, up to a limit."""

    def __init__(self, chunks: AsyncIterator[bytes], *, limit: int) -> None:
        """Take a body that is about to stream."""
        self._chunks = chunks
        self._limit = limit
        self._copy = bytearray()
        self._overflowed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            self.keep(chunk)
            yield chunk

    def keep(self, chunk: bytes) -> None:
        """Copy a chunk, unless the body has outgrown the limit."""
        if self._overflowed:
            return
        self._copy += chunk
        if len(self._copy) > self._limit:
            self._overflowed = True
            self._copy = bytearray()

    def body(self) -> bytes | TooLarge:
        """Return the copy, once the body has passed."""
        return TooLarge(limit=self._limit) if self._overflowed else bytes(self._copy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relayed:
    """An upstream answer ready to go out.

    Attributes:
        outgoing: For the client.
        answer: For the tape; to be called once the body has passed.
    """

    outgoing: Outgoing
    answer: Callable[[], Response | TooLarge]


async def relay(
    upstream_answer: UpstreamAnswer,
    *,
    method: str,
    upstream: Upstream,
    base: str,
    bend: Callable[[Response], Response],
    limit: int,
) -> Relayed:
    """Make an upstream answer ready for the client.

    JSON is read whole, so that its links can be turned and its fields bent; anything else
    streams. What nothing in it is changed for goes out as it came, byte for byte.

    Args:
        upstream_answer: Its head has arrived.
        method: Of the request.
        upstream: Where it comes from.
        base: The proxy's address as the client knows it.
        bend: The session's rules.
        limit: Bytes of a body that are kept for the tape.
    """
    tee = Tee(upstream_answer.chunks, limit=limit)
    headers = upstream_answer.headers

    def taped(body: bytes) -> Response:
        return to_tape(
            decoded(upstream_answer.status, upstream_answer.reason, headers, body), upstream
        )

    def answer() -> Response | TooLarge:
        body = tee.body()
        return body if isinstance(body, TooLarge) else taped(body)

    empty = method == "HEAD" or upstream_answer.status in _NO_BODY
    if empty or not is_json(media_type(headers)):
        head = localise(taped(b""), base)
        streamed = Outgoing(
            status=upstream_answer.status,
            reason=upstream_answer.reason,
            headers=_with_coding(head.headers, headers),
            body=aiter(tee),
            length=upstream_answer.length,
        )
        return Relayed(outgoing=streamed, answer=answer)
    read, whole = await _read(upstream_answer.chunks, limit=limit)
    if not whole:
        rest = Outgoing(
            status=upstream_answer.status,
            reason=upstream_answer.reason,
            headers=headers,
            body=_after(read, upstream_answer.chunks),
            length=upstream_answer.length,
        )
        return Relayed(outgoing=rest, answer=lambda: TooLarge(limit=limit))
    response = taped(read)
    return Relayed(
        outgoing=_whole(localise(bend(response), base), response, read, headers),
        answer=lambda: response,
    )


def decoded(status: int, reason: str, headers: Headers, body: bytes) -> Response:
    """Return an answer with its Content-Encoding undone, where it can be."""
    encoding = headers.get("Content-Encoding")
    if encoding is None:
        return Response(status=status, reason=reason, headers=headers, body=body)
    plain = coding.decode(body, encoding) if body else body
    if plain is None:
        return Response(status=status, reason=reason, headers=headers, body=body)
    kept = headers.without("Content-Encoding")
    return Response(status=status, reason=reason, headers=kept, body=plain)


def _whole(outgoing: Response, recorded: Response, wire: bytes, headers: Headers) -> Outgoing:
    """Send what was changed decoded, and what was not as it came."""
    changed = outgoing.body != recorded.body
    return Outgoing(
        status=outgoing.status,
        reason=outgoing.reason,
        headers=outgoing.headers if changed else _with_coding(outgoing.headers, headers),
        body=outgoing.body if changed else wire,
    )


def _with_coding(headers: Headers, wire: Headers) -> Headers:
    encoding = wire.get("Content-Encoding")
    return headers if encoding is None else headers.set("Content-Encoding", encoding)


async def _read(chunks: AsyncIterator[bytes], *, limit: int) -> tuple[bytes, bool]:
    """Read a body until it ends or outgrows the limit; tell whether that was the end."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            return bytes(body), False
    return bytes(body), True


async def _after(read: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield read
    async for chunk in chunks:
        yield chunk
