"""HAR 1.2 in: what browsers, proxies and test recorders export, as a cassette.

Source: "HTTP Archive (HAR) format" of the W3C Web Performance Working Group, and what Chrome,
Firefox, Polly.JS and debugging proxies make of it.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from graphtape.core.coding import TooLargeError, decode
from graphtape.core.errors import CassetteError
from graphtape.core.message import HOP_BY_HOP, Headers, Interaction, Request, Response
from graphtape.core.tape.age import time_of
from graphtape.tape import entry
from graphtape.tape.formats.exchange import (
    BODILESS,
    Found,
    LeftOutError,
    base64_bytes,
    entries_of,
    optional,
    pairs_of,
    request_of,
    status_of,
    text_bytes,
    title,
    typed,
)
from graphtape.tape.vcr_format import Cassette

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("graphtape")

_NOT_FOR_THE_TAPE = (*HOP_BY_HOP, "Content-Encoding")
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
_LINE_BREAK = re.compile(r"\r?\n")


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


def read(data: bytes, *, name: str) -> Found:
    """Read a HAR file, and what had to be left out of it; arguments and errors as of `load`."""
    what = "HAR, which is JSON with a list `log.entries`; export it again, as HAR 1.2"
    try:
        tree: object = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:
        raise CassetteError(f"{name}: not {what} ({exc})") from exc
    if not is_har(tree):
        raise CassetteError(f"{name}: not {what}")
    return read_tree(tree, name=name)


def is_har(tree: object) -> bool:
    """Tell HAR by its list of entries, in the form Polly.JS keeps in a browser, too."""
    return bool(_logs(tree))


def read_tree(tree: object, *, name: str) -> Found:
    """Read HAR that is decoded already, in the order its requests started.

    Raises:
        CassetteError: An entry isn't what HAR says.
    """
    dated: list[tuple[datetime | None, Interaction]] = []
    skipped: list[str] = []
    before: datetime | None = None
    for fields, where, about in entries_of(chain(*_logs(tree)), _title, name=name):
        # One without a time of its own stays behind the one before it.
        before = _time(fields.get("startedDateTime")) or before
        try:
            dated.append((before, _interaction(fields, where=where)))
        except LeftOutError as exc:
            skipped.append(f"{about}: {exc}")
    dated.sort(key=lambda pair: pair[0] or _BEFORE_ALL)
    return Found(
        interactions=tuple(interaction for _, interaction in dated),
        skipped=tuple(skipped),
        started_at=next((time for time, _ in dated if time), None),
    )


def _logs(tree: object) -> list[list[object]]:
    match tree:
        case {"log": {"entries": list(entries)}}:
            return [entries]
        case dict() if tree and all(isinstance(each, dict) for each in tree.values()):
            # Polly.JS in local storage: recordings by name, each a HAR of its own.
            inside = [_logs(each) for each in tree.values() if each.keys() == {"log"}]
            return [*chain(*inside)] if len(inside) == len(tree) else []
        case _:
            return []


def _time(value: object) -> datetime | None:
    time = time_of(value) if isinstance(value, str) else None
    try:
        return None if time is None else time.astimezone(UTC)
    except OverflowError:
        return None


def _title(fields: dict[object, object]) -> str:
    match fields.get("request"):
        case {"method": method, "url": url}:
            return title(method, url)
        case _:
            return "no request"


def _interaction(fields: dict[object, object], *, where: str) -> Interaction:
    asked = entry.as_mapping(fields.get("request"), where=f"{where}, request")
    request = _request(asked, where=f"{where}, request")
    answered = fields.get("response")
    if answered is None:
        raise LeftOutError("it has no response")
    tree = entry.as_mapping(answered, where=f"{where}, response")
    return Interaction(
        request=request,
        response=_response(tree, method=request.method, where=f"{where}, response"),
    )


def _request(tree: dict[object, object], *, where: str) -> Request:
    method = entry.as_text(tree.get("method"), where=f"{where}.method").upper()
    url = entry.as_text(tree.get("url"), where=f"{where}.url")
    request = request_of(method, url, Headers(), b"", where=f"{where}.url")
    body, media = _posted(tree, method=method, where=where)
    headers = typed(_headers(tree.get("headers"), where=f"{where}.headers"), media, body)
    return replace(request, headers=headers, body=body)


def _posted(tree: dict[object, object], *, method: str, where: str) -> tuple[bytes, str]:
    """Return the body of a request, and its media type with parameters."""
    size = tree.get("bodySize")
    if tree.get("postData") is None:
        if isinstance(size, int) and size > 0 and method not in {"GET", "HEAD"}:
            raise LeftOutError(f"the {size} bytes of its request body weren't saved")
        return b"", ""
    posted = entry.as_mapping(tree["postData"], where=f"{where}.postData")
    media = optional(posted.get("mimeType"), where=f"{where}.postData.mimeType")
    text = optional(posted.get("text"), where=f"{where}.postData.text")
    params = posted.get("params")
    if text or not params:
        return _content(text, posted.get("encoding"), media, f"{where}.postData"), media
    if not isinstance(params, list):
        entry.refuse(f"{where}.postData.params", params, "a list")
    if media.lower().startswith("multipart/"):
        raise LeftOutError("its multipart body wasn't saved, but as a list of parts")
    return urlencode([*pairs_of(params, where=f"{where}.postData.params")]).encode(), media


def _response(tree: dict[object, object], *, method: str, where: str) -> Response:
    status = status_of(tree.get("status"), where=f"{where}.status")
    headers = _headers(tree.get("headers"), where=f"{where}.headers")
    content = entry.as_mapping(tree.get("content") or {}, where=f"{where}.content")
    media = optional(content.get("mimeType"), where=f"{where}.content.mimeType")
    body = b""
    if method != "HEAD" and status not in BODILESS:
        body = _answered(content, tree, media, where=where)
    return Response(
        status=status,
        reason=optional(tree.get("statusText"), where=f"{where}.statusText"),
        headers=typed(headers, media, body),
        body=body,
    )


def _answered(
    content: dict[object, object], tree: dict[object, object], media: str, *, where: str
) -> bytes:
    if content.get("text") is None:
        size = content.get("size")
        if isinstance(size, int) and size > 0:
            raise LeftOutError(f"the {size} bytes of its body weren't saved")
        return b""
    text = optional(content["text"], where=f"{where}.content.text")
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
        return base64_bytes(text, where=f"{where}.text")
    if encoding not in {None, ""}:
        raise LeftOutError(f"its body is in an unknown encoding, {encoding!r}")
    return text_bytes(text, media)


def _headers(tree: object, *, where: str) -> Headers:
    """Read fields without what was of the connection, or no longer holds of a decoded body."""
    return Headers.of(_fields(tree, where=where)).without(*_NOT_FOR_THE_TAPE)


def _fields(tree: object, *, where: str) -> Iterator[tuple[str, str]]:
    """Read header fields; repeated ones, which Chrome joins by line breaks, one by one."""
    for name, value in pairs_of(tree, where=where):
        if not name.startswith(":"):  # HTTP/2 (RFC 9113 section 8.3): the request line in fields
            for line in _LINE_BREAK.split(value):
                yield name, line
