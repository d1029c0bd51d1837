"""Where a request goes that the tape has no answer for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from graphtape.core.errors import UpstreamError
from graphtape.core.signin.destination import AnswerHere, AskAuthority, NotSignIn, course
from graphtape.server.record.forwarding import failed, forward
from graphtape.server.signin.answers import answer_here, ask_authority

if TYPE_CHECKING:
    from graphtape.core.tape.outcome import Cue, Forward
    from graphtape.server.http.response import Sent
    from graphtape.server.visit import Visit


async def ask(visit: Visit, plan: Forward, cue: Cue | None) -> Sent:
    """Ask upstream, or whoever else knows; add the user's token where he wants that.

    Raises:
        RequestError: Its host must not be reached.
    """
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
            return await answer_here(visit) or await forward(visit, plan, cue)
        case AskAuthority(taped=True):
            visit.incoming.request = replace(visit.request, url=where.url)
            return await forward(visit, plan, cue)
        case AskAuthority():
            return await ask_authority(visit, where)
        case _:
            assert_never(where)
