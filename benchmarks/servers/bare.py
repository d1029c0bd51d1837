"""The least an aiohttp server can do: a lookup, and the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from benchmarks import tape
from benchmarks.servers.port import arguments, serve

if TYPE_CHECKING:
    from benchmarks.servers.port import Handler


def main() -> None:
    """Answer each path of a tape."""
    parser = arguments()
    parser.add_argument("--interactions", type=int, default=1)
    given = parser.parse_args()
    answers = {tape.path(n): (tape.body(n), tape.headers(n)) for n in range(given.interactions)}

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        body, headers = answers[request.path]
        return web.Response(body=body, headers=headers)

    async def make() -> Handler:
        return handle

    serve(make, given)


if __name__ == "__main__":
    main()
