"""The web console's own files: they hold no data, and need no token."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

PATH = "/console"
_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


def is_asset(path: str) -> bool:
    """Tell whether a path is the console's own."""
    return path == PATH or path.startswith(f"{PATH}/")


def add_console(app: web.Application) -> None:
    """Serve the console's page and what it loads."""
    app.router.add_get(PATH, _page)
    app.router.add_get(f"{PATH}/{{asset:.+}}", _asset)


async def _page(_: web.Request) -> web.Response:
    return await asyncio.to_thread(_answer, "index.html")


async def _asset(request: web.Request) -> web.Response:
    return await asyncio.to_thread(_answer, request.match_info["asset"])


def _found(name: str) -> Traversable:
    """Return a file by what stands in the folder: a name that is asked for is never a path.

    Raises:
        HTTPNotFound: There is none.
    """
    at: Traversable = files("graphtape").joinpath("console")
    for step in name.split("/"):
        found = [each for each in at.iterdir() if each.name == step] if at.is_dir() else []
        if not found:
            raise web.HTTPNotFound
        at = found[0]
    return at


def _answer(name: str) -> web.Response:
    file = _found(name)
    kind = _TYPES.get(f".{file.name.rpartition('.')[2]}")
    if kind is None or not file.is_file():
        raise web.HTTPNotFound
    return web.Response(
        body=file.read_bytes(), content_type=kind, charset="utf-8", headers=_HEADERS
    )
