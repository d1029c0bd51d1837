"""What each call of the control API does."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from aiohttp import web

from graphtape import __version__
from graphtape.core.errors import RequestError
from graphtape.core.replica import name_in
from graphtape.core.scenario.duration import seconds
from graphtape.core.scenario.rule import NOBODY_NOTIFIED
from graphtape.server.control.direction import spelled, statuses
from graphtape.server.control.message import (
    Directed,
    EventsQuery,
    Health,
    JournalPage,
    JournalQuery,
    NewSession,
    Nothing,
    Opened,
    RecordingFacts,
    SessionFacts,
    SessionList,
)
from graphtape.server.control.reading import fault
from graphtape.server.control.rendering import rendered, wanted_form
from graphtape.server.control.stream import stream
from graphtape.server.control.ticks import Ticks
from graphtape.server.session.sessions import Wish
from graphtape.tape.store import part_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from graphtape.core.report.report import Report
    from graphtape.server.control.direction import Library
    from graphtape.server.control.route import Call
    from graphtape.server.session.live_session import LiveSession
    from graphtape.server.session.steps import Shared
    from graphtape.server.state.part import Part

    Plain: TypeAlias = Call[Nothing, Nothing]

_DOTS = frozenset({".", ".."})
_SHORTEST, _LONGEST = 0.05, 60.0
"""Seconds from one tick of events to the next."""

_NEWEST = 200
"""Entries that a tick tells, unless it is said."""


async def health(call: Plain) -> Health:
    """Say that the proxy serves, and what."""
    desk = call.desk
    default = desk.sessions.default
    return Health(
        status="ok",
        graphtape=__version__,
        proxy=str(desk.base_url(call.request)).rstrip("/"),
        mode=default.play.mode,
        cassettes=list(default.cassettes),
        sessions=len(desk.sessions),
        requests=sum(live.play.journal.arrived for live in desk.sessions),
        listeners=len(desk.events),
    )


async def list_sessions(call: Plain) -> SessionList:
    """List the open sessions."""
    await call.desk.sessions.find_all()
    own = [await _facts(call, live) for live in [*call.desk.sessions]]
    if call.desk.others is None:
        return SessionList(sessions=own)
    others, unreachable = await call.desk.others.sessions(call.request)
    return SessionList(sessions=[*own, *others], unreachable=unreachable)


async def open_session(call: Call[Nothing, NewSession]) -> Opened | web.StreamResponse:
    """Open a session."""
    asked = call.body
    if asked.id is not None and name_in(asked.id) is not None and call.desk.others is not None:
        passed = await call.desk.others.answer(call.request, asked.id)
        if passed is not None:
            return passed
    if asked.id in _DOTS:
        raise RequestError(
            f"$.id: {asked.id!r} is a step in a path, which clients take out; send another",
            code="GraphtapeSessionId",
        )
    wish = await wish_of(asked, call.desk.library)
    live = await call.desk.sessions.open(wish)
    call.desk.warn(wish.status or ())
    call.headers["Location"] = f"/sessions/{live.play.id}"
    return Opened(id=live.play.id, base_url=call.url_of(live))


async def wish_of(asked: NewSession, library: Library) -> Wish:
    """Return what a session is to be, of the body that asks for it.

    Raises:
        RequestError: There is no such scenario, or a status is none.
    """
    cassettes = [asked.cassettes] if isinstance(asked.cassettes, str) else asked.cassettes
    return Wish(
        id=asked.id,
        cassettes=tuple(cassettes),
        mode=asked.mode,
        scenario=None if asked.scenario is None else await library.read(asked.scenario),
        status=None if asked.status is None else statuses(asked.status),
        said=msgspec.json.encode(msgspec.structs.replace(asked, id=None)),
    )


async def get_session(call: Plain) -> SessionFacts:
    """Say what a session is."""
    return await _facts(call, call.session)


async def close_session(call: Plain) -> web.Response:
    """End a session: save what it recorded, and give its last report."""
    form = wanted_form(call.request)  # before anything is done
    shared = call.session.shared
    ends = shared is not None and call.session is not call.desk.sessions.default
    parts = await shared.gather(end=True) if shared is not None and ends else []
    live = await call.desk.sessions.close(call.session.play.id)
    return rendered(_whole(call.desk.report(live), parts), form)


def _whole(report: Report, parts: Sequence[Part]) -> Report:
    """Return a report with what other proxies know of the session."""
    if not parts:
        return report
    from graphtape.server.state.part import merged  # noqa: PLC0415 - few sessions are shared

    return merged(report, parts)


async def direct(call: Call[Nothing, object]) -> Directed:
    """Put scenarios and statuses in place of those a session has."""
    live = call.session
    scenario, status = await call.desk.library.directing(call.body)
    if live.shared is None:
        live.direct(scenario=scenario, status=status)
    else:
        await live.shared.direct(msgspec.json.encode(call.body))
    call.desk.warn(status)
    if call.desk.notifier is None and any(each.notifies for each in scenario):
        call.desk.sessions.opener.say(NOBODY_NOTIFIED)
    return Directed(scenario=[each.name for each in scenario], status=spelled(status))


async def undirect(call: Plain) -> None:
    """Take away a session's scenarios and statuses."""
    live = call.session
    if live.shared is None:
        live.undirect()
    else:
        await live.shared.direct(b"[]")


async def rewind(call: Plain) -> None:
    """Play a session's tapes and scenarios from their start; its journal stays."""
    live = call.session
    if live.shared is not None:
        await live.shared.rewind()
    else:
        live.rewind()


async def journal(call: Call[JournalQuery, Nothing]) -> JournalPage:
    """Give a session's journal, page by page."""
    if call.session.shared is not None:
        return await _shared_journal(call.session.shared, call.query)
    book = call.session.play.journal
    after = call.query.after
    first = max(after, book.gone)
    entries = book.between(first, first + call.query.limit)
    return JournalPage(
        entries=[each for each in entries if call.query.source in {"", each.source.value}],
        next=first + len(entries) if entries else after,
        gone=max(0, book.gone - after),
    )


async def _shared_journal(shared: Shared, query: JournalQuery) -> JournalPage:
    """Give a page of the journals of all proxies, as this one has read them."""
    book = await shared.journal()
    entries = book[query.after : query.after + query.limit]
    return JournalPage(
        entries=[each for each in entries if query.source in {"", each.source.value}],
        next=query.after + len(entries),
        gone=0,
    )


async def report(call: Plain) -> web.Response:
    """Give a session's report so far, as the client accepts it."""
    form = wanted_form(call.request)
    shared = call.session.shared
    parts = [] if shared is None else await shared.gather()
    return rendered(_whole(call.desk.report(call.session), parts), form)


async def events(call: Call[EventsQuery, Nothing]) -> web.StreamResponse:
    """Send journal entries as they happen, as server-sent events."""
    wanted = call.query.session
    if wanted is not None:
        if call.desk.others is not None:
            passed = await call.desk.others.answer(call.request, wanted)
            if passed is not None:
                return passed
        wanted = call.desk.sessions.identify(wanted).play.id
    every, newest = call.query.every, call.query.newest
    if every is None:
        if newest is not None:
            raise fault("GraphtapeQuery", "?newest", "it goes with every=250ms, or so")
        return await stream(call.request, call.desk.events, session=wanted)
    ticks = Ticks(
        call.desk.sessions,
        session=wanted,
        newest=_NEWEST if newest is None else newest,
        every=_seconds(every),
        since=call.request.headers.get("Last-Event-ID", ""),
    )
    return await stream(call.request, call.desk.events, session=wanted, ticks=ticks)


def _seconds(every: str) -> float:
    try:
        found = seconds(every)
    except ValueError as exc:
        raise fault("GraphtapeQuery", "?every", str(exc)) from exc
    if not _SHORTEST <= found <= _LONGEST:
        raise fault("GraphtapeQuery", "?every", f"{every} is out of range; it is from 50ms to 60s")
    return found


async def get_variables(call: Plain) -> dict[str, str]:
    """Give the values that a test made up while recording, by name."""
    return dict(call.session.variables)


async def put_variables(call: Call[Nothing, dict[str, str]]) -> dict[str, str]:
    """Keep values beside the recording; those of other names stay."""
    live = call.session
    if live.recorder is None:
        raise RequestError(
            "variables are saved while recording; this session only replays",
            status=HTTPStatus.CONFLICT,
            code="GraphtapeNotRecording",
        )
    for name, value in call.body.items():
        live.recorder.set_variable(name, value)
    return dict(live.variables)


async def document(call: Plain) -> web.Response:
    """Give this document."""
    return web.Response(body=call.desk.document(), content_type="application/json")


async def _facts(call: Call[Nothing, Nothing], live: LiveSession) -> SessionFacts:
    play = live.play
    recorder, recording = live.recorder, None
    if recorder is not None:
        redacted = recorder.redacted
        recording = RecordingFacts(
            upstream=call.desk.sessions.opener.upstream,
            cassette=str(recorder.path).encode("utf-8", "backslashreplace").decode(),
            new=recorder.recorded,
            dropped=len(recorder.dropped),
            secrets=redacted["secrets"],
            identities=redacted["identities"],
            part_bytes=await asyncio.to_thread(_size, part_path(recorder.path)),
        )
    return SessionFacts(
        id=play.id,
        base_url=call.url_of(live),
        mode=play.mode,
        cassettes=list(live.cassettes),
        scenario=[each.name for each in live.scenarios],
        status=spelled(play.rules),
        requests=play.journal.arrived,
        answers={source.value: count for source, count in play.journal.counts.items()},
        recording=recording,
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
