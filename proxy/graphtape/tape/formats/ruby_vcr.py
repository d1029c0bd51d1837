"""Ruby's VCR in: cassettes of the gem vcr since 2.0, as YAML or JSON.

Source: `VCR::HTTPInteraction`, `VCR::Request`, `VCR::Response` and `VCR::Normalizers::Body`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphtape.tape import entry
from graphtape.tape.formats.exchange import (
    Found,
    base64_bytes,
    fields_of,
    http_date,
    interaction_of,
    optional,
    read_each,
    request_of,
    text_bytes,
    title,
)

if TYPE_CHECKING:
    from graphtape.core.message import Interaction
    from graphtape.tape.formats.source import Source


def fits(tree: object) -> bool:
    """Tell a cassette of Ruby's VCR by its list `http_interactions`."""
    return isinstance(tree, dict) and isinstance(tree.get("http_interactions"), list)


def read(tree: object, source: Source) -> Found:
    """Read a cassette.

    Raises:
        CassetteError: Something in it isn't what VCR writes.
    """
    listed = entry.as_mapping(tree, where=source.name)["http_interactions"]
    assert isinstance(listed, list)  # noqa: S101 - as `fits` has seen
    found = read_each(listed, _interaction, _title, name=source.name)
    times = (http_date(each.get("recorded_at")) for each in listed if isinstance(each, dict))
    return replace(found, started_at=next((time for time in times if time), found.started_at))


def _title(fields: dict[object, object]) -> str:
    match fields.get("request"):
        case {"method": str(method), "uri": uri}:
            return title(method.lstrip(":"), uri)
        case _:
            return "no request"


def _interaction(fields: dict[object, object], where: str) -> Interaction:
    asked = entry.as_mapping(fields.get("request"), where=f"{where}, request")
    answered = entry.as_mapping(fields.get("response"), where=f"{where}, response")
    method = entry.as_text(asked.get("method"), where=f"{where}, request.method")
    request = request_of(
        method.lstrip(":"),  # a symbol of Ruby's
        entry.as_text(asked.get("uri"), where=f"{where}, request.uri"),
        fields_of(asked.get("headers"), where=f"{where}, request.headers"),
        _body(asked.get("body"), where=f"{where}, request.body"),
        where=f"{where}, request.uri",
    )
    status = entry.as_mapping(answered.get("status"), where=f"{where}, response.status")
    return interaction_of(
        request,
        status.get("code"),
        optional(status.get("message"), where=f"{where}, response.status.message"),
        fields_of(answered.get("headers"), where=f"{where}, response.headers"),
        _body(answered.get("body"), where=f"{where}, response.body"),
        where=f"{where}, response.status.code",
    )


def _body(tree: object, *, where: str) -> bytes:
    """Take a body as text in an encoding of Ruby's, or as base64."""
    if not isinstance(tree, dict):
        return entry.read_body(tree, where=where)
    packed = tree.get("base64_string")
    if packed is not None:
        text = entry.as_text(packed, where=f"{where}.base64_string")
        return base64_bytes(text, where=f"{where}.base64_string")
    content = tree.get("string")
    if not isinstance(content, str):
        return entry.read_body(content, where=f"{where}.string")
    encoding = optional(tree.get("encoding"), where=f"{where}.encoding")
    # ASCII-8BIT is Ruby's name for bytes: text in it is what YAML's writer took for UTF-8.
    known = encoding.upper() not in {"", "ASCII-8BIT", "US-ASCII"}
    entry.as_text(content, where=f"{where}.string")
    return text_bytes(content, f";charset={encoding}" if known else "")
