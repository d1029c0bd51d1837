"""HAR 1.2 in: what browsers, proxies and test recorders export, as a cassette.

Source: "HTTP Archive (HAR) format" of the W3C Web Performance Working Group, and what Chrome,
Firefox, Polly.JS and debugging proxies make of it.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from graphtape.core.coding import TooLargeError, decode
from graphtape.core.errors import CassetteError
from graphtape.core.graph.cloud import CLOUDS
from graphtape.core.graph.link import shown
from graphtape.core.message import HOP_BY_HOP, Headers, Interaction, Request, Response
from graphtape.tape import entry
from graphtape.tape.vcr_format import Cassette

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

log = logging.getLogger("graphtape")

_NOT_FOR_THE_TAPE = (*HOP_BY_HOP, "Content-Encoding")
_URL = re.compile(r"([a-z][a-z0-9+.-]*):(?://([^/?#]*))?", re.IGNORECASE)
_CHARSET = re.compile(r';\s*charset="?([^\s";]+)', re.IGNORECASE)
_LOWEST_STATUS, _HIGHEST_STATUS = 200, 599  # an answer is a final one: no 101
_BODILESS = (204, 304)
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
_LINE_BREAK = re.compile(r"\r?\n")


class _LeftOutError(Exception):
    """An entry holds no whole interaction; its text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What a HAR file holds.

    Attributes:
        interactions: In the order their requests started; of those at one time, in file order.
        skipped: Why entries were left out, a line each: without URLs, which hold secrets.
        started_at: Of the earliest interaction; None where none says.
    """

    interactions: tuple[Interaction, ...]
    skipped: tuple[str, ...]
    started_at: datetime | None


def load(data: bytes, *, name: str) -> Cassette:
    """Read a HAR file as a cassette, warning of entries that hold no whole interaction.

    Args:
        data: The whole file.
        name: What messages call it.

    Raises:
        CassetteError: It isn't HAR.
    """
    found = read(data, name=name)
    if found.skipped:
        more = f", and {len(found.skipped) - 1} more" if len(found.skipped) > 1 else ""
        log.warning("%s: left out %s%s", name, found.skipped[0], more)
    return Cassette(interactions=found.interactions)


def read(data: bytes, *, name: str) -> Log:
    """Read a HAR file, and what had to be left out of it; arguments and errors as of `load`."""
    dated: list[tuple[datetime | None, Interaction]] = []
    skipped: list[str] = []
    before: datetime | None = None
    for index, tree in enumerate(_entries(data, name)):
        where = f"{name}, entry {index}"
        fields = entry.as_mapping(tree, where=where)
        # One without a time of its own stays behind the one before it.
        before = _time(fields.get("startedDateTime")) or before
        try:
            dated.append((before, _interaction(fields, where=where)))
        except _LeftOutError as exc:
            skipped.append(f"entry {index} ({_title(fields)}): {exc}")
    dated.sort(key=lambda pair: pair[0] or _BEFORE_ALL)
    return Log(
        interactions=tuple(interaction for _, interaction in dated),
        skipped=tuple(skipped),
        started_at=next((time for time, _ in dated if time), None),
    )


def _entries(data: bytes, name: str) -> list[object]:
    what = "HAR, which is JSON with a list `log.entries`; export it again, as HAR 1.2"
    try:
        tree: object = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:
        raise CassetteError(f"{name}: not {what} ({exc})") from exc
    match tree:
        case {"log": {"entries": list(entries)}}:
            return entries
        case _:
            raise CassetteError(f"{name}: not {what}")


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _title(fields: dict[object, object]) -> str:
    """Name an entry by method and host."""
    match fields.get("request"):
        case {"method": str(method), "url": str(url)}:
            found = _URL.match(url)
            host = (found[2] or "").rpartition("@")[2] if found else ""
            return f"{method} {host or (found[1] + ':' if found else '?')}"
        case _:
            return "no request"


def _interaction(fields: dict[object, object], *, where: str) -> Interaction:
    asked = entry.as_mapping(fields.get("request"), where=f"{where}, request")
    request = _request(asked, where=f"{where}, request")
    answered = fields.get("response")
    if answered is None:
        raise _LeftOutError("it has no response")
    tree = entry.as_mapping(answered, where=f"{where}, response")
    return Interaction(
        request=request,
        response=_response(tree, method=request.method, where=f"{where}, response"),
    )


def _request(tree: dict[object, object], *, where: str) -> Request:
    method = entry.as_text(tree.get("method"), where=f"{where}.method").upper()
    url = entry.as_text(tree.get("url"), where=f"{where}.url")
    found = _URL.match(url)
    if found is None:
        entry.refuse(f"{where}.url", shown(url), "an absolute URL")
    if found[1].lower() not in {"http", "https"} or not found[2] or method == "CONNECT":
        raise _LeftOutError("it is no call over HTTP")
    body, media = _posted(tree, method=method, where=where)
    return Request(
        method=method,
        url=url.partition("#")[0],
        headers=_typed(_headers(tree.get("headers"), where=f"{where}.headers"), media, body),
        body=body,
    )


def _posted(tree: dict[object, object], *, method: str, where: str) -> tuple[bytes, str]:
    """Return the body of a request, and its media type with parameters."""
    size = tree.get("bodySize")
    if tree.get("postData") is None:
        if isinstance(size, int) and size > 0 and method not in {"GET", "HEAD"}:
            raise _LeftOutError(f"the {size} bytes of its request body weren't saved")
        return b"", ""
    posted = entry.as_mapping(tree["postData"], where=f"{where}.postData")
    media = _optional(posted.get("mimeType"), where=f"{where}.postData.mimeType")
    text = _optional(posted.get("text"), where=f"{where}.postData.text")
    params = posted.get("params")
    if text or not params:
        return _content(text, posted.get("encoding"), media, f"{where}.postData"), media
    if not isinstance(params, list):
        entry.refuse(f"{where}.postData.params", params, "a list")
    if media.lower().startswith("multipart/"):
        raise _LeftOutError("its multipart body wasn't saved, but as a list of parts")
    return urlencode([*_pairs(params, f"{where}.postData.params")]).encode(), media


def _response(tree: dict[object, object], *, method: str, where: str) -> Response:
    if tree.get("status") is None:
        raise _LeftOutError("it has no status: the call was blocked or cancelled")
    status = entry.as_integer(tree["status"], where=f"{where}.status")
    if status <= 0:
        raise _LeftOutError(f"status {status}: the call was blocked or cancelled")
    if not _LOWEST_STATUS <= status <= _HIGHEST_STATUS:
        raise _LeftOutError(f"status {status} is none of an answer")
    headers = _headers(tree.get("headers"), where=f"{where}.headers")
    content = entry.as_mapping(tree.get("content") or {}, where=f"{where}.content")
    media = _optional(content.get("mimeType"), where=f"{where}.content.mimeType")
    body = b""
    if method != "HEAD" and status not in _BODILESS:
        body = _answered(content, tree, media, where=where)
    return Response(
        status=status,
        reason=_optional(tree.get("statusText"), where=f"{where}.statusText"),
        headers=_typed(headers, media, body),
        body=body,
    )


def _answered(
    content: dict[object, object], tree: dict[object, object], media: str, *, where: str
) -> bytes:
    if content.get("text") is None:
        size = content.get("size")
        if isinstance(size, int) and size > 0:
            raise _LeftOutError(f"the {size} bytes of its body weren't saved")
        return b""
    text = _optional(content["text"], where=f"{where}.content.text")
    body = _content(text, content.get("encoding"), media, f"{where}.content")
    if content.get("encoding") is None:
        return body
    # Bytes are to be decoded too, but some recorders keep them as they came.
    fields = _fields(tree.get("headers"), where=f"{where}.headers")
    codings = Headers.of(fields).all("Content-Encoding")
    try:
        decoded = decode(body, ", ".join(codings))
    except TooLargeError:
        decoded = None
    return body if decoded is None else decoded


def _content(text: str, encoding: object, media: str, where: str) -> bytes:
    """Undo what HAR did to a body: text is Unicode whatever it came in, bytes are base64."""
    if isinstance(encoding, str) and encoding.lower() == "base64":
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError) as exc:
            raise CassetteError(f"{where}.text is not base64: {exc}; export it again") from exc
    if encoding not in {None, ""}:
        raise _LeftOutError(f"its body is in an unknown encoding, {encoding!r}")
    charset = _CHARSET.search(media)
    try:
        return text.encode(charset[1] if charset else "utf-8")
    except (LookupError, ValueError):
        return text.encode("utf-8", "surrogateescape")


def _headers(tree: object, *, where: str) -> Headers:
    """Read fields without what was of the connection, or no longer holds of a decoded body."""
    return Headers.of(_fields(tree, where=where)).without(*_NOT_FOR_THE_TAPE)


def _fields(tree: object, *, where: str) -> Iterator[tuple[str, str]]:
    """Read header fields; repeated ones, which Chrome joins by line breaks, one by one."""
    if tree is None:
        return
    if not isinstance(tree, list):
        entry.refuse(where, tree, "a list")
    for name, value in _pairs(tree, where):
        if not name.startswith(":"):  # HTTP/2 (RFC 9113 section 8.3): the request line in fields
            for line in _LINE_BREAK.split(value):
                yield name, line


def _pairs(tree: list[object], where: str) -> Iterator[tuple[str, str]]:
    for number, each in enumerate(tree):
        inside = f"{where}[{number}]"
        pair = entry.as_mapping(each, where=inside)
        name = entry.as_text(pair.get("name"), where=f"{inside}.name")
        yield name, _optional(pair.get("value"), where=f"{inside}.value")


def _typed(headers: Headers, media: str, body: bytes) -> Headers:
    """Give a body its media type where only HAR's own field names it."""
    if not body or "/" not in media or media == "x-unknown" or "Content-Type" in headers:
        return headers
    return headers.add("Content-Type", media)


def cloud_of(interactions: Iterable[Interaction]) -> str:
    """Name the Graph cloud that all of them, but for sign-in, were asked of; else `custom`."""
    origins = set()
    for interaction in interactions:
        found = _URL.match(interaction.request.url)
        origins.add(found[0].lower() if found else "")
    for cloud in CLOUDS:
        if cloud.graph in origins and origins <= {cloud.graph, cloud.login}:
            return cloud.name
    return "custom"


def _optional(value: object, *, where: str) -> str:
    return "" if value is None else entry.as_text(value, where=where)
