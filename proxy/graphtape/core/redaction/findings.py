"""What a message still holds that redaction would take out, and what merely looks secret."""

from __future__ import annotations

import math
import re
from base64 import b64decode
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core.graph import last_segment
from graphtape.core.json_text import NotJsonError, scalars
from graphtape.core.json_text import text as unquoted
from graphtape.core.redaction import bodies, headers, secrets, urls
from graphtape.core.redaction.identities import Pseudonyms
from graphtape.core.redaction.places import rules_of
from graphtape.core.redaction.sweep import Rule, Sweep
from graphtape.core.redaction.vocabulary import Place, folded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphtape.core.message import Headers, Interaction
    from graphtape.core.redaction.places import Path, Rules
    from graphtape.core.redaction.policy import Policy

_SHORTEST, _LONGEST = 32, 4096
_LEAST_ENTROPY = 4.0  # bits a character; English words run together have about 3.9
_RANDOM = re.compile(r"[A-Za-z0-9+/_=.~-]+")
_HEX = re.compile(r"[0-9A-Fa-f:-]+")
# Base64 of PNG, JPEG, GIF, WebP, SVG, XML, PDF, ZIP, and of X.509.
_FILE = ("iVBOR", "/9j/", "R0lGOD", "UklGR", "PHN2Z", "PD94b", "JVBER", "UEsDB", "MII")
_NO_SECRETS = frozenset(
    {
        "changekey",
        "contentbytes",
        "conversationindex",
        "ctag",
        "customkeyidentifier",
        "etag",
        "fingerprint",
        "hash",
        "key",  # keyCredentials: a certificate
        "key1",
        "odata.etag",
        "quickxorhash",
        "securityidentifier",
        "skiptoken",
        "deltatoken",
        "continuationtoken",
        "thumbprint",
        "type",
        "odata.type",
        "value",  # of largeIcon and the like: bytes
        "version",
    }
)
_SAFE_ENDINGS = (
    "id",
    "ids",
    "hash",
    "etag",
    "thumbprint",
    "key.identifier",
    "version",
    "url",
    "uri",
)
_SAFE_HEADERS = frozenset(
    {"etag", "ifmatch", "ifnonematch", "traceparent", "useragent", "requestid", "clientrequestid"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that should not be on a tape.

    Attributes:
        place: `request.header.Authorization`, `response.body.value[0].secretText`.
        rule: The `Rule` it breaks.
        excerpt: Its beginning and its length: enough to find it by, not to use it.
    """

    place: str
    rule: str
    excerpt: str


def find(interaction: Interaction, policy: Policy) -> Iterator[Finding]:
    """List what redaction would change, and long random values beside.

    Masked values, fakes and pseudonyms are no findings, whatever salt they were made with. GUIDs,
    ETags, thumbprints, images and certificates aren't taken for random; nor are `$skiptoken` and
    `$deltatoken`, which open nothing without an access token.
    """
    rules = rules_of(policy)
    allowed = frozenset(text.lower() for text in (*policy.allow_domains, *policy.allow_values))
    names = Pseudonyms(salt="", allow=allowed, lenient=True)
    request, response = interaction.request, interaction.response
    for side in ("request", "response"):
        sweep = Sweep(rules, names, answer=side == "response")
        if side == "request":
            sweep.place = (side, "url")
            urls.url(sweep, request.url, link=True)
            _look(sweep, side, request.headers, request.body)
        else:
            sweep.action = last_segment(request.url).lower()
            _look(sweep, side, response.headers, response.body)
        yield from _changed(sweep)
    yield from _opaque(rules, "request", request.headers, request.body)
    yield from _opaque(rules, "response", response.headers, response.body)


def _look(sweep: Sweep, side: str, fields: Headers, body: bytes) -> None:
    for name, value in fields:
        sweep.place = (side, "header", name)
        headers.header(sweep, name, value)
    sweep.place = (side, "body")
    bodies.body(sweep, body, fields.get("Content-Type") or "")


def _changed(sweep: Sweep) -> Iterator[Finding]:
    seen: set[Finding] = set()
    for change in sweep.changes:
        if secrets.masked(change.before) or secrets.is_fake(change.before):
            continue
        finding = Finding(
            place=_written(change.place), rule=change.rule.value, excerpt=_excerpt(change.before)
        )
        if finding not in seen:
            seen.add(finding)
            yield finding


def _opaque(rules: Rules, side: str, fields: Headers, body: bytes) -> Iterator[Finding]:
    """List values that look like tokens in places no rule knows."""
    for name, value in fields:
        key = folded(name)
        known = rules.header(name) is not Place.PLAIN or key in _SAFE_HEADERS
        if not known and not key.startswith("xms") and _is_random(rules, value):
            yield _found((side, "header", name), value)
    try:
        for scalar in scalars(body):
            if not scalar.string or not _SHORTEST <= scalar.end - scalar.start - 2 <= _LONGEST:
                continue
            if rules.field(scalar.path) is not Place.PLAIN or _is_safe(scalar.path):
                continue
            value = unquoted(body, scalar)
            if _is_random(rules, value):
                yield _found((side, "body", *scalar.path), value)
    except NotJsonError:
        return


def _found(place: Path, value: str) -> Finding:
    return Finding(place=_written(place), rule=Rule.OPAQUE.value, excerpt=_excerpt(value))


def _is_safe(path: Path) -> bool:
    name = next((step for step in reversed(path) if isinstance(step, str)), "")
    key = folded(name).rpartition("@")[2]
    return key in _NO_SECRETS or key.endswith(_SAFE_ENDINGS)


def _is_random(rules: Rules, value: str) -> bool:
    if (
        value in rules.allowed_values
        or not _SHORTEST <= len(value) <= _LONGEST
        or secrets.MASK in value
    ):
        return False
    if not urls.is_opaque(value) or _HEX.fullmatch(value) or not _RANDOM.fullmatch(value):
        return False
    if value.startswith(_FILE) or _entropy(value) < _LEAST_ENTROPY:
        return False
    return not _is_coded_text(value)


def _is_coded_text(value: str) -> bool:
    """Tell whether a value is the base64 of readable text: a script, a configuration."""
    try:
        return b64decode(value, validate=True).decode().isprintable()
    except ValueError:
        return False


def _entropy(value: str) -> float:
    """Return Shannon's entropy in bits a character."""
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values())


def _excerpt(value: str) -> str:
    shown = min(4, len(value) // 6)  # of a short one more would be too much
    return f"{value[:shown]}… ({len(value)} characters)"


def _written(place: Path) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)[1:]
