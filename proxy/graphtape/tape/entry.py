"""One interaction as a cassette spells it: plain mappings, lists and scalars, and back."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlencode

from graphtape.core.coding import TooLargeError, decode
from graphtape.core.errors import CassetteError
from graphtape.core.graph.actions import is_sign_in
from graphtape.core.graph.link import shown
from graphtape.core.message import Headers, Interaction, Request, Response, media_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LATIN = {"text": "iso-8859-1"}
_REQUEST_FIELDS = ("body", "headers", "method", "uri")
_SHOWN = 40
_FORM = "application/x-www-form-urlencoded"
_LOWEST_STATUS = 100
_HIGHEST_STATUS = 999
_NOT_MODIFIED = 304


def read(tree: object, *, where: str) -> Interaction:
    """Make an interaction of what a loader found in a cassette.

    Bodies come out without the content coding they were recorded in, where they were in it.

    Args:
        tree: Trusted for nothing but its size.
        where: File and position, which messages begin with.

    Raises:
        CassetteError: A value isn't what it must be.
    """
    entry = as_mapping(tree, where=where)
    asked = as_mapping(entry.get("request"), where=f"{where}, request")
    answered = as_mapping(entry.get("response"), where=f"{where}, response")
    interaction = Interaction(
        request=_read_request(asked, where=f"{where}, request"),
        response=_read_response(answered, where=f"{where}, response"),
    )
    return _texts(interaction, _from_latin) if entry.get("graphtape") == _LATIN else interaction


def write(interaction: Interaction) -> dict[str, object]:
    """Lay an interaction out as vcrpy does; expects a `settled` one.

    YAML can't spell lone surrogates, which stand for bytes that aren't UTF-8, and vcrpy plays no
    bytes in headers. Where there are any, all texts but the bodies are written as clients without
    a choice read them, as ISO-8859-1 (RFC 9110 section 5.5), and a key beside them says so.
    """
    texts = (text for message in _all_texts(interaction) for text in message)
    if not all(map(_is_encodable, texts)):
        return {"graphtape": _LATIN, **write(_texts(interaction, _as_latin))}
    request, response = interaction.request, interaction.response
    return {
        "request": {
            "body": _written(request.body) if request.body else None,
            "headers": _write_headers(request.headers),
            "method": request.method,
            "uri": request.url,
        },
        "response": {
            "body": {"string": _written(response.body)},
            "headers": _write_headers(response.headers),
            "status": {"code": response.status, "message": response.reason},
        },
    }


def settled(interaction: Interaction) -> Interaction:
    """Bring an interaction into the form in which writing and reading don't change it.

    Fields stand by name (values of one name in their order, under the first one's spelling: the
    order of different fields means nothing, RFC 9110 section 5.3), bodies are without coding,
    and a Content-Length says what the body is: players read no further than it.
    """
    request, response = interaction.request, interaction.response
    asked, sent = _without_coding(request.headers, request.body)
    answered, body = _without_coding(response.headers, response.body)
    # These two tell the length of a body they don't have (RFC 9110 section 8.6).
    bodiless = request.method == "HEAD" or response.status == _NOT_MODIFIED
    if "Content-Length" in answered and not bodiless:
        answered = answered.set("Content-Length", str(len(body)))
    return Interaction(
        request=Request(
            method=str(request.method),
            url=str(request.url),
            headers=_by_name(asked),
            body=sent,
        ),
        response=Response(
            status=response.status,
            reason=str(response.reason),
            headers=_by_name(answered),
            body=body,
        ),
    )


def as_mapping(value: object, *, where: str) -> dict[object, object]:
    """Expect a mapping.

    Raises:
        CassetteError: It is something else.
    """
    if not isinstance(value, dict):
        refuse(where, value, "a mapping")
    return value


def as_text(value: object, *, where: str) -> str:
    """Expect text, or the bytes of some that isn't all UTF-8.

    Raises:
        CassetteError: It is something else.
    """
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if not isinstance(value, str):
        refuse(where, value, "text (put it in quotes)")
    _encode(value, where=where)
    return value


def as_integer(value: object, *, where: str) -> int:
    """Expect an integer, which True isn't.

    Raises:
        CassetteError: It is something else.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        refuse(where, value, "an integer")
    return value


def refuse(where: str, found: object, expected: str) -> NoReturn:
    """Say what stands in the wrong place, without looking into it.

    Raises:
        CassetteError: Always.
    """
    match found:
        case None:
            shown = "empty or missing"
        case dict():
            shown = "a mapping"
        case list():
            shown = "a list"
        case str():
            shown = repr(found if len(found) <= _SHOWN else found[:_SHOWN] + "…")
        case bool() | float():
            shown = repr(found)
        case int():
            # Python refuses to write out the largest integers that YAML's 0x… spells.
            shown = str(found) if found.bit_length() <= _SHOWN else "a huge integer"
        case _:
            shown = f"a {type(found).__name__}"
    raise CassetteError(
        f"{where}: found {shown}, expected {expected}; correct it, or record the cassette again"
    )


def _read_request(tree: dict[object, object], *, where: str) -> Request:
    for field in tree:
        if field not in _REQUEST_FIELDS:
            raise CassetteError(
                f"{where}: unknown field {field!r}; a request has {', '.join(_REQUEST_FIELDS)}"
            )
    url = as_text(tree.get("uri"), where=f"{where}.uri")
    if "://" not in url:
        refuse(f"{where}.uri", shown(url), "an absolute URL")
    headers = _read_headers(tree.get("headers"), where=f"{where}.headers")
    form = media_type(headers) == _FORM or is_sign_in(url)
    body = _read_request_body(tree.get("body"), form=form, where=f"{where}.body")
    headers, body = _without_coding(headers, body)
    method = as_text(tree.get("method"), where=f"{where}.method")
    return Request(method=method, url=url, headers=headers, body=body)


def _read_response(tree: dict[object, object], *, where: str) -> Response:
    if "status_code" in tree:
        # vcrpy's layout for httpx before version 6: no reason, and the body is `content`.
        code, reason, body = tree["status_code"], "", tree.get("content")
        in_status, in_body = f"{where}.status_code", f"{where}.content"
    else:
        status = as_mapping(tree.get("status"), where=f"{where}.status")
        in_status, in_body = f"{where}.status.code", f"{where}.body"
        code, message = status.get("code"), status.get("message")
        reason = "" if message is None else as_text(message, where=f"{where}.status.message")
        body = tree.get("body")
    number = as_integer(code, where=in_status)
    if not _LOWEST_STATUS <= number <= _HIGHEST_STATUS:
        refuse(in_status, number, f"{_LOWEST_STATUS} to {_HIGHEST_STATUS}")
    headers, decoded = _without_coding(
        _read_headers(tree.get("headers"), where=f"{where}.headers"),
        read_body(body, where=in_body),
    )
    return Response(status=number, reason=reason, headers=headers, body=decoded)


def _read_headers(tree: object, *, where: str) -> Headers:
    if tree is None:
        return Headers()
    pairs: list[tuple[str, str]] = []
    for key, values in as_mapping(tree, where=where).items():
        name = as_text(key, where=f"{where}, a name")
        in_field = f"{where}[{name!r}]"
        each = values if isinstance(values, list) else [values]
        pairs.extend((name, as_text(value, where=in_field)) for value in each)
    return Headers.of(pairs)


def read_body(tree: object, *, where: str) -> bytes:
    """Take a body as text, bytes, vcrpy's `{string: …}`, or others' `{base64_string: …}`.

    Raises:
        CassetteError: It is something else.
    """
    match tree:
        case None:
            return b""
        case bytes():
            return tree
        case str():
            return _encode(tree, where=where)
        case {"base64_string": str(packed)}:
            try:
                return base64.b64decode(packed, validate=True)
            except (binascii.Error, ValueError) as exc:
                raise CassetteError(f"{where}.base64_string is not base64: {exc}") from exc
        case {"string": None | str() | bytes() as content}:
            return read_body(content, where=f"{where}.string")
        case {"string": other}:
            refuse(f"{where}.string", other, "text or !!binary")
        case dict() if not tree:
            return b""  # aiohttp's stub, where the connection was gone before the body
        case _:
            refuse(where, tree, "text, !!binary or {string: …}")


def _read_request_body(tree: object, *, form: bool, where: str) -> bytes:
    if isinstance(tree, dict) and not (len(tree) == 1 and "base64_string" in tree):
        return _sent_by_aiohttp(tree, form=form, where=where)
    if isinstance(tree, list):
        parts = [part for part in tree if isinstance(part, bytes)]
        if parts and len(parts) == len(tree):
            return b"".join(parts)
        return _sent_by_aiohttp(tree, form=form, where=where)
    if isinstance(tree, bool | int | float):
        return _sent_by_aiohttp(tree, form=form, where=where)
    return read_body(tree, where=where)


def _sent_by_aiohttp(tree: object, *, form: bool, where: str) -> bytes:
    """Make a body of what aiohttp was given as `json=` or `data=`, which is what vcrpy keeps."""
    try:
        if form and isinstance(tree, dict):
            return urlencode(tree).encode()
        if form and isinstance(tree, list):
            return urlencode([tuple(pair) for pair in tree]).encode()
        return json.dumps(tree).encode()
    except (TypeError, ValueError) as exc:
        raise CassetteError(f"{where}: found what can't be sent ({exc}); write it as text") from exc


def _without_coding(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    codings = headers.all("Content-Encoding")
    if not codings:
        return headers, body
    try:
        decoded = decode(body, ", ".join(codings))
    except TooLargeError:
        decoded = None
    if decoded is not None:
        return headers.without("Content-Encoding"), decoded
    # Recorders that decode leave the header behind; text shows that it was one of them.
    if _is_text(body):
        return headers.without("Content-Encoding"), body
    return headers, body


def _by_name(headers: Headers) -> Headers:
    spelled: dict[str, str] = {}
    for name, _ in headers:
        spelled.setdefault(name.lower(), name)
    # PyYAML refuses subclasses of str, and aiohttp's header names are one.
    named = ((str(spelled[name.lower()]), str(value)) for name, value in headers)
    return Headers.of(sorted(named, key=lambda pair: pair[0]))


def _write_headers(headers: Headers) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, value in headers:
        fields.setdefault(name, []).append(value)
    return fields


def _all_texts(interaction: Interaction) -> Iterator[tuple[str, ...]]:
    request, response = interaction.request, interaction.response
    yield request.method, request.url, response.reason
    yield from request.headers
    yield from response.headers


def _texts(interaction: Interaction, change: Callable[[str], str]) -> Interaction:
    """Change every text of an interaction but its bodies."""
    request, response = interaction.request, interaction.response
    return Interaction(
        request=Request(
            method=change(request.method),
            url=change(request.url),
            headers=Headers.of((change(name), change(value)) for name, value in request.headers),
            body=request.body,
        ),
        response=Response(
            status=response.status,
            reason=change(response.reason),
            headers=Headers.of((change(name), change(value)) for name, value in response.headers),
            body=response.body,
        ),
    )


def _as_latin(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _from_latin(text: str) -> str:
    try:
        return text.encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # edited by hand
        return text


def _written(body: bytes) -> str | bytes:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body


def _is_text(body: bytes) -> bool:
    return isinstance(_written(body), str)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encode(text: str, *, where: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as exc:
        found = f"\\u{ord(text[exc.start]):04x}"
        raise CassetteError(f"{where}: found {found}, half of a character; correct it") from exc
