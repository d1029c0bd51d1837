"""Where a tunnel that a client asks for ends."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from graphtape.core.errors import RequestError
from graphtape.core.graph.cloud import CLOUDS, GRAPH_HOSTS, LOGIN_HOSTS
from graphtape.core.graph.link import canonical, shown
from graphtape.core.signin.place import MANAGEMENT

if TYPE_CHECKING:
    from graphtape.core.graph.cloud import Upstream

HTTPS = 443
SIGN_IN_HOSTS = LOGIN_HOSTS | {root.removeprefix("https://") for root in MANAGEMENT.values()}
"""Hosts that the offline authority stands in for: of Entra ID and Azure Resource Manager."""

FORWARD_HOSTS = GRAPH_HOSTS | SIGN_IN_HOSTS
"""Hosts whose tunnels may end here: what the local CA must be permitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """The proxy answers in the host's place.

    Attributes:
        host: One of FORWARD_HOSTS.
    """

    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """Bytes are passed on as they come.

    Attributes:
        host: A name in lower case or an address, without brackets.
    """

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nowhere:
    """Nothing is sent: replay is offline.

    Attributes:
        asked: Host and port.
    """

    asked: There


Destination: TypeAlias = Here | There | Nowhere


def destination(authority: str, *, offline: bool, signs_in: bool) -> Destination:
    """Say where a tunnel ends.

    Args:
        authority: The target of CONNECT (RFC 9112 section 3.2.3): HOST:PORT.
        offline: Whether nothing may be asked of other hosts.
        signs_in: Whether sign-in is answered, or recorded, by the proxy.

    Raises:
        RequestError: It's no HOST:PORT.
    """
    asked = _parsed(authority)
    answered = FORWARD_HOSTS if signs_in else GRAPH_HOSTS
    if asked.port == HTTPS and asked.host in answered:
        return Here(host=asked.host)
    return Nowhere(asked=asked) if offline else asked


def _parsed(authority: str) -> There:
    host, colon, port = authority.rpartition(":")
    # http has another usual port, so that 443 is written out too.
    origin = canonical("http", authority)
    if origin is None or not colon or not port.isdigit() or host.count(":") == 1:
        raise RequestError(
            f"{shown(authority)!r} is no HOST:PORT: CONNECT takes one, such as "
            "graph.microsoft.com:443",
            code="GraphtapeConnect",
        )
    bare = origin.removeprefix("http://")
    if int(port) != 80:  # noqa: PLR2004 - the port that `canonical` leaves out
        bare = bare.rpartition(":")[0]
    return There(host=bare.removeprefix("[").removesuffix("]"), port=int(port))


def wrong_cloud(host: str, upstream: Upstream) -> str:
    """Say why a host of Graph's can't be asked at an upstream; nothing where it can.

    The sandbox and an upstream of the user's own stand for every cloud.
    """
    if host not in GRAPH_HOSTS or f"https://{host}" == upstream.root:
        return ""
    if upstream.name not in {cloud.name for cloud in CLOUDS}:
        return ""
    cloud = next(cloud.name for cloud in CLOUDS if cloud.graph == f"https://{host}")
    return (
        f"{host} is the cloud {cloud!r}, and what is recorded is {upstream.name!r} at "
        f"{upstream.root}: the token is for one of them alone; start with --upstream {cloud}"
    )


def session_named(credentials: str | None) -> str | None:
    """Return the session a client names as the user of its proxy; None where it names none.

    Args:
        credentials: The field Proxy-Authorization (RFC 7617); a password says nothing.

    Raises:
        RequestError: They can't be read.
    """
    if credentials is None:
        return None
    scheme, _, encoded = credentials.strip().partition(" ")
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        pair = None
    if pair is None or scheme.lower() != "basic":
        raise RequestError(
            "Proxy-Authorization can't be read: name a session as the user of the proxy's URL, "
            "HTTPS_PROXY=http://SESSION@HOST:PORT, or none",
            code="GraphtapeConnect",
        )
    return pair.partition(":")[0] or None
