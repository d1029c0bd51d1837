"""One client's isolated play: where each answer is to come from, and how it is bent."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, assert_never

from graphtape.core.batch import FIRST_FAILURE, in_order, is_batch, parts_of
from graphtape.core.errors import RequestError
from graphtape.core.journal import Journal
from graphtape.core.plan import (
    Assemble,
    Break,
    Deck,
    FailedDependency,
    Forward,
    Inject,
    Mode,
    Refuse,
    Replay,
)
from graphtape.core.position import Hit, How, Miss, Order, Player
from graphtape.core.scenario import PASS, Answer, Fault, Parts, Pass, Play

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphtape.core.batch import Part
    from graphtape.core.message import Request, Response
    from graphtape.core.plan import Cue, Found, Plan
    from graphtape.core.recording import Recording
    from graphtape.core.scenario import Bend, Decision, StatusRule
    from graphtape.core.stretch import Stretch


@dataclass(slots=True)
class Session:
    """The state of one client's play.

    Attributes:
        id: `default`, or what its path prefix names.
        mode: Where an answer may come from.
        decks: The cassettes, in the order they are asked.
        rules: Bend what tape or upstream answered, after every scenario.
        script: The scenarios, and what they have counted.
    """

    id: str
    mode: Mode
    decks: tuple[Deck, ...] = ()
    rules: tuple[StatusRule, ...] = ()
    script: Play = field(default_factory=Play)
    journal: Journal = field(default_factory=Journal)

    @classmethod
    def over(
        cls,
        recordings: Sequence[Recording],
        *,
        mode: Mode,
        order: Order,
        rules: tuple[StatusRule, ...] = (),
        script: Play | None = None,
        id: str = "default",  # noqa: A002 - the control API's own word
    ) -> Session:
        """Open a session over loaded cassettes."""
        decks = (Deck(each, Player(each.playable, order=order)) for each in recordings)
        return cls(
            id=id, mode=mode, decks=tuple(decks), rules=rules, script=script or Play.over(())
        )

    @property
    def forwards(self) -> bool:
        """Whether a request may reach upstream."""
        match self.mode:
            case Mode.NONE:
                return False
            case Mode.ONCE:
                return not self.decks
            case Mode.NEW_EPISODES | Mode.ALL:
                return True

    @property
    def plays(self) -> bool:
        """Whether an answer may come from the tape, so that a request must be read whole."""
        return bool(self.decks) and self.mode is not Mode.ALL

    def plan(self, request: Request, *, now: float = 0.0, cue: Cue | None = None) -> Plan:
        """Decide where the answer to a request comes from.

        A write that is planned is reserved: the caller says `played` or `release`.

        Args:
            request: As the client sent it.
            now: Seconds on a clock that never goes back.
            cue: What the client asks for this request alone.

        Raises:
            RequestError: It is a batch that Graph would refuse.
        """
        scripts = [script for script in (cue and cue.script, self.script) if script]
        if not scripts:
            return self._look_up(request, None)
        decision = self._decide(scripts, request, now)
        match decision:
            case Fault():
                return Break(fault=decision)
            case Answer():
                return Inject(answer=decision)
            case Pass(bend=bend):
                directed = self._decide_parts(scripts, request, now) if is_batch(request) else None
                if isinstance(directed, Fault):
                    return Break(fault=directed)
                plan = self._look_up(request, directed)
                return plan if bend is None or isinstance(plan, Refuse) else _bent(plan, bend)
            case _:
                assert_never(decision)

    def _decide(self, scripts: Sequence[Play], request: Request, now: float) -> Decision:
        """Ask every scenario, since every one counts; the first that has a say wins."""
        decisions = [each.before(request, session=self.id, now=now) for each in scripts]
        return next((each for each in decisions if each != PASS), PASS)

    def _decide_parts(
        self, scripts: Sequence[Play], request: Request, now: float
    ) -> Parts | Fault | None:
        """Ask of each part of a batch; None where nobody has a say, or it is none."""
        try:
            parts = [(part.id, part.request) for part in in_order(parts_of(request))]
        except RequestError:
            return None
        decided = [each.before_parts(parts, session=self.id, now=now) for each in scripts]
        answers: dict[str, Answer] = {}
        bends: dict[str, Bend] = {}
        for each in reversed(decided):
            if isinstance(each, Fault):
                return each
            answers.update(each.answers)
            bends.update(each.bends)
        return Parts(answers=answers, bends=bends) if answers or bends else None

    def _look_up(
        self, request: Request, directed: Parts | None
    ) -> Replay | Assemble | Forward | Refuse:
        if not self.plays and self.forwards:
            return Forward(directed=directed)
        if directed is not None:
            return self._plan_directed(request, directed)
        found = self._find(request)
        # A batch whose answer isn't in its turn may have newer ones to its parts.
        if is_batch(request) and not (isinstance(found, Replay) and found.how is How.NEXT):
            return self._plan_batch(request, found if isinstance(found, Replay) else None)
        if isinstance(found, Refuse):
            return Forward() if self.forwards else found
        return found

    def _plan_directed(self, request: Request, directed: Parts) -> Assemble | Forward:
        """Answer a batch part by part, since scenarios have a say in some."""
        parts = parts_of(request)
        plan = Assemble(parts=parts, found=self._find_parts(parts, directed), directed=directed)
        if plan.misses and self.forwards:
            self.release(plan)
            return Forward(directed=directed)
        return plan

    def _plan_batch(
        self, request: Request, whole: Replay | None
    ) -> Replay | Assemble | Forward | Refuse:
        """Answer a batch part by part; as it was recorded, or not at all, where that fails.

        Args:
            request: Of the batch.
            whole: The answer to the same batch out of its turn: nothing is reserved for it.
        """
        try:
            parts = parts_of(request)
        except RequestError:
            if whole is None and not self.forwards:
                raise
            return whole or Forward()
        plan = Assemble(parts=parts, found=self._find_parts(parts))
        if whole is not None and (plan.misses or _is_all_from(whole, plan)):
            self.release(plan)
            return whole
        if plan.misses and self.forwards:
            self.release(plan)
            return Forward()
        return plan

    def _find_parts(
        self, parts: tuple[Part, ...], directed: Parts | None = None
    ) -> dict[str, Found]:
        """Find an answer to each part, as if those before it had played already."""
        ahead = tuple(deck.player.ahead() for deck in self.decks)
        answers = directed.answers if directed is not None else {}
        bends = directed.bends if directed is not None else {}
        found: dict[str, Found] = {}
        for part in in_order(parts):
            failed = next(
                (each for each in part.after if _fails(found[each], bends.get(each))), None
            )
            if failed is not None:
                found[part.id] = FailedDependency(on=failed)
            elif part.id in answers:
                found[part.id] = answers[part.id]
            else:
                found[part.id] = self._find(part.request, ahead)
        return found

    def _find(self, request: Request, ahead: tuple[Stretch, ...] | None = None) -> Replay | Refuse:
        """Ask each cassette: the first with an unplayed answer, else the first that has the key.

        Args:
            request: To be answered.
            ahead: By cassette, where its tape is to stand in place of where it does; moves on.
        """
        second: Replay | None = None
        misses: list[tuple[Recording, Miss]] = []
        for number, deck in enumerate(self.decks):
            recording = deck.recording
            asked = recording.ask(request)
            stretch = ahead[number] if ahead is not None else None
            found = deck.player.find(asked.key, write=asked.write, ahead=stretch, exact=asked.exact)
            match found:
                case Hit():
                    replay = Replay(
                        answer=recording.answer(found, asked),
                        index=found.index,
                        how=found.how,
                        deck=deck,
                        hit=found,
                        by_order=recording.by_order(asked, found),
                    )
                    if found.how is How.NEXT:
                        return replay
                    second = second or replay
                case Miss():
                    misses.append((recording, found))
                case _:
                    assert_never(found)
        return second or Refuse(misses=tuple(misses))

    def find(self, request: Request) -> Replay | None:
        """Find the answer to another request than the client's; no scenario has a say in it."""
        found = self._find(request)
        return found if isinstance(found, Replay) else None

    def played(self, plan: Replay | Assemble) -> None:
        """Say that an answer went out whole."""
        for replay in plan.replays if isinstance(plan, Assemble) else (plan,):
            replay.deck.player.played(replay.hit)

    def release(self, plan: Replay | Assemble) -> None:
        """Say that an answer didn't go out whole, so that it can play again."""
        for replay in plan.replays if isinstance(plan, Assemble) else (plan,):
            replay.deck.player.release(replay.hit)

    def bend(self, answer: Response, *, to: Request, cue: Cue | None = None) -> Response:
        """Return an answer of tape or upstream as the session's rules want it."""
        for rule in (*self.rules, *(cue.rules if cue is not None else ())):
            answer = rule.bend(answer, to=to)
        return answer

    def unused(self) -> dict[str, tuple[int, ...]]:
        """Return, by cassette, the indices of writes never played and of reads never asked for."""
        by_cassette = {deck.recording.name: deck.player.unused() for deck in self.decks}
        return {name: unused for name, unused in by_cassette.items() if unused}


def _bent(plan: Replay | Assemble | Forward, bend: Bend) -> Replay | Assemble | Forward:
    return replace(plan, bend=bend)


def _fails(found: Found, bend: Bend | None) -> bool:
    match found:
        case Replay(answer=answer):
            status = bend.change.status if bend is not None else None
            return (status or answer.status) >= FIRST_FAILURE
        case Answer(answer=canned):
            return canned.status >= FIRST_FAILURE
        case Refuse() | FailedDependency():
            return True
        case _:
            assert_never(found)


def _is_all_from(whole: Replay, plan: Assemble) -> bool:
    """Tell whether taking a batch apart gives nothing but its own parts again."""
    own = (whole.deck.player, whole.index)
    return all((each.deck.player, each.index) == own for each in plan.replays)
