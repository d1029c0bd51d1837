"""The pipeline every request on the data port goes through."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, assert_never

from graphtape.core.errors import RequestError
from graphtape.core.journal import Source
from graphtape.core.tape.outcome import Assemble, Break, Forward, Inject, Refuse, Replay
from graphtape.server.http.connection import DataRequest
from graphtape.server.http.request import arrived_whole, ask_for_body, read_body
from graphtape.server.http.response import Sent, break_off
from graphtape.server.refusal import turn_away
from graphtape.server.replay.cue import cue_of
from graphtape.server.replay.playing import break_answer, play, refuse
from graphtape.server.visit import LEFT_EARLY, Visit

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest

    from graphtape.core.tape.outcome import Outcome
    from graphtape.core.tape.question import Question
    from graphtape.server.visit import Gate

log = logging.getLogger("graphtape")


async def handle(http: BaseRequest, gate: Gate) -> Sent:
    """Answer one request on the data port."""
    if http.method == "CONNECT":
        from graphtape.server.tunnel import connect  # noqa: PLC0415 - few clients ask for tunnels

        return await connect(http, gate)
    decided = http.decided if isinstance(http, DataRequest) else None
    if decided is not None:
        session, began = decided.live, decided.began
        arrived = arrived_whole(decided.question.request, decided.base)
    else:
        began = time.perf_counter()
        try:
            gate.check_open()
            if gate.token is not None:
                from graphtape.server.signin.local_client import check_client  # noqa: PLC0415 - few add one

                check_client(http)
            arrived = gate.read(http)
            session = gate.sessions.identify(arrived.session)
        except RequestError as exc:
            return await turn_away(http, gate, exc, began)
    with Visit(
        http=http, gate=gate, incoming=arrived, session=session, began=began, decided=decided
    ) as visit:
        return await _guarded(visit)


async def _guarded(visit: Visit) -> Sent:
    """Serve a request; whatever goes wrong, the client gets an answer or a broken connection."""
    http = visit.http
    try:
        return await _serve(visit)
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
            return await play(visit, question, outcome)
        case Forward():
            if visit.gate.forwarding is None:
                raise RequestError(
                    "this session forwards nothing", status=403, code="GraphtapeOffline"
                )
            return await visit.gate.forwarding(visit, outcome, question.cue)
        case Break():
            return await break_answer(visit, outcome.fault)
        case Refuse():
            return await refuse(visit, question, outcome)
        case _:
            assert_never(outcome)


async def _decided(visit: Visit) -> tuple[Question, Outcome]:
    """Decide a request, unless it was as its bytes arrived."""
    if visit.decided is not None:
        if isinstance(visit.decided.outcome, RequestError):
            raise visit.decided.outcome
        return visit.decided.question, visit.decided.outcome
    session, gate = visit.session.play, visit.gate
    ask_for_body(visit.http)
    whole = session.plays or not session.forwards
    root = gate.upstream.tape_root
    await read_body(visit.incoming, visit.http, whole=whole, limit=gate.max_body, tape_root=root)
    visit.witnessed_asking()
    question = session.compile(visit.request, cue=cue_of(visit.incoming.options))
    return question, session.decide(question, now=gate.haste.now())
