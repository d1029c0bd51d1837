"""Answers that a scenario injects: errors of Graph, or any status, header and body."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias, assert_never

from graphtape.core.graph.actions import CALLER_ID, METADATA_CONTENT_TYPE, error_response
from graphtape.core.graph.delta import fresh_delta
from graphtape.core.message import Headers, Request, Response
from graphtape.core.scenario.graph_error import ERRORS, GraphError, Stamp, challenge, said
from graphtape.core.scenario.when import Ask

if TYPE_CHECKING:
    from graphtape.core.matching.body import Json


_UNAUTHORIZED = 401
_GONE = 410
_DATE_AHEAD = timedelta(seconds=5)


class RetryAfter(enum.Enum):
    """How an answer says when to come back, other than in seconds."""

    DATE = "http-date"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorAnswer:
    """An error in Graph's shape.

    Attributes:
        claims: Of a claims challenge, decoded; None for none.
        retry_after: Seconds, or a date 5 seconds ahead, or not sent.
        headers: Set after all others; None takes one away.
    """

    error: GraphError
    retry_after: int | RetryAfter = RetryAfter.NONE
    claims: Json = None
    headers: tuple[tuple[str, str | None], ...] = ()

    @property
    def status(self) -> int:
        """That of the error."""
        return self.error.status


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainAnswer:
    """Any other answer.

    Attributes:
        body: As it goes out.
        content_type: Of the body, unless `headers` says.
    """

    status: int
    headers: tuple[tuple[str, str | None], ...] = ()
    body: bytes = b""
    content_type: str | None = METADATA_CONTENT_TYPE
    retry_after: int | RetryAfter = RetryAfter.NONE


CannedAnswer: TypeAlias = ErrorAnswer | PlainAnswer


def throttled(seconds: int) -> ErrorAnswer:
    """Return a 429 whose Retry-After is so many seconds."""
    return ErrorAnswer(error=ERRORS["TooManyRequests"], retry_after=seconds)


def reason_of(status: int) -> str:
    """Return the reason phrase of a status; '' of one that isn't registered."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def written(answer: CannedAnswer, *, to: Request, stamp: Stamp) -> Response:
    """Write an answer to a request."""
    match answer:
        case ErrorAnswer():
            response = _error(answer, to, stamp)
        case PlainAnswer():
            response = _plain(answer, to, stamp)
        case _:
            assert_never(answer)
    waits = _waits(answer.retry_after, stamp)
    headers = response.headers if waits is None else response.headers.set("Retry-After", waits)
    return replace(response, headers=changed(headers, answer.headers))


def changed(headers: Headers, changes: tuple[tuple[str, str | None], ...]) -> Headers:
    """Set fields, and take away those whose value is None."""
    for name, value in changes:
        headers = headers.without(name) if value is None else headers.set(name, value)
    return headers


def _error(answer: ErrorAnswer, to: Request, stamp: Stamp) -> Response:
    error = answer.error
    response = error_response(
        error.code,
        said(error, path=Ask.of(to, session="").path, stamp=stamp),
        status=error.status,
        reason=reason_of(error.status),
        date=stamp.date,
        request_id=stamp.request_id,
        client_request_id=to.headers.get(CALLER_ID),
    )
    if error.status == _UNAUTHORIZED:
        headers = response.headers.set("WWW-Authenticate", challenge(answer.claims))
        response = replace(response, headers=headers)
    if error.status == _GONE and (fresh := fresh_delta(to.url)):
        response = replace(response, headers=response.headers.set("Location", fresh))
    return response


def _plain(answer: PlainAnswer, to: Request, stamp: Stamp) -> Response:
    fields = [("Cache-Control", "no-cache"), ("request-id", stamp.request_id)]
    if answer.body and answer.content_type is not None:
        fields.append(("Content-Type", answer.content_type))
    caller = to.headers.get(CALLER_ID)
    if caller is not None:
        fields.append((CALLER_ID, caller))
    return Response(
        status=answer.status,
        reason=reason_of(answer.status),
        headers=Headers.of(fields),
        body=answer.body,
    )


def _waits(retry_after: int | RetryAfter, stamp: Stamp) -> str | None:
    match retry_after:
        case int():
            return str(retry_after)
        case RetryAfter.DATE:
            return stamp.http_date(_DATE_AHEAD)
        case RetryAfter.NONE:
            return None
        case _:
            assert_never(retry_after)
