"""An upstream that sends as many bytes as its path says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from benchmarks.servers.port import arguments, serve

if TYPE_CHECKING:
    from benchmarks.servers.port import Handler

_CHUNK = bytes(range(256)) * 256


async def _handle(request: web.BaseRequest) -> web.StreamResponse:
    left = int(request.path.rpartition("/")[2])
    answer = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    answer.content_length = left
    await answer.prepare(request)
    while left > 0:
        await answer.write(_CHUNK[:left])
        left -= len(_CHUNK)
    await answer.write_eof()
    return answer


async def _make() -> Handler:
    return _handle


if __name__ == "__main__":
    serve(_make, arguments().parse_args())
