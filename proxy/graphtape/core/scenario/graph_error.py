"""Graph's errors by their codes, written as Graph writes them.

After "Microsoft Graph error responses and resource types", "Microsoft Graph throttling guidance"
and recorded answers.
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from email.utils import format_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from graphtape.core.matching.body import Json

NO_OPERATION_ID = "00000000-0000-0000-0000-000000000000"

_CHALLENGE = (
    'Bearer realm="", '
    'authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
    'client_id="00000003-0000-0000-c000-000000000000"'
)
_INTUNE_URL = "https://fef.msub01.manage.microsoft.com/StatelessChromebookSyncFEService"
_INTUNE_ROOTS = frozenset({"deviceManagement", "deviceAppManagement"})
_TRY_LATER = "The service is temporarily unavailable. Please try again later."


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Time and id of an answer, which the pure core can't make itself.

    Attributes:
        now: The time, in UTC.
        request_id: A fresh GUID.
    """

    now: datetime
    request_id: str

    @property
    def date(self) -> str:
        """The time as `innerError.date` has it."""
        return f"{self.now:%Y-%m-%dT%H:%M:%S}"

    def http_date(self, later: timedelta) -> str:
        """Write a time after this one as Retry-After has it (RFC 9110 section 5.6.7)."""
        return format_datetime(self.now + later, usegmt=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphError:
    """One error.

    Attributes:
        intune: Whether Intune's front end writes the message in its own way, JSON inside JSON.
    """

    code: str
    status: int
    message: str
    intune: bool = False


def _table(*errors: GraphError) -> dict[str, GraphError]:
    return {error.code: error for error in errors}


ERRORS = _table(
    GraphError(code="BadRequest", status=400, message="Request not applicable to target tenant."),
    GraphError(code="Request_BadRequest", status=400, message="Invalid request."),
    GraphError(code="InvalidAuthenticationToken", status=401, message="Access token is empty."),
    GraphError(
        code="Authorization_RequestDenied",
        status=403,
        message="Insufficient privileges to complete the operation.",
    ),
    GraphError(
        code="Forbidden",
        status=403,
        message="Application is not authorized to perform this operation. Application must have "
        "one of the following scopes: DeviceManagementConfiguration.ReadWrite.All",
        intune=True,
    ),
    GraphError(code="accessDenied", status=403, message="Access denied"),
    GraphError(
        code="Request_ResourceNotFound",
        status=404,
        message="Resource does not exist or one of its queried reference-property objects are "
        "not present.",
    ),
    GraphError(code="ResourceNotFound", status=404, message="An error has occurred", intune=True),
    GraphError(code="itemNotFound", status=404, message="The resource could not be found."),
    GraphError(
        code="Conflict",
        status=409,
        message="The current state conflicts with what the request expects.",
        intune=True,
    ),
    GraphError(
        code="SyncStateNotFound",
        status=410,
        message="The sync state generation is not found; continuing without full synchronization "
        "is not possible.",
    ),
    GraphError(
        code="resyncRequired",
        status=410,
        message="Resync required. Replace any local items with the server's version (including "
        "deletes) if you're sure that the service was up to date with your local changes when you "
        "last sync'd. Upload any local changes that the server doesn't know about.",
    ),
    GraphError(
        code="PreconditionFailed", status=412, message="The ETag does not match the resource."
    ),
    GraphError(code="ResourceLocked", status=423, message="The resource is locked."),
    GraphError(code="TooManyRequests", status=429, message="Too many requests"),
    GraphError(code="activityLimitReached", status=429, message="The request has been throttled"),
    # Outlook's 429: the message is empty.
    GraphError(code="UnknownError", status=429, message=""),
    GraphError(code="InternalServerError", status=500, message="Internal Server Error"),
    GraphError(code="generalException", status=500, message="General exception while processing"),
    GraphError(code="NotImplemented", status=501, message="This feature is not implemented."),
    GraphError(code="BadGateway", status=502, message="Bad Gateway"),
    GraphError(code="ServiceUnavailable", status=503, message=_TRY_LATER),
    GraphError(code="serviceNotAvailable", status=503, message=_TRY_LATER),
    GraphError(
        code="GatewayTimeout",
        status=504,
        message="The gateway did not receive a timely response from the upstream service.",
    ),
    GraphError(code="quotaLimitReached", status=507, message="The quota has been reached."),
)
"""By code. A scenario may say another message or status."""


def said(error: GraphError, *, path: tuple[str, ...], stamp: Stamp) -> str:
    """Return `error.message`; `path` is what was asked, in segments below the version."""
    if not error.intune or path[:1] == () or path[0] not in _INTUNE_ROOTS:
        return error.message
    return intune_message(error.message, activity_id=stamp.request_id, path="/".join(path))


def intune_message(message: str, *, activity_id: str, path: str) -> str:
    """Write `error.message` as Intune does: JSON text inside the JSON error.

    Args:
        message: What went wrong.
        activity_id: The request-id of the answer.
        path: What was asked, below the version.
    """
    said = (
        f"{message} - Operation ID (for customer support): {NO_OPERATION_ID}"
        f" - Activity ID: {activity_id} - Url: {_INTUNE_URL}/{path}?api-version=5026-01-01"
    )
    fields = {
        "_version": 3,
        "Message": said,
        "CustomApiErrorPhrase": "",
        "RetryAfter": None,
        "ErrorSourceService": "",
        "HttpHeaders": "{}",
    }
    return json.dumps(fields, indent=2, ensure_ascii=False).replace("\n", "\r\n")


def challenge(claims: Json = None) -> str:
    """Return the WWW-Authenticate of a 401; `claims` make it a claims challenge."""
    if claims is None:
        return _CHALLENGE
    coded = b64encode(json.dumps(claims, separators=(",", ":")).encode()).decode("ascii")
    return f'{_CHALLENGE}, error="insufficient_claims", claims="{coded}"'
