"""The pipeline every request on the data port goes through."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from graphtape.core.batch import joined
from graphtape.core.errors import RequestError, UpstreamError
from graphtape.core.journal import Entry, Source
from graphtape.core.link import shown
from graphtape.core.masked import IN_ORDER
from graphtape.core.message import Headers, Request, is_preflight
from graphtape.core.plan import (
    Assemble,
    Break,
    FailedDependency,
    Forward,
    Inject,
    Refuse,
    Replay,
)
from graphtape.core.scenario import Answer
from graphtape.server.answer import Outgoing, Sent, break_off, respond
from graphtape.server.cors import leave
from graphtape.server.cue import cue_of
from graphtape.server.delivery import Delivery, break_connection
from graphtape.server.errors import failed_dependency, own_error, stamp
from graphtape.server.incoming import read_body
from graphtape.server.visit import Visit, marked, refreshed

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest

    from graphtape.core.message import Response
    from graphtape.core.plan import Cue
    from graphtape.core.scenario import Fault
    from graphtape.server.plain_record import PlainRead
    from graphtape.server.visit import Gate

MISS_STATUS = 599
"""What a miss answers: no Graph SDK repeats it, and Graph never sends it."""

log = logging.getLogger("graphtape")


async def handle(http: BaseRequest, gate: Gate) -> Sent:
    """Answer one request on the data port."""
    if http.method == "CONNECT":
        from graphtape.server.forward import connect  # noqa: PLC0415 - few clients ask for tunnels

        return await connect(http, gate)
    began = time.perf_counter()
    try:
        gate.check_open()
        if gate.token is not None:
            from graphtape.server.local_client import check_client  # noqa: PLC0415 - few add one

            check_client(http)
        plain = gate.plain(http)
        if plain is not None:
            session, arrived = plain.live, None
        else:
            arrived = gate.read(http)
            session = gate.sessions.identify(arrived.session)
    except RequestError as exc:
        return await _turn_away(http, gate, exc, began)
    with Visit(http=http, gate=gate, arrived=arrived, session=session, began=began) as visit:
        return await _guarded(visit, plain)


async def _guarded(visit: Visit, plain: PlainRead | None) -> Sent:
    """Serve a request; whatever goes wrong, the client gets an answer or a broken connection."""
    http = visit.http
    try:
        return await (_serve(visit) if plain is None else plain.record(visit))
    except RequestError as exc:
        return await visit.error(exc.code, str(exc), status=exc.status)
    except ConnectionError:
        visit.witnessed(None)
        visit.journal(0, Source.REFUSED, note="the client left before its request was whole")
        return break_off(http)
    except asyncio.CancelledError:
        visit.witnessed(None)
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
    visit.witnessed_asking()
    cue = cue_of(visit.incoming.options)
    plan = play.plan(visit.request, now=gate.haste.now(), cue=cue)
    match plan:
        case Replay():
            return await _replay(visit, plan, cue)
        case Assemble():
            return await _assemble(visit, plan, cue)
        case Forward():
            return await _ask(visit, plan, cue)
        case Inject():
            return await _inject(visit, plan.answer)
        case Break():
            return await _break(visit, plan.fault)
        case Refuse():
            return await _unrecorded(visit, plan, cue)
        case _:
            assert_never(plan)


async def _ask(visit: Visit, plan: Forward, cue: Cue | None) -> Sent:
    """Ask upstream, or whoever else knows; add the user's token where he wants that."""
    from graphtape.core.signin import (  # noqa: PLC0415 - no replay forwards
        AnswerHere,
        AskAuthority,
        NotSignIn,
        course,
    )
    from graphtape.server.forwarding import failed, forward  # noqa: PLC0415 - likewise
    from graphtape.server.signin import ask_authority  # noqa: PLC0415 - likewise

    gate = visit.gate
    where = course(visit.request, upstream=gate.upstream, forwards=True, record=gate.record_signin)
    match where:
        case NotSignIn():
            if gate.token is not None:
                try:
                    visit.incoming = await gate.token.bearing(visit.incoming)
                except UpstreamError as exc:
                    return await failed(visit, exc)
            return await forward(visit, plan, cue)
        case AnswerHere():
            return await _sign_in(visit) or await forward(visit, plan, cue)
        case AskAuthority(taped=True):
            visit.incoming.request = replace(visit.request, url=where.url)
            return await forward(visit, plan, cue)
        case AskAuthority():
            return await ask_authority(visit, where)
        case _:
            assert_never(where)


async def _unrecorded(visit: Visit, plan: Refuse, cue: Cue | None) -> Sent:
    """Answer a sign-in, as recorded elsewhere or by ourselves; anything else is a miss."""
    from graphtape.core.signin import at_authority, led_here  # noqa: PLC0415 - as `explain`

    elsewhere = at_authority(visit.request)
    if elsewhere is not None:
        found = visit.session.play.find(elsewhere)
        if found is not None:
            answer = led_here(found.answer, to=elsewhere, base=visit.incoming.base)
            return await _replay(visit, replace(found, answer=answer), cue, signs_in=True)
    return await _sign_in(visit) or await _miss(visit, plan)


async def _sign_in(visit: Visit) -> Sent | None:
    """Answer as the authority; None where it is asked for nothing that it knows."""
    if visit.incoming.rest is not None:
        return None
    from graphtape.server.signin import answered_here  # noqa: PLC0415 - as `explain`

    answer = answered_here(visit.incoming, visit.gate.signin)
    if answer is None:
        return None
    note = "sign-in: answered by Graphtape"
    last_byte = await visit.answer(answer, Source.INJECTED, note=note, signs_in=True)
    return last_byte.sent(answer.status)


async def _inject(visit: Visit, answer: Answer) -> Sent:
    """Answer in Graph's place."""
    written = answer.response(visit.request, stamp())
    visit.gate.haste.told(_told(written))
    response = refreshed(written, visit.request, visit.gate.timing)
    delivery = Delivery(wait=answer.wait, fault=answer.fault, why=answer.why)
    last_byte = await visit.answer(response, Source.INJECTED, delivery=delivery)
    return last_byte.sent(response.status)


async def _break(visit: Visit, fault: Fault) -> Sent:
    """Break the connection in place of an answer."""
    gate = visit.gate
    await gate.haste.pause(visit.http, fault.wait, gate.closing)
    visit.witnessed(None)
    visit.journal(0, Source.INJECTED, note=fault.why)
    return await break_connection(visit.http, fault, gate.closing)


def _told(response: Response) -> float:
    """Return the seconds a client is told to wait."""
    value = response.headers.get("Retry-After") or ""
    return float(value) if value.isdigit() else 0.0


def _continue(http: BaseRequest) -> None:
    """Ask for a body that waits for it (RFC 9110 section 10.1.1)."""
    expected = http.headers.get("Expect", "").lower() == "100-continue"
    if expected and http.version >= (1, 1) and http.transport is not None and http.can_read_body:
        http.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def _replay(visit: Visit, plan: Replay, cue: Cue | None, *, signs_in: bool = False) -> Sent:
    play = visit.session.play
    answer = plan.answer if plan.bend is None else plan.bend.apply(plan.answer).response
    bent = play.bend(answer, to=visit.request, cue=cue)
    response = refreshed(bent, visit.request, visit.gate.timing)
    delivery = Delivery.of(plan.bend)
    whole = False
    try:
        note = plan.note
        last_byte = await visit.answer(
            response,
            Source.REPLAYED,
            index=plan.index,
            note=note,
            delivery=delivery,
            signs_in=signs_in or _leads_back(visit, response),
        )
        whole = not last_byte.gone
    finally:
        if whole:
            play.played(plan)
        else:
            play.release(plan)
    return last_byte.sent(response.status)


def _leads_back(visit: Visit, response: Response) -> bool:
    """Tell whether an authority that a tunnel leads to sends the browser back to the app."""
    if response.status // 100 != 3:  # noqa: PLR2004 - the class of redirects
        return False
    from graphtape.core.signin import at_authority, is_sign_in_place  # noqa: PLC0415 - few redirect

    return is_sign_in_place(visit.request.url) and at_authority(visit.request) is None


async def _assemble(visit: Visit, plan: Assemble, cue: Cue | None) -> Sent:
    """Answer a batch part by part; it counts as missed where one part is."""
    play = visit.session.play
    response, missed = _assembled(visit, plan)
    orders = [IN_ORDER] if any(each.by_order for each in plan.replays) else []
    answer = response if plan.bend is None else plan.bend.apply(response).response
    bent = play.bend(answer, to=visit.request, cue=cue)
    response = refreshed(bent, visit.request, visit.gate.timing)
    delivery = Delivery.of(plan.bend, plan.directed)
    source = Source.MISSED if missed else Source.REPLAYED
    if not missed and not plan.replays:
        source = Source.INJECTED
    whole = False
    try:
        last_byte = await visit.answer(
            response, source, index=plan.index, note="\n".join(missed or orders), delivery=delivery
        )
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
    bends = plan.directed.bends if plan.directed is not None else {}
    missed: list[str] = []
    for part in plan.parts:
        found, asked = plan.found[part.id], part.request
        match found:
            case Replay():
                bend = bends.get(part.id)
                answers[part.id] = bend.apply(found.answer).response if bend else found.answer
            case Answer():
                answers[part.id] = found.response(asked, stamp())
            case Refuse():
                why = _why(visit, asked, found)
                answers[part.id] = own_error(asked, "GraphtapeMiss", why, status=MISS_STATUS)
                missed.append(f"part {part.id!r}: {why}")
            case FailedDependency():
                answers[part.id] = failed_dependency(part, on=found.on)
            case _:
                assert_never(found)
    return joined(plan.parts, answers), missed


def _why(visit: Visit, request: Request, plan: Refuse) -> str:
    from graphtape.core.miss import explain  # noqa: PLC0415 - a run that misses none needs none

    session = visit.session
    named = None if session is visit.gate.sessions.default else session.play.id
    message = session.clean.text(explain(request, plan.misses, session=named))
    whose = f"session {named}: " if named is not None else ""
    # Where who asks has it as an exception, a failed test or its report, once is enough.
    level = logging.WARNING if visit.gate.tells_misses else logging.DEBUG
    if session.first_told(message):
        log.log(level, "%s%s", whose, message)
    else:
        log.log(level, "%s%s (again)", whose, message.partition("\n")[0])
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
    path = http.raw_path
    entry = Entry(
        number=session.play.journal.number(),
        method=http.method,
        url=session.clean.url(shown(path) if "/_origin/" in path else path),
        status=exc.status,
        source=Source.REFUSED,
        milliseconds=(time.perf_counter() - began) * 1000,
        note=session.clean.text(str(exc)),
    )
    gate.note(session, entry)
    return last_byte.sent(exc.status)
