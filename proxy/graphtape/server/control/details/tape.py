"""What is on a session's tape, and where on it the session is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from graphtape.core.errors import RequestError
from graphtape.core.redaction import Redactor
from graphtape.server.control.details.message import (
    InteractionFacts,
    Place,
    TapePage,
    TapeRow,
)
from graphtape.server.control.details.messages import LONGEST, marked, of_request, of_response

if TYPE_CHECKING:
    from graphtape.core.tape.outcome import Playback
    from graphtape.core.tape.recording import Recording
    from graphtape.server.control.details.message import InteractionQuery, TapeQuery
    from graphtape.server.control.message import Nothing
    from graphtape.server.control.route import Call


async def tape(call: Call[TapeQuery, Nothing]) -> TapePage:
    """Give the interactions of a session's tape, page by page."""
    playback = _playback(call.session.play.playbacks, call.query.cassette)
    recording, playable = playback.recording, playback.recording.playable
    played = {playable.interactions[slot] for slot in playback.player.played_slots()}
    writes = {playable.interactions[slot] for slot in playable.writes}
    size = len(recording.interactions)
    after = min(call.query.after, size)
    end = min(after + call.query.limit, size)
    rows = []
    for index in range(after, end):
        if index % _AT_ONCE == 0:
            await asyncio.sleep(0)  # clients of the data port are answered meanwhile
        interaction = recording.interactions[index]
        request = interaction.request
        rows.append(
            TapeRow(
                index=index,
                method=request.method,
                url=recording.redactor.url(request.url),
                status=interaction.response.status,
                bytes=len(interaction.response.body),
                write=index in writes,
                played=index in played,
            )
        )
    return TapePage(rows=rows, next=end, size=size, played=len(played), position=place(playback))


def place(playback: Playback) -> Place:
    """Tell where on a tape a session is."""
    low, high = playback.player.interval
    return Place(
        cassette=playback.recording.name, write=playback.player.position, low=low, high=high
    )


async def interaction(call: Call[InteractionQuery, Nothing]) -> InteractionFacts:
    """Give one interaction, without secrets, and where masks stand in it."""
    recording = _playback(call.session.play.playbacks, call.query.cassette).recording
    named = call.request.match_info["index"]
    index = int(named) if named.isascii() and named.isdigit() and len(named) < _DIGITS else -1
    if not 0 <= index < len(recording.interactions):
        raise RequestError(
            f"{recording.name} has no interaction {named[:20]!r}; the first is 0, the last "
            f"{len(recording.interactions) - 1}",
            status=HTTPStatus.NOT_FOUND,
            code="GraphtapeInteraction",
        )
    return await asyncio.to_thread(_facts, recording, index)


def _facts(recording: Recording, index: int) -> InteractionFacts:
    """Redact an interaction: of a long one in a thread, so not by the redactor of the loop."""
    own = recording.redactor
    redactor = Redactor(salt=own.salt, policy=own.policy)
    found = recording.interactions[index]
    # Of a body that is too long to be told, the rest isn't looked through.
    answer = found.response
    cut = len(answer.body) > _LOOKED_INTO
    if cut:
        answer = replace(answer, body=b"")
    asked = of_request(redactor.request(found.request).request)
    given = of_response(redactor.response(answer, url=found.request.url))
    if cut:
        given = type(given)(status=given.status, headers=given.headers, body="", cut=True)
    return InteractionFacts(
        cassette=recording.name,
        index=index,
        request=asked,
        response=given,
        marks=[*marked("request", asked), *marked("response", given)],
    )


_DIGITS = 16
_AT_ONCE = 20
"""Interactions that are read between two looks at the network."""
_LOOKED_INTO = 16 * LONGEST


def _playback(playbacks: tuple[Playback, ...], number: int) -> Playback:
    if number >= len(playbacks):
        raise RequestError(
            f"the session plays {len(playbacks)} cassettes; ask for one by its number, from 0",
            status=HTTPStatus.NOT_FOUND,
            code="GraphtapeCassette",
        )
    return playbacks[number]
