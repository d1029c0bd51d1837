"""Where the links of an answer stand, and what is put in their place.

Finding them is the costly half and is done once; replacing them is joining a few slices.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import TYPE_CHECKING, assert_never

from graphtape.core.json_text import NotJsonError, scalars, splice
from graphtape.core.message import Headers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LINK_HEADERS = frozenset(
    {"location", "content-location", "operation-location", "azure-asyncoperation"}
)
"""Header fields that are links, in lower case."""

_LENGTHS = frozenset(map(len, LINK_HEADERS))

DATA_KEYS = frozenset(
    {
        "homePageUrl",
        "homepage",
        "identifierUris",
        "lifecycleNotificationUrl",
        "loginUrl",
        "logoUrl",
        "logoutUrl",
        "marketingUrl",
        "notificationUrl",
        "privacyStatementUrl",
        "redirectUri",
        "redirectUris",
        "replyUrls",
        "samlMetadataUrl",
        "servicePrincipalNames",
        "supportUrl",
        "termsOfServiceUrl",
        "webUrl",
    }
)
"""JSON keys whose URLs are what a tenant holds, not where a client goes on."""

_HANDOVER_KEYS = frozenset(
    {"uploadUrl", "monitorUrl", "@microsoft.graph.downloadUrl", "@content.downloadUrl"}
)
_HANDOVER_MARKS = (b'uploadUrl"', b'downloadUrl"', b'monitorUrl"')
_ANNOTATION_ENDS = ("@odata.context", "@odata.type")
_ODATA_LINK = re.compile(r"@(?:odata\.)?[A-Za-z]*Link\Z")

# JSON may escape a slash; serialisers made for HTML do.
SLASH = rb"(?:/|\\/|\\u002[Ff])"
ENDS = rb"(?=" + SLASH + rb"|[?#]|\Z)"
"""What may follow an origin, so that graph.microsoft.com.example isn't taken for Graph."""

_OURS = rb"(?!" + SLASH + rb"_(?:session|origin)" + ENDS + rb")"
_VERSIONED = re.compile(
    SLASH + rb"(?:v1\.0|beta|v2)" + SLASH + rb"(?:[^\s\\]|\\[^bfnrt])*+\Z",
)
_ABSOLUTE = re.compile(rb"(https?):" + SLASH + SLASH + rb"([^/\\?#]++)" + ENDS)
_CONTEXT = re.compile(
    rb'@odata\.(?:context|type)"[ \t\r\n]*:[ \t\r\n]*"https?:' + SLASH + SLASH + rb"\Z"
)
_CONTEXT_REACH = 64  # bytes before a host in which _CONTEXT is looked for
_PART_FIELD = re.compile(
    rb'"(?:(?:content-|operation-)?location|azure-asyncoperation)"', re.IGNORECASE
)

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_BEFORE_AUTHORITY = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]{0,20}:)?//|/_origin/", re.IGNORECASE)
_BEHIND_PATH = re.compile(r"[?#]")
_AUTHORITY = re.compile(
    rf"(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])(?::(?P<port>[1-9][0-9]{{0,4}}))?"
)
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\Z")
_USUAL_PORT = {"http": 80, "https": 443}
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Link:
    """The part of a link that changes between tape and wire.

    Attributes:
        start: Where scheme, host, port and a root's path prefix begin, in bytes.
        end: One past them.
        origin: Scheme, host and port of a host off Graph, in `canonical` form; None at a root.
        local: The path that stands for it under the proxy's address: `/_origin/HOST[:PORT]`,
            or nothing at a root.
    """

    start: int
    end: int
    origin: str | None = None
    local: str = ""


class _Place(enum.Enum):
    """What kind of place in a JSON body a string stands in."""

    LINK = enum.auto()  # goes on at any Graph URL
    HANDOVER = enum.auto()  # goes on anywhere
    DATA = enum.auto()  # stays
    OTHER = enum.auto()  # a link if it reads like one


def canonical(scheme: str, authority: str) -> str | None:
    """Write an origin in the one form to compare by: lower case, without the usual port.

    Takes host names, dotted IPv4 and bracketed IPv6 only: no user, no escapes, and none of the
    other ways to write an address (WHATWG URL section 3.5), which would slip past a comparison.

    Args:
        scheme: http or https.
        authority: What stands between `//` and the path.
    """
    found = _AUTHORITY.fullmatch(authority.lower())
    if found is None or not authority.isascii():  # lower() makes ASCII of a Kelvin sign
        return None
    host, port = found["host"], int(found["port"] or _USUAL_PORT[scheme])
    try:
        if host.startswith("["):
            host = f"[{IPv6Address(host[1:-1])}]"
        elif _NUMBER.match(host):
            host = str(IPv4Address(host))
    except AddressValueError:
        return None
    if port > _LAST_PORT:
        return None
    return f"{scheme}://{host}" if port == _USUAL_PORT[scheme] else f"{scheme}://{host}:{port}"


def shown(url: str) -> str:
    """Write what is, or was to be, a URL or its host for a message: whatever may be secret is out.

    That is user and password, query and fragment. A password may hold any character.
    """
    before, at, rest = url.rpartition("@")
    scheme = _BEFORE_AUTHORITY.match(before)
    user = f"{scheme[0] if scheme else ''}REDACTED@" if at else ""
    place = _BEHIND_PATH.split(rest, maxsplit=1)
    return user + place[0] + ("?REDACTED" if len(place) > 1 else "")


def root_pattern(roots: Sequence[str], *, follow: bytes = b"") -> re.Pattern[bytes]:
    """Match any of some roots where a JSON string or a header's value begins.

    Args:
        roots: Absolute URLs without a slash at the end; the first that fits is taken.
        follow: Pattern of what may stand between a root and its path.
    """
    return re.compile(b"(?:" + b"|".join(_root(root) for root in roots) + b")" + follow + ENDS)


def _root(root: str) -> bytes:
    scheme, _, rest = root.partition("://")
    authority, slash, path = rest.partition("/")
    port = b"" if re.search(r":\d+\Z", authority) else b"(?::%d)?" % _USUAL_PORT[scheme]
    segments = [re.escape(segment.encode()) for segment in path.split("/")] if slash else []
    origin = scheme.encode() + b":" + SLASH + SLASH + re.escape(authority.encode()) + port
    return SLASH.join([origin, *segments])


@lru_cache(maxsize=16)
def _graph_pattern(roots: tuple[str, ...]) -> re.Pattern[bytes]:
    return root_pattern(roots, follow=_OURS)


def links_in_body(body: bytes, roots: Sequence[str]) -> tuple[Link, ...]:
    """Find the links of a JSON body, in order; none in a body that isn't JSON.

    Args:
        body: Decoded.
        roots: The Graph roots.
    """
    if not _may_link(body, roots):
        return ()
    pattern = _graph_pattern(tuple(roots))
    try:
        return tuple(
            link
            for found in scalars(body)
            if found.string and body.startswith(b"http", found.start + 1)
            if (link := _link(body, found.start + 1, found.end - 1, _place(found.path), pattern))
        )
    except NotJsonError:
        return ()


def replace_links(body: bytes, links: Sequence[Link], base: str) -> bytes:
    """Point links at the proxy.

    Args:
        body: What `links` were found in.
        links: In order.
        base: The proxy's address as the client knows it, session prefix included, without a
            slash at the end.
    """
    return splice(body, ((link.start, link.end, (base + link.local).encode()) for link in links))


def links_in_headers(headers: Headers, roots: Sequence[str]) -> tuple[tuple[int, Link], ...]:
    """Find the links of a head: (index into `headers.pairs`, link within that field's value)."""
    return tuple(_header_links(headers, _graph_pattern(tuple(roots))))


def replace_header_links(headers: Headers, links: Sequence[tuple[int, Link]], base: str) -> Headers:
    """Point the links of a head at the proxy; arguments as in `replace_links`."""
    if not links:
        return headers
    pairs = list(headers.pairs)
    for index, link in links:
        name, value = pairs[index]
        pairs[index] = (name, base + link.local + value[link.end :])
    return Headers(tuple(pairs))


def _header_links(headers: Headers, pattern: re.Pattern[bytes]) -> Iterator[tuple[int, Link]]:
    for index, (name, value) in enumerate(headers):
        if len(name) in _LENGTHS and name.lower() in LINK_HEADERS:
            raw = value.encode("utf-8", "surrogateescape")
            link = _link(raw, 0, len(raw), _Place.HANDOVER, pattern)
            if link is not None:
                yield index, link


@lru_cache(maxsize=64)
def _hosts(roots: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(root.partition("://")[2].partition("/")[0].encode() for root in roots)


def _may_link(body: bytes, roots: Sequence[str]) -> bool:
    """Tell at the speed of `bytes.find` whether a body is worth a scan.

    Nearly every answer names Graph in its `@odata.context`; that alone is no reason.
    """
    for host in _hosts(tuple(roots)):
        at = body.find(host)
        while at >= 0:
            if _CONTEXT.search(body, max(0, at - _CONTEXT_REACH), at) is None:
                return True
            at = body.find(host, at + 1)
    for mark in _HANDOVER_MARKS:
        if mark in body:
            return True
    return b'"responses"' in body and _PART_FIELD.search(body) is not None


def _place(path: tuple[str | int, ...]) -> _Place:
    key = key_of(path)
    if key in _HANDOVER_KEYS:
        return _Place.HANDOVER
    if key.lower() in LINK_HEADERS and path[-2:-1] == ("headers",):  # a part of a $batch
        return _Place.HANDOVER
    if _ODATA_LINK.search(key):
        return _Place.LINK
    if key in DATA_KEYS or key.endswith(_ANNOTATION_ENDS):
        return _Place.DATA
    return _Place.OTHER


def key_of(path: tuple[str | int, ...]) -> str:
    """Return the key a value stands under, itself or as an item of a list; else nothing."""
    for step in path[:-3:-1]:
        if isinstance(step, str):
            return step
    return ""


def _link(
    raw: bytes, start: int, end: int, place: _Place, pattern: re.Pattern[bytes]
) -> Link | None:
    match place:
        case _Place.DATA:
            return None
        case _Place.LINK:
            found = pattern.match(raw, start, end)
            return found and Link(start, found.end())
        case _Place.OTHER:
            found = pattern.match(raw, start, end)
            versioned = found and _VERSIONED.match(raw, found.end(), end)
            return Link(start, found.end()) if found and versioned else None
        case _Place.HANDOVER:
            found = pattern.match(raw, start, end)
            return Link(start, found.end()) if found else _foreign(raw, start, end)
        case _:
            assert_never(place)


def _foreign(raw: bytes, start: int, end: int) -> Link | None:
    found = _ABSOLUTE.match(raw, start, end)
    if found is None:
        return None
    scheme, authority = found[1].decode(), found[2].decode("ascii", "replace")
    origin = canonical(scheme, authority)
    if origin is None:
        return None
    return Link(start, found.end(), origin, local_origin(scheme, authority))


def local_origin(scheme: str, authority: str) -> str:
    """Return the path that stands for a host off Graph.

    It can't say http. The port says it, written even where it is the usual one: see `to_graph`.
    """
    usual = scheme == "http" and re.search(r":\d+\Z", authority) is None
    return f"/_origin/{authority}:80" if usual else f"/_origin/{authority}"
