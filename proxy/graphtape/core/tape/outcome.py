"""Where the answer to a request is to come from."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from graphtape.core.matching.masked import IN_ORDER
from graphtape.core.tape.position import Hit, Miss, Player, out_of_turn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphtape.core.graph.batch import Part
    from graphtape.core.message import Request, Response
    from graphtape.core.scenario.play import Answer, Bend, Fault, Parts, Play
    from graphtape.core.scenario.status import StatusRule
    from graphtape.core.tape.interval import How
    from graphtape.core.tape.recording import Recording


class Mode(enum.StrEnum):
    """vcrpy's record modes."""

    NONE = "none"
    ONCE = "once"
    NEW_EPISODES = "new_episodes"
    ALL = "all"


@dataclass(slots=True, kw_only=True, eq=False)  # not frozen: one is made for each request
class Replay:
    """Answer from the tape; the same object each time a request is answered so.

    Attributes:
        playback: The cassette.
        request: As the client sent it.
        sent: Pseudonym to identity as the client sent it, so that it gets its own back.
        hit: The answer's place there; `hit.part` names the part of a batch.
        bend: What a scenario makes of it.
        by_order: Whether it may be the answer to a request that differs in what was masked.
    """

    playback: Playback
    request: Request
    sent: Mapping[str, str]
    hit: Hit
    bend: Bend | None = None
    by_order: bool = False

    @property
    def answer(self) -> Response:
        """The answer as recorded, with what the client itself sent as it sent it."""
        return self.playback.recording.answer(self.hit, self.request, self.sent)

    @property
    def index(self) -> int:
        """Of the interaction on its own tape, from 0."""
        return self.hit.index

    @property
    def cassette(self) -> int:
        """Number of its tape among those of the session, from 0."""
        return self.playback.number

    @property
    def how(self) -> How:
        """In its turn, again, or from outside its interval."""
        return self.hit.how

    @property
    def once(self) -> bool:
        """Whether nobody else is given it."""
        return self.hit.reserved

    @property
    def note(self) -> str:
        """Say where it came from, unless it was in its turn and its own."""
        return "; ".join(filter(None, (out_of_turn(self.how), IN_ORDER if self.by_order else "")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """Ask upstream.

    Attributes:
        bend: What a scenario makes of the answer.
        directed: What scenarios say of the parts of a batch.
    """

    bend: Bend | None = None
    directed: Parts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inject:
    """Answer what a scenario says."""

    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Break the connection, as a scenario says."""

    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Nothing recorded answers this, and nothing may be forwarded.

    Attributes:
        misses: One for each cassette, in order: why it has no answer.
    """

    misses: tuple[tuple[Recording, Miss], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedDependency:
    """Neither tape nor upstream is asked: a part this one depends on failed.

    Attributes:
        on: Id of that part.
    """

    on: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assemble:
    """Answer a batch from what answers its parts.

    Attributes:
        parts: In the order they were asked in.
        found: By the id of a part, what answers it; in the order they are to play.
        bend: What a scenario makes of the whole.
        directed: What scenarios say of its parts.
    """

    parts: tuple[Part, ...]
    found: Mapping[str, Found]
    bend: Bend | None = None
    directed: Parts | None = None

    @property
    def replays(self) -> tuple[Replay, ...]:
        """The answers from tape, in the order they are to play."""
        return tuple(each for each in self.found.values() if isinstance(each, Replay))

    @property
    def misses(self) -> bool:
        """Whether nothing recorded answers one of the parts."""
        return any(isinstance(each, Refuse) for each in self.found.values())

    @property
    def once(self) -> bool:
        """Whether it can't be given again as it is."""
        return self.misses or any(each.once for each in self.replays)

    @property
    def index(self) -> int | None:
        """Of the one interaction that all answers are from; None where they aren't from one."""
        places = {(id(each.playback), each.index) for each in self.replays}
        return self.replays[0].index if len(places) == 1 else None

    @property
    def cassette(self) -> int:
        """Number of the tape that the one interaction is on, from 0."""
        return self.replays[0].cassette if self.replays else 0


Found: TypeAlias = "Replay | Refuse | FailedDependency | Answer"
Outcome: TypeAlias = "Replay | Assemble | Forward | Inject | Break | Refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What a client asks for one request alone.

    Attributes:
        script: Scenarios; they come before the session's.
        rules: Come after the session's.
    """

    script: Play
    rules: tuple[StatusRule, ...] = ()


@dataclass(slots=True)
class Playback:
    """A recording and this session's position in it.

    Attributes:
        number: Its place among those of the session, from 0.
    """

    recording: Recording
    player: Player
    number: int = 0
