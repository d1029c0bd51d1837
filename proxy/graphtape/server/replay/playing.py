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
    from graphtape.server.transaction import Transaction

log = logging.getLogger("graphtape")


async def play(
    transaction: Transaction,
    question: Question,
    outcome: Replay | Assemble | Inject,
    *,
    signs_in_at: Request | None = None,
) -> Sent:
    """Answer from the tape, or as a scenario says.

    Args:
        transaction: The request.
        question: What it asks.
        outcome: What answers it.
        signs_in_at: The authority's own request, where a sign-in is answered as recorded there.
    """
    session, services = transaction.session.play, transaction.services
    whole = False
    try:
        explain = partial(_why, transaction)
        made = rendered(
            outcome,
            transaction.request,
            session,
            override=question.override,
            stamp=new_stamp(),
            explain=explain,
        )
        services.wait_clock.told(made.told)
        response = made.response
        if signs_in_at is not None:
            from graphtape.core.signin.destination import led_here  # noqa: PLC0415 - as `explain`

            response = led_here(response, to=signs_in_at, base=transaction.incoming.base)
        response = services.timing.refreshed(
            response,
            batch=question.batch is not None,
            now=datetime.now(UTC),
            caller=transaction.request.headers.get(CALLER_ID),
        )
        last_byte = await transaction.answer(
            response,
            made.source,
            index=made.index,
            cassette=0 if isinstance(outcome, Inject) else outcome.cassette,
            note=made.note,
            delivery=made.delivery,
            signs_in=signs_in_at is not None or _leads_back(transaction, response),
        )
        whole = not last_byte.gone
        if whole and services.notifier is not None:
            services.notifier.played(transaction, question, outcome, response)
    finally:
        if not isinstance(outcome, Inject):
            if transaction.stepped:
                transaction.release()
            else:
                (session.played if whole else session.release)(outcome)
    return last_byte.sent(response.status)


def _leads_back(transaction: Transaction, response: Response) -> bool:
    """Tell whether an authority that a tunnel leads to sends the browser back to the app."""
    if response.status // 100 != 3:  # noqa: PLR2004 - the class of redirects
        return False
    from graphtape.core.signin.destination import at_authority  # noqa: PLC0415 - few redirect
    from graphtape.core.signin.place import is_sign_in_place  # noqa: PLC0415 - likewise

    return is_sign_in_place(transaction.request.url) and at_authority(transaction.request) is None


async def refuse(transaction: Transaction, question: Question, outcome: Refuse) -> Sent:
    """Answer a sign-in, as recorded elsewhere or by ourselves; anything else is a miss."""
    from graphtape.core.signin.destination import at_authority  # noqa: PLC0415 - as `explain`

    elsewhere = at_authority(transaction.request)
    if elsewhere is not None:
        found = await _found(transaction, elsewhere)
        if found is not None:
            return await play(transaction, question, found, signs_in_at=elsewhere)
    from graphtape.server.signin.answers import answer_here  # noqa: PLC0415 - as `explain`

    return await answer_here(transaction) or await _miss(transaction, outcome)


async def _found(transaction: Transaction, elsewhere: Request) -> Replay | None:
    """Find what was recorded at another place than the client asked."""
    shared = transaction.session.shared
    if shared is None:
        return transaction.session.play.find(elsewhere)
    found, transaction.reserved = await shared.find(elsewhere)
    transaction.stepped = True
    return found


async def _miss(transaction: Transaction, plan: Refuse) -> Sent:
    if is_preflight(transaction.request):
        answer = leave(transaction.request)
        note = "a preflight that nothing recorded answers"
        return (await transaction.answer(answer, Source.INJECTED, note=note)).sent(answer.status)
    message = _why(transaction, transaction.request, plan)
    return await transaction.error(
        "GraphtapeMiss", message, status=MISS_STATUS, source=Source.MISSED
    )


def _why(transaction: Transaction, request: Request, plan: Refuse) -> str:
    from graphtape.core.matching.miss import explain  # noqa: PLC0415 - a run that misses none needs none

    session = transaction.session
    named = None if session is transaction.services.sessions.default else session.play.id
    explanation = explain(request, plan.misses, session=named)
    session.keep_miss(transaction.number, explanation)  # its requests are redacted
    message = session.clean.text(str(explanation))
    whose = f"session {named}: " if named is not None else ""
    # Where who asks has it as an exception, a failed test or its report, once is enough.
    level = logging.WARNING if transaction.services.tells_misses else logging.DEBUG
    if session.first_told(message):
        log.log(level, "%s%s", whose, message)
    else:
        log.log(level, "%s%s (again)", whose, message.partition("\n")[0])
    return message


async def break_answer(transaction: Transaction, fault: Fault) -> Sent:
    """Break the connection in place of an answer."""
    services = transaction.services
    await services.wait_clock.pause(transaction.http, fault.wait, services.closing)
    transaction.observe_answer(None)
    transaction.journal(0, Source.INJECTED, note=fault.why)
    if services.notifier is not None:
        services.notifier.noticed(transaction.session, fault.notices)
    return await break_connection(transaction.http, fault, services.closing)
