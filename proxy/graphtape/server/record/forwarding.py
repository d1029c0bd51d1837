"""A request forwarded: up, back to the client, and onto the tape."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphtape.core.coding import TooLargeError
from graphtape.core.errors import RequestError, UpstreamError
from graphtape.core.graph.batch import is_batch
from graphtape.core.graph.cloud import off_graph_origin
from graphtape.core.journal import Source
from graphtape.core.message import Headers, Request, Response
from graphtape.server.http.delivery import PLAIN, Delivery
from graphtape.server.http.response import Outgoing, Sent, break_off, sent_of
from graphtape.server.record.partial_batch import PartialBatch
from graphtape.server.record.relay import Relay
from graphtape.server.record.tee import Tee, Untaped, too_large
from graphtape.server.record.unpacking import unpacked
from graphtape.server.record.whole import (
    keep_whole,
    may_be_whole,
    names_upstream,
    taped_request,
    written,
)
from graphtape.server.record.whole_answer import WholeAnswer
from graphtape.server.upstream.answer import passed_on
from graphtape.tape.spool import Spooled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from graphtape.core.tape.outcome import Forward, Override
    from graphtape.server.record.relay import Relayed
    from graphtape.server.transaction import Transaction
    from graphtape.server.upstream.answer import UpstreamAnswer
    from graphtape.server.upstream.client import UpstreamClient
    from graphtape.tape.recorder import Recorder
    from graphtape.tape.spool import Spool

log = logging.getLogger("graphtape")

LEFT = "the client left before its answer was whole; it is on the tape"


async def forward(transaction: Transaction, plan: Forward, override: Override | None) -> Sent:
    """Ask upstream, answer the client, and put both on the tape.

    Raises:
        RequestError: This session forwards nothing, or not there.
    """
    client, recorder = transaction.services.client, transaction.session.recorder
    if client is None or recorder is None:
        raise RequestError("this session forwards nothing", status=403, code="GraphtapeOffline")
    if transaction.incoming.off_graph:
        _leave_graph(transaction)
    delivery = Delivery.of(plan.bend, plan.directed)
    asked = transaction.request
    partial_batch = None if plan.directed is None else PartialBatch.of(asked, plan.directed)
    if partial_batch is not None:
        whole = partial_batch.whole()
        if whole is not None:
            last_byte = await transaction.answer(whole, Source.INJECTED, delivery=delivery)
            return last_byte.sent(whole.status)
        partial_batch.reduce(transaction.incoming)

    def bend(answer: Response) -> Response:
        staged = answer if partial_batch is None else partial_batch.staged(answer)
        bent = staged if plan.bend is None else plan.bend.apply(staged)
        return transaction.session.play.bend(bent, to=asked, override=override)

    token = transaction.incoming.wire_headers.get("Authorization")
    if token is not None:
        recorder.grant(token)
    place = recorder.begin()
    bends = bool(plan.bend or partial_batch or (override and override.rules))
    passage = Passage(
        *(transaction, client, recorder, place, bend, delivery),
        bends=bends,
        reads_whole=bool(plan.bend or partial_batch),
    )
    try:
        return await passage.pass_on()
    except UpstreamError as exc:
        if passage.cut_short and transaction.http.transport is None:
            # The client left in the middle of its upload: it is what broke the way up.
            raise ConnectionAbortedError from exc
        return await failed(transaction, exc)
    finally:
        recorder.drop(place)


def _leave_graph(transaction: Transaction) -> None:
    """Let a request go to a host off Graph, as it would from a client that knew it had left.

    Raises:
        RequestError: No answer of this session named the host: the proxy is no open one.
    """
    incoming = transaction.incoming
    url = incoming.request.url
    if off_graph_origin(url) not in transaction.session.named:
        raise RequestError(
            f"{transaction.session.clean.url(url)} is no address of Graph, and no answer in this "
            "session named its host: only such hosts are reached",
            status=403,
            code="GraphtapeForeignHost",
        )
    own = ("Authorization", "Cookie")
    incoming.wire_headers = incoming.wire_headers.without(*own)
    incoming.request = replace(incoming.request, headers=incoming.request.headers.without(*own))


@dataclass(slots=True, kw_only=True)  # not frozen: one is made for each request
class _Passed:
    """An answer that has gone out, as far as the client took it.

    Attributes:
        sent: For aiohttp.
        index: Of its interaction, if it is on the tape.
        note: Why it isn't; empty where it is.
        whole: Whether the client was there to its end.
        seen: What the client saw of it; None where the observer has nothing to learn from it.
    """

    sent: Sent
    index: int
    note: str
    whole: bool
    seen: Response | None


class Passage:
    """One request on its way up, and its answer back.

    Attributes:
        tee: Copies a body that still arrives; None where it is here.
    """

    def __init__(
        self,
        transaction: Transaction,
        client: UpstreamClient,
        recorder: Recorder,
        place: int,
        bend: Callable[[Response], Response],
        delivery: Delivery,
        *,
        bends: bool,
        reads_whole: bool,
    ) -> None:
        """Begin with nothing sent.

        Args:
            transaction: The request.
            client: The way up.
            recorder: Puts both on the tape.
            place: The interaction's.
            bend: What scenarios and rules make of the answer.
            delivery: How it goes out.
            bends: Whether `bend` may change anything.
            reads_whole: Whether it needs a whole body for that.
        """
        self._transaction = transaction
        self._client = client
        self._recorder = recorder
        self._place = place
        self._bend = bend
        self._bends = bends
        self._reads_whole = reads_whole
        self._delivery = delivery
        self._spool: Spool | None = None
        self._tee: Tee | None = None

    @property
    def cut_short(self) -> bool:
        """Whether the request's body still arrives."""
        return self._tee is not None and not self._tee.whole

    async def pass_on(self) -> Sent:
        """Ask upstream, answer the client, put both on the tape, and journal it.

        Raises:
            UpstreamError: There is no whole answer.
        """
        url = self._transaction.services.upstream.address(self._transaction.request.url)
        async with self._client.send(self._transaction.incoming, url, self._body_up()) as found:
            passed = await self._passed(found)
        return self._told(passed)

    async def _passed(self, found: UpstreamAnswer) -> _Passed:
        passed = await self._passed_whole(found)
        if passed is not None:
            return passed
        relayed = await self._relay().ready(found)
        index = self._recorder.index(self._place)
        outgoing = relayed.outgoing
        marks = (("Graphtape-Result", Source.RECORDED.value), ("Graphtape-Interaction", str(index)))
        outgoing.headers = Headers((*outgoing.headers.pairs, *marks))
        async with self._transaction.responding(outgoing, self._delivery) as last_byte:
            note = await self._remember(relayed)
            whole = await last_byte()
        sent = last_byte.sent(outgoing.status)
        seen = _sent(outgoing, relayed.seen())
        return _Passed(sent=sent, index=index, note=note, whole=whole, seen=seen)

    async def _passed_whole(self, found: UpstreamAnswer) -> _Passed | None:
        """Pass an answer on that is small and here as a whole; None where it takes more."""
        transaction = self._transaction
        if self._delivery is not PLAIN or not may_be_whole(transaction, self._recorder):
            return None
        answer = WholeAnswer.of(found, transaction.request.method)
        if answer is None or len(answer.body) > transaction.services.max_body:
            return None
        if names_upstream(answer.body, transaction.services.upstream):
            return None
        if self._bends or transaction.session.play.rules:  # which may have been set meanwhile
            recorded = answer.response()
            if self._bend(recorded) is not recorded:
                return None
        asked = taped_request(
            transaction.request, _fields_for_tape(transaction.request), self._recorder
        )
        if asked is None:
            return None
        links = answer.links()
        if links:
            transaction.session.named.update(
                link.origin for link in links if link.origin is not None
            )
            answer.point(links, transaction.incoming.base)
        index = self._recorder.index(self._place)
        note = keep_whole(self._place, asked, answer, self._recorder)
        whole = await written(transaction.http, answer.written(index))
        learns = (
            answer.telling or transaction.session.observer.expects or is_batch(transaction.request)
        )
        return _Passed(
            sent=sent_of(answer.status, keep_alive=whole),
            index=index,
            note=note,
            whole=whole,
            seen=answer.seen() if learns else None,
        )

    def _told(self, passed: _Passed) -> Sent:
        """Tell observer and journal of an answer that has gone out."""
        transaction, note = self._transaction, passed.note
        kept = not note
        if passed.seen is not None or not passed.whole:
            transaction.observe_answer(passed.seen if passed.whole else None)
        if not passed.whole and self._delivery.fault is None:
            note = note or LEFT
        why = self._delivery.why
        transaction.journal(
            passed.sent.status,
            Source.RECORDED if kept else Source.PASSED,
            index=passed.index if kept else None,
            note=f"{note}; {why}" if note and why else note or why,
            effects=why,
        )
        return passed.sent

    def _relay(self) -> Relay:
        transaction = self._transaction
        services, asked = transaction.services, transaction.request.url
        at_home = asked.startswith(f"{services.upstream.tape_root}/") or not off_graph_origin(asked)
        return Relay(
            method=transaction.request.method,
            url=None if at_home else asked,
            upstream=services.upstream,
            base=transaction.incoming.base,
            bend=self._bend,
            name=transaction.session.named.update,
            limit=services.max_body,
            spool=self._spool_answer,
            whole=self._reads_whole or is_batch(transaction.request),
        )

    def _body_up(self) -> AsyncIterator[bytes] | bytes:
        """Return the body to forward; a copy is kept of what still arrives."""
        incoming = self._transaction.incoming
        if incoming.rest is None:
            return incoming.wire_body
        self._tee = Tee(
            _joined(incoming.wire_body, incoming.rest),
            limit=self._transaction.services.max_body,
            length=incoming.length,
            coding=incoming.request.headers.get("Content-Encoding"),
            begin=lambda begins: self._spool_request(begins, incoming.request.headers),
        )
        return aiter(self._tee)

    def _spool_request(self, begins: bytes, headers: Headers) -> Spooled | None:
        spool = self._spooling()
        return None if spool is None else spool.request(begins, headers)

    def _spool_answer(self, begins: bytes, headers: Headers) -> Spooled | None:
        spool = self._spooling()
        return None if spool is None else spool.response(begins, headers)

    def _spooling(self) -> Spool | None:
        if self._spool is None:
            self._spool = self._recorder.spool(self._place, url=self._transaction.request.url)
        return self._spool

    async def _asked(self) -> Request | Untaped:
        """Return the request for the tape, once no more of its body will pass."""
        request, limit = self._transaction.incoming.request, self._transaction.services.max_body
        if self._tee is None:
            return request
        match self._tee.body():
            case Untaped() as untaped:
                return untaped
            case Spooled():
                return replace(request, headers=request.headers.without("Content-Encoding"))
            case bytes() as body:
                try:
                    return await unpacked(request, body, limit=limit)
                except TooLargeError:
                    return too_large(limit)

    async def _remember(self, relayed: Relayed) -> str:
        """Put the interaction on the tape; return why not, where it couldn't be."""
        asked, answer = await self._asked(), await relayed.taped()
        recorder, request = self._recorder, self._transaction.request
        if isinstance(asked, Untaped):
            return recorder.lose(request.method, request.url, f"the request's body {asked.why}")
        if isinstance(answer, Untaped):
            return recorder.lose(request.method, request.url, f"the answer's body {answer.why}")
        return await recorder.keep(self._place, _for_tape(asked), answer, spool=self._spool)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for chunk in rest:
        yield chunk


def _for_tape(request: Request) -> Request:
    """Leave out what concerns the connection to the proxy alone."""
    return replace(request, headers=_fields_for_tape(request))


def _fields_for_tape(request: Request) -> Headers:
    return passed_on(request.headers, without=_OF_PROXY)


_OF_PROXY = frozenset({"host", "expect"})


def _sent(outgoing: Outgoing, seen: bytes) -> Response:
    """Return what went out, as far as it can be looked into; `seen` is what is known else."""
    body = outgoing.body if isinstance(outgoing.body, bytes) else seen
    return Response(
        status=outgoing.status,
        reason=outgoing.reason,
        headers=outgoing.headers,
        body=b"" if "Content-Encoding" in outgoing.headers else body,
    )


async def failed(transaction: Transaction, exc: UpstreamError) -> Sent:
    """Answer a request that upstream gives no whole answer to."""
    # One line says what to do; a traceback would hide it.
    log.error("%s", transaction.session.clean.text(str(exc)))
    if not transaction.http.writer.output_size:
        return await transaction.error(exc.code, str(exc), status=exc.status)
    # The head is out: only a broken connection can still say that the body isn't whole.
    transaction.observe_answer(None)
    transaction.journal(0, Source.REFUSED, note=str(exc))
    return break_off(transaction.http)
