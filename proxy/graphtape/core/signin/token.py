"""JSON Web Tokens (RFC 7519) that are clearly fake, and the claims of any."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphtape.core.matching.body import Json

SIGNATURE = "graphtape-fake-signature"
KEY = "graphtape-fake"
"""The `kid` of every fake token; no key of this name exists."""

_PARTS = 3


def fake_token(claims: Mapping[str, Json]) -> str:
    """Write a token whose signature is a text that says it is none.

    It names RS256 rather than `none`: who verifies must refuse it, and a careless one would take
    an unsigned token for good.
    """
    header: dict[str, Json] = {"typ": "JWT", "alg": "RS256", "kid": KEY}
    return f"{packed(header)}.{packed(claims)}.{_coded(SIGNATURE.encode())}"


def claims_of(token: str) -> Mapping[str, Json] | None:
    """Read the claims of a token without verifying it; None where it isn't a JWT."""
    parts = token.split(".")
    return unpacked(parts[1]) if len(parts) == _PARTS else None


def expiry_of(token: str) -> float | None:
    """Return when a token ends, Unix seconds; None where it isn't a JWT or doesn't say."""
    claims = claims_of(token)
    ends = claims.get("exp") if claims is not None else None
    return float(ends) if isinstance(ends, int | float) and not isinstance(ends, bool) else None


def sealed(kind: str, content: Mapping[str, Json]) -> str:
    """Write a code or refresh token that carries what it was issued for: nothing is remembered."""
    return f"graphtape-fake-{kind}.{packed(content)}"


def opened(text: str) -> Mapping[str, Json]:
    """Read what `sealed` wrote; empty for a text from anywhere else."""
    mark, _, content = text.partition(".")
    found = unpacked(content) if mark.startswith("graphtape-fake-") else None
    return found if found is not None else {}


def packed(value: Mapping[str, Json]) -> str:
    """Write an object as JSON in base64url, as the parts of a token are."""
    return _coded(json.dumps(value, separators=(",", ":")).encode())


def unpacked(text: str) -> Mapping[str, Json] | None:
    """Read an object from JSON in base64url; None where it is none."""
    padded = text + "=" * (-len(text) % 4)
    try:
        value: Json = json.loads(urlsafe_b64decode(padded.encode()))
    except (ValueError, binascii.Error, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _coded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode("ascii").rstrip("=")
