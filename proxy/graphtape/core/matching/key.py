"""The match key of a request, and how one request differs from another."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from graphtape.core.errors import UsageError
from graphtape.core.graph.actions import SAFE_METHODS, last_segment, local_name, only_reads
from graphtape.core.graph.cloud import GRAPH_HOSTS
from graphtape.core.graph.path_template import PathTemplate, below_version
from graphtape.core.matching.body import (
    Json,
    Pairs,
    canonical_body,
    ignored_paths,
    json_of,
    pairs_of,
)
from graphtape.core.message import Headers, Request, media_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


GRAPH_PLACE = "Graph"
"""The place of every Graph root. Hosts are lower-case in a key, so that none can equal it."""

_SAY_NOTHING = frozenset({b"", b"null", b"{}"})
"""How clients write the body of an action that takes none, besides sending nothing."""

_LONGEST_BODY_IN_KEY = 1024

_CONDITIONS = ("range", "if-none-match")
_OF_THE_CLIENT = """
    accept-encoding authorization baggage client-request-id commandname date feature-flag
    featureflag graphtape-scenario parametersetname request-id retry-attempt sdkversion
    traceparent tracestate user-agent x-client-brkrver x-client-cpu x-client-current-telemetry
    x-client-last-telemetry x-client-os x-client-sku x-client-ver x-ms-client-request-id
"""
# RFC 9110 section 7.6.1, the framing, and what proxies add.
_OF_THE_CONNECTION = """
    connection content-encoding content-length expect forwarded host keep-alive
    proxy-authorization proxy-connection te trailer transfer-encoding upgrade via
    x-forwarded-for x-forwarded-host x-forwarded-proto x-real-ip
"""
_HEADERS_NEVER_MATCHED = frozenset((_OF_THE_CLIENT + _OF_THE_CONNECTION).split())
_DEFAULT_PORTS = {"http": "80", "https": "443"}

# RFC 3986 appendix B. urlsplit would drop tabs and line breaks, and raise on odd hosts.
_URL = re.compile(r"(?:([^:/?#]+)://([^/?#]*))?([^?#]*)(?:\?([^#]*))?", re.DOTALL)
_PORT = re.compile(r":([0-9]*)\Z")


class Aspect(StrEnum):
    """What of a request can take part in a match, by vcrpy's names."""

    METHOD = "method"
    SCHEME = "scheme"
    HOST = "host"
    PORT = "port"
    PATH = "path"
    QUERY = "query"
    URI = "uri"
    HEADERS = "headers"
    BODY = "body"
    RAW_BODY = "raw_body"

    __hash__ = str.__hash__  # the enum's own is written in Python


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchOptions:
    """What takes part in a match.

    Attributes:
        match_on: vcrpy's names (`Aspect`). `host` includes a port other than the scheme's own;
            `uri` is the URL after its host, as sent; `raw_body` the bytes as sent, uncompressed.
        ignore_body: Fields left out of JSON and form bodies: JSON paths from the root
            (`$.displayName`, `settings[*].name`), or at any depth (`displayName`, `$..name`).
        ignore_query: Decoded names of query parameters left out.
        reads: Shell patterns for the last path segment of more POSTs that only read.
        routes: Where other options hold; the first that fits.

    Raises:
        UsageError: A name or path is unknown, or two options contradict each other.
    """

    match_on: tuple[str, ...] = (
        Aspect.METHOD,
        Aspect.HOST,
        Aspect.PATH,
        Aspect.QUERY,
        Aspect.BODY,
    )
    ignore_body: tuple[str, ...] = ()
    ignore_query: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()

    def __post_init__(self) -> None:
        valid = ", ".join(Aspect)
        if not self.match_on:
            raise UsageError(f"match_on names nothing to match on; valid are {valid}")
        for name in self.match_on:
            if name not in set(Aspect):
                raise UsageError(f"unknown name {name!r} in match_on; valid are {valid}")
        if self.ignore_body and Aspect.RAW_BODY in self.match_on:
            raise UsageError("'raw_body' compares every byte: match on 'body' to use ignore_body")
        if self.ignore_query and Aspect.URI in self.match_on:
            raise UsageError("'uri' compares the whole URL: match on 'query' to use ignore_query")
        ignored_paths(self.ignore_body)

    def at(self, request: Request) -> MatchOptions:
        """Return the options that hold for a request."""
        if not self.routes:
            return self
        segments = below_version(request.url)
        method = request.method.upper()
        for route in self.routes:
            if route.method in {None, method} and route.path.matches(segments):
                return route.options
        return self

    def matching_on(self, names: Sequence[str]) -> MatchOptions:
        """Match on other aspects, by vcrpy's names."""
        return replace(self, match_on=tuple(names))


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Requests that are compared in a way of their own.

    Attributes:
        method: Upper case; None for any.
        path: Below the version.
        options: Instead of those around.
    """

    method: str | None
    path: PathTemplate
    options: MatchOptions


DEFAULT = MatchOptions()


class Key(NamedTuple):
    """What two requests share when one's answer may answer the other; left-out aspects are empty.

    Attributes:
        method: Upper case.
        place: `GRAPH_PLACE`, or `host[:port]` in lower case.
        path: Decoded but for `%25` and `%2F`.
        query: Decoded, sorted.
        body: Canonical form, or the digest of a long one.
        conditions: Headers and rarer aspects, as (place in a report, value), sorted.
    """

    method: str
    place: str
    path: str
    query: Pairs
    body: bytes
    conditions: Pairs


def key_of(request: Request, options: MatchOptions = DEFAULT) -> Key:
    """Make the key of a request that is redacted already."""
    options = options.at(request)
    asked = _set(options.match_on)
    found = _URL.match(request.url)
    scheme, authority, raw_path, raw_query = found.groups("") if found else ("", "", "", "")
    place, port = _place(scheme.lower(), authority)
    conditions = [*_conditions(request.headers, every=Aspect.HEADERS in asked)]
    if Aspect.SCHEME in asked:
        conditions.append(("scheme", scheme.lower()))
    if Aspect.PORT in asked:
        conditions.append(("port", port))
    if Aspect.URI in asked:
        conditions.append(("uri", place + raw_path + (f"?{raw_query}" if raw_query else "")))
    query = pairs_of(raw_query) if raw_query and Aspect.QUERY in asked else ()
    if options.ignore_query:
        query = tuple(pair for pair in query if pair[0] not in options.ignore_query)
    return Key(
        request.method.upper() if Aspect.METHOD in asked else "",
        place if Aspect.HOST in asked else "",
        _path(raw_path, on_graph=place == GRAPH_PLACE) if Aspect.PATH in asked else "",
        query,
        _body(request, options),
        tuple(sorted(conditions)) if conditions else (),
    )


@lru_cache(maxsize=64)
def _set(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(str, names))


@lru_cache(maxsize=64)  # few hosts are asked
def _place(scheme: str, authority: str) -> tuple[str, str]:
    """Return the place of an authority, and its port or else its scheme's own."""
    host = authority.rpartition("@")[2].lower()
    usual = _DEFAULT_PORTS.get(scheme, "")
    found = _PORT.search(host)
    port = (found[1] if found else "") or usual
    name = host[: found.start()] if found else host
    if port != usual:
        return f"{name}:{port}", port
    return (GRAPH_PLACE if name in GRAPH_HOSTS else name), port


def _path(raw: str, *, on_graph: bool) -> str:
    if "%" not in raw and not (on_graph and "microsoft.graph." in raw):
        return raw or "/"
    segments = [unquote(segment, errors="surrogateescape") for segment in raw.split("/")]
    if on_graph:
        segments = [local_name(segment) for segment in segments]
    return "/".join(segment.replace("%", "%25").replace("/", "%2F") for segment in segments)


def _conditions(headers: Headers, *, every: bool) -> Iterator[tuple[str, str]]:
    names = dict.fromkeys(
        lower
        for name, _ in headers.pairs
        if (lower := name.lower()) in _CONDITIONS or (every and lower not in _HEADERS_NEVER_MATCHED)
    )
    for name in names:
        value = ", ".join(headers.all(name)).strip()
        if name == "range":
            value = "".join(value.split()).lower()
        elif name == "content-type" and value.lower().startswith("multipart/"):
            value = media_type(headers)  # without the boundary, which is random
        yield f"header.{name.title()}", value


def _body(request: Request, options: MatchOptions) -> bytes:
    if not request.body:
        return b""
    if Aspect.RAW_BODY in options.match_on:
        body = request.body
    elif Aspect.BODY in options.match_on:
        body = canonical_body(request.headers, request.body, options.ignore_body)
        if request.method.upper() == "POST" and body.strip() in _SAY_NOTHING:
            return b""
    else:
        return b""
    if len(body) <= _LONGEST_BODY_IN_KEY:
        return body
    return b"blake2b:" + blake2b(body, digest_size=32).hexdigest().encode()


def writes(request: Request, options: MatchOptions = DEFAULT) -> bool:
    """Tell whether a request may change the tenant; a `$batch` does if one of its parts does."""
    if request.method.upper() == "POST" and _last_segment(request.url) == "$batch":
        return _batch_writes(request.body, options)
    return _call_writes(request.method, request.url, options)


def _call_writes(method: str, url: str, options: MatchOptions) -> bool:
    if method.upper() in SAFE_METHODS:
        return False
    name = _last_segment(url)
    if name is None:
        return True
    if method.upper() == "POST" and any(fnmatchcase(name, pattern) for pattern in options.reads):
        return False
    return not only_reads(method.upper(), url)


def _last_segment(url: str) -> str | None:
    try:
        return last_segment(url)
    except ValueError:  # a host no URL can have, in a part of a batch
        return None


def _batch_writes(body: bytes, options: MatchOptions) -> bool:
    try:
        value = json_of(Headers(), body)
    except ValueError:
        return True
    parts = value.get("requests") if isinstance(value, dict) else None
    if not isinstance(parts, list):
        return True
    return any(_part_writes(part, options) for part in parts)


def _part_writes(part: Json, options: MatchOptions) -> bool:
    match part:
        case {"method": str(method), "url": str(url)}:
            return _call_writes(method, url, options)
        case _:
            return True
