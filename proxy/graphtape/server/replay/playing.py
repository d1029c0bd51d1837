"""Answers from the tape, or as a scenario says; what nothing recorded answers is a miss."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from graphtape.core.graph.actions import CALLER_ID
from graphtape.core.journal import Source
from graphtape.core.message import is_preflight
from graphtape.core.tape.outcome import Inject
from graphtape.server.http.cors import leave
from graphtape.server.http.delivery import break_connection
from graphtape.server.http.errors import new_stamp
from graphtape.server.replay.rendered import MISS_STATUS, rendered

if TYPE_CHECKING:
    from graphtape.core.message import Request, Response
    from graphtape.core.scenario.play import Fault
    from graphtape.core.tape.outcome import Assemble, Refuse, Replay
    from graphtape.core.tape.question import Question
    from graphtape.server.http.response import Sent
    from graphtape.server.visit import Visit

log = logging.getLogger("graphtape")


async def play(
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
    session, gate = visit.session.play, visit.gate
    whole = False
    try:
        explain = partial(_why, visit)
        made = rendered(
            outcome, visit.request, session, cue=question.cue, stamp=new_stamp(), explain=explain
        )
        gate.haste.told(made.told)
        response = made.response
        if signs_in_at is not None:
            from graphtape.core.signin.destination import led_here  # noqa: PLC0415 - as `explain`

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
            (session.played if whole else session.release)(outcome)
    return last_byte.sent(response.status)


def _leads_back(visit: Visit, response: Response) -> bool:
    """Tell whether an authority that a tunnel leads to sends the browser back to the app."""
    if response.status // 100 != 3:  # noqa: PLR2004 - the class of redirects
        return False
    from graphtape.core.signin.destination import at_authority  # noqa: PLC0415 - few redirect
    from graphtape.core.signin.place import is_sign_in_place  # noqa: PLC0415 - likewise

    return is_sign_in_place(visit.request.url) and at_authority(visit.request) is None


async def refuse(visit: Visit, question: Question, outcome: Refuse) -> Sent:
    """Answer a sign-in, as recorded elsewhere or by ourselves; anything else is a miss."""
    from graphtape.core.signin.destination import at_authority  # noqa: PLC0415 - as `explain`

    elsewhere = at_authority(visit.request)
    if elsewhere is not None:
        found = visit.session.play.find(elsewhere)
        if found is not None:
            return await play(visit, question, found, signs_in_at=elsewhere)
    from graphtape.server.signin.answers import answer_here  # noqa: PLC0415 - as `explain`

    return await answer_here(visit) or await _miss(visit, outcome)


async def _miss(visit: Visit, plan: Refuse) -> Sent:
    if is_preflight(visit.request):
        answer = leave(visit.request)
        note = "a preflight that nothing recorded answers"
        return (await visit.answer(answer, Source.INJECTED, note=note)).sent(answer.status)
    message = _why(visit, visit.request, plan)
    return await visit.error("GraphtapeMiss", message, status=MISS_STATUS, source=Source.MISSED)


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


async def break_answer(visit: Visit, fault: Fault) -> Sent:
    """Break the connection in place of an answer."""
    gate = visit.gate
    await gate.haste.pause(visit.http, fault.wait, gate.closing)
    visit.witnessed(None)
    visit.journal(0, Source.INJECTED, note=fault.why)
    return await break_connection(visit.http, fault, gate.closing)
