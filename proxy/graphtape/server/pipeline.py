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
from graphtape.server.replay.override import override_of
from graphtape.server.replay.playing import break_answer, play, refuse
from graphtape.server.transaction import LEFT_EARLY, Transaction

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest

    from graphtape.core.tape.outcome import Outcome
    from graphtape.core.tape.question import Question
    from graphtape.server.transaction import Services

log = logging.getLogger("graphtape")


async def handle(http: BaseRequest, services: Services) -> Sent:
    """Answer one request on the data port."""
    if http.method == "CONNECT":
        from graphtape.server.tunnel import connect  # noqa: PLC0415 - few clients ask for tunnels

        return await connect(http, services)
    decided = http.decided if isinstance(http, DataRequest) else None
    if decided is not None:
        session, began = decided.live, decided.began
        arrived = arrived_whole(decided.question.request, decided.base)
    else:
        began = time.perf_counter()
        try:
            services.check_open()
            if services.token is not None:
                from graphtape.server.signin.local_client import check_client  # noqa: PLC0415 - few add one

                check_client(http)
            arrived = services.read(http)
            session = await services.sessions.found(arrived.session)
        except RequestError as exc:
            return await turn_away(http, services, exc, began)
    with Transaction(
        http=http,
        services=services,
        incoming=arrived,
        session=session,
        began=began,
        decided=decided,
    ) as transaction:
        return await _guarded(transaction)


async def _guarded(transaction: Transaction) -> Sent:
    """Serve a request; whatever goes wrong, the client gets an answer or a broken connection."""
    http = transaction.http
    try:
        return await _serve(transaction)
    except RequestError as exc:
        if http.writer.output_size:
            transaction.observe_answer(None)
            transaction.journal(0, Source.REFUSED, note=str(exc))
            return break_off(http)
        return await transaction.error(exc.code, str(exc), status=exc.status)
    except ConnectionError:
        transaction.observe_answer(None)
        transaction.journal(0, Source.REFUSED, note=LEFT_EARLY)
        return break_off(http)
    except asyncio.CancelledError:
        transaction.observe_answer(None)
        transaction.journal(0, Source.REFUSED, note="cut off in flight when the proxy stopped")
        raise
    except Exception as exc:
        # A fault of our own, which must neither leak a traceback nor end the proxy.
        log.exception(
            "%s %s failed", http.method, transaction.session.clean.url(transaction.request.url)
        )
        if http.writer.output_size:
            return break_off(http)
        message = f"Graphtape failed on this request ({type(exc).__name__}); its log says more"
        return await transaction.error("GraphtapeInternal", message, status=500)


async def _serve(transaction: Transaction) -> Sent:
    receiver = transaction.services.receiver
    if receiver is not None:
        received = await receiver.receive(transaction)
        if received is not None:
            return received
    question, outcome = await _decided(transaction)
    notifier = transaction.services.notifier
    if notifier is not None:
        answered = await notifier.answer(transaction, outcome)
        if answered is not None:
            return answered
    match outcome:
        case Replay() | Assemble() | Inject():
            return await play(transaction, question, outcome)
        case Forward():
            if transaction.services.forwarding is None:
                raise RequestError(
                    "this session forwards nothing", status=403, code="GraphtapeOffline"
                )
            return await transaction.services.forwarding(transaction, outcome, question.override)
        case Break():
            return await break_answer(transaction, outcome.fault)
        case Refuse():
            return await refuse(transaction, question, outcome)
        case _:
            assert_never(outcome)


async def _decided(transaction: Transaction) -> tuple[Question, Outcome]:
    """Decide a request, unless it was as its bytes arrived."""
    if transaction.decided is not None and transaction.decided.outcome is not None:
        if isinstance(transaction.decided.outcome, RequestError):
            raise transaction.decided.outcome
        return transaction.decided.question, transaction.decided.outcome
    session, services = transaction.session.play, transaction.services
    if transaction.decided is not None:
        return await _by_step(transaction, transaction.decided.question)
    ask_for_body(transaction.http)
    whole = session.plays or not session.forwards
    root = services.upstream.tape_root
    await read_body(
        transaction.incoming, transaction.http, whole=whole, limit=services.max_body, tape_root=root
    )
    transaction.observe_request()
    question = session.compile(
        transaction.request, override=override_of(transaction.incoming.options)
    )
    shared = transaction.session.shared
    if shared is not None and shared.needs_step(question):
        return await _by_step(transaction, question)
    return question, session.decide(question, now=services.wait_clock.now())


async def _by_step(transaction: Transaction, question: Question) -> tuple[Question, Outcome]:
    """Let a step of a shared session decide a request."""
    shared, session = transaction.session.shared, transaction.session.play
    assert shared is not None  # noqa: S101 - who asks has seen it
    if question.override_fit is not None:
        raise RequestError(
            "Graphtape-Scenario names a scenario, and this session is shared by several proxies; "
            "direct the session instead, or name a status",
            code="GraphtapeScenario",
        )
    while True:
        outcome, transaction.reserved = await shared.decide(question)
        if outcome is not None:
            transaction.stepped = True
            return question, outcome
        question = session.compile(question.request, override=question.override)
