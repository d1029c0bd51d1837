"""An upstream answer on its way to the client and to the tape."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphtape.core.coding import TooLargeError
from graphtape.core.decoder import decoder
from graphtape.core.graph.local_url import Links, resolved, to_tape
from graphtape.core.message import Headers, Response, is_json, media_type
from graphtape.server.http.response import Outgoing, bodyless
from graphtape.server.record.long_json import LongJson
from graphtape.server.record.tee import Tee, Untaped, too_large
from graphtape.server.record.unpacking import unpacked
from graphtape.server.upstream.answer import once
from graphtape.tape.spool import Spooled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from graphtape.core.graph.cloud import Upstream
    from graphtape.server.upstream.answer import UpstreamAnswer


LONGEST_WHOLE = 1024 * 1024
"""Bytes of a JSON answer, as received, that are waited for."""

LONGEST_UNPACKED = 4 * LONGEST_WHOLE
"""Bytes that it may unpack to."""

_NO_FIELDS = Headers(())


@dataclass(slots=True, kw_only=True)  # not frozen: one is made for each request
class Relayed:
    """An upstream answer ready to go out.

    Attributes:
        outgoing: For the client.
        answer: For the tape, its body empty where it went there in pieces; where that is known only
            once the body has passed, what is to be awaited then.
        seen: Returns, once a body has passed that isn't whole here, what is to be learnt of it.
    """

    outgoing: Outgoing
    answer: Response | Untaped | Callable[[], Awaitable[Response | Untaped]]
    seen: Callable[[], bytes] = bytes

    async def taped(self) -> Response | Untaped:
        """Return the answer for the tape, once its body has passed."""
        return await self.answer() if callable(self.answer) else self.answer


@dataclass(slots=True, kw_only=True)  # not frozen: one is made for each request
class Relay:
    """What an answer is made ready by.

    Attributes:
        method: Of its request.
        url: Of its request where that goes off Graph; else None.
        upstream: Where it comes from.
        base: The proxy's address as the client knows it.
        bend: The session's rules.
        name: Told the hosts off Graph that the answer names.
        limit: Bytes of a body that are kept for the tape.
        spool: Takes a long body onto the tape in pieces, given its first bytes and headers.
        whole: Whether the rules need a whole answer: they read what stands far apart in it.
    """

    method: str
    url: str | None
    upstream: Upstream
    base: str
    bend: Callable[[Response], Response]
    name: Callable[[frozenset[str]], None]
    limit: int
    spool: Callable[[bytes, Headers], Spooled | None]
    whole: bool

    async def ready(self, found: UpstreamAnswer) -> Relayed:
        """Make an upstream answer, whose head has arrived, ready for the client.

        JSON is read whole, so that its links can be turned and its fields bent, as long as it is
        short or `whole`; a longer one is edited while it passes, and goes out decoded. Anything
        else streams. What nothing in it is changed for goes out as it came, byte for byte.
        """
        if bodyless(self.method, found.status):
            return self._streaming(found)
        if is_json(media_type(found.headers)):
            return await self._json(found)
        if found.body is not None and found.length == len(found.body) <= self.limit:
            if "Content-Encoding" in found.headers:  # it may unpack to any size
                return self._streaming(found, once(found.body))
            return self._as_it_came(found, found.body)
        return self._streaming(found)

    async def _json(self, found: UpstreamAnswer) -> Relayed:
        coding = (found.headers.get("Content-Encoding") or "").strip().lower()
        coding = "" if coding == "identity" else coding
        passes = not self.whole and (not coding or decoder(coding) is not None)
        limit = min(self.limit, LONGEST_WHOLE) if passes else self.limit
        if found.body is not None and len(found.body) <= limit:
            read, ended = found.body, True
        else:
            read, ended = await _read(found.chunks, limit=limit)
        if ended:
            unpacks = passes and bool(coding)
            try:
                limit = LONGEST_UNPACKED if unpacks else self.limit
                return self._whole(found, read, await self._unpacked(found, read, limit=limit))
            except TooLargeError:
                if not unpacks:
                    return self._untaped(self._streamed(found, read))
        rest = once(read) if ended else _after(read, found.chunks)
        if passes:
            return self._long_json(found, rest, coding)
        return self._untaped(self._streamed(found, rest))

    def _untaped(self, outgoing: Outgoing) -> Relayed:
        return Relayed(outgoing=outgoing, answer=too_large(self.limit))

    def _whole(self, found: UpstreamAnswer, wire: bytes, plain: Response) -> Relayed:
        """Send what was changed decoded, and what was not as it came."""
        if len(plain.body) > self.limit:
            return self._untaped(self._streamed(found, wire))
        recorded = self._taped(plain)
        local = self._local(self.bend(recorded))
        changed = local.body != recorded.body
        outgoing = Outgoing(
            status=local.status,
            reason=local.reason,
            headers=local.headers if changed else _with_coding(local.headers, found.headers),
            body=local.body if changed else wire,
        )
        return Relayed(outgoing=outgoing, answer=recorded)

    def _as_it_came(self, found: UpstreamAnswer, wire: bytes) -> Relayed:
        return Relayed(
            outgoing=self._streamed(found, wire), answer=lambda: self._plain(found, wire)
        )

    def _long_json(
        self, found: UpstreamAnswer, chunks: AsyncIterator[bytes], coding: str
    ) -> Relayed:
        head = self._head(found)
        tee = Tee(chunks, limit=self.limit, begin=lambda begins: self.spool(begins, found.headers))

        def to_tape(text: bytes) -> bytes:
            return self._taped(replace(head, headers=_NO_FIELDS, body=text)).body

        def to_client(text: bytes) -> bytes:
            return self._local(self.bend(replace(head, headers=_NO_FIELDS, body=text))).body

        long = LongJson(chunks=chunks, coding=coding, tee=tee, to_tape=to_tape, to_client=to_client)

        async def answer() -> Response | Untaped:
            kept = tee.body()
            if isinstance(kept, Untaped):
                return kept
            taped = self._taped(head)
            return replace(taped, body=kept) if isinstance(kept, bytes) else taped

        local = self._local(self.bend(self._taped(head)))
        outgoing = Outgoing(
            status=local.status, reason=local.reason, headers=local.headers, body=long.out()
        )
        return Relayed(outgoing=outgoing, answer=answer, seen=lambda: long.seen)

    def _streaming(
        self, found: UpstreamAnswer, chunks: AsyncIterator[bytes] | None = None
    ) -> Relayed:
        bodiless = bodyless(self.method, found.status)
        tee = Tee(
            found.chunks if chunks is None else chunks,
            limit=self.limit,
            length=None if bodiless else found.length,
            coding=found.headers.get("Content-Encoding"),
            begin=lambda begins: self.spool(begins, found.headers),
        )

        async def answer() -> Response | Untaped:
            match tee.body():
                case Untaped() as untaped:
                    return untaped
                case Spooled():
                    return self._taped(self._head(found))
                case bytes() as body:
                    return await self._plain(found, body)

        return Relayed(outgoing=self._streamed(found, aiter(tee)), answer=answer)

    def _streamed(self, found: UpstreamAnswer, body: AsyncIterator[bytes] | bytes) -> Outgoing:
        head = self._local(self.bend(self._taped(self._head(found))))
        return Outgoing(
            status=head.status,
            reason=head.reason,
            headers=_with_coding(head.headers, found.headers),
            body=body,
            length=found.length,
        )

    def _head(self, found: UpstreamAnswer) -> Response:
        headers = found.headers.without("Content-Encoding")
        return Response(status=found.status, reason=found.reason, headers=headers, body=b"")

    async def _plain(self, found: UpstreamAnswer, wire: bytes) -> Response | Untaped:
        """Return an answer for the tape, unless it unpacks to more than is kept."""
        try:
            return self._taped(await self._unpacked(found, wire, limit=self.limit))
        except TooLargeError:
            return too_large(self.limit)

    async def _unpacked(self, found: UpstreamAnswer, wire: bytes, *, limit: int) -> Response:
        """Return an answer as upstream meant it.

        Raises:
            TooLargeError: It unpacks to more than `limit`.
        """
        answer = Response(status=found.status, reason=found.reason, headers=found.headers, body=b"")
        return await unpacked(answer, wire, limit=limit)

    def _taped(self, plain: Response) -> Response:
        return to_tape(plain, self.upstream) if self.url is None else resolved(plain, self.url)

    def _local(self, response: Response) -> Response:
        links = Links.of(response)
        if links.fields or links.body:
            self.name(links.origins)
        return links.at(self.base, response)


def _with_coding(headers: Headers, wire: Headers) -> Headers:
    """Put the coding back where it stood."""
    if "Content-Encoding" in headers:
        return headers
    for at, pair in enumerate(wire.pairs):
        if pair[0].lower() == "content-encoding":
            return Headers((*headers.pairs[:at], pair, *headers.pairs[at:]))
    return headers


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
