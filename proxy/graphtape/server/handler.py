"""The pipeline every request on the data port goes through."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, assert_never

from graphtape.core.batch import FAILED_DEPENDENCY, joined
from graphtape.core.errors import RequestError
from graphtape.core.journal import Entry, Source
from graphtape.core.message import Headers, Request
from graphtape.core.miss import explain
from graphtape.core.session import Assemble, FailedDependency, Forward, Inject, Refuse, Replay
from graphtape.server.answer import Outgoing, Sent, break_off, respond
from graphtape.server.cors import is_preflight, leave
from graphtape.server.errors import own_error
from graphtape.server.forwarding import forward
from graphtape.server.incoming import arrive, read_body
from graphtape.server.visit import Visit, marked, refreshed

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest

    from graphtape.core.message import Response
    from graphtape.server.visit import Gate

MISS_STATUS = 599
"""What a miss answers: no Graph SDK repeats it, and Graph never sends it."""

log = logging.getLogger("graphtape")


async def handle(http: BaseRequest, gate: Gate) -> Sent:
    """Answer one request on the data port."""
    began = time.perf_counter()
    try:
        gate.check_open()
        incoming = arrive(http, tape_root=gate.upstream.tape_root, hosts=gate.sessions.hosts)
        session = gate.sessions.identify(incoming.session)
    except RequestError as exc:
        return await _turn_away(http, gate, exc, began)
    with Visit(http=http, gate=gate, incoming=incoming, session=session, began=began) as visit:
        return await _guarded(visit)


async def _guarded(visit: Visit) -> Sent:
    """Serve a request; whatever goes wrong, the client gets an answer or a broken connection."""
    http = visit.http
    try:
        return await _serve(visit)
    except RequestError as exc:
        return await visit.error(exc.code, str(exc), status=exc.status)
    except ConnectionError:
        visit.journal(0, Source.REFUSED, note="the client left before its request was whole")
        return break_off(http)
    except asyncio.CancelledError:
        visit.journal(0, Source.REFUSED, note="cut off in flight when the proxy stopped")
        raise
    except Exception as exc:
        # A fault of our own, which must neither leak a traceback nor end the proxy.
        log.exception("%s %s failed", http.method, visit.session.clean.url(visit.request.url))
        if http.writer.output_size:
            return break_off(http)
        message = f"Graphtape failed on this request ({type(exc).__name__}); its log says more"
        return await visit.error("GraphtapeInternal", message, status=500)


async def _serve(visit: Visit) -> Sent:
    play, gate = visit.session.play, visit.gate
    _continue(visit.http)
    whole = play.plays or not play.forwards
    root = gate.upstream.tape_root
    await read_body(visit.incoming, visit.http, whole=whole, limit=gate.max_body, tape_root=root)
    plan = play.plan(visit.request)
    match plan:
        case Replay():
            return await _replay(visit, plan)
        case Assemble():
            return await _assemble(visit, plan)
        case Forward():
            return await forward(visit)
        case Inject():
            answer = refreshed(plan.answer, visit.request, gate.timing)
            last_byte = await visit.answer(answer, Source.INJECTED)
            return last_byte.sent(plan.answer.status)
        case Refuse():
            return await _miss(visit, plan)
        case _:
            assert_never(plan)


def _continue(http: BaseRequest) -> None:
    """Ask for a body that waits for it (RFC 9110 section 10.1.1)."""
    expected = http.headers.get("Expect", "").lower() == "100-continue"
    if expected and http.version >= (1, 1) and http.transport is not None and http.can_read_body:
        http.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def _replay(visit: Visit, plan: Replay) -> Sent:
    play = visit.session.play
    response = refreshed(play.bend(plan.answer, to=visit.request), visit.request, visit.gate.timing)
    whole = False
    try:
        last_byte = await visit.answer(response, Source.REPLAYED, index=plan.index)
        whole = not last_byte.gone
    finally:
        if whole:
            play.played(plan)
        else:
            play.release(plan)
    return last_byte.sent(response.status)


async def _assemble(visit: Visit, plan: Assemble) -> Sent:
    """Answer a batch part by part; it counts as missed where one part is."""
    play = visit.session.play
    response, missed = _assembled(visit, plan)
    response = refreshed(play.bend(response, to=visit.request), visit.request, visit.gate.timing)
    source = Source.MISSED if missed else Source.REPLAYED
    whole = False
    try:
        last_byte = await visit.answer(response, source, index=plan.index, note="\n".join(missed))
        whole = not last_byte.gone
    finally:
        if whole:
            play.played(plan)
        else:
            play.release(plan)
    return last_byte.sent(response.status)


def _assembled(visit: Visit, plan: Assemble) -> tuple[Response, list[str]]:
    """Return the answer to a batch, and why parts of it have none."""
    answers: dict[str, Response] = {}
    missed: list[str] = []
    for part in plan.parts:
        found, asked = plan.found[part.id], part.request
        match found:
            case Replay():
                answers[part.id] = found.answer
            case Refuse():
                why = _why(visit, asked, found)
                answers[part.id] = own_error(asked, "GraphtapeMiss", why, status=MISS_STATUS)
                missed.append(f"part {part.id!r}: {why}")
            case FailedDependency():
                why = f"Request id {part.id} depends on {found.on!r}, which failed."
                answers[part.id] = own_error(
                    asked, "FailedDependency", why, status=FAILED_DEPENDENCY
                )
            case _:
                assert_never(found)
    return joined(plan.parts, answers), missed


def _why(visit: Visit, request: Request, plan: Refuse) -> str:
    message = visit.session.clean.text(explain(request, plan.misses))
    log.warning("%s", message)
    return message


async def _miss(visit: Visit, plan: Refuse) -> Sent:
    if is_preflight(visit.request):
        answer = leave(visit.request)
        note = "a preflight that nothing recorded answers"
        return (await visit.answer(answer, Source.INJECTED, note=note)).sent(answer.status)
    message = _why(visit, visit.request, plan)
    return await visit.error("GraphtapeMiss", message, status=MISS_STATUS, source=Source.MISSED)


async def _turn_away(http: BaseRequest, gate: Gate, exc: RequestError, began: float) -> Sent:
    """Refuse a request that belongs to no session; the default one's journal has it."""
    session = gate.sessions.default
    asked = Request(method=http.method, url=http.raw_path, headers=Headers.of(http.headers.items()))
    response = own_error(asked, exc.code, str(exc), status=exc.status)
    outgoing = Outgoing(
        status=response.status, reason=response.reason, headers=response.headers, body=response.body
    )
    async with respond(http, marked(outgoing, Source.REFUSED, None)) as last_byte:
        await last_byte()
    entry = Entry(
        number=session.play.journal.number(),
        method=http.method,
        url=session.clean.url(http.raw_path),
        status=exc.status,
        source=Source.REFUSED,
        milliseconds=(time.perf_counter() - began) * 1000,
        note=session.clean.text(str(exc)),
    )
    session.play.journal.add(entry)
    gate.on_entry(entry)
    return last_byte.sent(exc.status)
