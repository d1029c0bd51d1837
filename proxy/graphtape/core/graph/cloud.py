"""Graph's national clouds, and what stands for Graph while recording."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphtape.core.errors import UsageError
from graphtape.core.graph.link import canonical, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphtape.core.message import Interaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """A national deployment of Graph (Microsoft Graph docs, "National cloud deployments").

    Attributes:
        name: What `--upstream` calls it.
        graph: Root of Graph, without a slash at the end.
        login: Root of Entra ID, likewise.
    """

    name: str
    graph: str
    login: str


CLOUDS = tuple(
    Cloud(name=name, graph=f"https://{graph}", login=f"https://{login}")
    for name, graph, login in (
        ("global", "graph.microsoft.com", "login.microsoftonline.com"),
        ("usgov", "graph.microsoft.us", "login.microsoftonline.us"),
        ("usgov-dod", "dod-graph.microsoft.us", "login.microsoftonline.us"),
        ("china", "microsoftgraph.chinacloudapi.cn", "login.chinacloudapi.cn"),
    )
)
GRAPH_ROOTS = tuple(cloud.graph for cloud in CLOUDS)
GRAPH_HOSTS = frozenset(root.removeprefix("https://") for root in GRAPH_ROOTS)
LOGIN_HOSTS = frozenset(cloud.login.removeprefix("https://") for cloud in CLOUDS) | {
    "login.microsoft.com",
    "login.partner.microsoftonline.cn",
    "login.usgovcloudapi.net",
    "login.windows.net",
    "sts.windows.net",
}
"""Hosts of Entra ID, older names included."""

ABSOLUTE_URL = re.compile(r"(https?)://([^/?#]*+)([/?#].*)?", re.IGNORECASE | re.DOTALL)
"""Groups: the scheme, the authority, and all that follows."""

_TAPE_ROOT = GRAPH_ROOTS[0]
_TAPE_ROOT_SLASH = f"{_TAPE_ROOT}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Where recording forwards to.

    Attributes:
        name: A cloud's, `sandbox` or `custom`.
        root: Where requests are sent: a URL without a slash at the end, of a custom upstream
            possibly with a path. Empty for a sandbox that doesn't listen yet.
        tape_root: The Graph root that stands for it on tape.
    """

    name: str
    root: str
    tape_root: str

    def at(self, root: str) -> Upstream:
        """Say where it listens."""
        return replace(self, root=root.rstrip("/"))

    def address(self, url: str) -> str:
        """Return where a Graph URL, at any root, is to be asked; any other URL stays."""
        if url.startswith(self.tape_root) and url.startswith("/", len(self.tape_root)):
            return self.root + url[len(self.tape_root) :]
        found = ABSOLUTE_URL.fullmatch(url)
        if found is None or canonical(found[1].lower(), found[2]) not in GRAPH_ROOTS:
            return url
        return self.root + (found[3] or "")


def upstream_named(value: str) -> Upstream:
    """Return the upstream a setting names.

    Args:
        value: A cloud's name, `sandbox`, or the URL of what counts as Graph.

    Raises:
        UsageError: It's none of these.
    """
    name = value.strip().lower()
    if name == "sandbox":
        return Upstream(name=name, root="", tape_root=_TAPE_ROOT)
    root = _custom_root(value.strip())
    for cloud in CLOUDS:
        if name == cloud.name or root == cloud.graph:
            return Upstream(name=cloud.name, root=cloud.graph, tape_root=cloud.graph)
    if root is None:
        names = ", ".join([*(cloud.name for cloud in CLOUDS), "sandbox"])
        raise UsageError(
            f"upstream {shown(value)!r} is unknown: give one of {names}, or an http(s) URL without "
            "user, query and fragment"
        )
    return Upstream(name="custom", root=root, tape_root=_TAPE_ROOT)


def _custom_root(value: str) -> str | None:
    found = re.fullmatch(r"(https?)://([^/?#]*)(/[!-~]*)?", value, re.IGNORECASE)
    if found is None or re.search(r'[?#"\\]', found[3] or ""):
        return None
    origin = canonical(found[1].lower(), found[2])
    return None if origin is None else origin + (found[3] or "").rstrip("/")


def origin_of(url: str) -> str | None:
    """Return the origin of an absolute URL in `canonical` form; None where it has none."""
    found = ABSOLUTE_URL.fullmatch(url)
    return canonical(found[1].lower(), found[2]) if found else None


def off_graph_origin(url: str) -> str | None:
    """Return the origin of a URL that isn't Graph's, in `canonical` form."""
    if url.startswith(_TAPE_ROOT_SLASH):
        return None
    origin = origin_of(url)
    return None if origin in GRAPH_ROOTS else origin


def cloud_of(interactions: Iterable[Interaction]) -> str:
    """Name the Graph cloud that all of them, but for sign-in, were asked of; else `custom`."""
    origins = set()
    for interaction in interactions:
        found = ABSOLUTE_URL.match(interaction.request.url)
        origins.add(f"{found[1]}://{found[2]}".lower() if found else "")
    for cloud in CLOUDS:
        if cloud.graph in origins and origins <= {cloud.graph, cloud.login}:
            return cloud.name
    return "custom"
