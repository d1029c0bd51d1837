"""Errors of the proxy itself, in Graph's shape."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from graphtape.core.graph.actions import CALLER_ID, error_response
from graphtape.core.graph.batch import FAILED_DEPENDENCY
from graphtape.core.scenario.graph_error import Stamp

if TYPE_CHECKING:
    from graphtape.core.graph.batch import Part
    from graphtape.core.message import Request, Response


def new_stamp() -> Stamp:
    """Return what of an answer only the shell can know."""
    return Stamp(now=datetime.now(UTC), request_id=str(uuid.uuid4()))


def failed_dependency(part: Part, *, on: str, stamp: Stamp) -> Response:
    """Answer a part of a batch that depends on one that failed."""
    why = f"Request id {part.id} depends on {on!r}, which failed."
    return own_error(part.request, "FailedDependency", why, status=FAILED_DEPENDENCY, stamp=stamp)


def own_error(
    request: Request, code: str, message: str, *, status: int, stamp: Stamp | None = None
) -> Response:
    """Shape an error of ours as Graph's, so that it surfaces in the SDK's own exception.

    Args:
        request: What it answers.
        code: Of the error.
        message: For people.
        status: Of the answer.
        stamp: None is one of now.
    """
    stamp = stamp or new_stamp()
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = code
    return error_response(
        code,
        message,
        status=status,
        reason=reason,
        date=stamp.date,
        request_id=stamp.request_id,
        client_request_id=request.headers.get(CALLER_ID),
    )
