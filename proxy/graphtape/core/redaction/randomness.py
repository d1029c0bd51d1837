"""Values that look like tokens in places no rule knows: for a person to judge, never changed."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING

from graphtape.core.json_text import NotJsonError, scalars
from graphtape.core.json_text import text as unquoted
from graphtape.core.redaction import packed, percent, provider_keys, secrets, urls
from graphtape.core.redaction.identities import GUID
from graphtape.core.redaction.vocabulary import Place, folded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphtape.core.message import Headers, Interaction
    from graphtape.core.redaction.places import Path, Rules

    Found = tuple[Path, str]

_SHORTEST, _LONGEST = 32, 4096
_LEAST_BITS = 64
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
# Outlook's ids of items and folders (base64 of a mailbox's GUID), OneDrive's of items and drives.
_GRAPH_ID = re.compile(r"A[AQ][MQ]k[\w=-]{20,}|01[A-Z2-7]{32}|b![\w-]{40,90}")
_DELTA = re.compile(r"/(?:microsoft\.graph\.)?delta(?:\(|\Z)", re.IGNORECASE)
_SAFE_HEADERS = frozenset(
    {"etag", "ifmatch", "ifnonematch", "traceparent", "useragent", "requestid", "clientrequestid"}
)
# Lines of base64 (RFC 2045 section 6.8, RFC 7468): files and certificates.
_BASE64_LINES = re.compile(
    r"(?:^[A-Za-z0-9+/]{60,76}\r?$\n?)+(?:^[A-Za-z0-9+/]*+={0,2}\r?$)?", re.MULTILINE
)
_BOUNDARY_LINE = re.compile(r"^--[^\r\n]*+", re.MULTILINE)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}+://[^\s\"'<>]*+")
_TOKEN = re.compile(r"(?:b!)?[A-Za-z0-9+/_.~-]++=*+")
GUID_TEXT = re.compile(GUID)
_FORM = re.compile(r"[\w.$%+\[\]-]{1,128}=[^\s]*+\Z")
_DEPTH = 2


def random_values(rules: Rules, interaction: Interaction) -> Iterator[Found]:
    """List where each stands, and what it is."""
    request, response = interaction.request, interaction.response
    yield from _in_url(rules, request.url)
    yield from _in_message(rules, "request", request.headers, request.body)
    yield from _in_message(rules, "response", response.headers, response.body)


def _in_url(rules: Rules, url: str) -> Iterator[Found]:
    """Look into the query. A path has ids, which look as random as any token."""
    path, _, query = url.partition("#")[0].partition("?")
    if _DELTA.search(path) is not None:
        return
    yield from _in_pairs(rules, ("request", "url", "query"), query, depth=0, query=True)


def _in_message(rules: Rules, side: str, fields: Headers, body: bytes) -> Iterator[Found]:
    for name, value in fields:
        key = folded(name)
        known = rules.header(name) is not Place.PLAIN or key in _SAFE_HEADERS
        if not known and not key.startswith("xms") and _is_random(rules, value):
            yield (side, "header", name), value
    place: Path = (side, "body")
    try:
        yield from _in_json(rules, place, body, depth=0)
    except NotJsonError:
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return
        if _FORM.match(text) is not None:
            yield from _in_pairs(rules, place, text, depth=0, query=False)
        elif text.lstrip()[:1] != "<":  # pages are full of nonces and digests of their scripts
            yield from _in_text(rules, place, text, depth=0)


def _in_pairs(rules: Rules, place: Path, pairs: str, *, depth: int, query: bool) -> Iterator[Found]:
    """Look into a query or a form."""
    for pair in pairs.split("&"):
        name, _, value = pair.partition("=")
        known = percent.decode(name, plus=True)
        if rules.parameter(known, query=query) is Place.PLAIN and not _is_safe((known,)):
            decoded = percent.decode(value, plus=True)
            yield from _in_value(rules, (*place, known), decoded, depth=depth)


def _in_json(rules: Rules, place: Path, raw: bytes, *, depth: int) -> Iterator[Found]:
    for scalar in scalars(raw):
        if not scalar.string or scalar.end - scalar.start - 2 < _SHORTEST:
            continue
        if rules.field(scalar.path) is not Place.PLAIN or _is_safe(scalar.path):
            continue
        yield from _in_value(rules, (*place, *scalar.path), unquoted(raw, scalar), depth=depth)


def _in_value(rules: Rules, place: Path, value: str, *, depth: int) -> Iterator[Found]:
    if _is_random(rules, value):
        yield place, value
        return
    if depth < _DEPTH and value.lstrip()[:1] in {"{", "["}:
        raw = value.encode("utf-8", "surrogatepass")
        try:
            # Whole before the first is passed on: a text that breaks off is looked at as text.
            found = list(_in_json(rules, place, raw, depth=depth + 1))
        except NotJsonError:
            pass
        else:
            yield from found
            return
    if value not in rules.allowed_values and any(mark in value for mark in " =:,;\n"):
        yield from _in_text(rules, place, value, depth=depth)


def _in_text(rules: Rules, place: Path, text: str, *, depth: int) -> Iterator[Found]:
    """Look at what stands between blanks and marks, and into the queries of addresses."""
    for pattern in (_BASE64_LINES, _BOUNDARY_LINE):
        text = pattern.sub(" ", text)
    if "://" in text:
        if depth < _DEPTH:  # an address may hold an address
            for address in _ADDRESS.finditer(text):
                path, _, query = address[0].partition("#")[0].partition("?")
                if _DELTA.search(path) is not None:
                    continue  # what is in it is the place in a list
                yield from _in_pairs(rules, place, query, depth=depth + 1, query=True)
        text = _ADDRESS.sub(" ", text)
    for token in _TOKEN.finditer(text):
        if token.end() - token.start() >= _SHORTEST and _is_random(rules, token[0]):
            yield place, token[0]


def _is_safe(path: Path) -> bool:
    name = next((step for step in reversed(path) if isinstance(step, str)), "")
    key = folded(name).rpartition("@")[2].lstrip("$")
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
    if _GRAPH_ID.fullmatch(value) is not None or packed.may_begin(value.encode()):
        return False  # an id, or base64 of what was looked through
    if value.startswith(_FILE) or secrets.entropy(value) < _LEAST_ENTROPY:
        return False
    return not _is_coded_text(value)


def _is_coded_text(value: str) -> bool:
    """Tell whether a value is the base64 of readable text: a script, a configuration."""
    try:
        return b64decode(value, validate=True).decode().isprintable()
    except ValueError:
        return False


def is_unguessable(value: str) -> bool:
    """Tell whether a value has at least 64 bits that no list of words helps with."""
    if provider_keys.is_key(value) or secrets.is_jwt(value):
        return True
    if GUID_TEXT.fullmatch(value) is not None:
        return True
    sample = value[:_LONGEST]
    return (
        urls.is_opaque(sample)
        and len(sample) * secrets.entropy(sample) >= _LEAST_BITS
        and not _is_coded_text(sample)
    )
