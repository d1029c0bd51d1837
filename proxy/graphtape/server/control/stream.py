"""Events on their way to a listener, as server-sent events (HTML standard, section 9.2)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, assert_never

import msgspec
from aiohttp import web

from graphtape.core.replica import PASSED_ON
from graphtape.server.control.events import Dropped, Happened

if TYPE_CHECKING:
    from graphtape.server.control.events import Events, Listener
    from graphtape.server.control.ticks import Tick, Ticks

STREAM = "text/event-stream"
_PATIENCE = 30.0
"""Seconds that a listener may take nothing before it is cut off."""


async def stream(
    request: web.Request,
    events: Events,
    *,
    session: str | None,
    ticks: Ticks | None = None,
) -> web.StreamResponse:
    """Send what happens until the listener leaves or the proxy stops.

    Args:
        request: Is answered.
        events: Tell of each entry.
        session: Whose entries are wanted; None for all.
        ticks: Asked in place of `events`, where it isn't None.

    Raises:
        RequestError: Too many listen, or the proxy stops.
    """
    response = web.StreamResponse(headers={"Content-Type": STREAM, "Cache-Control": "no-store"})
    if request.method == "HEAD":
        return response
    listener = events.listen(session, told=ticks is None)
    try:
        # One who leaves is seen by what can't be written, as one who takes nothing is.
        with suppress(ConnectionError, TimeoutError):
            await response.prepare(request)
            await _send(request, response, listener, b": these are Graphtape's events\n\n")
            if ticks is None:
                await _follow(request, response, events, listener)
            else:
                await _watch(request, response, events, listener, ticks)
    finally:
        events.leave(listener)
    return response


async def _follow(
    request: web.Request, response: web.StreamResponse, events: Events, listener: Listener
) -> None:
    while True:
        if not await listener.news(events.heartbeat):
            await _send(request, response, listener, b": nothing happened\n\n")
            continue
        waiting = b"".join(map(written, listener.take()))
        if waiting:
            await _send(request, response, listener, waiting)
        if listener.ended:
            return


async def _watch(
    request: web.Request,
    response: web.StreamResponse,
    events: Events,
    listener: Listener,
    ticks: Ticks,
) -> None:
    clock = asyncio.get_running_loop().time
    spoke = clock()
    if PASSED_ON in request.headers:  # who joins several streams needs to know where each begins
        await _send(request, response, listener, b"id: %b\n\n" % ticks.id.encode())
    while not listener.ended:
        await listener.news(ticks.every)
        tick = ticks.take()
        if tick is not None:
            await _send(request, response, listener, _tick(tick))
        elif clock() - spoke < events.heartbeat:
            continue
        else:
            await _send(request, response, listener, b": nothing happened\n\n")
        spoke = clock()


async def _send(
    request: web.Request, response: web.StreamResponse, listener: Listener, data: bytes
) -> None:
    """Write, and wait while the listener takes nothing; not without end."""

    def cut() -> None:
        if request.transport is not None:
            request.transport.abort()

    listener.busy(cut)
    try:
        async with asyncio.timeout(_PATIENCE):
            await response.write(data)
    except TimeoutError:
        cut()
        raise
    finally:
        listener.busy(None)


def written(told: Happened | Dropped) -> bytes:
    """Write one event; JSON has no line breaks, which would end its data."""
    match told:
        case Happened():
            return _event(b"entry", told.written)
        case Dropped():
            return _event(b"dropped", msgspec.json.encode(told))
        case _:
            assert_never(told)


def _tick(tick: Tick) -> bytes:
    return b"id: %b\n%b" % (tick.id.encode(), _event(b"tick", msgspec.json.encode(tick)))


def _event(name: bytes, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name, data)
