"""Scenarios in one session: the calls counted so far, and what happens to the next one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias, assert_never

from msgspec import Struct

from graphtape.core.matching.key import writes
from graphtape.core.scenario.budget import Account
from graphtape.core.scenario.calls import Always, misses
from graphtape.core.scenario.canned_answer import CannedAnswer, throttled, written
from graphtape.core.scenario.duration import NO_WAIT, Wait, draw
from graphtape.core.scenario.effect import (
    Breakage,
    Change,
    ConnectionFault,
    Injection,
    WireFault,
    names_of,
)
from graphtape.core.scenario.random_stream import RandomStream
from graphtape.core.scenario.when import Ask

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from graphtape.core.message import Request, Response
    from graphtape.core.scenario.graph_error import Stamp
    from graphtape.core.scenario.notice import Notice
    from graphtape.core.scenario.rule import Rule, Scenario


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bend:
    """What happens to the answer, once tape or upstream has given it.

    Attributes:
        why: The scenario, rule and effects, for journal and report.
    """

    change: Change
    wait: Wait
    why: str

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Changes that the app is notified of."""
        return self.change.notices

    def apply(self, response: Response) -> Response:
        """Bend an answer; the same object where nothing in it changes."""
        return self.change.made_to(response)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """Let the request pass: the answer comes from tape or upstream.

    Attributes:
        bend: For the answer; None leaves it as it is.
    """

    bend: Bend | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """Answer this; neither tape nor upstream is asked.

    Attributes:
        why: The scenario, rule and effects, for journal and report.
    """

    answer: CannedAnswer
    wait: Wait
    fault: WireFault | None
    why: str
    notices: tuple[Notice, ...] = ()

    def response(self, to: Request, stamp: Stamp) -> Response:
        """Write the answer to a request."""
        return written(self.answer, to=to, stamp=stamp)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fault:
    """Break the connection; neither tape nor upstream is asked.

    Attributes:
        why: The scenario, rule and effects, for journal and report.
    """

    kind: ConnectionFault
    wait: Wait
    why: str
    notices: tuple[Notice, ...] = ()


Decision: TypeAlias = Pass | Answer | Fault

PASS = Pass()
_NOTHING_SEEN: frozenset[str] = frozenset()


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
    def notices(self) -> tuple[Notice, ...]:
        """Changes that the app is notified of."""
        notices = [notice for each in self.answers.values() for notice in each.notices]
        notices += [notice for each in self.bends.values() for notice in each.notices]
        return tuple(notices)

    @property
    def fault(self) -> WireFault | None:
        """The first part's that has one: they share a connection."""
        faults = [each.fault for each in self.answers.values()]
        faults += [each.change.fault for each in self.bends.values()]
        return next((fault for fault in faults if fault is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """Which rules of a play match one request, independent of what was counted so far.

    Attributes:
        action: Its last segment, where some rule waits for it; else empty.
        meant: The rules that mean it, by index, unless they wait for an action first.
        reasons: By rule, why it doesn't mean the request; None where it does.
        write: Whether the request may change the tenant.
    """

    action: str
    meant: tuple[int, ...]
    reasons: tuple[str | None, ...]
    write: bool


@dataclass(slots=True, kw_only=True)
class _Track:
    """One rule with the counters of this session.

    Attributes:
        matched: Calls `when` let in.
        acted: Calls `calls` let in as well: the position in the timeline.
        made: What it decided, by the place of an effect in the timeline or the seconds a budget
            asks to wait: it decides the same each time, unless a delay is drawn.
    """

    rule: Rule
    scenario: str
    index: int
    seed: int
    account: Account | None = field(init=False)
    matched: int = 0
    acted: int = 0
    made: dict[tuple[str, int], Answer | Fault | Bend] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.account = None if self.rule.budget is None else Account(self.rule.budget)

    def anew(self) -> _Track:
        """Return a copy with all counters at zero."""
        return replace(self, matched=0, acted=0)

    @property
    def why(self) -> str:
        return f"scenario {self.scenario!r}, rule {self.index + 1}"

    def take(self, *, write: bool, now: float) -> Answer | Fault | Bend | None:
        """Count a request that the rule matches; return what happens to it."""
        rule = self.rule
        self.matched += 1
        if not isinstance(rule.calls, Always) and misses(rule.calls, self._stream()) is not None:
            return None
        self.acted += 1
        if self.account is not None:
            seconds = self.account.spend(write=write, now=now)
            if seconds is None:
                return None
            name = "budget", seconds
        else:
            name = "timeline", min(self.acted, len(rule.timeline)) - 1
        known = self.made.get(name)
        return self._decide(*name) if known is None else known

    def _decide(self, kind: str, number: int) -> Answer | Fault | Bend | None:
        budget = kind == "budget"
        effect = Injection(answer=throttled(number)) if budget else self.rule.timeline[number]
        if effect is None:
            return None
        wait = NO_WAIT if effect.delay is None else draw(effect.delay, self._stream())
        why = ": ".join(filter(None, (self.why, ", ".join(names_of(effect)))))
        decided: Answer | Fault | Bend
        match effect:
            case Injection(answer=answer, fault=fault, notices=notices):
                decided = Answer(answer=answer, wait=wait, fault=fault, why=why, notices=notices)
            case Breakage(fault=kind_of_fault, notices=notices):
                decided = Fault(kind=kind_of_fault, wait=wait, why=why, notices=notices)
            case Change():
                decided = Bend(change=effect, wait=wait, why=why)
            case _:
                assert_never(effect)
        if effect.delay is None:
            self.made[kind, number] = decided
        return decided

    def _stream(self) -> RandomStream:
        return RandomStream(
            seed=self.seed, scenario=self.scenario, rule=self.index, call=self.matched
        )


class PlaySnapshot(Struct, frozen=True, array_like=True):
    """What scenarios have counted at one moment.

    Attributes:
        tracks: Of each rule: the calls it matched, those it acted on, and the times that count
            against a budget, of writes and of any.
        seen: The actions some rule waits for that were let pass.
    """

    tracks: list[tuple[int, int, tuple[list[float], list[float]]]]
    seen: list[str]


@dataclass(slots=True, kw_only=True)
class Play:
    """Scenarios in one session. Not for two threads at once.

    Attributes:
        awaited: Actions some rule waits for (`after`); only these are kept in mind.
        fields: Header fields that some rule looks at, lower case.
        seen: Those of the actions that were let pass.
    """

    _tracks: tuple[_Track, ...] = ()
    awaited: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    seen: set[str] = field(default_factory=set)
    _last: tuple[Fit, frozenset[str]] | None = None

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
            )
            for scenario in scenarios
            for index, rule in enumerate(scenario.rules)
        )
        awaited = {track.rule.when.after for track in tracks}
        fields = {name.lower() for track in tracks for name, _ in track.rule.when.header}
        return cls(
            _tracks=tracks,
            awaited=frozenset(name for name in awaited if name),
            fields=frozenset(fields),
        )

    def __bool__(self) -> bool:
        return bool(self._tracks)

    def anew(self) -> Play:
        """Return the same scenarios with nothing counted; a `Fit` is good for both."""
        tracks = tuple(each.anew() for each in self._tracks)
        return replace(self, _tracks=tracks, seen=set(), _last=None)

    def snapshot(self) -> PlaySnapshot:
        """Return all that was counted."""
        return PlaySnapshot(
            tracks=[
                (each.matched, each.acted, each.account.snapshot() if each.account else ([], []))
                for each in self._tracks
            ],
            seen=sorted(self.seen),
        )

    def restore(self, found: PlaySnapshot) -> None:
        """Count what `snapshot` says; of the same scenarios."""
        for track, (matched, acted, spent) in zip(self._tracks, found.tracks, strict=True):
            track.matched, track.acted = matched, acted
            if track.account is not None:
                track.account.restore(*spent)
        self.seen = set(found.seen)

    @property
    def no_reasons(self) -> tuple[None, ...]:
        """The reasons of a request that was matched elsewhere."""
        return (None,) * len(self._tracks)

    def fit(self, request: Request, *, session: str) -> Fit:
        """Find the rules that match a request. Nothing is counted.

        Args:
            request: As the client sent it, at a Graph root; not redacted.
            session: The id of its session.
        """
        ask = Ask.of(request, session=session)
        reasons = tuple(track.rule.when.differs(ask) for track in self._tracks)
        return Fit(
            action=ask.action if ask.action in self.awaited else "",
            meant=tuple(number for number, reason in enumerate(reasons) if reason is None),
            reasons=reasons,
            write=any(track.account for track in self._tracks) and writes(request),
        )

    def decide(self, fit: Fit, *, now: float) -> Decision:
        """Count a request and decide what happens to it; call it once per request.

        Args:
            fit: Of the request.
            now: Seconds on a clock that never goes back; for budgets.
        """
        self._last = fit, frozenset(self.seen) if self.awaited else _NOTHING_SEEN
        decision: Answer | Fault | None = None
        bend: Bend | None = None
        for number in fit.meant:  # all of them: those that come late count, too
            track = self._tracks[number]
            if track.rule.when.lacks(self.seen) is not None:
                continue
            match track.take(write=fit.write, now=now):
                case None:
                    pass
                case Bend() as bending:
                    bend = bend or bending
                case deciding:
                    decision = decision or deciding
        if decision is not None:
            return decision
        if fit.action:
            self.seen.add(fit.action)
        return PASS if bend is None else Pass(bend=bend)

    def decide_parts(self, parts: Iterable[tuple[str, Fit]], *, now: float) -> Fault | Parts:
        """Decide what happens to the parts of a `$batch`; after `decide` let the batch pass.

        A part whose connection is to break breaks the batch's: there is only one.

        Args:
            parts: Ids, and the fit of each request, in the order they run.
            now: As in `decide`.
        """
        answers: dict[str, Answer] = {}
        bends: dict[str, Bend] = {}
        broken: Fault | None = None
        for name, fit in parts:
            decision = self.decide(fit, now=now)
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
        """Name each rule that matched no request, and why it didn't match the last one."""
        return tuple(
            f"{track.why}, matched no request"
            + (f"; of the last one, {reason}" if (reason := self._missed(number)) else "")
            for number, track in enumerate(self._tracks)
            if not track.matched
        )

    def _missed(self, number: int) -> str | None:
        """Return why a rule that never matched didn't match the last request."""
        if self._last is None:
            return None
        fit, seen = self._last
        return fit.reasons[number] or self._tracks[number].rule.when.lacks(seen)
