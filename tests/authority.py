"""The offline authority alone, on https: what clients of Entra ID sign in to in tests."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trustme
from aiohttp import web

from graphtape.core.graph.local_url import split_session
from graphtape.core.message import Headers, Request
from graphtape.core.signin.authority import sign_in
from graphtape.core.signin.terms import TERMS, Terms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GRAPH = "https://graph.microsoft.com"


@dataclass(slots=True)
class Authority:
    """An authority that listens.

    Attributes:
        url: Its root.
        host: Of that, with the port.
        ca: PEM file that its certificate is verified by.
        asked: Method and path of each request.
    """

    url: str
    host: str
    ca: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def serving_authority(folder: Path, terms: Terms = TERMS) -> Iterator[Authority]:
    """Serve it in a thread while the block runs, whatever the session prefix."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    pem = folder / "ca.pem"
    ca.cert_pem.write_to_path(str(pem))
    authority = Authority(url="", host="", ca=str(pem))
    ready, over = threading.Event(), threading.Event()

    async def answer(http: web.BaseRequest) -> web.Response:
        authority.asked.append(f"{http.method} {http.raw_path.partition('?')[0]}")
        session, rest = split_session(http.raw_path)
        request = Request(
            method=http.method,
            url=GRAPH + rest,
            headers=Headers.of(http.headers.items()),
            body=await http.read(),
        )
        base = authority.url + (f"/_session/{session}" if session else "")
        found = sign_in(request, base=base, now=time.time(), terms=terms)
        if found is None:
            return web.Response(status=599, text="no sign-in")
        answered = web.Response(
            status=found.status, headers=list(found.headers), body=found.body, reason=found.reason
        )
        answered.force_close()  # clients keep theirs open beyond the end of a test
        return answered

    async def serve() -> None:
        runner = web.ServerRunner(web.Server(answer))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        port = runner.addresses[0][1]
        authority.host, authority.url = f"127.0.0.1:{port}", f"https://127.0.0.1:{port}"
        ready.set()
        await asyncio.to_thread(over.wait)
        await runner.cleanup()
        await asyncio.sleep(0.05)  # TLS says goodbye

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield authority
    finally:
        over.set()
        thread.join(10)
