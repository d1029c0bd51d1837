"""Scenarios as one session meets them: what was counted, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, assert_never

from graphtape.core.matching import writes
from graphtape.core.scenario.budget import Account
from graphtape.core.scenario.calls import misses
from graphtape.core.scenario.canned_answer import throttled, written
from graphtape.core.scenario.duration import NO_WAIT, draw
from graphtape.core.scenario.effect import Breakage, Change, Injection, names_of
from graphtape.core.scenario.random_stream import RandomStream
from graphtape.core.scenario.when import Ask

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from graphtape.core.message import Request, Response
    from graphtape.core.scenario.canned_answer import CannedAnswer
    from graphtape.core.scenario.duration import Wait
    from graphtape.core.scenario.effect import ConnectionFault, Effect, WireFault
    from graphtape.core.scenario.graph_error import Stamp
    from graphtape.core.scenario.rule import Rule, Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Bent:
    """An answer as the client is to get it, and how.

    Attributes:
        response: The object that was given, where nothing in it changes.
    """

    response: Response
    wait: Wait
    fault: WireFault | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bend:
    """What happens to the answer, once tape or upstream has given it.

    Attributes:
        why: The scenario, rule and effects, for journal and report.
    """

    change: Change
    wait: Wait
    why: str

    def apply(self, response: Response) -> Bent:
        """Bend an answer."""
        changed = self.change.made_to(response)
        return Bent(response=changed, wait=self.wait, fault=self.change.fault)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """Look the answer up as ever.

    Attributes:
        bend: For the answer; None leaves it as it is.
    """

    bend: Bend | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Answer this; neither tape nor upstream is asked.

    Attributes:
        why: The scenario, rule and effects, for journal and report.
    """

    answer: CannedAnswer
    wait: Wait
    fault: WireFault | None
    why: str

    def response(self, to: Request, stamp: Stamp) -> Response:
        """Write the answer to a request."""
        return written(self.answer, to=to, stamp=stamp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Break the connection; neither tape nor upstream is asked.

    Attributes:
        why: The scenario, rule and effects, for journal and report.
    """

    kind: ConnectionFault
    wait: Wait
    why: str


Decision: TypeAlias = Pass | Answer | Fault

PASS = Pass()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What happens to the parts of a `$batch`, by their ids.

    Attributes:
        answers: These are neither played nor forwarded.
        bends: For the answers of others.
    """

    answers: Mapping[str, Answer]
    bends: Mapping[str, Bend]

    @property
    def wait(self) -> Wait:
        """The longest: parts are answered together."""
        longest = NO_WAIT
        waits = [each.wait for each in self.answers.values()]
        for wait in (*waits, *(each.wait for each in self.bends.values())):
            longest = longest.longer(wait)
        return longest

    @property
    def fault(self) -> WireFault | None:
        """The first part's that has one: they share a connection."""
        faults = [each.fault for each in self.answers.values()]
        faults += [each.change.fault for each in self.bends.values()]
        return next((fault for fault in faults if fault is not None), None)


@dataclass(slots=True, kw_only=True)
class _Track:
    """One rule and what this session made of it so far.

    Attributes:
        matched: Calls `when` let in.
        acted: Calls `calls` let in as well: the position in the timeline.
        reason: Why the last request it didn't match wasn't meant.
    """

    rule: Rule
    scenario: str
    index: int
    seed: int
    account: Account | None
    matched: int = 0
    acted: int = 0
    reason: str | None = None

    @property
    def why(self) -> str:
        return f"scenario {self.scenario!r}, rule {self.index + 1}"

    def take(self, ask: Ask, *, seen: set[str], now: float) -> tuple[Effect, RandomStream] | None:
        """Count a request; return what happens to it."""
        reason = self.rule.when.differs(ask, seen=seen)
        if reason is not None:
            self.reason = reason
            return None
        self.matched += 1
        stream = RandomStream(
            seed=self.seed, scenario=self.scenario, rule=self.index, call=self.matched
        )
        if misses(self.rule.calls, stream) is not None:
            return None
        self.acted += 1
        effect = self._effect(ask, now)
        return None if effect is None else (effect, stream)

    def _effect(self, ask: Ask, now: float) -> Effect | None:
        if self.account is not None:
            seconds = self.account.spend(write=writes(ask.request), now=now)
            return None if seconds is None else Injection(answer=throttled(seconds))
        return self.rule.timeline[min(self.acted, len(self.rule.timeline)) - 1]


@dataclass(slots=True, kw_only=True)
class Play:
    """Scenarios in one session. Not for two threads at once.

    Attributes:
        awaited: Actions some rule waits for (`after`); only these are kept in mind.
        seen: Those of them that were let pass.
    """

    _tracks: tuple[_Track, ...] = ()
    awaited: frozenset[str] = frozenset()
    seen: set[str] = field(default_factory=set)

    @classmethod
    def over(cls, scenarios: Iterable[Scenario], *, seed: int | None = None) -> Play:
        """Begin; the first scenario's rules come first.

        Args:
            scenarios: As chosen.
            seed: The run's; None takes each scenario's own, or else 0.
        """
        tracks = tuple(
            _Track(
                rule=rule,
                scenario=scenario.name,
                index=index,
                seed=(scenario.seed or 0) if seed is None else seed,
                account=None if rule.budget is None else Account(rule.budget),
            )
            for scenario in scenarios
            for index, rule in enumerate(scenario.rules)
        )
        awaited = {track.rule.when.after for track in tracks}
        return cls(_tracks=tracks, awaited=frozenset(name for name in awaited if name))

    def __bool__(self) -> bool:
        return bool(self._tracks)

    def before(self, request: Request, *, session: str, now: float) -> Decision:
        """Count a request and decide what happens to it; call it once per request.

        Args:
            request: As the client sent it, at a Graph root; not redacted.
            session: The id of its session.
            now: Seconds on a clock that never goes back; for budgets.
        """
        if not self._tracks:
            return PASS
        ask = Ask.of(request, session=session)
        decision: Answer | Fault | None = None
        bend: Bend | None = None
        for track in self._tracks:  # all of them: those that come late count, too
            taken = track.take(ask, seen=self.seen, now=now)
            if taken is None:
                continue
            effect, stream = taken
            wait = draw(effect.delay, stream)
            why = ": ".join(filter(None, (track.why, ", ".join(names_of(effect)))))
            match effect:
                case Injection(answer=answer, fault=fault):
                    decision = decision or Answer(answer=answer, wait=wait, fault=fault, why=why)
                case Breakage(fault=kind):
                    decision = decision or Fault(kind=kind, wait=wait, why=why)
                case Change():
                    bend = bend or Bend(change=effect, wait=wait, why=why)
                case _:
                    assert_never(effect)
        if decision is not None:
            return decision
        if ask.action in self.awaited:
            self.seen.add(ask.action)
        return PASS if bend is None else Pass(bend=bend)

    def before_parts(
        self, parts: Sequence[tuple[str, Request]], *, session: str, now: float
    ) -> Fault | Parts:
        """Decide what happens to the parts of a `$batch`; after `before` let the batch pass.

        A part whose connection is to break breaks the batch's: there is only one.

        Args:
            parts: Ids and requests, in the order they run.
            session: The id of their session.
            now: As in `before`.
        """
        answers: dict[str, Answer] = {}
        bends: dict[str, Bend] = {}
        broken: Fault | None = None
        for name, request in parts:
            decision = self.before(request, session=session, now=now)
            match decision:
                case Answer():
                    answers[name] = decision
                case Fault():
                    broken = broken or decision
                case Pass(bend=bend):
                    if bend is not None:
                        bends[name] = bend
                case _:
                    assert_never(decision)
        return broken or Parts(answers=answers, bends=bends)

    def idle(self) -> tuple[str, ...]:
        """Name each rule that matched no request, and why the last one wasn't meant."""
        return tuple(
            f"{track.why}, matched no request"
            + (f"; of the last one, {track.reason}" if track.reason else "")
            for track in self._tracks
            if not track.matched
        )
