"""Graph's URLs as they are on tape and as the proxy spells them on the wire."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Self
from urllib.parse import urljoin

from graphtape.core.errors import RequestError
from graphtape.core.graph.cloud import ABSOLUTE_URL, GRAPH_HOSTS, GRAPH_ROOTS, Upstream
from graphtape.core.graph.link import (
    DATA_KEYS,
    ENDS,
    LINK_HEADERS,
    SLASH,
    Link,
    canonical,
    key_of,
    links_in_body,
    links_in_headers,
    replace_header_links,
    replace_links,
    root_pattern,
    shown,
)
from graphtape.core.json_text import NotJsonError, Scalar, scalars, splice

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from graphtape.core.message import Response


_SESSION = re.compile(r"/_session(?:/([^/?#]*+))?+(?=[/?#]|\Z)")
_SESSION_ID = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,64}")
_FOREIGN = re.compile(r"/_origin(?:/([^/?#]*+))?+(?=[/?#]|\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a request asks for.

    Attributes:
        url: Absolute, at a Graph root or off Graph; percent-encoding and dots as sent.
        off_graph: Whether it's another host than Graph's. Nobody has checked yet that an answer
            named it.
        session: The id its path names, or None.
    """

    url: str
    off_graph: bool
    session: str | None


def to_graph(target: str, *, tape_root: str, own: str, named: Collection[str] = ()) -> Target:
    """Read a request target (RFC 9112 section 3.2), as it stands on the wire.

    Args:
        target: `/beta/me?$top=5`, or absolute, as clients of a forward proxy send it.
        tape_root: The Graph root that paths belong to.
        own: The proxy's own address, scheme to port.
        named: Origins off Graph that answers named, in `canonical` form. Those of http are
            reached by http; every other one by https.

    Raises:
        RequestError: It's none of these, or names a session or host that can't be.
    """
    found = ABSOLUTE_URL.fullmatch(target)
    if found is None:
        if not target.startswith("/"):
            raise RequestError(f"{shown(target)!r} is no path and no http(s) URL")
        return _local(target, tape_root, named)
    authority, rest = found[2], found[3] or ""
    origin = canonical(found[1].lower(), authority)
    if origin is None:
        raise _no_host(authority)
    host = authority.lower().partition(":")[0]
    if host in GRAPH_HOSTS and _is_usual(origin):
        return Target(url=f"https://{host}{rest}", off_graph=False, session=None)
    if origin == canonical(*own.split("://", 1)):
        return _local(rest, tape_root, named)
    return Target(url=target, off_graph=True, session=None)


def at_host(target: str, *, host: str, named: Collection[str] = ()) -> Target:
    """Read a request target as it stands inside a tunnel that ends at the proxy.

    At Graph's hosts the paths `/_session/…` and `/_origin/…` stay the proxy's: links in answers
    lead there.

    Args:
        target: As in `to_graph`.
        host: That the client means to speak to, by https and its usual port.
        named: As in `to_graph`.

    Raises:
        RequestError: It's another host's, or as in `to_graph`.
    """
    own = f"https://{host}"
    found = ABSOLUTE_URL.fullmatch(target)
    path = target if found is None else found[3] or "/"
    if found is not None and canonical(found[1].lower(), found[2]) != own:
        raise RequestError(
            f"{shown(target)!r} was sent inside a tunnel to {host}; ask for a path of that host",
            status=421,
            code="GraphtapeMisdirected",
        )
    if not path.startswith("/"):
        raise RequestError(f"{shown(target)!r} is no path and no http(s) URL")
    if host in GRAPH_HOSTS:
        return _local(path, own, named)
    return Target(url=own + path, off_graph=True, session=None)


def _is_usual(origin: str) -> bool:
    return re.search(r":\d+\Z", origin) is None


def _local(path: str, tape_root: str, named: Collection[str]) -> Target:
    session, rest = split_session(path)
    found = _FOREIGN.match(rest)
    if found is None:
        return Target(url=tape_root + rest, off_graph=False, session=session)
    origin = _off_graph(found[1] or "", named)
    if origin is None:
        raise _no_host(found[1] or "")
    return Target(url=origin + rest[found.end() :], off_graph=True, session=session)


def _off_graph(authority: str, named: Collection[str]) -> str | None:
    plain = canonical("http", authority)
    if plain is None:
        return None
    # Only a port makes it http, so that a link to https can't be led astray by a named http one.
    if plain in named and re.search(r":\d+\Z", authority):
        return plain
    return f"https://{authority}"


def _no_host(authority: str) -> RequestError:
    return RequestError(
        f"{shown(authority)!r} is no host: give HOST or HOST:PORT, HOST being a name, an "
        "IPv4 address or an [IPv6] address",
        code="GraphtapeOrigin",
    )


def split_session(path: str) -> tuple[str | None, str]:
    """Take the `/_session/ID` prefix off a path.

    Raises:
        RequestError: The id is none.
    """
    found = _SESSION.match(path)
    if found is None:
        return None, path
    session = found[1] or ""
    if _SESSION_ID.fullmatch(session) is None:
        raise RequestError(
            f"session id {session!r} is none: 1 to 64 of A-Z a-z 0-9 . _ -, but not . or .. alone",
            code="GraphtapeSession",
        )
    return session, path[found.end() :]


@dataclass(frozen=True, slots=True)
class Links:
    """Where the links of an answer stand; found once, pointed somewhere many times.

    Attributes:
        fields: In its headers, with the position of the field.
        body: In its body.
    """

    fields: tuple[tuple[int, Link], ...]
    body: tuple[Link, ...]

    @classmethod
    def of(cls, response: Response) -> Self:
        """Find the links of an answer as it stands on tape."""
        return cls(
            links_in_headers(response.headers, GRAPH_ROOTS),
            links_in_body(response.body, GRAPH_ROOTS),
        )

    @property
    def origins(self) -> frozenset[str]:
        """The hosts off Graph they name, in `canonical` form."""
        links = (*(link for _, link in self.fields), *self.body)
        return frozenset(link.origin for link in links if link.origin is not None)

    def at(self, base: str, response: Response) -> Response:
        """Point them at the proxy; `base` as in `replace_links`."""
        if not self.body and not self.fields:
            return response
        return replace(
            response,
            headers=replace_header_links(response.headers, self.fields, base),
            body=replace_links(response.body, self.body, base),
        )


def localise(response: Response, base: str) -> Response:
    """Point the links of a recorded answer at the proxy; `base` as in `replace_links`."""
    return Links.of(response).at(base, response)


def resolved(response: Response, url: str) -> Response:
    """Make the relative links in an answer's headers absolute: off Graph they would lead astray.

    Args:
        response: Of a host off Graph.
        url: That of its request.
    """

    def absolute(name: str, value: str) -> str:
        return urljoin(url, value) if name.lower() in LINK_HEADERS else value

    return replace(response, headers=response.headers.map(absolute))


def to_tape(response: Response, upstream: Upstream) -> Response:
    """Write Graph's root wherever a link or a JSON string begins with the upstream's own.

    Unlike `localise`, it takes every string: the address of an upstream never stands on tape.
    """
    if upstream.root in {"", upstream.tape_root}:
        return response
    pattern, host = _upstream_pattern(upstream.root)
    new = upstream.tape_root.encode()

    def field(name: str, value: str) -> str:
        raw = value.encode("utf-8", "surrogateescape")
        found = pattern.match(raw) if name.lower() in LINK_HEADERS else None
        return upstream.tape_root + value[found.end() :] if found else value

    def edits() -> Iterator[tuple[int, int, bytes]]:
        for start, end, _ in _urls(response.body):
            if found := pattern.match(response.body, start, end):
                yield start, found.end(), new

    linked = any(name.lower() in LINK_HEADERS for name, _ in response.headers.pairs)
    if not linked and host not in response.body:
        return response
    body = _spliced(response.body, edits()) if host in response.body else response.body
    return replace(response, headers=response.headers.map(field), body=body)


@lru_cache(maxsize=8)
def _upstream_pattern(root: str) -> tuple[re.Pattern[bytes], bytes]:
    """Return a pattern of an upstream's root, or else of its origin alone, and its host."""
    scheme, _, rest = root.partition("://")
    authority = rest.partition("/")[0]
    return root_pattern([root, f"{scheme}://{authority}"]), authority.encode()


def restore_body(body: bytes, base: str, tape_root: str, *, named: Collection[str] = ()) -> bytes:
    """Point a request's links at Graph again, whatever session they were made for.

    Args:
        body: Decoded; one that isn't JSON stays.
        base: The proxy's address as the client knows it, with or without a session prefix.
        tape_root: The Graph root that paths belong to.
        named: As in `to_graph`.
    """
    own = base.partition("/_session/")[0]
    if own.partition("://")[2].encode() not in body:
        return body
    pattern = _own_pattern(own)

    def edits() -> Iterator[tuple[int, int, bytes]]:
        for start, end, scalar in _urls(body):
            found = pattern.match(body, start, end)
            if found is None or key_of(scalar.path) in DATA_KEYS:
                continue
            authority = found["authority"]
            root = tape_root if authority is None else _off_graph(authority.decode(), named)
            if root is not None:
                yield start, found.end(), root.encode()

    return _spliced(body, edits())


@lru_cache(maxsize=64)  # the address comes from the client's Host field
def _own_pattern(own: str) -> re.Pattern[bytes]:
    session = b"(?:" + SLASH + b"_session" + SLASH + rb"[A-Za-z0-9._-]{1,64}" + ENDS + b")?+"
    foreign = b"(?:" + SLASH + b"_origin" + SLASH + rb"(?P<authority>[^/\\?#\x80-\xff]++)" + ENDS
    return root_pattern([own], follow=session + foreign + b")?")


def _urls(body: bytes) -> Iterator[tuple[int, int, Scalar]]:
    """Find the strings that may be URLs: where their text begins and ends, quotes left out."""
    for scalar in scalars(body):
        if scalar.string and body.startswith(b"http", scalar.start + 1):
            yield scalar.start + 1, scalar.end - 1, scalar


def _spliced(body: bytes, edits: Iterator[tuple[int, int, bytes]]) -> bytes:
    try:
        return splice(body, edits)
    except NotJsonError:
        return body
