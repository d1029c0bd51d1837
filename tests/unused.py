"""What a session left unused, counted apart from the product's own report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphtape.core.tape.index import Index
    from graphtape.core.tape.position import Player
    from graphtape.core.tape.session import Session


def unused(player: Player, index: Index) -> tuple[int, ...]:
    """Return the indices of writes never played, and all indices of reads never asked.

    A batch counts as what is left of its parts.
    """
    played = player.played_slots()
    writes = {*index.writes, *(slot for slot, part in index.parts.items() if part.write)}
    idle: set[int] = set()
    for answers in index.answers.values():
        left = [slot for slot in answers if slot not in played]
        asked = len(left) < len(answers)
        idle.update(slot for slot in left if slot in writes or not asked)
    found = (
        slot
        for slot in idle
        if slot not in index.parts
        and (slot not in index.batches or not idle.isdisjoint(index.batches[slot]))
    )
    return tuple(sorted(index.interactions[slot] for slot in found))


def left_unused(session: Session) -> dict[str, tuple[int, ...]]:
    """Return it by cassette; nothing of those that were used up."""
    by_name = {
        playback.recording.name: unused(playback.player, playback.recording.playable)
        for playback in session.playbacks
    }
    return {name: indices for name, indices in by_name.items() if indices}
