"""The pipeline every request on the data port goes through."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, assert_never

from graphtape.core.errors import RequestError, UpstreamError
from graphtape.core.graph.actions import CALLER_ID
from graphtape.core.graph.link import shown
from graphtape.core.journal import Entry, Source
from graphtape.core.message import Headers, Request, is_preflight
from graphtape.core.tape.outcome import Assemble, Break, Forward, Inject, Refuse, Replay
from graphtape.server.http.connection import DataRequest
from graphtape.server.http.cors import leave
from graphtape.server.http.delivery import break_connection
from graphtape.server.http.errors import new_stamp, own_error
from graphtape.server.http.request import read_body
from graphtape.server.http.response import Sent, break_off, respond
from graphtape.server.replay.cue import cue_of
from graphtape.server.replay.rendered import MISS_STATUS, rendered
from graphtape.server.replay.reply import outgoing_of
from graphtape.server.visit import LEFT_EARLY, Visit

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest

    from graphtape.core.message import Response
    from graphtape.core.scenario import Fault
    from graphtape.core.tape.outcome import Cue, Outcome
    from graphtape.core.tape.question import Question
    from graphtape.server.http.request import Incoming
    from graphtape.server.visit import Gate, PlainRead

log = logging.getLogger("graphtape")


async def handle(http: BaseRequest, gate: Gate) -> Sent:
    """Answer one request on the data port."""
    if http.method == "CONNECT":
        from graphtape.server.tunnel import connect  # noqa: PLC0415 - few clients ask for tunnels

        return await connect(http, gate)
    plain: PlainRead | None = None
    arrived: Incoming | None = None
    decided = http.decided if isinstance(http, DataRequest) else None
    if decided is not None:
        session, began, arrived = decided.live, decided.began, gate.read(http)
        arrived.request = decided.question.request
    else:
        began = time.perf_counter()
        try:
            gate.check_open()
            if gate.token is not None:
                from graphtape.server.signin.local_client import check_client  # noqa: PLC0415 - few add one

                check_client(http)
            plain = gate.plain(http)
            if plain is not None:
                session = plain.live
            else:
                arrived = gate.read(http)
                session = gate.sessions.identify(arrived.session)
        except RequestError as exc:
            return await _turn_away(http, gate, exc, began)
    with Visit(
        http=http, gate=gate, arrived=arrived, session=session, began=began, decided=decided
    ) as visit:
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
        visit.journal(0, Source.REFUSED, note=LEFT_EARLY)
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
    question, outcome = await _decided(visit)
    match outcome:
        case Replay() | Assemble() | Inject():
            return await _play(visit, question, outcome)
        case Forward():
            return await _ask(visit, outcome, question.cue)
        case Break():
            return await _break(visit, outcome.fault)
        case Refuse():
            return await _unrecorded(visit, question, outcome)
        case _:
            assert_never(outcome)


async def _decided(visit: Visit) -> tuple[Question, Outcome]:
    """Decide a request, unless it was as its bytes arrived."""
    if visit.decided is not None:
        if isinstance(visit.decided.outcome, RequestError):
            raise visit.decided.outcome
        return visit.decided.question, visit.decided.outcome
    play, gate = visit.session.play, visit.gate
    _continue(visit.http)
    whole = play.plays or not play.forwards
    root = gate.upstream.tape_root
    await read_body(visit.incoming, visit.http, whole=whole, limit=gate.max_body, tape_root=root)
    visit.witnessed_asking()
    question = play.compile(visit.request, cue=cue_of(visit.incoming.options))
    return question, play.decide(question, now=gate.haste.now())


async def _play(
    visit: Visit,
    question: Question,
    outcome: Replay | Assemble | Inject,
    *,
    signs_in_at: Request | None = None,
) -> Sent:
    """Answer from the tape, or as a scenario says.

    Args:
        visit: The request.
        question: What it asks.
        outcome: What answers it.
        signs_in_at: The authority's own request, where a sign-in is answered as recorded there.
    """
    play, gate = visit.session.play, visit.gate
    whole = False
    try:
        explain = partial(_why, visit)
        made = rendered(
            outcome, visit.request, play, cue=question.cue, stamp=new_stamp(), explain=explain
        )
        gate.haste.told(made.told)
        response = made.response
        if signs_in_at is not None:
            from graphtape.core.signin import led_here  # noqa: PLC0415 - as `explain`

            response = led_here(response, to=signs_in_at, base=visit.incoming.base)
        response = gate.timing.refreshed(
            response,
            batch=question.batch is not None,
            now=datetime.now(UTC),
            caller=visit.request.headers.get(CALLER_ID),
        )
        last_byte = await visit.answer(
            response,
            made.source,
            index=made.index,
            note=made.note,
            delivery=made.delivery,
            signs_in=signs_in_at is not None or _leads_back(visit, response),
        )
        whole = not last_byte.gone
    finally:
        if not isinstance(outcome, Inject):
            (play.played if whole else play.release)(outcome)
    return last_byte.sent(response.status)


async def _ask(visit: Visit, plan: Forward, cue: Cue | None) -> Sent:
    """Ask upstream, or whoever else knows; add the user's token where he wants that."""
    from graphtape.core.signin import (  # noqa: PLC0415 - no replay forwards
        AnswerHere,
        AskAuthority,
        NotSignIn,
        course,
    )
    from graphtape.server.record.forwarding import failed, forward  # noqa: PLC0415 - likewise
    from graphtape.server.signin.answers import ask_authority  # noqa: PLC0415 - likewise

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


async def _unrecorded(visit: Visit, question: Question, outcome: Refuse) -> Sent:
    """Answer a sign-in, as recorded elsewhere or by ourselves; anything else is a miss."""
    from graphtape.core.signin import at_authority  # noqa: PLC0415 - as `explain`

    elsewhere = at_authority(visit.request)
    if elsewhere is not None:
        found = visit.session.play.find(elsewhere)
        if found is not None:
            return await _play(visit, question, found, signs_in_at=elsewhere)
    return await _sign_in(visit) or await _miss(visit, outcome)


async def _sign_in(visit: Visit) -> Sent | None:
    """Answer as the authority; None where it is asked for nothing that it knows."""
    if visit.incoming.rest is not None:
        return None
    from graphtape.server.signin.answers import answered_here  # noqa: PLC0415 - as `explain`

    answer = answered_here(visit.incoming, visit.gate.signin)
    if answer is None:
        return None
    note = "sign-in: answered by Graphtape"
    last_byte = await visit.answer(answer, Source.INJECTED, note=note, signs_in=True)
    return last_byte.sent(answer.status)


async def _break(visit: Visit, fault: Fault) -> Sent:
    """Break the connection in place of an answer."""
    gate = visit.gate
    await gate.haste.pause(visit.http, fault.wait, gate.closing)
    visit.witnessed(None)
    visit.journal(0, Source.INJECTED, note=fault.why)
    return await break_connection(visit.http, fault, gate.closing)


def _continue(http: BaseRequest) -> None:
    """Ask for a body that waits for it (RFC 9110 section 10.1.1)."""
    expected = http.headers.get("Expect", "").lower() == "100-continue"
    if expected and http.version >= (1, 1) and http.transport is not None and http.can_read_body:
        http.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _leads_back(visit: Visit, response: Response) -> bool:
    """Tell whether an authority that a tunnel leads to sends the browser back to the app."""
    if response.status // 100 != 3:  # noqa: PLR2004 - the class of redirects
        return False
    from graphtape.core.signin import at_authority, is_sign_in_place  # noqa: PLC0415 - few redirect

    return is_sign_in_place(visit.request.url) and at_authority(visit.request) is None


def _why(visit: Visit, request: Request, plan: Refuse) -> str:
    from graphtape.core.matching.miss import explain  # noqa: PLC0415 - a run that misses none needs none

    session = visit.session
    named = None if session is visit.gate.sessions.default else session.play.id
    explanation = explain(request, plan.misses, session=named)
    session.keep_miss(visit.number, explanation)  # its requests are redacted
    message = session.clean.text(str(explanation))
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
    async with respond(http, outgoing_of(response, Source.REFUSED, None)) as last_byte:
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
