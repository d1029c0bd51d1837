"""Sign-in on the data port: answered by the offline authority, or asked of the real one."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from graphtape.core.errors import RequestError, UpstreamError
from graphtape.core.journal import Source
from graphtape.core.message import Response
from graphtape.core.signin.authority import sign_in
from graphtape.core.signin.terms import TERMS
from graphtape.server.http.delivery import PLAIN
from graphtape.server.http.response import Outgoing, Sent, break_off

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from graphtape.core.signin.destination import AskAuthority
    from graphtape.server.http.request import Incoming
    from graphtape.server.transaction import Transaction

log = logging.getLogger("graphtape")


async def answer_here(transaction: Transaction) -> Sent | None:
    """Answer a sign-in as the offline authority; None for what is none that it knows."""
    incoming = transaction.incoming
    if incoming.rest is not None:
        return None
    said = {
        name: value
        for name, value in asdict(transaction.services.signin).items()
        if value is not None
    }
    terms = replace(TERMS, **said)
    if transaction.services.notifier is not None:
        terms = replace(terms, keys=transaction.services.notifier.keys)
    answer = sign_in(incoming.request, base=incoming.base, now=time.time(), terms=terms)
    if answer is None:
        return None
    note = "sign-in: answered by Graphtape"
    last_byte = await transaction.answer(answer, Source.INJECTED, note=note, signs_in=True)
    return last_byte.sent(answer.status)


async def ask_authority(transaction: Transaction, course: AskAuthority) -> Sent:
    """Pass a sign-in on to the real authority, and its answer back as it came.

    Nothing of it reaches the tape, and the endpoints that the answer names stay the authority's:
    what follows is between it and the client. The request's body has been read, or stands in its
    `rest`.

    Raises:
        RequestError: This session forwards nothing.
    """
    client, incoming = transaction.services.client, transaction.incoming
    if client is None:
        raise RequestError("this session forwards nothing", status=403, code="GraphtapeOffline")
    body = incoming.wire_body if incoming.rest is None else _joined(incoming)
    try:
        async with client.send(incoming, course.url, body) as found:
            outgoing = Outgoing(
                status=found.status,
                reason=found.reason,
                headers=found.headers,
                body=found.chunks,
                length=found.length,
            )
            async with transaction.responding(outgoing, PLAIN) as last_byte:
                whole = await last_byte()
    except UpstreamError as exc:
        # No traceback: one line says what to do.
        log.error("%s", transaction.session.clean.text(str(exc)))  # noqa: TRY400
        return await _failed(transaction, exc)
    head = Response(status=outgoing.status, reason=outgoing.reason, headers=outgoing.headers)
    transaction.observe_answer(head if whole else None)
    transaction.journal(
        outgoing.status, Source.PASSED, note="sign-in: at its authority, not recorded"
    )
    return last_byte.sent(outgoing.status)


async def _joined(incoming: Incoming) -> AsyncIterator[bytes]:
    if incoming.wire_body:
        yield incoming.wire_body
    if incoming.rest is not None:
        async for chunk in incoming.rest:
            yield chunk


async def _failed(transaction: Transaction, exc: UpstreamError) -> Sent:
    if not transaction.http.writer.output_size:
        return await transaction.error(exc.code, str(exc), status=exc.status)
    # The head is out: only a broken connection can still say that the body isn't whole.
    transaction.observe_answer(None)
    transaction.journal(0, Source.REFUSED, note=str(exc))
    return break_off(transaction.http)
