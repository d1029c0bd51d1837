"""What a file of another tool comes to, and the steps that its format shares with others."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from graphtape.core.errors import CassetteError
from graphtape.core.graph.link import shown
from graphtape.core.message import HOP_BY_HOP, Headers, Interaction, Request, Response
from graphtape.tape import entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from graphtape.tape.vcr_format import Cassette

_URL = re.compile(r"([a-z][a-z0-9+.-]*):(?://([^/?#]*))?", re.IGNORECASE)
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Z-]+")  # a token, RFC 9110 section 5.6.2
_CHARSET = re.compile(r';\s*charset="?([^\s";]+)', re.IGNORECASE)
_LOWEST_STATUS, _HIGHEST_STATUS = 200, 599  # an answer is a final one: no 101
BODILESS = (204, 304)
"""Statuses of answers without a body (RFC 9110 sections 15.3.5 and 15.4.5)."""


class LeftOutError(Exception):
    """An entry holds no whole interaction; its text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A mock that answers more than one recorded request could: a rule of a scenario.

    Attributes:
        about: What messages call the mock that says it.
        methods: Which it holds for; empty for any.
        request: An example. Its path may hold `{name}` for a segment and a last `/**` for any
            number of them.
        response: What it answers; None where another rule or the tape does.
        effect: More keys of the rule, as a scenario file spells them.
        nth: The call it answers, from 1; None for each.
        any_value: Decoded names of query parameters whose value doesn't matter.
    """

    about: str
    methods: tuple[str, ...]
    request: Request
    response: Response | None = None
    effect: Mapping[str, object] = field(default_factory=dict)
    nth: int | None = None
    any_value: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a file holds.

    Attributes:
        interactions: In tape order.
        rules: In the order in which they are asked.
        skipped: What was left out and why, a line each: without URLs, which hold secrets.
        notes: What came over, but not as it was; likewise.
        started_at: When the first request was made; None where the file doesn't say.
        variables: Values that a test made up while recording, by name.
        cassette: Where the file is a cassette of vcrpy's format; it has metadata of its own.
    """

    interactions: tuple[Interaction, ...] = ()
    rules: tuple[Rule, ...] = ()
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    started_at: datetime | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    cassette: Cassette | None = None


def entries_of(
    trees: Iterable[object],
    titled: Callable[[dict[object, object]], str],
    *,
    name: str,
    kind: str = "entry",
) -> Iterator[tuple[dict[object, object], str, str]]:
    """Generate entries of a list, where each stands, and what it is called when it is left out.

    Args:
        trees: As decoded.
        titled: Names an entry by method and host.
        name: Of the file.
        kind: What an entry is called.

    Raises:
        CassetteError: One is no mapping.
    """
    for index, tree in enumerate(trees):
        where = f"{name}, {kind} {index}"
        fields = entry.as_mapping(tree, where=where)
        yield fields, where, f"{kind} {index} ({titled(fields)})"


def read_each(
    trees: Iterable[object],
    read: Callable[[dict[object, object], str], Interaction],
    titled: Callable[[dict[object, object]], str],
    *,
    name: str,
) -> Found:
    """Read a list of recorded entries; those that hold no whole interaction are left out.

    Args:
        trees: As decoded.
        read: Given an entry and what messages call it; raises `LeftOutError`, `CassetteError`.
        titled: Names an entry by method and host.
        name: Of the file.

    Raises:
        CassetteError: An entry isn't what the format says.
    """
    interactions: list[Interaction] = []
    skipped: list[str] = []
    for fields, where, about in entries_of(trees, titled, name=name):
        try:
            interactions.append(read(fields, where))
        except LeftOutError as exc:
            skipped.append(f"{about}: {exc}")
    return Found(
        interactions=tuple(interactions), skipped=tuple(skipped), started_at=dated(interactions)
    )


def dated(interactions: Iterable[Interaction]) -> datetime | None:
    """Return when the first answer that says so was given (RFC 9110 section 6.6.1)."""
    for interaction in interactions:
        if (date := http_date(interaction.response.headers.get("Date"))) is not None:
            return date
    return None


def http_date(text: object) -> datetime | None:
    """Read a date as HTTP and mail write it; None where it is none."""
    if not isinstance(text, str):
        return None
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else None


def title(method: object, url: object) -> str:
    """Name a request by method and host."""
    if not isinstance(method, str) or not isinstance(url, str):
        return "no request"
    method = method.upper() if method.isascii() and method.isalpha() else "?"
    found = _URL.match(url)
    host = (found[2] or "").rpartition("@")[2] if found else ""
    return f"{method} {host or (found[1] + ':' if found else '?')}"


def request_of(method: str, url: str, headers: Headers, body: bytes, *, where: str) -> Request:
    """Make a request without what was of the connection.

    Raises:
        CassetteError: The URL isn't absolute.
        LeftOutError: It isn't asked over HTTP.
    """
    found = _URL.match(url)
    if found is None:
        entry.refuse(where, shown(url), "an absolute URL")
    method = method.upper()
    if not _METHOD.fullmatch(method):
        raise LeftOutError("its method is none")
    if found[1].lower() not in {"http", "https"} or not found[2] or method == "CONNECT":
        raise LeftOutError("it is no call over HTTP")
    return Request(
        method=method, url=url.partition("#")[0], headers=_end_to_end(headers), body=body
    )


def interaction_of(
    request: Request, status: object, reason: str, headers: Headers, body: bytes, *, where: str
) -> Interaction:
    """Make an interaction, its bodies without content coding.

    Raises:
        CassetteError: The status is no number.
        LeftOutError: It is none of an answer.
    """
    if isinstance(status, str) and status.isascii() and status.isdigit():
        status = int(status[:4])
    number = status_of(status, where=where)
    if request.method == "HEAD" or number in BODILESS:
        body = b""
    response = Response(status=number, reason=reason, headers=_end_to_end(headers), body=body)
    return entry.settled(Interaction(request=request, response=response))


def status_of(value: object, *, where: str) -> int:
    """Return the status of an answer.

    Raises:
        CassetteError: It is no number.
        LeftOutError: There is none, or it is none of an answer.
    """
    if value is None:
        raise LeftOutError("it has no status: the call was blocked or cancelled")
    status = entry.as_integer(value, where=where)
    if status <= 0:
        raise LeftOutError(f"status {status}: the call was blocked or cancelled")
    if not _LOWEST_STATUS <= status <= _HIGHEST_STATUS:
        raise LeftOutError(f"status {str(status)[:9]} is none of an answer")
    return status


def _end_to_end(headers: Headers) -> Headers:
    # HTTP/2 has the request line in fields, too (RFC 9113 section 8.3).
    pseudo = [name for name, _ in headers if name.startswith(":")]
    return headers.without(*HOP_BY_HOP, *pseudo)


def fields_of(tree: object, *, where: str) -> Headers:
    """Read header fields out of a mapping whose values are texts or lists of them."""
    if tree is None:
        return Headers()
    pairs: list[tuple[str, str]] = []
    for key, values in entry.as_mapping(tree, where=where).items():
        name = entry.as_text(key, where=f"{where}, a name")
        each = values if isinstance(values, list) else [values]
        pairs.extend((name, scalar(value, where=f"{where}[{name!r}]")) for value in each)
    return Headers.of(pairs)


def pairs_of(tree: object, *, where: str, key: str = "name") -> Iterator[tuple[str, str]]:
    """Read a list of mappings with a name and a value, but for those that are disabled."""
    if tree is None:
        return
    if not isinstance(tree, list):
        entry.refuse(where, tree, "a list")
    for number, each in enumerate(tree):
        inside = f"{where}[{number}]"
        pair = entry.as_mapping(each, where=inside)
        if pair.get("disabled") is not True:
            name = entry.as_text(pair.get(key), where=f"{inside}.{key}")
            yield name, scalar(pair.get("value"), where=f"{inside}.value")


def typed(headers: Headers, media: str, body: bytes) -> Headers:
    """Give a body its media type where the format alone names it."""
    if not body or "/" not in media or media == "x-unknown" or "Content-Type" in headers:
        return headers
    return headers.add("Content-Type", media)


def text_bytes(text: str, media: str) -> bytes:
    """Write text in the charset that its media type names, else in UTF-8."""
    charset = _CHARSET.search(media)
    try:
        return text.encode(charset[1] if charset else "utf-8")
    except (LookupError, ValueError):
        return text.encode("utf-8", "surrogateescape")


def base64_bytes(text: str, *, where: str) -> bytes:
    """Undo base64, in lines or not.

    Raises:
        CassetteError: It isn't base64.
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise CassetteError(f"{where} is not base64: {exc}; export it again") from exc


def json_bytes(tree: object) -> bytes:
    """Write a value as JSON, without spaces."""
    text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a character
        return json.dumps(tree, separators=(",", ":")).encode()


def optional(value: object, *, where: str) -> str:
    """Expect text, or nothing."""
    return "" if value is None else entry.as_text(value, where=where)


def scalar(value: object, *, where: str) -> str:
    """Expect text, a number or nothing, which some tools write for short values."""
    return str(value) if type(value) in {int, float} else optional(value, where=where)
