"""Where a request goes that the tape has no answer for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from graphtape.core.errors import UpstreamError
from graphtape.core.signin.destination import AnswerHere, AskAuthority, NotSignIn, course
from graphtape.server.record.forwarding import failed, forward
from graphtape.server.signin.answers import answer_here, ask_authority

if TYPE_CHECKING:
    from graphtape.core.tape.outcome import Forward, Override
    from graphtape.server.http.response import Sent
    from graphtape.server.transaction import Transaction


async def ask(transaction: Transaction, plan: Forward, override: Override | None) -> Sent:
    """Ask upstream, or whoever else knows; add the user's token where he wants that.

    Raises:
        RequestError: Its host must not be reached.
    """
    services = transaction.services
    where = course(
        transaction.request,
        upstream=services.upstream,
        forwards=True,
        record=services.record_signin,
    )
    match where:
        case NotSignIn():
            if services.token is not None:
                try:
                    transaction.incoming = await services.token.bearing(transaction.incoming)
                except UpstreamError as exc:
                    return await failed(transaction, exc)
            return await forward(transaction, plan, override)
        case AnswerHere():
            return await answer_here(transaction) or await forward(transaction, plan, override)
        case AskAuthority(taped=True):
            transaction.incoming.request = replace(transaction.request, url=where.url)
            return await forward(transaction, plan, override)
        case AskAuthority():
            return await ask_authority(transaction, where)
        case _:
            assert_never(where)
