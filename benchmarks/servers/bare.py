"""The least an aiohttp server can do: a lookup, and the bytes."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from benchmarks import tape
from benchmarks.servers.port import arguments, serve

if TYPE_CHECKING:
    from benchmarks.servers.port import Handler


def main() -> None:
    """Answer each path of a tape, and any other path as the first one."""
    parser = arguments()
    parser.add_argument("--interactions", type=int, default=1)
    parser.add_argument("--certificate", type=Path, help="PEM with key: answers over TLS.")
    given = parser.parse_args()
    answers = {tape.path(n): (tape.body(n), tape.headers(n)) for n in range(given.interactions)}
    other = tape.body(0), tape.headers(0)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.can_read_body:
            await request.read()
        body, headers = answers.get(request.path, other)
        return web.Response(body=body, headers=headers)

    async def make() -> Handler:
        return handle

    context = None
    if given.certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(given.certificate)
    serve(make, given, context)


if __name__ == "__main__":
    main()
