"""Which endpoint of sign-in a URL is.

The rule, so that nothing of Graph is shadowed: Graph's paths begin with a version (`v1.0`, `beta`,
`v2`). A sign-in path doesn't; it has the whole shape of one endpoint, and its host is Graph's, as
on the data port, or that of Entra ID or Azure Resource Manager, as behind a forward proxy.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from graphtape.core.graph.actions import path_of
from graphtape.core.graph.cloud import GRAPH_ROOTS, LOGIN_HOSTS, origin_of


class Endpoint(enum.StrEnum):
    """What is asked for."""

    CONFIGURATION = "configuration"
    KEYS = "keys"
    INSTANCE = "instance"
    REALM = "realm"
    TOKEN = "token"  # noqa: S105 - a name, not a token
    DEVICE_CODE = "devicecode"
    DEVICE_PAGE = "deviceauth"
    AUTHORIZE = "authorize"
    LOGOUT = "logout"
    SUBSCRIPTIONS = "subscriptions"
    TENANTS = "tenants"


_VERSION = r"v[0-9]+(?:\.[0-9]+)?|beta"
_TENANT = rf"/(?P<tenant>(?!(?:{_VERSION})/)[a-z0-9][a-z0-9.-]*)"
_TWO = r"(?P<two>/v2\.0)?"
_SHAPES = tuple(
    (endpoint, re.compile(shape, re.IGNORECASE))
    for endpoint, shape in (
        (Endpoint.CONFIGURATION, rf"{_TENANT}{_TWO}/\.well-known/openid-configuration"),
        (Endpoint.INSTANCE, rf"{_TENANT}/discovery/instance"),
        (Endpoint.KEYS, rf"(?:{_TENANT})?/discovery{_TWO}/keys"),
        (Endpoint.REALM, rf"{_TENANT}/userrealm/(?P<rest>[^/]+)"),
        (Endpoint.TOKEN, rf"{_TENANT}/oauth2{_TWO}/token"),
        (Endpoint.DEVICE_CODE, rf"{_TENANT}/oauth2{_TWO}/devicecode"),
        (Endpoint.DEVICE_PAGE, rf"{_TENANT}/oauth2{_TWO}/deviceauth"),
        (Endpoint.AUTHORIZE, rf"{_TENANT}/oauth2{_TWO}/authorize"),
        (Endpoint.LOGOUT, rf"{_TENANT}/oauth2{_TWO}/logout"),
        (Endpoint.SUBSCRIPTIONS, r"/subscriptions(?:/(?P<rest>[0-9a-f-]{36}))?"),
        (Endpoint.TENANTS, r"/tenants"),
    )
)
_OF_AZURE = frozenset({Endpoint.SUBSCRIPTIONS, Endpoint.TENANTS})
_LOGINS = frozenset(f"https://{host}" for host in LOGIN_HOSTS)
MANAGEMENT = {
    "global": "https://management.azure.com",
    "usgov": "https://management.usgovcloudapi.net",
    "usgov-dod": "https://management.usgovcloudapi.net",
    "china": "https://management.chinacloudapi.cn",
}
"""Roots of Azure Resource Manager by cloud (Azure docs, "Compare Azure Government and global")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An endpoint of sign-in.

    Attributes:
        tenant: As the path names it; '' where it names none.
        two: Whether it is of version 2.0 of the protocol, rather than of the first.
        rest: What the path names beyond: the user of a realm, the id of a subscription.
    """

    endpoint: Endpoint
    tenant: str = ""
    two: bool = True
    rest: str = ""

    @property
    def of_azure(self) -> bool:
        """Whether Azure Resource Manager answers it, rather than Entra ID."""
        return self.endpoint in _OF_AZURE


_OF_GRAPH = re.compile(r"https://[^/]+/(?:v1\.0|beta)/")


def place_of(url: str) -> Place | None:
    """Return the endpoint a URL is; None where it is none."""
    if _OF_GRAPH.match(url):
        return None
    # Some clients join a root and a path with two slashes.
    path = "/" + "/".join(part for part in unquote(path_of(url)).split("/") if part)
    for endpoint, shape in _SHAPES:
        found = shape.fullmatch(path)
        if found is None:
            continue
        groups = found.groupdict()
        place = Place(
            endpoint=endpoint,
            tenant=groups.get("tenant") or "",
            two=groups.get("two") is not None,
            rest=groups.get("rest") or "",
        )
        return place if _is_at_home(place, url) else None
    return None


def _is_at_home(place: Place, url: str) -> bool:
    """Tell whether this host answers such an endpoint."""
    origin = origin_of(url)
    if place.of_azure:
        # Resource Manager refuses what has no api-version, and Graph never sees one.
        if "api-version" not in query_of(url):
            return False
        return origin in GRAPH_ROOTS or origin in MANAGEMENT.values()
    return origin in GRAPH_ROOTS or origin in _LOGINS


def is_sign_in_place(url: str) -> bool:
    """Tell whether a URL is an endpoint of sign-in."""
    return place_of(url) is not None


def query_of(url: str) -> dict[str, str]:
    """Return the parameters of a URL; of one that is repeated, the first."""
    return form_of(url.partition("#")[0].partition("?")[2])


def form_of(text: str) -> dict[str, str]:
    """Return the fields of a form, blank ones left out; of one that is repeated, the first."""
    fields: dict[str, str] = {}
    for name, value in parse_qsl(text):
        fields.setdefault(name, value)
    return fields
