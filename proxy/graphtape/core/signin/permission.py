"""Which permission an operation documents, and whether a token has it.

After the Graph beta reference on chromeOSOnboardingSettings, section Permissions of each page
("List chromeOSOnboardingSettingses" to "disconnect action"): delegated and application permissions
are the same.
"""

from __future__ import annotations

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
    value = (carrier or request).headers.get("Authorization") if wanted else None
    scheme, _, token = (value or "").strip().partition(" ")
    claims = claims_of(token.strip()) if scheme.lower() in {"bearer", "pop"} else None
    if claims is None:
        return None
    # A user's token may have roles too; they are the user's in the app, and no permissions.
    kind, has = "delegated", _names(claims.get("scp"))
    if has is None:
        kind, has = "application", _names(claims.get("roles"))
    if has is None or not has.isdisjoint(name.lower() for name in wanted):
        return None
    return f"was sent with a token without the {kind} permission {' or '.join(wanted)}"


def _names(claim: Json) -> frozenset[str] | None:
    """Read permissions: `scp` has blanks between them, `roles` is a list."""
    if isinstance(claim, str):
        return frozenset(claim.lower().split())
    if isinstance(claim, list):
        return frozenset(name.lower() for name in claim if isinstance(name, str))
    return None
