"""Which permission an operation documents, and whether a token has it.

After the Graph beta reference on chromeOSOnboardingSettings, section Permissions of each page
("List chromeOSOnboardingSettingses" to "disconnect action"): delegated and application permissions
are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from graphtape.core.matching.operation import Operation
from graphtape.core.signin.token import claims_of

if TYPE_CHECKING:
    from graphtape.core.matching.body import Json
    from graphtape.core.message import Request

_WRITE = ("DeviceManagementConfiguration.ReadWrite.All",)
_READ = ("DeviceManagementConfiguration.Read.All", *_WRITE)
_ENTITY = "chromeosonboardingsettings"
_SETTINGS = f"devicemanagement/{_ENTITY}"
_DOCUMENTED = {
    ("GET", _SETTINGS): _READ,
    ("GET", f"{_SETTINGS}/{{id}}"): _READ,
    ("POST", _SETTINGS): _WRITE,
    ("PATCH", f"{_SETTINGS}/{{id}}"): _WRITE,
    ("DELETE", f"{_SETTINGS}/{{id}}"): _WRITE,
    ("POST", f"{_SETTINGS}/connect"): _WRITE,
    ("POST", f"{_SETTINGS}/disconnect"): _WRITE,
}


def documented(method: str, url: str) -> tuple[str, ...]:
    """Return the permissions an operation documents, the least privileged first; any of them does.

    None known is an empty tuple.
    """
    if _ENTITY not in url.lower():  # most calls: naming an operation costs more than serving one
        return ()
    operation = Operation.of(method, url).folded()
    version, _, path = operation.path.lstrip("/").partition("/")
    return _DOCUMENTED.get((operation.method, path), ()) if version in {"beta", "v1.0"} else ()


def lacking(request: Request, *, carrier: Request | None = None) -> str | None:
    """Say that a call's token has none of the permissions its operation documents.

    The token is read, not verified; of one that isn't a JWT, or that has neither `scp` nor
    `roles`, nothing can be said.

    Args:
        request: As the client sent it.
        carrier: Of a part of a batch, the batch: its token counts.

    Returns:
        What follows `request 7 (POST …)`; it quotes nothing of the token.
    """
    wanted = documented(request.method, request.url)
    granted = granted_by((carrier or request).headers.get("Authorization")) if wanted else None
    if granted is None:
        return None
    if not {name.lower() for name in granted.names}.isdisjoint(name.lower() for name in wanted):
        return None
    return f"was sent with a token without the {granted.kind} permission {' or '.join(wanted)}"


class Kind(StrEnum):
    """Whose permissions a token has."""

    DELEGATED = "delegated"
    APPLICATION = "application"


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The permissions of a token, as it spells them."""

    kind: Kind
    names: frozenset[str]


def granted_by(authorization: str | None) -> Granted | None:
    """Read the permissions of the token in an Authorization field; it isn't verified.

    None of one that isn't a JWT, or that has neither `scp` nor `roles`.
    """
    scheme, _, token = (authorization or "").strip().partition(" ")
    claims = claims_of(token.strip()) if scheme.lower() in {"bearer", "pop"} else None
    if claims is None:
        return None
    # A user's token may have roles too; they are the user's in the app, and no permissions.
    for kind, claim in ((Kind.DELEGATED, "scp"), (Kind.APPLICATION, "roles")):
        names = _names(claims.get(claim))
        if names is not None:
            return Granted(kind=kind, names=names)
    return None


def _names(claim: Json) -> frozenset[str] | None:
    """Read permissions: `scp` has blanks between them, `roles` is a list."""
    if isinstance(claim, str):
        return frozenset(claim.split())
    if isinstance(claim, list):
        return frozenset(name for name in claim if isinstance(name, str))
    return None
