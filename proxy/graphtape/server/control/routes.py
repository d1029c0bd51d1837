"""The routes of the control API: all there are."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from graphtape.server.control import endpoints
from graphtape.server.control.details.routes import DETAILS
from graphtape.server.control.message import (
    DIRECTIONS,
    Directed,
    EventsQuery,
    Health,
    JournalPage,
    JournalQuery,
    NewSession,
    Nothing,
    Opened,
    SessionFacts,
    SessionList,
)
from graphtape.server.control.rendering import MEDIA
from graphtape.server.control.route import Route
from graphtape.server.control.stream import STREAM

if TYPE_CHECKING:
    from graphtape.server.control.route import AnyRoute

BAD = HTTPStatus.BAD_REQUEST
FORBIDDEN = HTTPStatus.FORBIDDEN
UNKNOWN = HTTPStatus.NOT_FOUND
UNACCEPTABLE = HTTPStatus.NOT_ACCEPTABLE
CONFLICT = HTTPStatus.CONFLICT
MISDIRECTED = HTTPStatus.MISDIRECTED_REQUEST
FULL = HTTPStatus.SERVICE_UNAVAILABLE

ROUTES: tuple[AnyRoute, ...] = (
    Route(
        method="GET",
        path="/health",
        name="getHealth",
        summary="Whether it serves, and what",
        handler=endpoints.health,
        query=Nothing,
        body=Nothing,
        answer=Health,
    ),
    Route(
        method="GET",
        path="/sessions",
        name="listSessions",
        summary="The open sessions",
        handler=endpoints.list_sessions,
        query=Nothing,
        body=Nothing,
        answer=SessionList,
    ),
    Route(
        method="POST",
        path="/sessions",
        name="openSession",
        summary="Open a session",
        handler=endpoints.open_session,
        query=Nothing,
        body=NewSession,
        answer=Opened,
        status=HTTPStatus.CREATED,
        errors=(FORBIDDEN, UNKNOWN, CONFLICT, MISDIRECTED, FULL),
    ),
    Route(
        method="GET",
        path="/sessions/{id}",
        name="getSession",
        summary="What a session is",
        handler=endpoints.get_session,
        query=Nothing,
        body=Nothing,
        answer=SessionFacts,
        errors=(UNKNOWN,),
    ),
    Route(
        method="DELETE",
        path="/sessions/{id}",
        name="closeSession",
        summary="End a session: save what it recorded, and get its last report",
        handler=endpoints.close_session,
        query=Nothing,
        body=Nothing,
        answer=dict[str, object],
        media=MEDIA,
        errors=(UNKNOWN, UNACCEPTABLE, CONFLICT),
    ),
    Route(
        method="PUT",
        path="/sessions/{id}/scenario",
        name="directSession",
        summary="Put scenarios and statuses in place of those a session has",
        handler=endpoints.direct,
        query=Nothing,
        body=object,
        may_be_empty=False,
        body_schema=DIRECTIONS,
        answer=Directed,
        errors=(FORBIDDEN, UNKNOWN),
    ),
    Route(
        method="DELETE",
        path="/sessions/{id}/scenario",
        name="undirectSession",
        summary="Take away a session's scenarios and statuses",
        handler=endpoints.undirect,
        query=Nothing,
        body=Nothing,
        answer=None,
        status=HTTPStatus.NO_CONTENT,
        errors=(UNKNOWN,),
    ),
    Route(
        method="POST",
        path="/sessions/{id}/rewind",
        name="rewindSession",
        summary="Play tapes and scenarios from their start; the journal stays",
        handler=endpoints.rewind,
        query=Nothing,
        body=Nothing,
        answer=None,
        status=HTTPStatus.NO_CONTENT,
        errors=(UNKNOWN,),
    ),
    Route(
        method="GET",
        path="/sessions/{id}/journal",
        name="getJournal",
        summary="What was asked, what was answered, from where, and why; page by page",
        handler=endpoints.journal,
        query=JournalQuery,
        body=Nothing,
        answer=JournalPage,
        errors=(UNKNOWN,),
    ),
    Route(
        method="GET",
        path="/sessions/{id}/report",
        name="getReport",
        summary="What the session has come to, as JSON, Markdown or JUnit",
        handler=endpoints.report,
        query=Nothing,
        body=Nothing,
        answer=dict[str, object],
        media=MEDIA,
        errors=(UNKNOWN, UNACCEPTABLE),
    ),
    Route(
        method="GET",
        path="/sessions/{id}/variables",
        name="getVariables",
        summary="Values that a test made up while recording, by name",
        handler=endpoints.get_variables,
        query=Nothing,
        body=Nothing,
        answer=dict[str, str],
        errors=(UNKNOWN,),
    ),
    Route(
        method="PUT",
        path="/sessions/{id}/variables",
        name="putVariables",
        summary="Keep values beside the recording; those of other names stay",
        handler=endpoints.put_variables,
        query=Nothing,
        body=dict[str, str],
        may_be_empty=False,
        answer=dict[str, str],
        errors=(UNKNOWN, CONFLICT),
    ),
    *DETAILS,
    Route(
        method="GET",
        path="/events",
        name="listen",
        summary="Journal entries as they happen, as server-sent events",
        handler=endpoints.events,
        query=EventsQuery,
        body=Nothing,
        answer=str,
        media=(STREAM,),
        errors=(UNKNOWN, MISDIRECTED, FULL),
    ),
    Route(
        method="GET",
        path="/openapi.json",
        name="getDocument",
        summary="This document",
        handler=endpoints.document,
        query=Nothing,
        body=Nothing,
        answer=dict[str, object],
    ),
)
