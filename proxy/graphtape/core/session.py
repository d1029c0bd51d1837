"""One client's isolated play: where each answer is to come from, and how it is bent."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from graphtape.core.batch import FIRST_FAILURE, in_order, is_batch, parts_of
from graphtape.core.errors import RequestError
from graphtape.core.journal import Journal
from graphtape.core.position import Hit, How, Miss, Order, Player

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphtape.core.batch import Part
    from graphtape.core.message import Request, Response
    from graphtape.core.recording import Recording
    from graphtape.core.scenario import StatusRule
    from graphtape.core.stretch import Stretch


class Mode(enum.StrEnum):
    """vcrpy's record modes."""

    NONE = "none"
    ONCE = "once"
    NEW_EPISODES = "new_episodes"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Answer from the tape.

    Attributes:
        index: Of the interaction on its own tape, from 0; `hit.part` names the part of a batch.
        how: In its turn, again, or from outside its stretch.
    """

    answer: Response
    index: int
    how: How
    deck: Deck
    hit: Hit


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """Ask upstream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inject:
    """Answer what a scenario says."""

    answer: Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Nothing recorded answers this, and nothing may be forwarded.

    Attributes:
        misses: One for each cassette, in order: why it has no answer.
    """

    misses: tuple[tuple[Recording, Miss], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedDependency:
    """Ask nobody: a part this one depends on failed.

    Attributes:
        on: Id of that part.
    """

    on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assemble:
    """Answer a batch from what answers its parts.

    Attributes:
        parts: In the order they were asked in.
        found: By the id of a part, what answers it; in the order they are to play.
    """

    parts: tuple[Part, ...]
    found: Mapping[str, Replay | Refuse | FailedDependency]

    @property
    def replays(self) -> tuple[Replay, ...]:
        """The answers from tape, in the order they are to play."""
        return tuple(each for each in self.found.values() if isinstance(each, Replay))

    @property
    def misses(self) -> bool:
        """Whether nothing recorded answers one of the parts."""
        return any(isinstance(each, Refuse) for each in self.found.values())

    @property
    def index(self) -> int | None:
        """Of the one interaction that all answers are from; None where they aren't from one."""
        places = {(id(each.deck), each.index) for each in self.replays}
        return self.replays[0].index if len(places) == 1 else None


Plan = Replay | Assemble | Forward | Inject | Refuse


@dataclass(slots=True)
class Deck:
    """A recording and this session's position in it."""

    recording: Recording
    player: Player


@dataclass(slots=True)
class Session:
    """The state of one client's play.

    Attributes:
        id: `default`, or what its path prefix names.
        mode: Where an answer may come from.
        decks: The cassettes, in the order they are asked.
        rules: Bend what tape or upstream answered.
    """

    id: str
    mode: Mode
    decks: tuple[Deck, ...] = ()
    rules: tuple[StatusRule, ...] = ()
    journal: Journal = field(default_factory=Journal)

    @classmethod
    def over(
        cls,
        recordings: Sequence[Recording],
        *,
        mode: Mode,
        order: Order,
        rules: tuple[StatusRule, ...] = (),
        id: str = "default",  # noqa: A002 - the control API's own word
    ) -> Session:
        """Open a session over loaded cassettes."""
        decks = (Deck(each, Player(each.playable, order=order)) for each in recordings)
        return cls(id=id, mode=mode, decks=tuple(decks), rules=rules)

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

    def plan(self, request: Request) -> Plan:
        """Decide where the answer to a request comes from.

        A write that is planned is reserved: the caller says `played` or `release`.

        Raises:
            RequestError: It is a batch that Graph would refuse.
        """
        if not self.plays and self.forwards:
            return Forward()
        found = self._find(request)
        # A batch whose answer isn't in its turn may have newer ones to its parts.
        if is_batch(request) and not (isinstance(found, Replay) and found.how is How.NEXT):
            return self._plan_batch(request, found if isinstance(found, Replay) else None)
        if isinstance(found, Refuse):
            return Forward() if self.forwards else found
        return found

    def _plan_batch(self, request: Request, whole: Replay | None) -> Plan:
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

    def _find_parts(self, parts: tuple[Part, ...]) -> dict[str, Replay | Refuse | FailedDependency]:
        """Find an answer to each part, as if those before it had played already."""
        ahead = tuple(deck.player.ahead() for deck in self.decks)
        found: dict[str, Replay | Refuse | FailedDependency] = {}
        for part in in_order(parts):
            failed = next((needed for needed in part.after if _fails(found[needed])), None)
            if failed is not None:
                found[part.id] = FailedDependency(on=failed)
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
            found = deck.player.find(asked.key, write=asked.write, ahead=stretch)
            match found:
                case Hit():
                    replay = Replay(
                        answer=recording.answer(found, asked),
                        index=found.index,
                        how=found.how,
                        deck=deck,
                        hit=found,
                    )
                    if found.how is How.NEXT:
                        return replay
                    second = second or replay
                case Miss():
                    misses.append((recording, found))
                case _:
                    assert_never(found)
        return second or Refuse(misses=tuple(misses))

    def played(self, plan: Replay | Assemble) -> None:
        """Say that an answer went out whole."""
        for replay in plan.replays if isinstance(plan, Assemble) else (plan,):
            replay.deck.player.played(replay.hit)

    def release(self, plan: Replay | Assemble) -> None:
        """Say that an answer didn't go out whole, so that it can play again."""
        for replay in plan.replays if isinstance(plan, Assemble) else (plan,):
            replay.deck.player.release(replay.hit)

    def bend(self, answer: Response, *, to: Request) -> Response:
        """Return an answer of tape or upstream as the session's rules want it."""
        for rule in self.rules:
            answer = rule.bend(answer, to=to)
        return answer

    def unused(self) -> dict[str, tuple[int, ...]]:
        """Return, by cassette, the indices of writes never played and of reads never asked for."""
        by_cassette = {deck.recording.name: deck.player.unused() for deck in self.decks}
        return {name: unused for name, unused in by_cassette.items() if unused}


def _fails(found: Replay | Refuse | FailedDependency) -> bool:
    return not isinstance(found, Replay) or found.answer.status >= FIRST_FAILURE


def _is_all_from(whole: Replay, plan: Assemble) -> bool:
    """Tell whether taking a batch apart gives nothing but its own parts again."""
    own = (whole.deck.player, whole.index)
    return all((each.deck.player, each.index) == own for each in plan.replays)
