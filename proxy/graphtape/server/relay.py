"""An upstream answer on its way to the client and to the tape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core import coding
from graphtape.core.message import Response, is_json, media_type
from graphtape.core.origin import Links, off_graph_origin, resolved, to_tape
from graphtape.server.answer import Outgoing, bodyless

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from graphtape.core.message import Headers, Request
    from graphtape.core.origin import Upstream
    from graphtape.server.upstream import UpstreamAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class Untaped:
    """A body that is passed on and left off the tape.

    Attributes:
        why: What follows `the request's body` or `the answer's body`.
    """

    why: str


def _too_large(limit: int) -> Untaped:
    return Untaped(why=f"is larger than {limit} bytes; raise --max-body to record it")


class Tee:
    """Hands chunks on and keeps a copy, up to a limit."""

    def __init__(
        self, chunks: AsyncIterator[bytes], *, limit: int, length: int | None = None
    ) -> None:
        """Take a body that is about to stream.

        Args:
            chunks: The body.
            limit: Bytes that are kept.
            length: Of the body, where it is known: who counts along asks for no further chunk.
        """
        self._chunks = chunks
        self._limit = limit
        self._length = length
        self._passed = 0
        self._ended = False
        self._copy = bytearray()
        self._overflowed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            self._keep(chunk)
            yield chunk
        self._ended = True

    @property
    def whole(self) -> bool:
        """Whether all of the body has passed."""
        return self._ended or self._passed == self._length

    def _keep(self, chunk: bytes) -> None:
        """Copy a chunk, unless the body has outgrown the limit."""
        self._passed += len(chunk)
        if self._overflowed:
            return
        self._copy += chunk
        if len(self._copy) > self._limit:
            self._overflowed = True
            self._copy = bytearray()

    def body(self) -> bytes | Untaped:
        """Return the copy, once there is nothing more to come."""
        if self._overflowed:
            return _too_large(self._limit)
        if not self.whole:
            return Untaped(why="was not whole when upstream answered")
        return bytes(self._copy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relayed:
    """An upstream answer ready to go out.

    Attributes:
        outgoing: For the client.
        answer: For the tape; to be called once the body has passed.
    """

    outgoing: Outgoing
    answer: Callable[[], Response | Untaped]


async def relay(
    upstream_answer: UpstreamAnswer,
    *,
    request: Request,
    upstream: Upstream,
    base: str,
    bend: Callable[[Response], Response],
    name: Callable[[frozenset[str]], None],
    limit: int,
) -> Relayed:
    """Make an upstream answer ready for the client.

    JSON is read whole, so that its links can be turned and its fields bent; anything else
    streams. What nothing in it is changed for goes out as it came, byte for byte.

    Args:
        upstream_answer: Its head has arrived.
        request: What is answered.
        upstream: Where it comes from.
        base: The proxy's address as the client knows it.
        bend: The session's rules.
        name: Told the hosts off Graph that the answer names.
        limit: Bytes of a body that are kept for the tape.
    """
    tee = Tee(upstream_answer.chunks, limit=limit)
    headers = upstream_answer.headers

    def taped(body: bytes) -> Response:
        plain = decoded(upstream_answer.status, upstream_answer.reason, headers, body)
        if off_graph_origin(request.url) is not None:
            return resolved(plain, request.url)
        return to_tape(plain, upstream)

    def local(response: Response) -> Response:
        links = Links.of(response)
        name(links.origins)
        return links.at(base, response)

    def streamed(body: AsyncIterator[bytes]) -> Outgoing:
        head = local(bend(taped(b"")))
        return Outgoing(
            status=head.status,
            reason=head.reason,
            headers=_with_coding(head.headers, headers),
            body=body,
            length=upstream_answer.length,
        )

    def answer() -> Response | Untaped:
        body = tee.body()
        return body if isinstance(body, Untaped) else taped(body)

    empty = bodyless(request.method, upstream_answer.status)
    if empty or not is_json(media_type(headers)):
        return Relayed(outgoing=streamed(aiter(tee)), answer=answer)
    read, whole = await _read(upstream_answer.chunks, limit=limit)
    if not whole:
        rest = _after(read, upstream_answer.chunks)
        return Relayed(outgoing=streamed(rest), answer=lambda: _too_large(limit))
    response = taped(read)
    return Relayed(
        outgoing=_whole(local(bend(response)), response, read, headers),
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
