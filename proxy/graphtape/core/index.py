"""Where on a tape each request is answered."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from graphtape.core.matching import Key

_EVERY = range(sys.maxsize)
"""Without parts of batches a slot is the index itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchedKey:
    """One part of a recorded `$batch`, as `Index.of` takes it.

    Attributes:
        id: In its batch.
        key: As that of the same request asked alone.
        write: Whether it may change the tenant.
    """

    id: str
    key: Key
    write: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchedSlot:
    """Where a part of a recorded `$batch` stands.

    Attributes:
        id: In its batch.
        batch: Slot of its batch.
        write: Whether it may change the tenant.
    """

    id: str
    batch: int
    write: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Where on a tape each key is answered; built once and shared by every session.

    Slots number what can answer, in tape order: interactions, and behind each batch its parts.
    Without parts, a slot is the index of its interaction.

    Attributes:
        answers: Per key its slots, ascending.
        writes: The slots of interactions that write, ascending: the barriers. A part is none: it
            stands at its batch's place.
        size: How many slots there are.
        interactions: By slot, the index of the interaction.
        parts: By slot, the parts of batches.
        batches: By the slot of a batch, the slots of its parts.
        lines: By slot, the `answers` of its key; of batches and parts alone.
    """

    answers: Mapping[Key, Sequence[int]]
    writes: Sequence[int]
    size: int
    interactions: Sequence[int] = field(default=_EVERY, repr=False)
    parts: Mapping[int, BatchedSlot] = field(default_factory=dict)
    batches: Mapping[int, Sequence[int]] = field(default_factory=dict)
    lines: Mapping[int, Sequence[int]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        keys: Sequence[Key],
        writes: Sequence[bool],
        parts: Mapping[int, Sequence[BatchedKey]] = MappingProxyType({}),
    ) -> Self:
        """Index a tape.

        Args:
            keys: Of each interaction.
            writes: Whether it writes.
            parts: By the index of a batch, what of it answers one by one too.
        """
        slots = [*_slots(keys, parts)]
        answers: dict[Key, list[int]] = {}
        for slot, (_, key, _) in enumerate(slots):
            answers.setdefault(key, []).append(slot)
        lines = {key: tuple(found) for key, found in answers.items()}
        batched, batches = _batched(slots)
        of_batches = (slot for pair in batches.items() for slot in (pair[0], *pair[1]))
        return cls(
            answers=lines,
            writes=tuple(
                slot
                for slot, (index, _, part) in enumerate(slots)
                if part is None and writes[index]
            ),
            size=len(slots),
            interactions=tuple(index for index, _, _ in slots) if batched else _EVERY,
            parts=batched,
            batches=batches,
            lines={slot: lines[slots[slot][1]] for slot in of_batches},
        )


def _slots(
    keys: Sequence[Key], parts: Mapping[int, Sequence[BatchedKey]]
) -> Iterator[tuple[int, Key, BatchedKey | None]]:
    for index, key in enumerate(keys):
        yield index, key, None
        for part in parts.get(index, ()):
            yield index, part.key, part


def _batched(
    slots: Sequence[tuple[int, Key, BatchedKey | None]],
) -> tuple[dict[int, BatchedSlot], dict[int, list[int]]]:
    """Return the parts by slot, and the slots of parts by that of their batch."""
    parts: dict[int, BatchedSlot] = {}
    batches: dict[int, list[int]] = {}
    batch = 0
    for slot, (_, _, part) in enumerate(slots):
        if part is None:
            batch = slot
        else:
            parts[slot] = BatchedSlot(id=part.id, batch=batch, write=part.write)
            batches.setdefault(batch, []).append(slot)
    return parts, batches
