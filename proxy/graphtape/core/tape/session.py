"""One client's session: where each answer comes from, and how scenarios change it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from graphtape.core.errors import RequestError
from graphtape.core.graph.batch import FIRST_FAILURE, in_order, is_batch, parts_of
from graphtape.core.journal import Journal
from graphtape.core.scenario.play import PASS, Answer, Bend, Decision, Fault, Fit, Parts, Pass, Play
from graphtape.core.tape.interval import How, Interval
from graphtape.core.tape.outcome import (
    Assemble,
    Break,
    FailedDependency,
    Forward,
    Found,
    Inject,
    Mode,
    Outcome,
    Override,
    Playback,
    Refuse,
    Replay,
)
from graphtape.core.tape.position import Miss, Order, Player
from graphtape.core.tape.question import Batch, Question, Sought

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphtape.core.message import Request, Response
    from graphtape.core.scenario.status import StatusRule
    from graphtape.core.tape.recording import Recording


@dataclass(slots=True)
class Session:
    """The state of one client's play.

    Attributes:
        id: `default`, or what its path prefix names.
        mode: Where an answer may come from.
        playbacks: The cassettes, in the order they are asked.
        rules: Bend what tape or upstream answered, after every scenario.
        script: The scenarios, and what they have counted.
        configuration: Changes whenever questions compiled before are no longer valid.
        forwards: Whether a request may reach upstream.
        plays: Whether an answer may come from the tape, so that a request must be read whole.
    """

    id: str
    mode: Mode
    playbacks: tuple[Playback, ...] = ()
    rules: tuple[StatusRule, ...] = ()
    script: Play = field(default_factory=Play)
    journal: Journal = field(default_factory=Journal)
    configuration: int = field(default=0, init=False)
    forwards: bool = field(init=False)
    plays: bool = field(init=False)

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
        playbacks = (
            Playback(each, Player(each.playable, order=order), number)
            for number, each in enumerate(recordings)
        )
        return cls(
            id=id,
            mode=mode,
            playbacks=tuple(playbacks),
            rules=rules,
            script=script or Play.over(()),
        )

    def __post_init__(self) -> None:
        """Settle what the mode says."""
        match self.mode:
            case Mode.NONE:
                self.forwards = False
            case Mode.ONCE:
                self.forwards = not self.playbacks
            case Mode.NEW_EPISODES | Mode.ALL:
                self.forwards = True
            case _:
                assert_never(self.mode)
        self.plays = bool(self.playbacks) and self.mode is not Mode.ALL

    def direct(self, script: Play, rules: tuple[StatusRule, ...]) -> None:
        """Put scenarios and status rules in place of those there are."""
        self.script, self.rules = script, rules
        self.configuration += 1

    def rewind(self) -> None:
        """Play the cassettes from their start, and the scenarios; the journal stays."""
        for playback in self.playbacks:
            playback.player.rewind()
        self.script = self.script.anew()

    def compile(self, request: Request, *, override: Override | None = None) -> Question:
        """Compute everything about a request that depends on its bytes and the configuration alone.

        Args:
            request: As the client sent it, at a Graph root.
            override: What the client asks for this request alone.
        """
        batch: Batch | RequestError | None = None
        if is_batch(request):
            try:
                parts = parts_of(request)
                questions = {
                    part.id: self.compile(part.request, override=override) for part in parts
                }
                batch = Batch(parts=parts, ordered=in_order(parts), questions=questions)
            except RequestError as exc:
                batch = exc
        overriding = override.script if override is not None else None
        return Question(
            request=request,
            sought=tuple(Sought(playback, request) for playback in self.playbacks)
            if self.plays
            else (),
            fit=self.script.fit(request, session=self.id) if self.script else None,
            override=override,
            override_fit=overriding.fit(request, session=self.id) if overriding else None,
            batch=batch,
        )

    def decide(self, question: Question, *, now: float = 0.0) -> Outcome:
        """Decide where the answer to a request comes from.

        A write that is to be played is reserved: the caller says `played` or `release`.

        Args:
            question: Compiled with the configuration of now.
            now: Seconds on a clock that never goes back.

        Raises:
            RequestError: It is a batch that Graph would refuse.
        """
        if question.fit is None and question.override_fit is None:
            return self._look_up(question)
        decision = self._decide(question, now)
        match decision:
            case Fault():
                return Break(fault=decision)
            case Answer():
                return Inject(answer=decision)
            case Pass(bend=bend):
                directed = self._decide_parts(question, now)
                if isinstance(directed, Fault):
                    return Break(fault=directed)
                outcome = self._look_up(question, directed)
                if bend is None or isinstance(outcome, Refuse):
                    return outcome
                return question.bent(outcome, bend)
            case _:
                assert_never(decision)

    def _scripts(self, question: Question) -> Iterator[tuple[Play, Fit]]:
        if question.override is not None and question.override_fit is not None:
            yield question.override.script, question.override_fit
        if question.fit is not None:
            yield self.script, question.fit

    def _decide(self, question: Question, now: float) -> Decision:
        """Ask every scenario, since each counts requests; the first that decides anything wins."""
        decisions = [script.decide(fit, now=now) for script, fit in self._scripts(question)]
        return next((each for each in decisions if each != PASS), PASS)

    def _decide_parts(self, question: Question, now: float) -> Parts | Fault | None:
        """Ask about each part of a batch; None where nothing is decided, or it is no batch."""
        if not isinstance(question.batch, Batch):
            return None
        asked = [
            (part.id, [*self._scripts(question.batch.questions[part.id])])
            for part in question.batch.ordered
        ]
        decided = [
            script.decide_parts(((name, fits[place][1]) for name, fits in asked), now=now)
            for place, (script, _) in enumerate(self._scripts(question))
        ]
        answers: dict[str, Answer] = {}
        bends: dict[str, Bend] = {}
        for each in reversed(decided):
            if isinstance(each, Fault):
                return each
            answers.update(each.answers)
            bends.update(each.bends)
        return Parts(answers=answers, bends=bends) if answers or bends else None

    def _look_up(
        self, question: Question, directed: Parts | None = None
    ) -> Replay | Assemble | Forward | Refuse:
        if not self.plays and self.forwards:
            return Forward(directed=directed)
        batch = question.batch
        if batch is not None:
            return self._look_up_batch(question, batch, directed)
        found = self._find(question)
        return Forward() if self.forwards and isinstance(found, Refuse) else found

    def _look_up_batch(
        self, question: Question, batch: Batch | RequestError, directed: Parts | None
    ) -> Replay | Assemble | Forward | Refuse:
        if directed is not None and isinstance(batch, Batch):
            return self._plan_directed(question, batch, directed)
        states = tuple(playback.player.state for playback in self.playbacks)
        if question.settled is not None and question.settled[0] == states:
            return question.settled[1]
        found = self._find(question)
        # A batch whose answer isn't in its turn may have newer ones to its parts.
        if isinstance(found, Replay) and found.how is How.NEXT:
            outcome: Replay | Assemble | Forward | Refuse = found
        else:
            whole = found if isinstance(found, Replay) else None
            outcome = self._plan_batch(question, batch, whole)
        if isinstance(outcome, (Replay, Assemble)) and not outcome.once:
            question.settled = states, outcome
        return outcome

    def _plan_directed(
        self, question: Question, batch: Batch, directed: Parts
    ) -> Assemble | Forward:
        """Answer a batch part by part, since scenarios decide about some parts."""
        plan = question.assemble(batch, self._find_parts(batch, directed), directed)
        if plan.misses and self.forwards:
            self.release(plan)
            return Forward(directed=directed)
        return plan

    def _plan_batch(
        self, question: Question, batch: Batch | RequestError, whole: Replay | None
    ) -> Replay | Assemble | Forward | Refuse:
        """Answer a batch part by part; as it was recorded, or not at all, where that fails.

        Args:
            question: Of the batch.
            batch: Its parts, or why Graph would refuse it.
            whole: The answer to the same batch out of its turn: nothing is reserved for it.
        """
        if isinstance(batch, RequestError):
            if whole is None and not self.forwards:
                raise batch
            return whole or Forward()
        plan = question.assemble(batch, self._find_parts(batch))
        if whole is not None and (plan.misses or _is_all_from(whole, plan)):
            self.release(plan)
            return whole
        if plan.misses and self.forwards:
            self.release(plan)
            return Forward()
        return plan

    def _find_parts(self, batch: Batch, directed: Parts | None = None) -> dict[str, Found]:
        """Find an answer to each part, as if those before it had played already."""
        ahead = tuple(playback.player.ahead() for playback in self.playbacks)
        answers = directed.answers if directed is not None else {}
        bends = directed.bends if directed is not None else {}
        found: dict[str, Found] = {}
        for part in batch.ordered:
            failed = next(
                (each for each in part.after if _fails(found[each], bends.get(each))), None
            )
            if failed is not None:
                found[part.id] = FailedDependency(on=failed)
            elif part.id in answers:
                found[part.id] = answers[part.id]
            else:
                found[part.id] = self._find(batch.questions[part.id], ahead)
        return found

    def _find(
        self, question: Question, ahead: tuple[Interval, ...] | None = None
    ) -> Replay | Refuse:
        """Ask each cassette: the first with an unplayed answer, else the first that has the key.

        Args:
            question: To be answered.
            ahead: By cassette, where its tape is to stand in place of where it does; moves on.
        """
        second: Replay | None = None
        misses: list[tuple[Recording, Miss]] = []
        for number, sought in enumerate(question.sought):
            found = sought.find(None if ahead is None else ahead[number])
            if isinstance(found, Replay):
                if found.hit.how is How.NEXT:
                    return found
                second = second or found
            else:
                misses.append((sought.playback.recording, found))
        return second or Refuse(misses=tuple(misses))

    def find(self, request: Request) -> Replay | None:
        """Find the answer to another request than the client's; scenarios don't apply to it."""
        found = self._find(self.compile(request))
        return found if isinstance(found, Replay) else None

    def played(self, plan: Replay | Assemble) -> None:
        """Say that an answer went out whole."""
        if isinstance(plan, Replay):
            plan.playback.player.played(plan.hit)
            return
        for replay in plan.replays:
            replay.playback.player.played(replay.hit)

    def release(self, plan: Replay | Assemble) -> None:
        """Say that an answer didn't go out whole, so that it can play again."""
        for replay in plan.replays if isinstance(plan, Assemble) else (plan,):
            replay.playback.player.release(replay.hit)

    def bend(self, answer: Response, *, to: Request, override: Override | None = None) -> Response:
        """Return an answer of tape or upstream as the session's rules want it."""
        for rule in (*self.rules, *(override.rules if override is not None else ())):
            answer = rule.bend(answer, to=to)
        return answer


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
    """Tell whether all answers to the parts come from the same recorded batch."""
    own = (whole.playback.player, whole.index)
    return all((each.playback.player, each.index) == own for each in plan.replays)
