"""A request forwarded: up, back to the client, and onto the tape."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from graphtape.core.errors import RequestError, UpstreamError
from graphtape.core.journal import Source
from graphtape.core.message import Response, end_to_end
from graphtape.core.origin import off_graph_origin
from graphtape.server.answer import Sent, break_off
from graphtape.server.delivery import Delivery
from graphtape.server.incoming import decode_request
from graphtape.server.relay import Tee, Untaped, relay
from graphtape.server.staging import Staging
from graphtape.server.visit import marked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from graphtape.core.message import Request
    from graphtape.core.plan import Cue, Forward
    from graphtape.server.answer import Outgoing
    from graphtape.server.incoming import Incoming
    from graphtape.server.upstream import UpstreamClient
    from graphtape.server.visit import Visit
    from graphtape.tape.recorder import Recorder

log = logging.getLogger("graphtape")


async def forward(visit: Visit, plan: Forward, cue: Cue | None) -> Sent:
    """Ask upstream, answer the client, and put both on the tape.

    Raises:
        RequestError: This session forwards nothing, or not there.
    """
    client, recorder = visit.gate.client, visit.session.recorder
    if client is None or recorder is None:
        raise RequestError("this session forwards nothing", status=403, code="GraphtapeOffline")
    if visit.incoming.off_graph:
        _leave_graph(visit)
    delivery = Delivery.of(plan.bend, plan.directed)
    asked = visit.request
    staging = None if plan.directed is None else Staging.of(asked, plan.directed)
    if staging is not None:
        whole = staging.whole()
        if whole is not None:
            last_byte = await visit.answer(whole, Source.INJECTED, delivery=delivery)
            return last_byte.sent(whole.status)
        staging.reduce(visit.incoming)

    def bend(answer: Response) -> Response:
        staged = answer if staging is None else staging.staged(answer)
        bent = staged if plan.bend is None else plan.bend.apply(staged).response
        return visit.session.play.bend(bent, to=asked, cue=cue)

    place = recorder.begin()
    body, tee = _body_up(visit.incoming, limit=visit.gate.max_body)
    try:
        return await _relay(visit, client, recorder, place, body, tee, bend, delivery)
    except UpstreamError as exc:
        if tee is not None and not tee.whole and visit.http.transport is None:
            # The client left in the middle of its upload: it is what broke the way up.
            raise ConnectionAbortedError from exc
        log.error("%s", visit.session.clean.text(str(exc)))  # noqa: TRY400 - one line says what to do; a traceback would hide it
        return await _failed(visit, exc)
    finally:
        recorder.drop(place)


def _leave_graph(visit: Visit) -> None:
    """Let a request go to a host off Graph, as it would from a client that knew it had left.

    Raises:
        RequestError: No answer of this session named the host: the proxy is no open one.
    """
    incoming = visit.incoming
    url = incoming.request.url
    if off_graph_origin(url) not in visit.session.named:
        raise RequestError(
            f"{visit.session.clean.url(url)} is no address of Graph, and no answer in this session "
            "named its host: only such hosts are reached",
            status=403,
            code="GraphtapeForeignHost",
        )
    own = ("Authorization", "Cookie")
    incoming.wire_headers = incoming.wire_headers.without(*own)
    incoming.request = replace(incoming.request, headers=incoming.request.headers.without(*own))


async def _relay(
    visit: Visit,
    client: UpstreamClient,
    recorder: Recorder,
    place: int,
    body: AsyncIterator[bytes] | bytes,
    tee: Tee | None,
    bend: Callable[[Response], Response],
    delivery: Delivery,
) -> Sent:
    incoming, gate = visit.incoming, visit.gate
    url = gate.upstream.address(incoming.request.url)
    async with client.send(incoming, url, body) as upstream_answer:
        relayed = await relay(
            upstream_answer,
            request=incoming.request,
            upstream=gate.upstream,
            base=incoming.base,
            bend=bend,
            name=visit.session.named.update,
            limit=gate.max_body,
        )
        index = recorder.index(place)
        outgoing = marked(relayed.outgoing, Source.RECORDED, index)
        async with visit.responding(outgoing, delivery) as last_byte:
            asked = _asked(incoming, tee)
            note = await _remember(recorder, place, visit.request, asked, relayed.answer())
            kept = not note
            whole = await last_byte()
    visit.witnessed(_sent(outgoing) if whole else None)
    if not whole and delivery.fault is None:
        note = note or "the client left before its answer was whole; it is on the tape"
    notes = "; ".join(filter(None, (note, delivery.why)))
    source = Source.RECORDED if kept else Source.PASSED
    visit.journal(outgoing.status, source, index=index if kept else None, note=notes)
    return last_byte.sent(outgoing.status)


def _body_up(incoming: Incoming, *, limit: int) -> tuple[AsyncIterator[bytes] | bytes, Tee | None]:
    """Return the body to forward, and what will have copied it where it still arrives."""
    if incoming.rest is None:
        return incoming.wire_body, None
    whole = _joined(incoming.wire_body, incoming.rest)
    tee = Tee(whole, limit=limit, length=incoming.length)
    return aiter(tee), tee


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for chunk in rest:
        yield chunk


def _asked(incoming: Incoming, tee: Tee | None) -> Request | Untaped:
    """Return the request for the tape, once no more of its body will pass."""
    if tee is None:
        return incoming.request
    body = tee.body()
    return body if isinstance(body, Untaped) else decode_request(incoming.request, body)


async def _remember(
    recorder: Recorder,
    place: int,
    request: Request,
    asked: Request | Untaped,
    answer: Response | Untaped,
) -> str:
    """Put the interaction on the tape; return why not, where it couldn't be."""
    if isinstance(asked, Untaped):
        return recorder.lose(request, f"the request's body {asked.why}")
    if isinstance(answer, Untaped):
        return recorder.lose(request, f"the answer's body {answer.why}")
    return await recorder.keep(place, _for_tape(asked), answer)


def _for_tape(request: Request) -> Request:
    """Leave out what concerns the connection to the proxy alone."""
    return replace(request, headers=end_to_end(request.headers).without("Host", "Expect"))


def _sent(outgoing: Outgoing) -> Response:
    """Return what went out, as far as it can be looked into."""
    body = outgoing.body
    plain = isinstance(body, bytes) and "Content-Encoding" not in outgoing.headers
    return Response(
        status=outgoing.status,
        reason=outgoing.reason,
        headers=outgoing.headers,
        body=body if plain and isinstance(body, bytes) else b"",
    )


async def _failed(visit: Visit, exc: UpstreamError) -> Sent:
    if not visit.http.writer.output_size:
        return await visit.error(exc.code, str(exc), status=exc.status)
    # The head is out: only a broken connection can still say that the body isn't whole.
    visit.witnessed(None)
    visit.journal(0, Source.REFUSED, note=str(exc))
    return break_off(visit.http)
