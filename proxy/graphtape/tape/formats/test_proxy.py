"""Recordings of the Azure SDK's test proxy in.

Source: `RecordEntry.cs` and `RecordSession.cs` of Azure/azure-sdk-tools.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphtape.core.errors import CassetteError
from graphtape.core.message import Headers, Interaction, is_json, media_type
from graphtape.tape import entry
from graphtape.tape.formats.exchange import (
    Found,
    base64_bytes,
    fields_of,
    interaction_of,
    json_bytes,
    read_each,
    request_of,
    scalar,
    text_bytes,
    title,
)

if TYPE_CHECKING:
    from graphtape.tape.formats.source import Source

_TEXT = frozenset({"application/x-www-form-urlencoded", "application/xml", "application/http"})
_TEXT_KINDS = ("text/", "multipart/mixed")


def fits(tree: object) -> bool:
    """Tell a recording by its list `Entries`."""
    return isinstance(tree, dict) and isinstance(tree.get("Entries"), list)


def read(tree: object, source: Source) -> Found:
    """Read a recording, its variables included.

    Raises:
        CassetteError: Something in it isn't what the test proxy writes.
    """
    top = entry.as_mapping(tree, where=source.name)
    listed = top["Entries"]
    assert isinstance(listed, list)  # noqa: S101 - as `fits` has seen
    where = f"{source.name}, Variables"
    variables = entry.as_mapping(top.get("Variables") or {}, where=where)
    return replace(
        read_each(listed, _interaction, _title, name=source.name),
        variables={
            entry.as_text(name, where=f"{where}, a name"): scalar(value, where=f"{where}.{name}")
            for name, value in variables.items()
        },
    )


def _title(fields: dict[object, object]) -> str:
    return title(fields.get("RequestMethod"), fields.get("RequestUri"))


def _interaction(fields: dict[object, object], where: str) -> Interaction:
    asked = fields_of(fields.get("RequestHeaders"), where=f"{where}, RequestHeaders")
    answered = fields_of(fields.get("ResponseHeaders"), where=f"{where}, ResponseHeaders")
    request = request_of(
        entry.as_text(fields.get("RequestMethod"), where=f"{where}, RequestMethod"),
        entry.as_text(fields.get("RequestUri"), where=f"{where}, RequestUri"),
        asked,
        _body(fields.get("RequestBody"), asked, where=f"{where}, RequestBody"),
        where=f"{where}, RequestUri",
    )
    return interaction_of(
        request,
        fields.get("StatusCode"),
        "",
        answered,
        _body(fields.get("ResponseBody"), answered, where=f"{where}, ResponseBody"),
        where=f"{where}, StatusCode",
    )


def _body(tree: object, headers: Headers, *, where: str) -> bytes:
    """Take a body: JSON as a value, text as a string or a list of lines, bytes as base64."""
    match tree:
        case None | []:
            return b""
        case list():
            lines = [entry.as_text(each, where=f"{where}, a line") for each in tree]
            return text_bytes("".join(lines), headers.get("Content-Type") or "")
        case str():
            return _text(tree, headers, where=where)
        case _:
            return json_bytes(tree)


def _text(text: str, headers: Headers, *, where: str) -> bytes:
    kind = headers.get("Content-Type") or ""
    media = media_type(headers)
    if is_json(media) or media.endswith("+xml") or media in _TEXT or media.startswith(_TEXT_KINDS):
        entry.as_text(text, where=where)
        return text_bytes(text, kind)
    try:
        return base64_bytes(text, where=where)
    except CassetteError:
        # Sanitizers of a test put texts in the place of bodies of any type.
        entry.as_text(text, where=where)
        return text_bytes(text, kind)
