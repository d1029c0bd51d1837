"""Starts TLS servers for tests, on loopback and free ports, and environments for their clients."""

from __future__ import annotations

import asyncio
import http.client
import os
import ssl
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from graphtape.server.tls import Authority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ANSWER = '{"value":"inprogress"}'
_TOUCHED = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
            "NODE_EXTRA_CA_CERTS", "JAVA_TOOL_OPTIONS", "HTTPS_PROXY", "HTTP_PROXY",
            "ALL_PROXY", "GRAPHTAPE_DATA_DIR")  # fmt: skip
on_modes = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no POSIX modes")


def bare_environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without what says whom a client trusts."""
    kept = {k: v for k, v in os.environ.items() if k.upper() not in _TOUCHED}
    return {**kept, **extra}


@contextmanager
def served(
    context: ssl.SSLContext,
    host: str = "127.0.0.1",
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
) -> Iterator[int]:
    """Serve in a thread while the block runs; yield the port."""
    ready = threading.Event()
    ports: list[int] = []
    stops: list[Callable[[], object]] = []

    async def answer(_: web.Request) -> web.Response:
        response = web.json_response(text=ANSWER)
        # A client that keeps the connection leaves asyncio waiting for its goodbye at the end.
        response.force_close()
        return response

    async def serve() -> None:
        app = web.Application()
        app.router.add_get("/", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, host, 0, ssl_context=context)
        await site.start()
        ports.append(runner.addresses[0][1])
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        stops.append(lambda: loop.call_soon_threadsafe(stop.set))
        ready.set()
        await stop.wait()
        await runner.cleanup()
        # TLS says goodbye after aiohttp has: a loop closed before that leaves the socket open.
        await asyncio.sleep(0.1)

    def run() -> None:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield ports[0]
    finally:
        stops[0]()
        thread.join(10)


def opened(folder: Path) -> Authority:
    """Open a CA of a test's own."""
    return Authority.open(folder / "ca", say=lambda _: None)


def strict_client(authority: Authority) -> ssl.SSLContext:
    """Make a client that trusts a CA alone, as strictly as Python 3.13 does."""
    context = ssl.create_default_context(cafile=authority.certificate)
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def fetch(host: str, port: int, client: ssl.SSLContext) -> str:
    """Get what a server answers."""
    connection = http.client.HTTPSConnection(host, port, context=client, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    finally:
        connection.close()
