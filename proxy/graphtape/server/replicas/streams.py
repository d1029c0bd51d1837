"""Streams of events of other proxies, passed on; those of several as one."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from aiohttp import ClientError, ClientTimeout, web

from graphtape.server.control.stream import STREAM

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from aiohttp import ClientResponse

    from graphtape.server.replicas.peers import Peers

_SILENCE = 45.0
"""Seconds without a byte after which a stream has ended: each says so when nothing happens."""

_PATIENCE = 30.0
"""Seconds that a listener may take nothing before it is cut off."""

_END = b"\n\n"
_ID = b"id: "
_TICK = b"event: tick\n"
_DATA = b"data: "


async def pass_stream_on(request: web.Request, peers: Peers, name: str) -> web.StreamResponse:
    """Pass on the events of one proxy.

    Raises:
        RequestError: 502; it doesn't answer.
    """
    return await pass_streams_on(request, peers, [name])


async def pass_streams_on(
    request: web.Request, peers: Peers, names: Iterable[str]
) -> web.StreamResponse:
    """Pass on the events of several proxies as one stream, until all have ended.

    Raises:
        RequestError: 502; one of them doesn't answer.
    """
    async with AsyncExitStack() as stack:
        streams: dict[str, ClientResponse] = {}
        for name in names:
            asked = peers.http.get(
                peers.urls[name] + request.raw_path,
                headers=peers.headers(request),
                timeout=ClientTimeout(total=None, connect=5, sock_read=_SILENCE),
            )
            try:
                streams[name] = found = await stack.enter_async_context(asked)
                if found.status != HTTPStatus.OK:  # all are asked the same
                    refusal = await found.read()
                    return web.Response(
                        status=found.status, body=refusal, content_type=found.content_type
                    )
            except (ClientError, TimeoutError) as exc:
                raise peers.gone(name, exc) from exc
        response = web.StreamResponse(headers={"Content-Type": STREAM, "Cache-Control": "no-store"})
        await response.prepare(request)
        # One who leaves is seen by what can't be written, as one who takes nothing is.
        with suppress(ConnectionError, TimeoutError):
            await _Joined(request, response).follow(streams)
    return response


@dataclass(slots=True)
class _Joined:
    """Writes the blocks of several streams to one listener, a whole block at a time."""

    request: web.Request
    response: web.StreamResponse
    _ids: dict[str, bytes] = field(default_factory=dict)
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def follow(self, streams: dict[str, ClientResponse]) -> None:
        tasks = [
            asyncio.create_task(self._follow(name, stream)) for name, stream in streams.items()
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, name: str, stream: ClientResponse) -> None:
        async for block in _blocks(stream):
            await self._write(self._joined(name, block))

    def _joined(self, name: str, block: bytes) -> bytes:
        """Return a block with the place in all streams as its id, in place of that in its own."""
        if not block.startswith(_ID):
            return block
        own, _, rest = block.partition(b"\n")
        self._ids[name] = own.removeprefix(_ID).strip()
        joined = b";".join(filter(None, self._ids.values()))
        if rest.startswith(_TICK):
            _, _, data = rest.partition(_DATA)
            told = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
            told["id"] = msgspec.Raw(msgspec.json.encode(joined.decode()))
            rest = b"%b%b%b%b" % (_TICK, _DATA, msgspec.json.encode(told), _END)
        return b"%b%b\n%b" % (_ID, joined, rest)

    async def _write(self, block: bytes) -> None:
        async with self._writing:
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self.response.write(block)
            except TimeoutError:
                if self.request.transport is not None:
                    self.request.transport.abort()
                raise


async def _blocks(stream: ClientResponse) -> AsyncIterator[bytes]:
    """Yield what stands between blank lines, each with the one that ends it."""
    waiting = b""
    with suppress(ClientError, TimeoutError):  # it has ended, as far as a listener can tell
        async for data in stream.content.iter_any():
            *whole, waiting = (waiting + data).split(_END)
            for block in whole:
                yield block + _END
