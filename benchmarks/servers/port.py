"""A port served by a bare aiohttp handler on uvloop."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

try:
    import uvloop
except ImportError:  # where Graphtape has none either
    _LOOP = None
else:
    _LOOP = uvloop.new_event_loop

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def arguments() -> argparse.ArgumentParser:
    """Return the options every server here takes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ready-file", type=Path)
    return parser


def serve(
    make_handler: Callable[[], Awaitable[Handler]],
    given: argparse.Namespace,
    context: ssl.SSLContext | None = None,
) -> None:
    """Serve until killed; over TLS with a context."""
    with asyncio.Runner(loop_factory=_LOOP) as runner:
        runner.run(_serve(make_handler, given, context))


async def _serve(
    make_handler: Callable[[], Awaitable[Handler]],
    given: argparse.Namespace,
    context: ssl.SSLContext | None,
) -> None:
    server = web.Server(await make_handler(), access_log=None)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(server, "127.0.0.1", given.port, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    if given.ready_file is not None:
        scheme = "http" if context is None else "https"
        _write(given.ready_file, f"{scheme}://127.0.0.1:{port}")
    await asyncio.Event().wait()


def _write(ready_file: Path, url: str) -> None:
    draft = ready_file.with_suffix(".draft")
    draft.write_text(json.dumps({"proxy": url, "pid": os.getpid()}), encoding="utf-8")
    draft.replace(ready_file)
