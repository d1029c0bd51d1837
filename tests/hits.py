"""Requests found on a tape by their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphtape.core.tape.position import NOT_RECORDED

if TYPE_CHECKING:
    from graphtape.core.matching.key import Key
    from graphtape.core.tape.index import Index
    from graphtape.core.tape.interval import Interval
    from graphtape.core.tape.position import Hit, Miss, Player


def find(
    player: Player, index: Index, key: Key, *, write: bool, ahead: Interval | None = None
) -> Hit | Miss:
    """Find the answer to a request; other arguments as of `Player.choose`."""
    answers = index.find(key, None)
    if answers is None:
        return NOT_RECORDED
    chosen = player.choose(answers, write=write, ahead=ahead)
    return player.used_up(answers) if chosen is None else player.hit(chosen, answers, write=write)
