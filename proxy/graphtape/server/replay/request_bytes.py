"""The bytes of a request, taken apart without a parser where its header block is known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from graphtape.core.graph.actions import CALLER_ID
from graphtape.core.message import Headers
from graphtape.server.http.fields import HOST, OWN_HEADERS

if TYPE_CHECKING:
    from graphtape.server.replay.known import Known

LONGEST = 16 * 1024
"""Bytes of a request that is known again."""

# It changes with each request, so it must not be able to name anybody: no mail, domain or URL.
CALLER = re.compile(rb"[0-9A-Za-z_-]{1,128}")
_CALLER_NAME = CALLER_ID.encode()
_CALLER_LINE = b"\r\n" + _CALLER_NAME + b": "

# What a parser takes as it is: the characters of RFC 3986, but for the fragment.
_TARGET = re.compile(rb"/[A-Za-z0-9._~!$&'()*+,;=:@/?%-]*")
_BLANK = b"\r\n\r\n"
VERSION = b" HTTP/1.1\r\n"
_METHODS = frozenset(b"DELETE GET HEAD OPTIONS PATCH POST PUT".split())

# They mean that a request is more than its head and so many bytes.
_NEVER = frozenset(b"content-encoding expect transfer-encoding upgrade".split())
_SINGLE = frozenset(b"authorization client-request-id content-length host".split())
_OWN = OWN_HEADERS.encode()


class Block(NamedTuple):
    """The header block of a request, from behind its target to the empty line.

    Attributes:
        headers: Its fields.
        address: The proxy's own, as the client names it: scheme, host and port.
        length: Bytes of the body behind it.
        caller: The client-request-id, or empty.
        origin: Whether it says which page sent the request.
        known: The requests that came with it, by their lines.
    """

    headers: Headers
    address: str
    length: int
    caller: bytes
    origin: bool
    known: dict[bytes, Known]


def block_of(fields: tuple[tuple[bytes, bytes], ...], scheme: str) -> Block | None:
    """Read a header block; None where a request with it takes more than its bytes.

    Args:
        fields: As sent.
        scheme: Of the proxy's own URL.
    """
    told: dict[bytes, bytes] = {}
    for name, _value in fields:
        lower = name.lower()
        if lower in _NEVER or lower.startswith(_OWN):
            return None
        if lower in _SINGLE:
            if lower in told:
                return None
            told[lower] = _value
    host, caller = told.get(b"host", b"").decode("latin-1"), told.get(_CALLER_NAME, b"")
    length = told.get(b"content-length", b"0")
    if not HOST.fullmatch(host) or not length.isdigit() or len(length) > len(str(LONGEST)):
        return None
    if _CALLER_NAME in told and not CALLER.fullmatch(caller):
        return None
    origin = any(name.lower() == b"origin" for name, _ in fields)
    headers = Headers.of((_text(name), _text(value)) for name, value in fields)
    return Block(headers, f"{scheme}://{host}", int(length), caller, origin, {})


class Pieces(NamedTuple):
    """One request's bytes, taken apart.

    Attributes:
        line: What sets it apart from others with the same header block: method and target, and
            its body on a line of its own.
        rest: The header block.
        body: As sent.
    """

    line: bytes
    rest: bytes
    body: bytes


def pieces_of(data: bytes) -> Pieces | None:
    """Take the bytes of one request apart; None where it takes a parser."""
    end = data.find(VERSION)
    stop = data.find(_BLANK, end) + len(_BLANK)
    if end <= 0 or stop < len(_BLANK):
        return None
    line, body = data[:end], data[stop:]
    return Pieces(b"%b\n%b" % (line, body) if body else line, data[end:stop], body)


def plain(line: bytes) -> tuple[str, str, bytes] | None:
    """Read a request under a known header block; None where it takes a parser.

    Args:
        line: As in `Pieces`.

    Returns:
        Its method, its target and its body.
    """
    begins, _, body = line.partition(b"\n")
    method, _, target = begins.partition(b" ")
    if method not in _METHODS or not _TARGET.fullmatch(target):
        return None
    return method.decode(), target.decode(), body


def without_caller(rest: bytes) -> tuple[bytes, bytes]:
    """Return a header block without the caller's id, and the id.

    Empty is one that isn't there, or doesn't stand in its usual place.
    """
    start = rest.find(_CALLER_LINE)
    if start < 0:
        return rest, b""
    start += len(_CALLER_LINE)
    stop = rest.find(b"\r\n", start)
    return rest[:start] + rest[stop:], rest[start:stop]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
