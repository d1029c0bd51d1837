"""Forwards and records the plainest reads: of what is known of them, nothing is made twice.

A plain read is a GET without a body, in a session that forwards whatever it is asked and in which
no scenario, rule, hook or token has a say. Its answer is plain where it is small and has arrived
whole with its head, and where no field of it holds a link. Whatever isn't plain goes the usual way,
through `forwarding`; nothing here decides anything otherwise.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING

from aiohttp import HttpVersion11
from aiohttp.base_protocol import BaseProtocol

from graphtape.core.errors import RequestError, UpstreamError
from graphtape.core.graph.local_url import split_session
from graphtape.core.journal import Entry, Source
from graphtape.server.http.delivery import PLAIN
from graphtape.server.http.half_close import has_left
from graphtape.server.http.request import standing_of
from graphtape.server.http.response import Sent
from graphtape.server.record.desk import Desk
from graphtape.server.record.forwarding import LEFT, Passage, failed
from graphtape.server.record.plain_answer import PlainAnswer
from graphtape.tape.record import pack_spelled

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest

    from graphtape.core.message import Response
    from graphtape.core.redaction.sweep import Change
    from graphtape.server.record.desk import Target
    from graphtape.server.session.live_session import LiveSession
    from graphtape.server.upstream.shared_connections import Reply
    from graphtape.server.visit import Gate, Visit

FITS = hasattr(BaseProtocol, "writing_paused")
"""Whether the aiohttp that runs is built as this module expects."""

_MOST_DESKS = 16


class RecordingDesks:
    """The desks of the sessions that record."""

    def __init__(self) -> None:
        """Begin with none."""
        self._desks: dict[str | None, Desk] = {}

    def read(self, http: BaseRequest, gate: Gate) -> PlainRead | None:
        """Return a read that is plain; None where it takes more."""
        if not FITS or http.method != "GET" or http.version != HttpVersion11:
            return None
        if not http.keep_alive or http.can_read_body:
            return None
        if gate.token is not None or standing_of(http) is not None:
            return None
        try:
            session, path = split_session(http.raw_path)
            desk = self._desk(session, gate)
        except RequestError:
            return None
        if desk is None or not path.startswith("/") or path.startswith("/_"):
            return None
        target = desk.target(path)
        return None if target is None else _read(http, desk, target)

    def _desk(self, session: str | None, gate: Gate) -> Desk | None:
        """Return the desk of a session; None where its reads may take more.

        Raises:
            RequestError: No session of that id is open.
        """
        live = gate.sessions.identify(session)
        play, recorder = live.play, live.recorder
        if recorder is None or gate.client is None or play.script or play.rules:
            return None
        desk = self._desks.get(session)
        if desk is None or desk.live is not live:
            if play.plays or not play.forwards or not recorder.takes_packed:
                return None
            if len(self._desks) >= _MOST_DESKS:
                self._desks.clear()
            desk = self._desks[session] = Desk(live, recorder, gate.client, gate)
        return desk


def _read(http: BaseRequest, desk: Desk, target: Target) -> PlainRead | None:
    up, taped, changes = [target.begins], [*target.taped], target.changes
    token: str | None = None
    known = desk.asked
    for pair in http.raw_headers:
        field = known[pair]
        if field.odd:
            return None
        up.append(field.line)
        taped += field.taped
        changes += field.changes
        if token is None and field.name == "authorization":
            token = field.text
    up.append(b"\r\n")
    return PlainRead(desk, target, b"".join(up), taped, changes, token)


class PlainRead:
    """A plain read that has arrived."""

    __slots__ = ("_changes", "_desk", "_head", "_taped", "_target", "_token")

    def __init__(
        self,
        desk: Desk,
        target: Target,
        head: bytes,
        taped: list[bytes],
        changes: tuple[Change, ...],
        token: str | None,
    ) -> None:
        self._desk = desk
        self._target = target
        self._head = head
        self._taped = taped
        self._changes = changes
        self._token = token

    @property
    def live(self) -> LiveSession:
        """Its session."""
        return self._desk.live

    async def record(self, visit: Visit) -> Sent:
        """Ask upstream, answer the client, and put both on the tape."""
        desk, target = self._desk, self._target
        visit.witnessed_alike(desk.kinds(target.url, self._token))
        place = desk.recorder.begin()
        try:
            reply = await target.way.get(self._head)
            try:
                body = reply.whole()
                answer = self._plain(visit, reply, body)
                if answer is not None:
                    return await self._give(visit, place, answer)
                found = reply.answer(body, origin=target.way.origin)
                return await self._passage(visit, place).give(found)
            finally:
                reply.release()
        except UpstreamError as exc:
            return await failed(visit, exc)
        finally:
            desk.recorder.drop(place)

    def _plain(self, visit: Visit, reply: Reply, body: bytes | None) -> PlainAnswer | None:
        """Read an answer; None where it isn't plain, or may not be passed on as it is."""
        if body is None or len(body) > visit.gate.max_body:
            return None
        if visit.session.play.rules or visit.http.protocol.writing_paused:
            return None
        answer = PlainAnswer.of(reply.message, body, self._desk.answered)
        return None if answer is None or self._desk.names_upstream(answer.body) else answer

    def _passage(self, visit: Visit, place: int) -> Passage:
        """Go on in the usual way."""
        desk, play = self._desk, visit.session.play

        def bend(answer: Response) -> Response:
            return play.bend(answer, to=visit.request)

        return Passage(visit, desk.client, desk.recorder, place, bend, PLAIN)

    async def _give(self, visit: Visit, place: int, answer: PlainAnswer) -> Sent:
        """Put an answer on the tape, then write it."""
        links = answer.links()
        if links:
            visit.session.named.update(link.origin for link in links if link.origin is not None)
            answer.point(links, visit.incoming.base)
        index = self._desk.recorder.index(place)
        why = self._keep(place, answer)
        whole = await _written(visit.http, answer.written(index))
        if self._tells(answer) or not whole:
            visit.witnessed(answer.response() if whole else None)
        self._journal(visit, answer.status, index, why, whole=whole)
        return _sent(answer.status, keep_alive=whole)

    def _keep(self, place: int, answer: PlainAnswer) -> str:
        """Put request and answer on the tape; return why not, where that can't be."""
        recorder, target = self._desk.recorder, self._target
        redactor = recorder.redactor
        try:
            clean = redactor.content(answer.body, answer.type, action=target.action)
        except Exception as exc:  # noqa: BLE001 - as `Recorder.keep`
            return recorder.lose(
                "GET", target.url, f"it couldn't be redacted ({type(exc).__name__})"
            )
        unopened = recorder.unopened(redactor)
        if unopened:
            return recorder.lose("GET", target.url, unopened)
        changes = (*self._changes, *answer.changes)
        if changes:
            redactor.count(changes)
        payload = pack_spelled(
            self._taped, status=answer.status, answered=answer.taped, response_body=clean
        )
        return recorder.keep_packed(place, payload, target.url)

    def _tells(self, answer: PlainAnswer) -> bool:
        """Tell whether the witness may learn from an answer that has gone out whole."""
        return answer.telling or self.live.witness.expects

    def _journal(self, visit: Visit, status: int, index: int, why: str, *, whole: bool) -> None:
        """Note what became of the request, as `Passage` does."""
        live, note = visit.session, why or ("" if whole else LEFT)
        entry = Entry(
            number=visit.number,
            method="GET",
            url=self._target.journaled,
            status=status,
            source=Source.PASSED if why else Source.RECORDED,
            interaction=None if why else index,
            milliseconds=(time.perf_counter() - visit.began) * 1000,
            note=live.clean.text(note) if note else "",
        )
        visit.gate.note(live, entry)


async def _written(http: BaseRequest, data: bytes) -> bool:
    """Write a whole answer; tell whether the client was there to take it."""
    transport = http.transport
    if transport is None or transport.is_closing():
        return False
    transport.write(data)
    http.writer.output_size += len(data)
    if http.protocol.writing_paused:
        try:
            await http.writer.drain()
        except ConnectionError:
            return False
    return not await has_left(http)


@lru_cache(maxsize=64)
def _sent(status: int, *, keep_alive: bool) -> Sent:
    # It holds nothing of one answer.
    return Sent(status, keep_alive=keep_alive)
