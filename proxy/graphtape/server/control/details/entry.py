"""One entry of a journal, with all that is known of it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from graphtape.core.errors import RequestError
from graphtape.server.control.details.message import (
    Difference,
    EntryFacts,
    MissFacts,
    NearestRecorded,
)
from graphtape.server.control.details.messages import of_request

if TYPE_CHECKING:
    from graphtape.core.matching.miss import Explanation
    from graphtape.server.control.message import Nothing
    from graphtape.server.control.route import Call


_DIGITS = 16


async def entry(call: Call[Nothing, Nothing]) -> EntryFacts:
    """Give one entry of a session's journal, and why it was answered so."""
    live, named = call.session, call.request.match_info["number"]
    journal = live.play.journal
    is_number = named.isascii() and named.isdigit() and len(named) < _DIGITS
    found = journal.numbered(int(named)) if is_number else None
    if found is None:
        raise RequestError(
            f"the journal of session {live.play.id!r} has no entry {named[:20]!r}, or keeps it no "
            "longer",
            status=HTTPStatus.NOT_FOUND,
            code="GraphtapeEntry",
        )
    return EntryFacts(
        entry=found,
        why=found.note,
        changed=found.effects,
        misses=[
            miss(each, [playback.recording.name for playback in live.play.playbacks])
            for each in live.missed.get(found.number, ())
        ],
    )


def miss(explanation: Explanation, cassettes: list[str]) -> MissFacts:
    """Tell why nothing recorded answers a request; `cassettes` are those of its session."""
    return MissFacts(
        message=explanation.head,
        asked=of_request(explanation.asked),
        nearest=[
            NearestRecorded(
                cassette=near.cassette,
                number=cassettes.index(near.cassette),
                index=near.index,
                request=of_request(near.recorded),
                differences=[
                    Difference(place=each.place, recorded=each.recorded, asked=each.asked)
                    for each in near.mismatches
                ],
            )
            for near in explanation.nearest
        ],
        advice=list(explanation.advice),
    )
