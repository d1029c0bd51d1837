"""A request forwarded: up, back to the client, and onto the tape."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from graphtape.core.errors import RequestError, UpstreamError
from graphtape.core.journal import Source
from graphtape.server.answer import Sent, respond
from graphtape.server.incoming import decode_request
from graphtape.server.relay import Tee, TooLarge, relay
from graphtape.server.upstream import end_to_end
from graphtape.server.visit import marked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from graphtape.core.message import Request, Response
    from graphtape.server.incoming import Incoming
    from graphtape.server.upstream import UpstreamClient
    from graphtape.server.visit import Visit
    from graphtape.tape.recorder import Recorder

log = logging.getLogger("graphtape")


async def forward(visit: Visit) -> Sent:
    """Ask upstream, answer the client, and put both on the tape.

    Raises:
        RequestError: This session forwards nothing, or not there.
    """
    client, recorder = visit.gate.client, visit.session.recorder
    if client is None or recorder is None:
        raise RequestError("this session forwards nothing", status=403, code="GraphtapeOffline")
    if visit.incoming.off_graph:
        raise RequestError(
            f"{visit.request.url} is no address of Graph, and no answer of it named that host",
            status=403,
            code="GraphtapeForeignHost",
        )
    place = recorder.begin()
    try:
        return await _relay(visit, client, recorder, place)
    except UpstreamError as exc:
        log.error("%s", exc)  # noqa: TRY400 - one line says what to do; a traceback would hide it
        return await _failed(visit, exc)
    finally:
        recorder.drop(place)


async def _relay(visit: Visit, client: UpstreamClient, recorder: Recorder, place: int) -> Sent:
    incoming, play, gate = visit.incoming, visit.session.play, visit.gate
    url = gate.upstream.address(incoming.request.url)
    body, tee = _body_up(incoming, limit=gate.max_body)
    async with client.send(incoming, url, body) as upstream_answer:
        relayed = await relay(
            upstream_answer,
            method=incoming.request.method,
            upstream=gate.upstream,
            base=incoming.base,
            bend=lambda answer: play.bend(answer, to=incoming.request),
            limit=gate.max_body,
        )
        index = recorder.index(place)
        outgoing = marked(relayed.outgoing, Source.RECORDED, index)
        async with respond(visit.http, outgoing) as last_byte:
            asked = _asked(incoming, tee)
            note = _remember(recorder, place, incoming.request, asked, relayed.answer())
            whole = await last_byte()
    if not whole:
        note = note or "the client left before its answer was whole; it is on the tape"
    visit.journal(outgoing.status, Source.RECORDED, index=index, note=note)
    return last_byte.sent(outgoing.status)


def _body_up(incoming: Incoming, *, limit: int) -> tuple[AsyncIterator[bytes] | bytes, Tee | None]:
    """Return the body to forward, and what will have copied it where it still arrives."""
    if incoming.rest is None:
        return incoming.wire_body, None
    tee = Tee(_joined(incoming.wire_body, incoming.rest), limit=limit)
    return aiter(tee), tee


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for chunk in rest:
        yield chunk


def _asked(incoming: Incoming, tee: Tee | None) -> Request | TooLarge:
    """Return the request for the tape, once its body has passed."""
    if tee is None:
        return incoming.request
    body = tee.body()
    return body if isinstance(body, TooLarge) else decode_request(incoming.request, body)


def _remember(
    recorder: Recorder,
    place: int,
    request: Request,
    asked: Request | TooLarge,
    answer: Response | TooLarge,
) -> str:
    """Put the interaction on the tape; return why not, where it couldn't be."""
    if not isinstance(asked, TooLarge) and not isinstance(answer, TooLarge):
        recorder.keep(place, _for_tape(asked), answer)
        return ""
    what, limit = (
        ("request", asked.limit)
        if isinstance(asked, TooLarge)
        else ("answer", answer.limit if isinstance(answer, TooLarge) else 0)
    )
    reason = (
        f"{request.method} {urlsplit(request.url).path}: the {what}'s body is larger than {limit} "
        "bytes, so it was passed on and left off the tape; raise --max-body to record it"
    )
    log.warning("%s", reason)
    recorder.drop(place, reason)
    return reason


def _for_tape(request: Request) -> Request:
    """Leave out what concerns the connection to the proxy alone."""
    return replace(request, headers=end_to_end(request.headers).without("Host", "Expect"))


async def _failed(visit: Visit, exc: UpstreamError) -> Sent:
    if not visit.http.writer.output_size:
        return await visit.error(exc.code, str(exc), status=exc.status)
    # The head is out: only a broken connection can still say that the body isn't whole.
    if visit.http.transport is not None:
        visit.http.transport.abort()
    visit.journal(0, Source.REFUSED, note=str(exc))
    return Sent(exc.status, keep_alive=False)
