"""The least a streaming proxy made of aiohttp can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from benchmarks.servers.port import arguments, serve

if TYPE_CHECKING:
    from benchmarks.servers.port import Handler

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length", "date"}


def main() -> None:
    """Forward every request, and stream its answer."""
    parser = arguments()
    parser.add_argument("--upstream", required=True)
    given = parser.parse_args()

    async def make() -> Handler:
        client = aiohttp.ClientSession(auto_decompress=False)

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            async with client.request(
                request.method,
                URL(given.upstream + request.raw_path, encoded=True),
                headers=[
                    (k, v) for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP
                ],
                data=request.content if request.can_read_body else None,
                allow_redirects=False,
            ) as upstream:
                kept = [(k, v) for k, v in upstream.headers.items() if k.lower() not in _HOP_BY_HOP]
                answer = web.StreamResponse(status=upstream.status, headers=CIMultiDict(kept))
                answer.content_length = upstream.content_length
                await answer.prepare(request)
                async for chunk in upstream.content.iter_any():
                    await answer.write(chunk)
                await answer.write_eof()
                return answer

        return handle

    serve(make, given)


if __name__ == "__main__":
    main()
