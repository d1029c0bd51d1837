"""Errors of the proxy itself, in Graph's shape."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from graphtape.core.batch import FAILED_DEPENDENCY
from graphtape.core.graph import error_response
from graphtape.core.scenario import Stamp

if TYPE_CHECKING:
    from graphtape.core.batch import Part
    from graphtape.core.message import Request, Response

CALLER_ID = "client-request-id"
"""Graph repeats it in the answer, where the caller sent one."""


def stamp() -> Stamp:
    """Return what of an answer only the shell can know."""
    return Stamp(now=datetime.now(UTC), request_id=str(uuid.uuid4()))


def failed_dependency(part: Part, *, on: str) -> Response:
    """Answer a part of a batch that depends on one that failed."""
    why = f"Request id {part.id} depends on {on!r}, which failed."
    return own_error(part.request, "FailedDependency", why, status=FAILED_DEPENDENCY)


def own_error(request: Request, code: str, message: str, *, status: int) -> Response:
    """Shape an error of ours as Graph's, so that it surfaces in the SDK's own exception."""
    now = datetime.now(UTC)
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = code
    return error_response(
        code,
        message,
        status=status,
        reason=reason,
        date=now.strftime("%Y-%m-%dT%H:%M:%S"),
        request_id=str(uuid.uuid4()),
        client_request_id=request.headers.get(CALLER_ID),
    )
