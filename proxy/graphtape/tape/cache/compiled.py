"""A compiled tape: its interactions in one buffer, and how they are found there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, ValuesView
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, overload

import msgspec

from graphtape.core.graph.batch import recorded_parts
from graphtape.core.message import Interaction
from graphtape.core.tape.index import BatchedSlot, Index, varied_by
from graphtape.core.tape.recording import Recording, as_asked_alone
from graphtape.tape.cache.packing import pack_key, unpack_interaction, unpack_key
from graphtape.tape.vcr_format import Metadata  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from graphtape.core.matching.key import Key, MatchOptions
    from graphtape.core.redaction import Redactor

_REMEMBERED = 256
_LONGEST_REMEMBERED = 64 * 1024
_BATCHES_REMEMBERED = 64


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A part of a recorded `$batch`, as `BatchedSlot` has it, and its own slot."""

    slot: int
    id: str
    batch: int
    write: bool


class Lines(msgspec.Struct, frozen=True):
    """Which slots answer each key; numbers of 4 bytes in the machine's own order.

    Attributes:
        starts: By key, where its slots begin in `slots`; one more at the end.
        slots: Of all keys, one key's after the other's, ascending in each.
        keys: By slot, its key.
        writes: As `Index.writes`.
    """

    starts: bytes
    slots: bytes
    keys: bytes
    writes: bytes


class Head(msgspec.Struct, frozen=True):
    """All of a compiled tape but its interactions.

    Attributes:
        metadata: As the cassette has it.
        edited: Whether it differs from what its metadata says.
        made_up_salt: Of the keys' pseudonyms, where no salt was given; else empty.
        salt_digest: Of whichever salt the keys were made with.
        origins: As `Recording.origins`.
        offsets: By interaction, where it begins in the buffer, in 8 bytes; one more at the end.
        keys: Packed, in the order of their first slots.
        index: Over the interactions.
        playable: Over the parts of batches too; None where there are none.
        interactions: By slot of `playable`, the index of its interaction, in 4 bytes.
        parts: In the order of their slots.
        exact: The packed exact keys of slots of `playable`, or else of `index`, that have one.
        size: Of the buffer, in bytes.
    """

    metadata: Metadata | None
    edited: bool
    made_up_salt: str
    salt_digest: bytes
    origins: list[str]
    offsets: bytes
    keys: list[bytes]
    index: Lines
    playable: Lines | None
    interactions: bytes
    parts: list[Part]
    exact: list[tuple[int, bytes]]
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A compiled tape.

    Attributes:
        head: How interactions are found.
        buffer: They themselves, packed.
    """

    head: Head
    buffer: memoryview

    def recording(self, *, name: str, redactor: Redactor, options: MatchOptions) -> Recording:
        """Return the recording it was made from; an interaction is read when it is asked for.

        Args:
            name: What messages call it.
            redactor: With the salt and policy its keys were made with.
            options: Those they were made with.
        """
        head = self.head
        numbers = {key: number for number, key in enumerate(head.keys)}
        interactions = Tape(self.buffer, memoryview(head.offsets).cast("Q"))
        exact = {slot: unpack_key(packed) for slot, packed in head.exact}
        if head.playable is None:
            index = playable = _index(head.index, numbers, exact)
        else:
            by_slot = memoryview(head.interactions).cast("I")
            index = _index(head.index, numbers, {})
            playable = _index(head.playable, numbers, exact, by_slot, head.parts)
        return Recording(
            name=name,
            upstream=head.metadata.upstream if head.metadata is not None else None,
            interactions=interactions,
            index=index,
            playable=playable,
            parts=Parts(interactions, playable),
            origins=frozenset(head.origins),
            redactor=redactor,
            options=options,
            alike=frozenset(head.metadata.alike if head.metadata is not None else ()),
        )


def _index(
    lines: Lines,
    numbers: dict[bytes, int],
    exact: Mapping[int, Key],
    interactions: Sequence[int] | None = None,
    parts: Sequence[Part] = (),
) -> Index:
    answers = Answers(
        numbers, memoryview(lines.starts).cast("I"), memoryview(lines.slots).cast("I")
    )
    keys = memoryview(lines.keys).cast("I")
    writes = memoryview(lines.writes).cast("I")
    variants, varied, lists = varied_by(exact, lambda slot: answers.line(keys[slot]))
    if interactions is None:
        return Index(
            answers=answers,
            writes=writes,
            size=len(keys),
            variants=variants,
            varied=varied,
            lists=lists,
        )
    batches: dict[int, list[int]] = {}
    for part in parts:
        batches.setdefault(part.batch, []).append(part.slot)
    of_batches = (slot for pair in batches.items() for slot in (pair[0], *pair[1]))
    return Index(
        answers=answers,
        writes=writes,
        size=len(keys),
        interactions=interactions,
        parts={
            part.slot: BatchedSlot(id=part.id, batch=part.batch, write=part.write) for part in parts
        },
        batches=batches,
        lines={slot: answers.line(keys[slot]) for slot in of_batches},
        variants=variants,
        varied=varied,
        lists=lists,
    )


class Answers(Mapping["Key", "Sequence[int]"]):
    """`Index.answers` over packed keys: a key is read only when all are iterated over."""

    def __init__(
        self, numbers: dict[bytes, int], starts: Sequence[int], slots: Sequence[int]
    ) -> None:
        self._numbers = numbers
        self._starts = starts
        self._slots = slots

    def __getitem__(self, key: Key) -> Sequence[int]:
        line = self.line(self._numbers[pack_key(key)])
        if not line:  # the key of a part of a batch alone
            raise KeyError(key)
        return line

    def __iter__(self) -> Iterator[Key]:
        packed = list(self._numbers)
        return (unpack_key(packed[number]) for number in self._in_order())

    def __len__(self) -> int:
        return sum(start < end for start, end in pairwise(self._starts))

    def values(self) -> ValuesView[Sequence[int]]:
        """Return the slots of each key, without reading the keys."""
        return _Values(self)

    def line(self, number: int) -> Sequence[int]:
        """Return the slots of a key, by its number."""
        return self._slots[self._starts[number] : self._starts[number + 1]]

    def all_lines(self) -> Iterator[Sequence[int]]:
        """Return those of each key that has any."""
        return map(self.line, self._in_order())

    def _in_order(self) -> list[int]:
        """Return the keys that have slots, by the first of them.

        That isn't the order of their numbers where a part of a batch was the first to have one.
        """
        lines = enumerate(pairwise(self._starts))
        found = [number for number, (start, end) in lines if start < end]
        found.sort(key=lambda number: self._slots[self._starts[number]])
        return found


class _Values(ValuesView["Sequence[int]"]):
    _mapping: Answers

    def __init__(self, answers: Answers) -> None:
        super().__init__(answers)
        self._answers = answers

    def __iter__(self) -> Iterator[Sequence[int]]:
        return self._answers.all_lines()


class Tape(Sequence[Interaction]):
    """Interactions in a buffer; those asked for last are kept, unless they are large."""

    def __init__(self, buffer: memoryview, offsets: Sequence[int]) -> None:
        self._buffer = buffer
        self._offsets = offsets
        self._remembered: Callable[[int], Interaction] = lru_cache(_REMEMBERED)(self._read)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, index: int) -> Interaction: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Interaction, ...]: ...

    def __getitem__(self, index: int | slice) -> Interaction | tuple[Interaction, ...]:
        if isinstance(index, slice):
            return tuple(map(self._read, range(*index.indices(len(self)))))
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(index)
        size = self._offsets[number + 1] - self._offsets[number]
        return self._remembered(number) if size <= _LONGEST_REMEMBERED else self._read(number)

    def __iter__(self) -> Iterator[Interaction]:
        return map(self._read, range(len(self)))  # past the memory, which is for few

    def _read(self, number: int) -> Interaction:
        return unpack_interaction(self._buffer[self._offsets[number] : self._offsets[number + 1]])


class Parts(Mapping[int, Interaction]):
    """`Recording.parts`, taken out of their batches when they are asked for."""

    def __init__(self, interactions: Sequence[Interaction], index: Index) -> None:
        self._interactions = interactions
        self._index = index
        self._batch = lru_cache(_BATCHES_REMEMBERED)(self._read)

    def __getitem__(self, slot: int) -> Interaction:
        part = self._index.parts[slot]
        return self._batch(part.batch)[slot - part.batch - 1]

    def __iter__(self) -> Iterator[int]:
        return iter(self._index.parts)

    def __len__(self) -> int:
        return len(self._index.parts)

    def _read(self, batch: int) -> tuple[Interaction, ...]:
        whole = self._interactions[self._index.interactions[batch]]
        return tuple(as_asked_alone(*pair) for pair in recorded_parts(whole))
