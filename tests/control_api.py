"""Serves the control API of a running proxy in the test's own loop."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from aiohttp import ClientSession, ClientTimeout, web

from graphtape import runner
from graphtape.core.tape.outcome import Mode
from graphtape.server.control import Events, make_control
from graphtape.server.session.outcome import report_of
from graphtape.settings import Settings
from proxies import AUTH

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import ClientResponse

    from graphtape.core.report.report import Report
    from graphtape.server.session.live_session import LiveSession

TOKEN = "not-a-real-control-token"


@dataclass(slots=True, kw_only=True)
class Control:
    """A control API that listens.

    Attributes:
        url: Its own.
        data: The data port's.
        site: Serves it.
    """

    proxy: runner.Proxy
    events: Events
    url: str
    data: str
    http: ClientSession
    site: web.AppRunner

    async def ask(self, method: str, path: str, **sent: object) -> ClientResponse:
        """Call the control API; the answer has been read."""
        response = await self.http.request(method, self.url + path, **sent)  # type: ignore[arg-type]
        await response.read()
        return response

    async def open(self, **wish: object) -> str:
        """Open a session; return its base URL."""
        response = await self.ask("POST", "/sessions", json=wish)
        assert response.status == 201, await response.text()
        return cast("str", (await response.json())["base_url"])

    async def get(self, base: str, path: str = "/v1.0/me") -> int:
        """Ask what stands in Graph's place; return the status."""
        async with self.http.get(base + path, headers=AUTH) as response:
            await response.read()
            return response.status


@asynccontextmanager
async def controlled(
    tape: Path | list[Path], *, token: str | None = None, events: Events | None = None
) -> AsyncIterator[Control]:
    """Replay a cassette, or several, and serve the control API of that replay."""
    tapes = [tape] if isinstance(tape, Path) else tape
    hub = Events() if events is None else events

    def report(live: LiveSession) -> Report:
        return report_of(live.outcome, now=time.time())

    proxy = runner.Proxy(
        settings=Settings(listen="127.0.0.1:0", control="127.0.0.1:0"),
        cassettes=tuple(tapes),
        mode=Mode.NONE,
        folder=tapes[0].parent,
        on_entry=hub.tell,
    )
    async with proxy, ClientSession(timeout=ClientTimeout(total=10)) as http:
        data = proxy.addresses.proxy
        app = make_control(proxy.sessions, token=token, data_url=data, events=hub, report=report)
        site = web.AppRunner(app, access_log=None, shutdown_timeout=5)
        await site.setup()
        try:
            await web.TCPSite(site, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{site.addresses[0][1]}"
            yield Control(proxy=proxy, events=hub, url=url, data=data, http=http, site=site)
        finally:
            await site.cleanup()
