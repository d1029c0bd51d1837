"""The routes of these calls."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from graphtape.server.control.details import entry, library, notification, tape
from graphtape.server.control.details.message import (
    CassetteList,
    EntryFacts,
    FindingList,
    InteractionFacts,
    InteractionQuery,
    ScenarioList,
    ScenarioText,
    TapePage,
    TapeQuery,
)
from graphtape.server.control.details.notification_message import DispatchList, NewNotification
from graphtape.server.control.message import Nothing
from graphtape.server.control.route import Route

if TYPE_CHECKING:
    from graphtape.server.control.route import AnyRoute

_UNKNOWN = (HTTPStatus.NOT_FOUND,)

DETAILS: tuple[AnyRoute, ...] = (
    Route(
        method="GET",
        path="/sessions/{id}/journal/{number}",
        name="getEntry",
        summary="One entry of the journal; of a miss, the nearest recorded and how it differs",
        handler=entry.entry,
        query=Nothing,
        body=Nothing,
        answer=EntryFacts,
        errors=_UNKNOWN,
    ),
    Route(
        method="GET",
        path="/sessions/{id}/tape",
        name="getTape",
        summary="The interactions of a tape, and where on it the session is; page by page",
        handler=tape.tape,
        query=TapeQuery,
        body=Nothing,
        answer=TapePage,
        errors=_UNKNOWN,
    ),
    Route(
        method="GET",
        path="/sessions/{id}/tape/{index}",
        name="getInteraction",
        summary="One interaction without secrets, and where masks and pseudonyms stand in it",
        handler=tape.interaction,
        query=InteractionQuery,
        body=Nothing,
        answer=InteractionFacts,
        errors=_UNKNOWN,
    ),
    Route(
        method="POST",
        path="/sessions/{id}/notifications",
        name="notify",
        summary="Notify the app of a change",
        handler=notification.notify,
        query=Nothing,
        body=NewNotification,
        may_be_empty=False,
        answer=DispatchList,
        status=HTTPStatus.ACCEPTED,
        errors=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    ),
    Route(
        method="GET",
        path="/sessions/{id}/notifications",
        name="listNotifications",
        summary="What became of the notifications of a session",
        handler=notification.notifications,
        query=Nothing,
        body=Nothing,
        answer=DispatchList,
        errors=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    ),
    Route(
        method="GET",
        path="/scenarios",
        name="listScenarios",
        summary="The presets, and the scenario files of the folder",
        handler=library.list_scenarios,
        query=Nothing,
        body=Nothing,
        answer=ScenarioList,
    ),
    Route(
        method="GET",
        path="/scenarios/{name}",
        name="getScenario",
        summary="A preset as YAML, or the text of a scenario file of the folder",
        handler=library.get_scenario,
        query=Nothing,
        body=Nothing,
        answer=ScenarioText,
        errors=(*_UNKNOWN, HTTPStatus.FORBIDDEN),
    ),
    Route(
        method="GET",
        path="/cassettes",
        name="listCassettes",
        summary="The cassettes below the folder, and those that sessions play",
        handler=library.list_cassettes,
        query=Nothing,
        body=Nothing,
        answer=CassetteList,
        errors=(HTTPStatus.CONFLICT,),
    ),
    Route(
        method="GET",
        path="/cassettes/{name}/findings",
        name="getFindings",
        summary="Secrets and identities left in a cassette, as `graphtape scan` finds them",
        handler=library.get_findings,
        query=Nothing,
        body=Nothing,
        answer=FindingList,
        errors=(*_UNKNOWN, HTTPStatus.CONFLICT),
    ),
)
