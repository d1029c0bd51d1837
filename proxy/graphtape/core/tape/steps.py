"""The steps of one session, taken in the same order by every proxy that serves it.

What a step decides depends on the steps before it alone: who takes the same steps decides the same.
Steps hold slots and numbers, and nothing of a request or an answer.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct, msgpack

from graphtape.core.errors import RequestError
from graphtape.core.graph.batch import Part
from graphtape.core.message import Headers, Request
from graphtape.core.scenario.effect import CUT
from graphtape.core.scenario.play import Fit, PlaySnapshot
from graphtape.core.tape.interval import How
from graphtape.core.tape.outcome import Assemble, Refuse, Replay
from graphtape.core.tape.position import Order, PlayerSnapshot
from graphtape.core.tape.question import Batch, Question, Sought

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graphtape.core.tape.outcome import Found, Outcome
    from graphtape.core.tape.position import Hit
    from graphtape.core.tape.recording import Recording
    from graphtape.core.tape.session import Session

LEASE = 30.0
"""Seconds that an answer is reserved for the proxy that sends it, unless it asks for more."""

_MOST_SHAPES = 4096
_NOBODY = Request(method="GET", url="https://graph.microsoft.com/v1.0", headers=Headers.of(()))


class Kind(StrEnum):
    """What a step does.

    `played`, `release` and `renew` end or keep the reservation of the step `decide` of the same
    name; `seen` tells of answers that needed no step.
    """

    DECIDE = "d"
    PLAYED = "p"
    RELEASE = "r"
    RENEW = "n"
    SEEN = "k"
    REWIND = "w"
    DIRECT = "s"
    END = "e"

    __hash__ = str.__hash__  # the enum's own is written in Python


class Step(Struct, frozen=True, array_like=True):
    """A step as it is sent.

    Attributes:
        kind: As `Kind`.
        name: Of the request it is about, unique among all proxies.
        configuration: Of the session, that the request was compiled with.
        what: The shape of a request, the slots that were seen, or a direction.
    """

    kind: Kind
    name: str = ""
    configuration: int = 0
    what: bytes = b""


class _Lookup(Struct, frozen=True, array_like=True):
    """A key on one tape: the first of its slots, how many there are, whether it writes."""

    first: int
    length: int
    write: bool


class _Rules(Struct, frozen=True, array_like=True):
    """As `Fit`, without the reasons."""

    action: str
    meant: tuple[int, ...]
    write: bool


class Shape(Struct, frozen=True, array_like=True):
    """All of a question that a decision depends on.

    Attributes:
        lookups: On each tape; None where nothing answers.
        rules: Of scenarios that mean it; None where there are none.
        refused: Whether it is a batch that Graph would refuse.
        parts: Of a batch, in the order they run: the places of those before it, and its shape.
    """

    lookups: tuple[_Lookup | None, ...]
    rules: _Rules | None = None
    refused: bool = False
    parts: tuple[tuple[tuple[int, ...], Shape], ...] | None = None


class Snapshot(Struct, frozen=True, array_like=True):
    """A session at one moment, for who begins to take its steps later.

    Attributes:
        taken: How many steps were.
        configuration: As of the session.
        direction: What the newest step said that directed it; None where none did.
        players: Of each tape.
        play: Of the scenarios.
        reserved: By name, until when, and what plays with it: the number of a tape, a slot, the
            first slot of its key and how many there are, and whether it plays once.
        forgotten: Names.
        ended: Whether a step has ended it.
    """

    taken: int
    configuration: int
    direction: bytes | None
    players: list[PlayerSnapshot]
    play: PlaySnapshot
    reserved: list[tuple[str, float, list[tuple[int, int, int, int, bool]]]]
    forgotten: list[str]
    ended: bool


class Stale(Struct, frozen=True):
    """Nothing was decided: the session was directed anew before the step."""


STALE = Stale()
Result: TypeAlias = "Outcome | RequestError | Stale | bool"
_decode_step = msgpack.Decoder(Step).decode
_decode_shape = msgpack.Decoder(Shape).decode
_decode_snapshot = msgpack.Decoder(Snapshot).decode
_decode_seen = msgpack.Decoder(list[list[int]]).decode
encode = msgpack.encode


def needs_step(question: Question, *, order: Order) -> bool:
    """Tell whether the answer to a question depends on what others were given.

    A read whose key has one answer is answered the same everywhere, and so is what no tape has.
    """
    if question.fit is not None or question.batch is not None:
        return True
    known = [each for each in question.sought if each.answers is not None]
    if not known:
        return False
    if len(known) > 1 or known[0].write or known[0].varies or order is not Order.POSITION:
        return True
    only, index = known[0].answers, known[0].playback.recording.playable
    return only is None or only[0] in index.parts or only[0] in index.batches


def shape_of(question: Question) -> Shape:
    """Return what a decision about a question depends on."""
    batch = question.batch
    parts = None
    if isinstance(batch, Batch):
        places = {part.id: place for place, part in enumerate(batch.ordered)}
        parts = tuple(
            (tuple(places[each] for each in part.after), shape_of(batch.questions[part.id]))
            for part in batch.ordered
        )
    fit = question.fit
    return Shape(
        lookups=tuple(
            None
            if each.answers is None
            else _Lookup(each.answers[0], len(each.answers), each.write)
            for each in question.sought
        ),
        rules=None if fit is None else _Rules(fit.action, fit.meant, fit.write),
        refused=isinstance(batch, RequestError),
        parts=parts,
    )


@dataclass(slots=True)
class _Reserved:
    """An answer on its way out.

    Attributes:
        plan: What plays with it.
        until: Seconds on the clock of the steps.
    """

    plan: Replay | Assemble
    until: float


@dataclass(slots=True, kw_only=True)
class Steps:
    """A session as its steps make it. Not for two threads at once.

    Attributes:
        session: Changed by steps alone, but for its journal.
        on_direct: Directs it, as a step says.
        on_rewind: Rewinds it.
        ended: Whether a step has ended it.
        taken: How many steps were.
        direction: What the newest step said that directed it; None where none did.
        asked: By name, the questions of our own steps.
    """

    session: Session
    on_direct: Callable[[bytes], None]
    on_rewind: Callable[[], None]
    ended: bool = False
    taken: int = 0
    direction: bytes | None = None
    asked: dict[str, Question] = field(default_factory=dict)
    _reserved: dict[str, _Reserved] = field(default_factory=dict)
    _forgotten: set[str] = field(default_factory=set)  # those that a rewind has met on their way
    _shapes: OrderedDict[bytes, Question] = field(default_factory=OrderedDict)
    _answers: list[dict[tuple[int, int], Sequence[int]]] = field(default_factory=list)

    def take(self, data: bytes, now: float) -> tuple[Step, Result]:
        """Take the next step.

        Args:
            data: As it was sent.
            now: Seconds on a clock that all who take it have in common.

        Returns:
            The step, and what it came to: of `decide` the outcome; of others whether they did
            anything.
        """
        self.taken += 1
        self._expire(now)
        step = _decode_step(data)
        match step.kind:
            case Kind.DECIDE:
                return step, self._decide(step, now)
            case Kind.PLAYED | Kind.RELEASE:
                return step, self._end(step.name, whole=step.kind is Kind.PLAYED)
            case Kind.RENEW:
                found = self._reserved.get(step.name)
                if found is not None:
                    found.until = now + LEASE
                return step, found is not None
            case Kind.SEEN:
                for playback, slots in zip(
                    self.session.playbacks, _decode_seen(step.what), strict=True
                ):
                    playback.player.saw(slots)
            case Kind.REWIND:
                self._forgotten.update(self._reserved)
                self._reserved.clear()
                self.on_rewind()
            case Kind.DIRECT:
                self._direct(step.what)
            case Kind.END:
                self.ended = True
        return step, True

    def _direct(self, said: bytes) -> None:
        self.direction = said
        self.on_direct(said)
        self._shapes.clear()

    def snapshot(self) -> bytes:
        """Return the session as it is now."""
        tapes = {id(each.player): n for n, each in enumerate(self.session.playbacks)}
        return encode(
            Snapshot(
                taken=self.taken,
                configuration=self.session.configuration,
                direction=self.direction,
                players=[each.player.snapshot() for each in self.session.playbacks],
                play=self.session.script.snapshot(),
                reserved=[
                    (
                        name,
                        each.until,
                        [
                            (
                                tapes[id(r.playback.player)],
                                r.hit.slot,
                                *_name(r.hit),
                                r.hit.reserved,
                            )
                            for r in _replays(each.plan)
                        ],
                    )
                    for name, each in self._reserved.items()
                ],
                forgotten=sorted(self._forgotten),
                ended=self.ended,
            )
        )

    def restore(self, data: bytes) -> None:
        """Go on from a snapshot."""
        found = _decode_snapshot(data)
        if found.direction is not None and found.direction != self.direction:
            self._direct(found.direction)
        self.session.configuration = found.configuration
        for playback, player in zip(self.session.playbacks, found.players, strict=True):
            playback.player.restore(player)
        self.session.script.restore(found.play)
        self._reserved = {
            name: _Reserved(self._plan(slots), until) for name, until, slots in found.reserved
        }
        self._forgotten = set(found.forgotten)
        self.taken, self.ended = found.taken, found.ended

    def _plan(self, slots: Sequence[tuple[int, int, int, int, bool]]) -> Assemble:
        """Return what plays with a reservation that another proxy made."""
        replays: dict[str, Found] = {}
        for number, (tape, slot, first, length, reserved) in enumerate(slots):
            playback = self.session.playbacks[tape]
            answers = self._lists()[tape][first, length]
            hit = playback.player.hit((slot, How.NEXT), answers, write=reserved)
            replays[str(number)] = Replay(playback=playback, request=_NOBODY, sent={}, hit=hit)
        return Assemble(parts=(), found=replays)

    def _lists(self) -> list[dict[tuple[int, int], Sequence[int]]]:
        if not self._answers:
            self._answers = [_named(each.recording) for each in self.session.playbacks]
        return self._answers

    def _decide(self, step: Step, now: float) -> Result:
        own = self.asked.pop(step.name, None)
        if step.configuration != self.session.configuration:
            return STALE
        question = self._shaped(step.what) if own is None else own
        try:
            outcome = self.session.decide(question, now=now)
        except RequestError as exc:
            return exc
        if isinstance(outcome, (Replay, Assemble)):
            if any(each.hit.reserved for each in _replays(outcome)):
                self._reserved[step.name] = _Reserved(outcome, now + LEASE)
            elif not is_cut(outcome):
                self.session.played(outcome)
        return outcome

    def _end(self, name: str, *, whole: bool) -> bool:
        found = self._reserved.pop(name, None)
        if name in self._forgotten:
            self._forgotten.remove(name)
            return True
        if found is not None:
            (self.session.played if whole else self.session.release)(found.plan)
        return found is not None

    def _expire(self, now: float) -> None:
        """Release what was reserved by a proxy that has not come back to it."""
        if not self._reserved:
            return
        for name in [name for name, each in self._reserved.items() if each.until <= now]:
            self._end(name, whole=False)

    def _shaped(self, what: bytes) -> Question:
        """Return a question of a shape, in place of the one that another proxy was asked."""
        found = self._shapes.get(what)
        if found is None:
            found = self._shapes[what] = self._question(_decode_shape(what))
            if len(self._shapes) > _MOST_SHAPES:
                self._shapes.popitem(last=False)
        return found

    def _question(self, shape: Shape) -> Question:
        sought = tuple(
            Sought.of_slots(
                playback,
                None if each is None else answers[each.first, each.length],
                _NOBODY,
                write=each is not None and each.write,
            )
            for playback, answers, each in zip(
                self.session.playbacks, self._lists(), shape.lookups, strict=True
            )
        )
        fit: Fit | None = None
        batch: Batch | RequestError | None = None
        if shape.rules is not None:
            reasons = self.session.script.no_reasons
            fit = Fit(
                action=shape.rules.action,
                meant=shape.rules.meant,
                reasons=reasons,
                write=shape.rules.write,
            )
        if shape.refused:
            batch = RequestError("a batch that Graph would refuse")
        elif shape.parts is not None:
            parts = tuple(
                Part(id=str(place), request=_NOBODY, after=tuple(map(str, after)))
                for place, (after, _) in enumerate(shape.parts)
            )
            questions = {
                str(place): self._question(each) for place, (_, each) in enumerate(shape.parts)
            }
            batch = Batch(parts=parts, ordered=parts, questions=questions)
        return Question(request=_NOBODY, sought=sought, fit=fit, batch=batch)


def is_cut(outcome: Outcome) -> bool:
    """Tell whether a scenario lets an answer never go out whole."""
    if isinstance(outcome, Refuse) or not isinstance(outcome, (Replay, Assemble)):
        return False
    bend = outcome.bend
    faults = {None if bend is None else bend.change.fault}
    if isinstance(outcome, Assemble) and outcome.directed is not None:
        faults.add(outcome.directed.fault)
    return not faults.isdisjoint(CUT)


def _replays(plan: Replay | Assemble) -> tuple[Replay, ...]:
    return plan.replays if isinstance(plan, Assemble) else (plan,)


def _name(hit: Hit) -> tuple[int, int]:
    return hit.answers[0], len(hit.answers)


def _named(recording: Recording) -> dict[tuple[int, int], Sequence[int]]:
    """Return the slots of each key and variant, by the first of them and how many there are."""
    index = recording.playable
    every = (*index.answers.values(), *index.variants.values())
    return {(answers[0], len(answers)): answers for answers in every}
