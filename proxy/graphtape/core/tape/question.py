"""A request, and all of it that depends on its bytes and the session's configuration alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from graphtape.core.tape.outcome import Assemble, Forward, Found, Override, Playback, Refuse, Replay
from graphtape.core.tape.position import NOT_RECORDED, Miss

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphtape.core.errors import RequestError
    from graphtape.core.graph.batch import Part
    from graphtape.core.message import Request
    from graphtape.core.scenario.play import Bend, Fit, Parts
    from graphtape.core.tape.interval import How, Interval

_SHORT = 8
_MOST = 64
"""Outcomes that are remembered per request; a scenario can make any number of them."""


class Sought:
    """A request looked up on one cassette: its key there, and the slots that answer it.

    Attributes:
        playback: The cassette.
        request: As the client sent it.
        sent: As in `Asked`.
        answers: The slots that answer it; None where none does.
        write: Whether it may change the tenant.
        by_order: As in `Replay`.
    """

    __slots__ = ("_last", "_replays", "answers", "by_order", "playback", "request", "sent", "write")

    def __init__(self, playback: Playback, request: Request) -> None:
        """Look a request up."""
        recording = playback.recording
        asked = recording.ask(request)
        answers = asked.answers
        self.by_order = answers is not None and recording.by_order(asked, answers)
        self.sent = asked.sent
        self.settle(playback, answers, request, write=asked.write)

    @classmethod
    def of_slots(
        cls, playback: Playback, answers: Sequence[int] | None, request: Request, *, write: bool
    ) -> Self:
        """Make what a look-up came to elsewhere: the answers count, and nobody is given them."""
        made = cls.__new__(cls)
        made.by_order, made.sent = False, {}
        made.settle(playback, answers, request, write=write)
        return made

    def settle(
        self, playback: Playback, answers: Sequence[int] | None, request: Request, *, write: bool
    ) -> None:
        """Take what a look-up came to; arguments as the attributes."""
        self.playback = playback
        short = answers is not None and len(answers) <= _SHORT
        # A compiled tape gives a view of its own memory, which takes longer to look into.
        self.answers: Sequence[int] | None = tuple(answers) if answers and short else answers
        self.write = write
        self.request = request
        self._last: Replay | None = None
        # Of a request with one answer the last is enough: most requests have one.
        self._replays: dict[tuple[int, How], Replay] | None = {} if self.varies else None

    @property
    def varies(self) -> bool:
        """Whether it has several answers here."""
        return self.answers is not None and len(self.answers) > 1

    def find(self, ahead: Interval | None = None) -> Replay | Miss:
        """Find the answer at the current tape position; a write's is reserved.

        Args:
            ahead: As in `Player.choose`.
        """
        answers = self.answers
        if answers is None:
            return NOT_RECORDED
        player = self.playback.player
        chosen = player.choose(answers, write=self.write, ahead=ahead)
        if chosen is None:
            return player.used_up(answers)
        last = self._last
        if last is not None and last.hit.slot == chosen[0] and last.hit.how is chosen[1]:
            return last
        return self._replay(chosen, answers)

    def _replay(self, chosen: tuple[int, How], answers: Sequence[int]) -> Replay:
        known = None if self._replays is None else self._replays.get(chosen)
        if known is not None:
            self._last = known
            return known
        hit = self.playback.player.hit(chosen, answers, write=self.write)
        replay = Replay(
            playback=self.playback,
            request=self.request,
            sent=self.sent,
            hit=hit,
            by_order=self.by_order,
        )
        if not hit.reserved:  # else it is played once
            self._last = replay
            if self._replays is not None:
                if len(self._replays) >= _MOST:
                    self._replays.clear()
                self._replays[chosen] = replay
        return replay


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A `$batch` taken apart.

    Attributes:
        parts: In the order they were asked in.
        ordered: In the order they may run in.
        questions: What is asked in each, by its id.
    """

    parts: tuple[Part, ...]
    ordered: tuple[Part, ...]
    questions: Mapping[str, Question]


@dataclass(slots=True, kw_only=True, eq=False)
class Question:
    """A request as a session's configuration sees it: computed once, decided any number of times.

    Attributes:
        request: As the client sent it, at Graph's URL.
        sought: On each cassette, in order.
        fit: What the session's scenarios make of it; None where there are none.
        override: What the client asks for this request alone.
        override_fit: What the scenarios of the override make of it.
        batch: Its parts, where it is a `$batch`; why Graph would refuse it; None of any other.
        settled: Of a `$batch`, what answered it, as long as its tapes are in these states.
        shape: As a step has it, once one did; else empty.
    """

    request: Request
    sought: tuple[Sought, ...]
    fit: Fit | None = None
    override: Override | None = None
    override_fit: Fit | None = None
    batch: Batch | RequestError | None = None
    settled: tuple[tuple[object, ...], Replay | Assemble] | None = None
    shape: bytes = b""
    _assembled: dict[tuple[object, ...], Assemble] | None = None
    _bent: dict[tuple[Replay | Assemble, Bend], Replay | Assemble] | None = None

    @property
    def varies(self) -> bool:
        """Whether more than one answer may be given to it, one after the other."""
        if self.fit is not None or self.batch is not None:
            return True
        return any(each.varies for each in self.sought)

    def assemble(
        self, batch: Batch, found: Mapping[str, Found], directed: Parts | None = None
    ) -> Assemble:
        """Answer a batch from what answers its parts; the same object where those are the same."""
        if any(isinstance(each, Refuse) for each in found.values()):
            return Assemble(parts=batch.parts, found=found, directed=directed)
        bends = () if directed is None else tuple(directed.bends.items())
        name = *found.values(), bends
        known = None if self._assembled is None else self._assembled.get(name)
        if known is None:
            known = Assemble(parts=batch.parts, found=found, directed=directed)
            if self._assembled is None or len(self._assembled) >= _MOST:
                self._assembled = {}
            self._assembled[name] = known
        return known

    def bent(self, outcome: Replay | Assemble | Forward, bend: Bend) -> Replay | Assemble | Forward:
        """Return an outcome whose answer is bent; the same object each time."""
        if isinstance(outcome, Forward):
            return replace(outcome, bend=bend)
        known = None if self._bent is None else self._bent.get((outcome, bend))
        if known is None:
            known = replace(outcome, bend=bend)
            if self._bent is None or len(self._bent) >= _MOST:
                self._bent = {}
            self._bent[outcome, bend] = known
        return known
