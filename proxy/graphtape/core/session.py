"""One client's isolated play: where each answer is to come from, and how it is bent."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from graphtape.core.journal import Journal
from graphtape.core.position import Hit, How, Miss, Order, Player

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphtape.core.message import Request, Response
    from graphtape.core.recording import Recording
    from graphtape.core.scenario import StatusRule


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
        index: Of the interaction on its own tape, from 0.
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


Plan = Replay | Forward | Inject | Refuse


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
        decks = (Deck(recording, Player(recording.index, order=order)) for recording in recordings)
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
        """
        if not self.plays and self.forwards:
            return Forward()
        found = self._find(request)
        if isinstance(found, Replay):
            return found
        return Forward() if self.forwards else Refuse(misses=found)

    def _find(self, request: Request) -> Replay | tuple[tuple[Recording, Miss], ...]:
        """Ask each cassette: the first with an unplayed answer, else the first that has the key."""
        second: Replay | None = None
        misses: list[tuple[Recording, Miss]] = []
        for deck in self.decks:
            recording = deck.recording
            asked = recording.ask(request)
            found = deck.player.find(asked.key, write=asked.write)
            match found:
                case Hit():
                    replay = Replay(
                        answer=recording.answer(found.index, asked),
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
        return second or tuple(misses)

    def played(self, plan: Replay) -> None:
        """Say that an answer went out whole."""
        plan.deck.player.played(plan.hit)

    def release(self, plan: Replay) -> None:
        """Say that an answer didn't go out whole, so that it can play again."""
        plan.deck.player.release(plan.hit)

    def bend(self, answer: Response, *, to: Request) -> Response:
        """Return an answer of tape or upstream as the session's rules want it."""
        for rule in self.rules:
            answer = rule.bend(answer, to=to)
        return answer

    def unused(self) -> dict[str, tuple[int, ...]]:
        """Return, by cassette, the indices of writes never played and of reads never asked for."""
        by_cassette = {deck.recording.name: deck.player.unused() for deck in self.decks}
        return {name: unused for name, unused in by_cassette.items() if unused}
