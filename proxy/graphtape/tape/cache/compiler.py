"""A tape on its way to being compiled: its interactions first, then their keys."""

from __future__ import annotations

from array import array
from hashlib import blake2b
from typing import TYPE_CHECKING

from graphtape.core.graph.batch import recorded_parts
from graphtape.core.tape.recording import Keyed
from graphtape.tape.cache.compiled import Compiled, Head, Lines, Part
from graphtape.tape.cache.packing import pack_interaction, pack_key, unpack_interaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.matching.key import Key, MatchOptions
    from graphtape.core.message import Interaction
    from graphtape.core.redaction import Redactor
    from graphtape.tape.vcr_format import Cassette

_TOLD_EVERY = 1000


def salt_digest(salt: str) -> bytes:
    """Return what tells a salt from another without holding it."""
    return blake2b(salt.encode(), digest_size=32, person=b"graphtape salt").digest()


class Compiler:
    """Packs interactions as they come, and indexes them once their salt is known.

    It stands at the end of a cassette, and without it there are no keys.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._offsets = array("Q", [0])

    def add(self, interaction: Interaction) -> None:
        """Take the next interaction in."""
        self._buffer += pack_interaction(interaction)
        self._offsets.append(len(self._buffer))

    def compiled(
        self,
        about: Cassette,
        *,
        redactor: Redactor,
        options: MatchOptions,
        made_up_salt: str,
        progress: Callable[[int, int], None] | None = None,
    ) -> Compiled:
        """Key what was taken in.

        Args:
            about: What else the cassette holds.
            redactor: With its salt.
            options: What takes part in matching.
            made_up_salt: The salt, where none was given; else empty.
            progress: Told how many interactions are done.
        """
        buffer = memoryview(self._buffer).toreadonly()
        offsets = self._offsets
        count = len(offsets) - 1
        listing = _Listing()
        for number in range(count):
            interaction = unpack_interaction(buffer[offsets[number] : offsets[number + 1]])
            pairs = recorded_parts(interaction)
            listing.add(number, Keyed.of(interaction, pairs, redactor=redactor, options=options))
            if progress is not None and number % _TOLD_EVERY == 0:
                progress(number, count)
        parts = listing.parts
        keys = len(listing.numbers)
        head = Head(
            metadata=about.metadata,
            edited=about.edited,
            made_up_salt=made_up_salt,
            salt_digest=salt_digest(redactor.salt),
            origins=sorted(listing.origins),
            offsets=offsets.tobytes(),
            keys=list(listing.numbers),
            index=_lines(listing.whole, listing.writes, keys),
            playable=_lines(listing.slots, listing.barriers, keys) if parts else None,
            interactions=listing.interactions.tobytes() if parts else b"",
            parts=parts,
            exact=listing.exact,
            size=len(buffer),
        )
        return Compiled(head=head, buffer=buffer)


class _Listing:
    """What is known of the interactions so far.

    Attributes:
        numbers: Of packed keys, in the order they came.
        whole: By interaction, the number of its key.
        writes: Those interactions that write.
        slots: As `whole`, with a slot for each part of a batch behind it.
        interactions: By slot, the index of its interaction.
        barriers: The slots of `writes`.
        parts: Of batches.
        origins: Off Graph.
        exact: Of slots whose key looks through a mask, the exact one, packed.
    """

    def __init__(self) -> None:
        self.numbers: dict[bytes, int] = {}
        self.whole = array("I")
        self.writes = array("I")
        self.slots = array("I")
        self.interactions = array("I")
        self.barriers = array("I")
        self.parts: list[Part] = []
        self.origins: set[str] = set()
        self.exact: list[tuple[int, bytes]] = []

    def add(self, number: int, keyed: Keyed) -> None:
        """List an interaction, and what of it answers one by one."""
        batch = len(self.slots)
        self.whole.append(self._slot(number, keyed.key, keyed.exact))
        if keyed.write:
            self.writes.append(number)
            self.barriers.append(batch)
        for part in keyed.parts:
            slot = len(self.slots)
            self._slot(number, part.key, part.exact)
            self.parts.append(Part(slot=slot, id=part.id, batch=batch, write=part.write))
        if keyed.origin is not None:
            self.origins.add(keyed.origin)

    def _slot(self, number: int, key: Key, exact: Key | None) -> int:
        if exact is not None:
            self.exact.append((len(self.slots), pack_key(exact)))
        known = self.numbers.setdefault(pack_key(key), len(self.numbers))
        self.slots.append(known)
        self.interactions.append(number)
        return known


def _lines(keys: array[int], writes: array[int], count: int) -> Lines:
    """Sort slots by their keys, which are numbered up to `count`."""
    starts = array("I", bytes(4 * (count + 1)))
    for key in keys:
        starts[key + 1] += 1
    for number in range(count):
        starts[number + 1] += starts[number]
    slots = array("I", bytes(4 * len(keys)))
    following = starts[:]
    for slot, key in enumerate(keys):
        slots[following[key]] = slot
        following[key] += 1
    return Lines(
        starts=starts.tobytes(),
        slots=slots.tobytes(),
        keys=keys.tobytes(),
        writes=writes.tobytes(),
    )
