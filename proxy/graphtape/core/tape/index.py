"""Where on a tape each request is answered."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from graphtape.core.matching.key import Key

_EVERY = range(sys.maxsize)
"""Without parts of batches a slot is the index itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchedKey:
    """One part of a recorded `$batch`, as `Index.of` takes it.

    Attributes:
        id: In its batch.
        key: As that of the same request asked alone.
        exact: The key that tells its secrets from others; None where nothing does.
        write: Whether it may change the tenant.
    """

    id: str
    key: Key
    exact: Key | None = None
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
        variants: Where requests of one key differ in masks that tell secrets apart, the slots of
            each by its exact key.
        varied: The first slots of such keys.
        lists: By slot of a variant, its variant and all slots of its key.
    """

    answers: Mapping[Key, Sequence[int]]
    writes: Sequence[int]
    size: int
    interactions: Sequence[int] = field(default=_EVERY, repr=False)
    parts: Mapping[int, BatchedSlot] = field(default_factory=dict)
    batches: Mapping[int, Sequence[int]] = field(default_factory=dict)
    lines: Mapping[int, Sequence[int]] = field(default_factory=dict)
    variants: Mapping[Key, Sequence[int]] = field(default_factory=dict)
    varied: frozenset[int] = frozenset()
    lists: Mapping[int, tuple[Sequence[int], Sequence[int]]] = field(default_factory=dict)

    def find(self, key: Key, exact: Key | None) -> Sequence[int] | None:
        """Return the slots that answer a request: those of its very secrets, if there are any."""
        found = self.variants.get(exact) if exact is not None and self.variants else None
        return self.answers.get(key) if found is None else found

    @classmethod
    def of(
        cls,
        keys: Sequence[Key],
        writes: Sequence[bool],
        parts: Mapping[int, Sequence[BatchedKey]] = MappingProxyType({}),
        *,
        exact: Sequence[Key | None] = (),
    ) -> Self:
        """Index a tape.

        Args:
            keys: Of each interaction.
            writes: Whether it writes.
            parts: By the index of a batch, what of it answers one by one too.
            exact: The exact key of each interaction; empty where none has one.
        """
        slots = [*_slots(keys, parts)]
        answers: dict[Key, list[int]] = {}
        for slot, (_, key, _) in enumerate(slots):
            answers.setdefault(key, []).append(slot)
        lines = {key: tuple(found) for key, found in answers.items()}
        batched, batches = _batched(slots)
        of_batches = (slot for pair in batches.items() for slot in (pair[0], *pair[1]))
        keyed = {
            slot: found
            for slot, (index, _, part) in enumerate(slots)
            if (found := _exact(exact, index, part)) is not None
        }
        variants, varied, lists = varied_by(keyed, lambda slot: lines[slots[slot][1]])
        return cls(
            answers=lines,
            variants=variants,
            varied=varied,
            lists=lists,
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


def varied_by(
    exact: Mapping[int, Key], line: Callable[[int], Sequence[int]]
) -> tuple[
    dict[Key, Sequence[int]], frozenset[int], dict[int, tuple[Sequence[int], Sequence[int]]]
]:
    """Return the `variants`, `varied` and `lists` of an index.

    Args:
        exact: The exact keys of slots, where they have one.
        line: Returns the slots of a slot's key.
    """
    found: dict[Key, list[int]] = {}
    for slot, key in exact.items():
        found.setdefault(key, []).append(slot)
    # Where all of a key have the same secrets, or there is but one, the key says it all.
    told = {key: slots for key, slots in found.items() if len(slots) < len(line(slots[0]))}
    variants: dict[Key, Sequence[int]] = {key: tuple(slots) for key, slots in told.items()}
    lists = {slot: (slots, line(slot)) for slots in variants.values() for slot in slots}
    return variants, frozenset(whole[0] for _, whole in lists.values()), lists


def _exact(exact: Sequence[Key | None], index: int, part: BatchedKey | None) -> Key | None:
    if part is not None:
        return part.exact
    return exact[index] if exact else None


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
