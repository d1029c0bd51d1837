"""What sessions use of the tapes they play: as much work as was played, however long a tape is."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from graphtape.core.matching.mismatch import spelled_out
from graphtape.core.report.wording import cut

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from graphtape.core.tape.outcome import Playback
    from graphtape.core.tape.recording import Recording

MOST_UNUSED = 100
"""Unused interactions of a cassette that are told by method and URL, beside their indices."""

LONGEST_URL = 2_000
"""Characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusedRequest:
    """An interaction that was left unused; method and URL as recorded, secrets out."""

    index: int
    method: str
    url: str


class Told(Protocol):
    """What is told of a recording that sessions played."""

    @property
    def size(self) -> int:
        """How many interactions it holds."""

    def requests(self, indices: Sequence[int]) -> tuple[UnusedRequest, ...]:
        """Tell interactions by method and URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unused:
    """What a session left unused of a cassette that it played.

    Attributes:
        cassette: Its name, as the replay was given it.
        tape: Shared with the other sessions that played it.
        used: Indices of the interactions that were used.
    """

    cassette: str
    tape: Told = field(repr=False)
    used: frozenset[int] = field(repr=False)

    @property
    def count(self) -> int:
        """How many were left unused; as good as free, unlike their indices."""
        return self.tape.size - len(self.used)

    @property
    def indices(self) -> tuple[int, ...]:
        """All of them, rising; empty where everything was used."""
        return tuple(each for each in range(self.tape.size) if each not in self.used)

    @property
    def requests(self) -> tuple[UnusedRequest, ...]:
        """The first of them, to be read."""
        unused = (each for each in range(self.tape.size) if each not in self.used)
        return self.tape.requests(tuple(islice(unused, MOST_UNUSED)))


class Tape:
    """A recording looked through once, for all the sessions that played it."""

    def __init__(self, recording: Recording) -> None:
        """Take a recording.

        Args:
            recording: Nothing joins it any more.
        """
        self._recording = recording
        self._told: dict[int, UnusedRequest] = {}
        index = recording.playable
        self._index = index
        parts = (slot for slot, part in index.parts.items() if part.write)
        self._writes = frozenset((*index.writes, *parts))
        self._lines: dict[int, Sequence[int]] = {}
        for answers in index.answers.values():
            self._lines.update(dict.fromkeys(answers, answers))

    @property
    def size(self) -> int:
        """How many interactions it holds."""
        return len(self._recording.interactions)

    def used(self, played: AbstractSet[int]) -> frozenset[int]:
        """Return the indices of the writes that played, and of all reads of a key that was asked.

        Args:
            played: Slots. A batch counts as what is left of its parts.
        """
        index = self._index
        asked = {answers[0]: answers for answers in map(self._lines.__getitem__, played)}
        slots = set(played)
        for answers in asked.values():
            slots.update(slot for slot in answers if slot not in self._writes)
        batches = {index.parts[slot].batch for slot in slots if slot in index.parts}
        slots.update(batch for batch in batches if slots.issuperset(index.batches[batch]))
        return frozenset(index.interactions[slot] for slot in slots if slot not in index.parts)

    def requests(self, indices: Sequence[int]) -> tuple[UnusedRequest, ...]:
        """Tell interactions by method and URL."""
        return tuple(map(self._request, indices))

    def _request(self, index: int) -> UnusedRequest:
        found = self._told.get(index)
        if found is None:
            request = self._recording.interactions[index].request
            # Unlike the journal, the tape may hold secrets: a user may have recorded it elsewhere.
            url = spelled_out(self._recording.redactor.url(request.url))
            found = self._told[index] = UnusedRequest(
                index=index, method=spelled_out(request.method), url=cut(url, LONGEST_URL)
            )
        return found


@dataclass(slots=True, kw_only=True)
class Usage:
    """The tapes that a number of sessions played."""

    _tapes: dict[int, tuple[Recording, Tape]] = field(default_factory=dict)

    def unused(self, playback: Playback) -> Unused:
        """Say what a session leaves unused of a tape; what it plays afterwards changes nothing."""
        tape = self._tape(playback.recording)
        return Unused(
            cassette=playback.recording.name,
            tape=tape,
            used=tape.used(playback.player.played_slots()),
        )

    def _tape(self, recording: Recording) -> Tape:
        # By identity: what is equal would have to be compared, and nothing here can be hashed. The
        # recording is kept, so that no other one gets its id.
        found = self._tapes.get(id(recording))
        if found is None:
            found = self._tapes[id(recording)] = recording, Tape(recording)
        return found[1]
