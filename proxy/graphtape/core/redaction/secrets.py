"""Secrets by their shape, and what stands in their place."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MASK = "REDACTED"

FAKE_JWT = "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.eyJyZWRhY3RlZCI6dHJ1ZX0.REDACTED"
"""`{"typ":"JWT","alg":"none"}` and `{"redacted":true}`: clients that look into a token can."""

FAKE_KEY = "-----BEGIN PRIVATE KEY-----REDACTED-----END PRIVATE KEY-----"

_MASKED = re.compile(
    r"\W{0,8}REDACTED(?:[0-9a-f]{16}|[0-9a-f]{20})?\W{0,8}(?:REDACTED\W{0,8}){0,16}"
)
_FAKE = re.compile(r"REDACTED[0-9a-f]{16}")
_KEYED = re.compile(r"REDACTED[0-9a-f]{20}(?![0-9a-f])")
# Possessive throughout: what a run of letters has failed on once, it would fail on at each start.
_RUN = re.compile(r"eyJ[A-Za-z0-9_-]*+")
_REST = re.compile(r"\.[A-Za-z0-9_-]{6,}+(?:\.[A-Za-z0-9_-]*+){0,3}")
_SHORTEST_HEADER = 10
_KEY_LINE = r"(?:[A-Z0-9 +]|%20){0,40}PRIVATE(?: |\+|%20)KEY[A-Z0-9 ]{0,10}-----"
_KEY_BEGINS = re.compile(f"-----BEGIN{_KEY_LINE}")
_KEY_ENDS = re.compile(f"-----END{_KEY_LINE}")
_KEY_BODY = re.compile(r"[A-Za-z0-9+/=\s\\%:,-]*+")
# Base64 of DER: SEQUENCE { INTEGER 0, 1 or 3, …: PKCS #1, #8, #12 or SEC 1. Certificates and
# public keys begin with another SEQUENCE.
_DER_KEY = re.compile(
    r"(?<![A-Za-z0-9+/])(?:MII[A-Za-z0-9+/]{2}[AQgw]IBA[ADKz]|MIG[HT]AgEAM|MHcCAQEE)"
    r"[A-Za-z0-9+/]{40,}+={0,2}"
)


def masked(value: str) -> bool:
    """Tell whether nothing of a secret is left in a value."""
    return value in {"", FAKE_JWT, FAKE_KEY} or _MASKED.fullmatch(value) is not None


def is_fake(value: str) -> bool:
    """Tell whether a value is one that `Pseudonyms.fake` made."""
    return _FAKE.fullmatch(value) is not None


def is_keyed(value: str) -> bool:
    """Tell whether a value is one that `Pseudonyms.keyed` made."""
    return _KEYED.fullmatch(value) is not None


def unkeyed(text: str) -> str:
    """Put the mask that tells nothing where a keyed one stands."""
    return _KEYED.sub(MASK, text) if MASK in text else text


def entropy(value: str) -> float:
    """Return Shannon's entropy in bits a character."""
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values())


def is_jwt(value: str) -> bool:
    """Tell whether a value is a JSON Web Token (RFC 7519), signed or encrypted."""
    run = _RUN.match(value)
    rest = _REST.match(value, run.end()) if run else None
    return rest is not None and rest.end() == len(value)


def replace_jwts(text: str, replace: Callable[[str], str]) -> str:
    """Put what `replace` makes of it where a token stands."""
    pieces: list[str] = []
    done = at = 0
    while (at := text.find("eyJ", at)) >= 0:
        run = _RUN.match(text, at)
        end = run.end() if run else at + 3
        rest = _REST.match(text, end) if end - at >= _SHORTEST_HEADER else None
        if rest is not None:
            end = rest.end()
            pieces += (text[done:at], replace(text[at:end]))
            done = end
        at = end
    return "".join((*pieces, text[done:])) if pieces else text


def replace_keys(text: str, replace: Callable[[str], str]) -> str:
    """Put what `replace` makes of it where a private key stands, in PEM or as base64 of DER."""
    if "PRIVATE" in text and "-----BEGIN" in text:
        text = _replace_pem(text, replace)
    if "MII" in text or "MIG" in text or "MHcC" in text:
        text = _DER_KEY.sub(lambda found: replace(found[0]), text)
    return text


def _replace_pem(text: str, replace: Callable[[str], str]) -> str:
    pieces: list[str] = []
    done = 0
    ends = _KEY_ENDS.search(text)
    while (begins := _KEY_BEGINS.search(text, done)) is not None:
        at = begins.end()
        while ends is not None and ends.start() < at:  # each END is looked for once
            ends = _KEY_ENDS.search(text, ends.end())
        if ends is not None and _KEY_BODY.fullmatch(text, at, ends.start()):
            end = ends.end()
        else:
            body = _KEY_BODY.match(text, at)  # cut short
            end = body.end() if body else at
        pieces += (text[done : begins.start()], replace(text[begins.start() : end]))
        done = end
    return "".join((*pieces, text[done:]))
