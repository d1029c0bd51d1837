"""Answers a request as its bytes arrive, where its answer is made ready or can be made so.

A request that takes more (a wait, a fault, a long body, a miss, an upstream) is decided here all
the same, and handed to the pipeline with what was decided.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from graphtape.core.errors import RequestError
from graphtape.core.graph.actions import CALLER_ID
from graphtape.core.graph.batch import is_batch
from graphtape.core.graph.local_url import restore_body, split_session
from graphtape.core.journal import Source
from graphtape.core.message import Request
from graphtape.core.scenario.duration import NO_WAIT
from graphtape.core.tape.outcome import Assemble, Inject, Replay
from graphtape.server.replay.known import Decided, Known, Place, Ready
from graphtape.server.replay.memory import Memory
from graphtape.server.replay.rendered import Rendered, rendered
from graphtape.server.replay.reply import STAMP, Now, Reply, asked_by_anyone
from graphtape.server.replay.request_bytes import LONGEST, block_of, plain
from graphtape.server.transaction import LEFT_EARLY, observer_clock

if TYPE_CHECKING:
    from aiohttp.http_parser import RawRequestMessage

    from graphtape.core.tape.outcome import Outcome, Refuse
    from graphtape.server.replay.request_bytes import Block
    from graphtape.server.session.live_session import LiveSession
    from graphtape.server.transaction import Services

log = logging.getLogger("graphtape")

_OF_RECORDING = 16 * 1024 * 1024
"""Bytes of requests that are kept, while they are forwarded."""

_SHARED = frozenset({"GET", "POST"})
_MOST_READY = 256
"""Answers of one request that are remembered; a scenario can make any number of them."""


class Responder:
    """Answers what can be answered at once."""

    def __init__(self, services: Services) -> None:
        """Know nothing yet."""
        self._services = services
        self._memory = Memory()
        self._answers = 0
        self._now = Now(0)

    @property
    def held(self) -> int:
        """Bytes that are kept, roughly."""
        return self._memory.held

    def again(self, data: bytes) -> bytes | Decided | None:
        """Answer a request whose header block is known; nothing where it isn't.

        Args:
            data: One request, nothing before and nothing after.
        """
        if len(data) > LONGEST:
            return None
        found = self._memory.find(data)
        if found is None:
            return None
        known, caller, block, line = found
        if known is None:
            asked = plain(line)
            known = None if asked is None else self._compiled(*asked, block)
            if known is None:
                return None
            if self._keeps(known):
                self._memory.know(line, block, known)
        return self._answered(known, caller)

    def first(
        self, message: RawRequestMessage, body: bytes, data: bytes | None, scheme: str
    ) -> bytes | Decided | None:
        """Answer a request that has been parsed; nothing where it is for the pipeline.

        Args:
            message: Its head.
            body: As sent, whole.
            data: All its bytes, to know it again by; None where they aren't at hand.
            scheme: Of the proxy's own URL.
        """
        block = block_of(message.raw_headers, scheme)
        if block is None or block.length != len(body):
            return None
        known = self._compiled(message.method, message.path, body, block)
        if known is None:
            return None
        if data is not None and len(data) <= LONGEST and self._keeps(known):
            self._memory.meet(data, block, known)
        return self._answered(known, block.caller)

    def _keeps(self, known: Known) -> bool:
        """Tell whether a request is to be known again: few of a recording come twice."""
        return not known.live.play.forwards or self._memory.held < _OF_RECORDING

    def _compiled(self, method: str, target: str, body: bytes, block: Block) -> Known | None:
        """Compile a request; None where it is for the pipeline."""
        services = self._services
        if (
            services.token is not None
            or services.notifier is not None
            or not target.startswith("/")
            or len(body) > services.max_body
        ):
            return None
        try:
            session, below = split_session(target)
            live = services.sessions.identify(session)
        except RequestError:
            return None
        if below[:2] == "/_" or below[:1] != "/" or not live.open:
            return None
        root = services.upstream.tape_root
        request = Request(
            method=method,
            url=root + below,
            headers=block.headers,
            body=restore_body(body, block.address, root) if body else body,
        )
        prefix = target[: len(target) - len(below)]
        base = block.address + prefix
        return Known(live, request, base, called=bool(block.caller), origin=block.origin)

    def _answered(self, known: Known, caller: bytes) -> bytes | Decided | None:
        """Decide a request, and answer it if that can be done at once."""
        live, services = known.live, self._services
        play = live.play
        if (
            not live.open
            or services.closing.is_set()
            or (caller and CALLER_ID in play.script.fields)
        ):
            return None
        began = time.perf_counter()
        if known.configuration != play.configuration:
            known.compile(known.question.request)
        number = play.journal.number()
        expects = live.observer.expects
        if known.kinds is None or expects or not live.verdicts.again(known.kinds):
            _watch(known, number)
        if known.steps:
            return _decided(known, number, began, caller, None)
        outcome: Outcome | RequestError
        try:
            directed = known.question.fit is not None
            outcome = play.decide(
                known.question, now=services.wait_clock.now() if directed else 0.0
            )
        except RequestError as exc:
            return _decided(known, number, began, caller, exc)
        ready = known.last_ready if outcome is known.last else self._ready(known, outcome)
        if ready is None:
            return _decided(known, number, began, caller, outcome)
        if isinstance(outcome, (Replay, Assemble)):
            play.played(outcome)
        if ready.watched or expects:
            self._tell(known, number, ready)
        return self._written(known, ready, number, began, caller)

    def _written(
        self, known: Known, ready: Ready, number: int, began: float, caller: bytes
    ) -> bytes:
        """Write an answer that is ready, and journal it."""
        self._answers += 1
        second = int(time.time())
        if second != self._now.second:
            self._now = Now(second)
        if ready.first is not None:
            data = b"".join((ready.first, self._now.date, ready.last))
        else:
            data = ready.reply.written(self._now, caller)
        milliseconds = (time.perf_counter() - began) * 1000
        journal, request = known.live.play.journal, known.question.request
        journal.add_brief(request, ready.facts, number, began, milliseconds)
        if self._services.listening:
            self._services.tell(
                known.live, journal.entry(request, ready.facts, number, began, milliseconds)
            )
        return data

    def _tell(self, known: Known, number: int, ready: Ready) -> None:
        """Tell the clock and the observer of an answer that matters to what comes next."""
        live, asked = known.live, known.question.request
        self._services.wait_clock.told(ready.told)
        if ready.reply.judged or live.observer.expects:
            now = observer_clock()
            live.verdicts.add(live.observer.settled(number, asked, ready.reply.seen, now=now))

    def _ready(self, known: Known, outcome: Outcome) -> Ready | None:
        """Return the answer to what was decided; None where it takes a task."""
        if not isinstance(outcome, (Replay, Assemble, Inject)):
            return None
        kept = known.ready
        if kept is not None and outcome in kept:
            ready = kept[outcome]
        else:
            try:
                ready = self._made_ready(known, outcome)
            except Exception:
                # Whatever it is: it has been decided, and a task gives the client an answer.
                log.exception("an answer could not be made ready")
                return None
        if isinstance(outcome, Replay) and outcome.hit.reserved:  # it plays once
            return ready
        known.last, known.last_ready = outcome, ready
        if kept is not None:
            if len(kept) >= _MOST_READY:
                kept.clear()
            kept[outcome] = ready
        return ready

    def _made_ready(self, known: Known, outcome: Replay | Assemble | Inject) -> Ready | None:
        """Make an answer ready; None where it takes a task."""
        live, question = known.live, known.question
        place = _place(known, outcome)
        if place is not None and isinstance(outcome, Replay):
            batch = question.batch is not None
            shared = self._shared(place, question.request, known.base, batch=batch)
            if shared is None:
                return None
            return _with_facts(known, shared, Source.REPLAYED, outcome, outcome.note)
        if isinstance(outcome, Assemble) and outcome.misses:
            return None
        # Whoever asks next may send another id to be given back.
        asked = asked_by_anyone(question.request)
        made = rendered(outcome, asked, live.play, override=None, stamp=STAMP, explain=_never)
        delivery = made.delivery
        if delivery.wait != NO_WAIT or delivery.fault is not None:
            return None
        batch = question.batch is not None
        reply = Reply.of(made, asked, base=known.base, timing=self._services.timing, batch=batch)
        if reply is None:
            return None
        note = "; ".join(filter(None, (made.note, delivery.why)))
        return _with_facts(
            known, reply, made.source, outcome, note, why=delivery.why, told=made.told
        )

    def _shared(self, place: Place, request: Request, base: str, *, batch: bool) -> Reply | None:
        """Return the answer that stands in a place, made ready; None where it takes a task."""
        reply = self._memory.reply(place, base)
        if reply is None:
            recording = place.recording
            index = recording.playable.interactions[place.slot]
            response = recording.interactions[index].response
            made = Rendered(response=response, source=Source.REPLAYED, index=index)
            asked = asked_by_anyone(request) if place.called else request
            timing = self._services.timing
            reply = Reply.of(made, asked, base=base, timing=timing, batch=batch)
            if reply is not None:
                self._memory.keep(place, base, reply)
        return reply

    async def prepare(self, live: LiveSession, base: str) -> None:
        """Make the answers of a session ready ahead, while nobody asks, as far as they may be kept.

        Args:
            live: Plays one tape, as it was recorded.
            base: The proxy's address, as most clients know it.
        """
        recording = live.play.playbacks[0].recording
        seen = self._answers
        playable = recording.playable
        for slot in range(playable.size):
            # While somebody asks, what he asks for is made ready anyway.
            await asyncio.sleep(0.02 if self._answers > seen else 0)
            seen = self._answers
            if self._memory.full or not live.open or self._services.closing.is_set():
                return
            if slot not in playable.parts:
                request = recording.interactions[playable.interactions[slot]].request
                bare = Request(method=request.method, url=request.url)
                place = Place(recording, slot, called=False)
                self._shared(place, bare, base, batch=is_batch(bare))

    def leave(self, decided: Decided) -> None:
        """Undo what was decided of a request whose client left before it was answered."""
        live, outcome = decided.live, decided.outcome
        if isinstance(outcome, (Replay, Assemble)):
            live.play.release(outcome)
        request = decided.question.request
        live.verdicts.add(live.observer.broke(decided.number, request))
        journal = live.play.journal
        facts = journal.facts(0, Source.REFUSED, interaction=None, note=LEFT_EARLY, effects="")
        milliseconds = (time.perf_counter() - decided.began) * 1000
        entry = journal.entry(request, facts, decided.number, decided.began, milliseconds)
        self._services.note(live, entry)


def _with_facts(
    known: Known,
    reply: Reply,
    source: Source,
    outcome: Replay | Assemble | Inject,
    note: str,
    *,
    why: str = "",
    told: float = 0.0,
) -> Ready:
    """Return an answer with what its session says of it."""
    live = known.live
    if reply.teaches is not None:
        live.observer.learn(known.question.request, reply.teaches)
    clean = live.clean.text
    facts = live.play.journal.facts(
        reply.status,
        source,
        interaction=reply.index,
        cassette=0 if isinstance(outcome, Inject) else outcome.cassette,
        note=clean(note) if why else note,  # of a tape's answer alone it is our own
        effects=clean(why) if why else "",
    )
    return Ready(reply, facts, told)


def _watch(known: Known, number: int) -> None:
    """Let the observer see a request, since not all it earns is known beforehand."""
    live, request = known.live, known.question.request
    live.verdicts.add(live.observer.asked(number, request, now=observer_clock()))
    if known.kinds is None:
        known.kinds = live.observer.of_each(request)


def _decided(
    known: Known,
    number: int,
    began: float,
    caller: bytes,
    outcome: Outcome | RequestError | None,
) -> Decided:
    """Hand a request on, with the id it has this time."""
    question = known.question
    if caller:
        headers = question.request.headers.set(CALLER_ID, caller.decode())
        question = replace(question, request=replace(question.request, headers=headers))
    return Decided(
        live=known.live,
        number=number,
        began=began,
        base=known.base,
        question=question,
        outcome=outcome,
    )


def _place(known: Known, outcome: Outcome) -> Place | None:
    """Return where on a tape an answer stands that is the same for all who ask for it."""
    question, play = known.question, known.live.play
    if not isinstance(outcome, Replay) or outcome.bend is not None or play.rules:
        return None
    recording = outcome.playback.recording
    request = question.request
    if outcome.sent or recording.ignores or known.origin:
        return None
    if outcome.hit.part is not None or request.method not in _SHARED:
        return None
    return Place(recording, outcome.hit.slot, known.called)


def _never(request: Request, refuse: Refuse) -> str:
    raise AssertionError((request.method, refuse))  # what has no answer is never made ready
