"""What fake tokens say where a request leaves it open, and who stands in them."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphtape.core.matching.body import Json

TENANT = "fa4e0000-0000-4000-8000-000000000001"
CLIENT = "fa4e0000-0000-4000-8000-000000000002"
SUBSCRIPTION = "fa4e0000-0000-4000-8000-000000000003"
SECRET = "graphtape-fake-secret"  # noqa: S105 - says itself that it is none
DOMAIN = "contoso.onmicrosoft.com"

_READ_WRITE = (
    "AdministrativeUnit",
    "Application",
    "DeviceManagementApps",
    "DeviceManagementConfiguration",
    "DeviceManagementManagedDevices",
    "DeviceManagementRBAC",
    "DeviceManagementScripts",
    "DeviceManagementServiceConfig",
    "Directory",
    "Files",
    "Group",
    "GroupMember",
    "Policy",
    "Sites",
    "User",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What tokens say.

    Attributes:
        roles: Application permissions of an app-only token for Graph.
        scopes: Delegated permissions where a client asks for `.default`, or for none.
        lifetime: Of a token, seconds.
        user: Who has signed in, where the client names nobody.
        keys: Public ones that the authority names, as JSON Web Keys.
        tenant: Id for `common`, `organizations`, `consumers` and domains; a GUID in a path stays.
    """

    roles: tuple[str, ...] = (
        *(f"{name}.ReadWrite.All" for name in _READ_WRITE),
        "AuditLog.Read.All",
        "Calendars.ReadWrite",
        "Mail.ReadWrite",
        "Mail.Send",
        "Reports.Read.All",
    )
    scopes: tuple[str, ...] = (
        *(f"{name}.ReadWrite.All" for name in _READ_WRITE),
        "AuditLog.Read.All",
        "Calendars.ReadWrite",
        "Mail.ReadWrite",
        "Mail.Send",
        "Reports.Read.All",
        "User.Read",
    )
    lifetime: int = 3599
    user: str = "adele.vance@contoso.com"
    tenant: str = TENANT
    keys: tuple[Mapping[str, Json], ...] = ()


TERMS = Terms()


def guid_of(name: str) -> str:
    """Return the fake GUID of whatever has this name; always the same, and of a GUID's shape."""
    digest = sha256(name.lower().encode("utf-8", "surrogatepass")).hexdigest()
    return f"fa4e0000-0000-4000-8000-{digest[:12]}"
