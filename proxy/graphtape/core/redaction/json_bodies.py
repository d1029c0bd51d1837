"""JSON bodies: values change where they stand, the rest keeps its formatting."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, assert_never

import msgspec

from graphtape.core.json_text import NotJsonError, quote, scalars, splice
from graphtape.core.json_text import text as unquoted
from graphtape.core.redaction import headers, long_runs, shapes, urls
from graphtape.core.redaction.identities import is_domain
from graphtape.core.redaction.neighbours import told_by_neighbours
from graphtape.core.redaction.sweep import DEEPEST, Rule
from graphtape.core.redaction.text import text
from graphtape.core.redaction.vocabulary import KEYS_OR_NAMES, Place, folded

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.json_text import Scalar
    from graphtape.core.redaction.places import Path
    from graphtape.core.redaction.sweep import Sweep

# A value no rule knows by its shape: it is passed over unread.
_DULL = re.compile(rb'"(?:(?![0-9]{6}-[0-9]{6}-)[\w:-]{0,64}|(?![Bb]earer )[\w ]{0,64})"')
_LITERALS = frozenset({b"true", b"false", b"null"})
_KEY_WITH_MAIL = re.compile(rb'"([^"\\@]++@[^"\\]*+)"(?=[ \t\r\n]*+:)')
_WITH_AT = re.compile(rb'"([^"@\\]*+@[^"\\]*+)"')
# An address that no other rule can find anything in: too short for a key, all lower case.
_ADDRESS = re.compile(
    rb"[a-z][a-z0-9]{0,15}(?:\.[a-z0-9]{1,8}){0,2}@(?:[a-z0-9][a-z0-9-]{0,40}\.){1,4}[a-z]{2,12}"
)
_SETTLED = re.compile(r"REDACTED|user-[a-z2-7]{8}@[a-z2-7]{8}\.example")
_BASE64 = re.compile(r"[A-Za-z0-9+/\r\n]{16,}+={0,2}\s*")
_SHORTEST_KEY = 16
_BATCH = ("requests", "responses")


def json(sweep: Sweep, raw: bytes) -> bytes:
    """Redact a JSON body.

    Args:
        sweep: The message's.
        raw: JSON in UTF-8.

    Raises:
        NotJsonError: `raw` isn't JSON.
    """
    noted, base = len(sweep.changes), sweep.place
    keys, packs = long_runs.look(raw)
    keys = keys or b"\\u00" in raw
    outer, sweep.no_provider_keys = sweep.no_provider_keys, not keys
    unread = not (keys or packs or sweep.rules.patterns)
    edits: list[tuple[int, int, bytes]] = []
    rules = sweep.rules
    try:
        told = told_by_neighbours(raw, rules, answer=sweep.action)
        for scalar in scalars(raw):
            place = told.get(scalar.start) or rules.field(scalar.path)
            dull = place is Place.PLAIN and _DULL.fullmatch(raw, scalar.start, scalar.end)
            if dull and unread and scalar.path[-1:] != ("body",):
                continue
            sweep.place = base + scalar.path
            new = _scalar(sweep, raw, scalar, place)
            if new is not None:
                edits.append((scalar.start, scalar.end, new))
    except NotJsonError:
        del sweep.changes[noted:]  # its text is gone through again
        raise
    finally:
        sweep.place = base
        sweep.no_provider_keys = outer
    return _keys(sweep, splice(raw, edits))


def addresses(sweep: Sweep, raw: bytes, harmless: Callable[[bytes], bool]) -> bytes | None:
    """Redact a body in which nothing shows but mail addresses; None where more does.

    Most lists are such: the way through all of their values takes several times as long.

    Args:
        sweep: The message's.
        raw: The body.
        harmless: Tells whether nothing can be found in what is left without the addresses.
    """
    if raw[:1] not in {b"{", b"["} or b"\\" in raw or not sweep.rules.identities:
        return None
    if not harmless(_WITH_AT.sub(b'""', raw)):
        return None
    try:
        msgspec.json.decode(raw, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return _WITH_AT.sub(lambda found: _address(sweep, found), raw)


def _address(sweep: Sweep, found: re.Match[bytes]) -> bytes:
    raw = found[1]
    if raw.startswith(b"@odata."):
        return found[0]
    value = raw.decode("utf-8", "surrogateescape")
    if _ADDRESS.fullmatch(raw) and value not in sweep.rules.allowed_values:
        return b'"%b"' % sweep.mail(value).encode()
    after = text(sweep, value)
    if after == value:
        return found[0]
    if _SETTLED.fullmatch(after) is None:
        after = sweep.settled(lambda again: text(sweep, again), after)
    return quote(after)


def embedded(sweep: Sweep, value: str) -> str | None:
    """Redact a JSON text that is a string's value; None if it isn't one, or nests too deep."""
    if value.lstrip()[:1] not in {"{", "["}:
        return None
    raw = value.encode("utf-8", "surrogatepass")
    if sweep.depth >= DEEPEST:
        sweep.leave_unopened()
        return None
    try:
        swept = sweep.deeper(lambda: json(sweep, raw))
    except NotJsonError:
        return None
    return swept.decode("utf-8", "surrogatepass")


def _scalar(sweep: Sweep, raw: bytes, scalar: Scalar, place: Place) -> bytes | None:
    """Return what comes in a value's place, or None where it stays."""
    before = unquoted(raw, scalar)
    if not scalar.string:
        if place is not Place.SECRET or raw[scalar.start : scalar.end] in _LITERALS:
            return None
        if sweep.answer:  # a number stays one, for clients that read it as such
            return None if before == "0" else sweep.note(Rule.SECRET, before, "0").encode()
        return quote(sweep.mask(Rule.SECRET, before))
    after = _string(sweep, before, place, scalar.path)
    if after != before and _SETTLED.fullmatch(after) is None:
        after = sweep.settled(lambda value: _string(sweep, value, place, scalar.path), after)
    return None if after == before else quote(after)


def _string(  # noqa: PLR0911 - one for each place
    sweep: Sweep, value: str, place: Place, path: Path
) -> str:
    if place is Place.PLAIN:  # most are
        return _plain(sweep, value, path)
    identities = sweep.rules.identities
    match place:
        case Place.ALLOWED:
            return value
        case Place.SECRET:
            return value if _names_key(path, value) else sweep.mask(Rule.SECRET, value)
        case Place.SCHEME | Place.COOKIE | Place.SET_COOKIE:
            return headers.placed(sweep, place, value)
        case Place.LINK if "://" in value:
            return urls.url(sweep, value, link=True)
        case Place.TENANT if identities:
            return urls.tenant(sweep, value)
        case Place.DOMAIN if identities and is_domain(value):
            return sweep.domain(value)
        case Place.PERSON | Place.DEVICE | Place.SERIAL | Place.PHONE if sweep.rules.personal:
            return shapes.person(sweep, place, value)
        case (
            Place.LINK
            | Place.TENANT
            | Place.DOMAIN
            | Place.PERSON
            | Place.DEVICE
            | Place.SERIAL
            | Place.PHONE
        ):
            return _plain(sweep, value, path)
        case _:
            assert_never(place)


def _names_key(path: Path, value: str) -> bool:
    """Tell whether a `primaryKey` is the name of a column, no secret."""
    last = path[-1] if path else None
    return len(value) < _SHORTEST_KEY and isinstance(last, str) and folded(last) in KEYS_OR_NAMES


def _plain(sweep: Sweep, value: str, path: Path) -> str:
    inside = embedded(sweep, value)
    if inside is not None:
        return inside
    if path and path[0] in _BATCH and len(path) == 3:  # noqa: PLR2004 - requests, 0, url
        if path[-1] == "url":
            return urls.url(sweep, value, link=False)
        if path[-1] == "body" and _BASE64.fullmatch(value):
            return _base64(sweep, value)
    return text(sweep, value)


def _base64(sweep: Sweep, value: str) -> str:
    """Redact the body of a $batch part that isn't JSON (Graph: "Combine multiple requests")."""
    try:
        raw = b64decode(value)
    except binascii.Error:
        return text(sweep, value)
    swept = sweep.open(raw)
    return value if swept == raw else b64encode(swept).decode("ascii")


def _keys(sweep: Sweep, raw: bytes) -> bytes:
    """Redact keys that are mail addresses: maps by user."""
    if b"@" not in raw or not sweep.rules.identities:
        return raw

    def replace(found: re.Match[bytes]) -> bytes:
        key = found[1].decode("utf-8", "surrogateescape")
        new = sweep.settled(lambda value: text(sweep, value), key)
        return b'"' + new.encode("utf-8", "surrogateescape") + b'"'

    return _KEY_WITH_MAIL.sub(replace, raw)
