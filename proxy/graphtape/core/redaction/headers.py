"""Header fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, assert_never

from graphtape.core.redaction import secrets, urls
from graphtape.core.redaction.sweep import Rule
from graphtape.core.redaction.text import text
from graphtape.core.redaction.vocabulary import AUTHENTICATION_SCHEMES, Place

if TYPE_CHECKING:
    from graphtape.core.redaction.sweep import Sweep

_SCHEMED = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,31}) +(.*)", re.DOTALL)


def header(sweep: Sweep, name: str, value: str) -> str:
    """Redact the value of one header field."""
    return placed(sweep, sweep.rules.header(name), value)


def placed(sweep: Sweep, place: Place, value: str) -> str:  # noqa: PLR0911 - one for each place
    """Redact a header field's value, by what its name says."""
    if not value:
        return value
    match place:
        case Place.ALLOWED:
            return value
        case Place.SCHEME:
            return _schemed(sweep, value)
        case Place.SECRET:
            return sweep.mask(Rule.SECRET, value, keyed=False)
        case Place.COOKIE:
            return "; ".join(_cookie(sweep, pair) for pair in value.split("; "))
        case Place.SET_COOKIE:
            pair, semicolon, attributes = value.partition(";")
            return _cookie(sweep, pair) + semicolon + text(sweep, attributes)
        case Place.LINK:
            return urls.url(sweep, value, link=True)
        case Place.TENANT if sweep.rules.identities:
            return urls.tenant(sweep, value)
        case (
            Place.PLAIN
            | Place.TENANT
            | Place.DOMAIN
            | Place.PERSON
            | Place.DEVICE
            | Place.SERIAL
            | Place.PHONE
        ):
            return text(sweep, value)
        case _:
            assert_never(place)


def _schemed(sweep: Sweep, value: str) -> str:
    """Mask credentials and keep their scheme (RFC 9110 section 11.4)."""
    parts = _SCHEMED.fullmatch(value)
    if parts is None or parts[1].lower() not in AUTHENTICATION_SCHEMES:
        return sweep.mask(Rule.AUTHORIZATION, value)
    scheme, secret = parts.groups()
    if secret in sweep.rules.allowed_values or not secret:
        return value
    return f"{scheme} {sweep.note(Rule.AUTHORIZATION, secret, secrets.MASK)}"


def _cookie(sweep: Sweep, pair: str) -> str:
    """Mask the value of one cookie and keep its name (RFC 6265 section 4)."""
    name, equals, value = pair.partition("=")
    if not equals:
        return sweep.mask(Rule.COOKIE, pair)
    return f"{name}={sweep.mask(Rule.COOKIE, value)}"
