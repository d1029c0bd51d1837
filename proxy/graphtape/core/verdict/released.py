"""Operations that v1.0 documents as well as beta: the ones met most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphtape.core.graph.path_template import below_version

if TYPE_CHECKING:
    from collections.abc import Iterator

_ID = "{id}"
_IDS_STAND_AT = (1, 3)

# From the Microsoft Graph REST API reference, v1.0. Short on purpose: what isn't here is unknown.
_DOCUMENTED = """
    GET POST          /applications
    GET PATCH DELETE  /applications/{id}
    POST              /applications/{id}/addPassword
    POST              /applications/{id}/removePassword
    GET               /auditLogs/directoryAudits
    GET               /auditLogs/signIns
    GET               /deviceManagement/deviceCompliancePolicies
    GET               /deviceManagement/deviceConfigurations
    GET               /deviceManagement/managedDevices
    GET               /deviceManagement/managedDevices/{id}
    GET               /devices
    GET               /devices/{id}
    POST              /directoryObjects/getByIds
    GET               /directoryRoles
    GET               /domains
    GET               /domains/{id}
    GET POST          /groups
    GET               /groups/$count
    GET               /groups/delta
    GET PATCH DELETE  /groups/{id}
    GET               /groups/{id}/members
    POST              /groups/{id}/members/$ref
    DELETE            /groups/{id}/members/{id}/$ref
    GET               /groups/{id}/owners
    GET               /identity/conditionalAccess/policies
    GET               /me
    GET               /me/calendar
    GET               /me/drive
    GET POST          /me/events
    GET               /me/joinedTeams
    GET               /me/manager
    GET               /me/memberOf
    GET POST          /me/messages
    POST              /me/sendMail
    GET               /organization
    GET POST          /servicePrincipals
    GET PATCH DELETE  /servicePrincipals/{id}
    GET POST          /subscriptions
    GET PATCH DELETE  /subscriptions/{id}
    GET               /subscribedSkus
    GET               /teams/{id}
    GET               /teams/{id}/channels
    GET POST          /users
    GET               /users/$count
    GET               /users/delta
    GET PATCH DELETE  /users/{id}
    GET               /users/{id}/directReports
    GET               /users/{id}/drive
    GET POST          /users/{id}/events
    GET               /users/{id}/manager
    GET               /users/{id}/memberOf
    GET POST          /users/{id}/messages
    POST              /users/{id}/sendMail
"""


def _read(table: str) -> dict[tuple[str, ...], tuple[frozenset[str], str]]:
    """Read the table: by segments the methods, and the path as it is written."""
    read: dict[tuple[str, ...], tuple[frozenset[str], str]] = {}
    for line in table.strip().splitlines():
        *methods, path = line.split()
        read[tuple(path.split("/")[1:])] = frozenset(methods), path
    return read


_TABLE = _read(_DOCUMENTED)
_FIRST = frozenset(segments[0] for segments in _TABLE)


def released(method: str, url: str) -> str | None:
    """Return the path template of an operation that v1.0 is known to have."""
    for segments in _templates(below_version(url)):
        methods, path = _TABLE.get(segments, ((), ""))
        if method in methods:
            return path
    return None


def _templates(segments: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Generate the templates a path may fit, the narrowest first."""
    if segments[:1] and segments[0] in _FIRST:
        # delta and delta() are one function.
        segments = tuple(segment.removesuffix("()") for segment in segments)
        yield segments
        for place in _IDS_STAND_AT:
            # $count and delta(…) are no data.
            if place >= len(segments) or segments[place][:1] == "$" or "(" in segments[place]:
                return
            segments = (*segments[:place], _ID, *segments[place + 1 :])
            yield segments
