"""A request that belongs to no session, refused."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from graphtape.core.graph.link import shown
from graphtape.core.journal import Entry, Source
from graphtape.core.message import Headers, Request
from graphtape.server.http.errors import own_error
from graphtape.server.http.response import respond
from graphtape.server.replay.reply import outgoing_of
from graphtape.server.session.live_session import EPOCH

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest

    from graphtape.core.errors import RequestError
    from graphtape.server.http.response import Sent
    from graphtape.server.transaction import Services


async def turn_away(http: BaseRequest, services: Services, exc: RequestError, began: float) -> Sent:
    """Refuse a request that belongs to no session; the default one's journal has it."""
    session = services.sessions.default
    asked = Request(method=http.method, url=http.raw_path, headers=Headers.of(http.headers.items()))
    response = own_error(asked, exc.code, str(exc), status=exc.status)
    async with respond(http, outgoing_of(response, Source.REFUSED, None)) as last_byte:
        await last_byte()
    path = http.raw_path
    entry = Entry(
        number=session.play.journal.number(),
        method=http.method,
        url=session.clean.url(shown(path) if "/_origin/" in path else path),
        status=exc.status,
        source=Source.REFUSED,
        at=EPOCH + began,
        milliseconds=(time.perf_counter() - began) * 1000,
        note=session.clean.text(str(exc)),
    )
    services.note(session, entry)
    return last_byte.sent(exc.status)
