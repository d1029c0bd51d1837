"""go-vcr in: cassettes of github.com/dnaeon/go-vcr, version 1 (go-vcr v1 and v2) and 2 (v3, v4).

Source: package `cassette` of go-vcr, its structs `Request` and `Response`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from graphtape.tape import entry
from graphtape.tape.formats.exchange import (
    Found,
    fields_of,
    interaction_of,
    optional,
    read_each,
    request_of,
    title,
)

if TYPE_CHECKING:
    from graphtape.core.message import Interaction
    from graphtape.tape.formats.source import Source

_VERSIONS = (1, 2)


def fits(tree: object) -> bool:
    """Tell a cassette of go-vcr by the `url` of its requests: vcrpy's have a `uri`."""
    match tree:
        case {"interactions": [{"request": {"url": _}}, *_]}:
            return True
        case _:
            return False


def read(tree: object, source: Source) -> Found:
    """Read a cassette.

    Raises:
        CassetteError: Something in it isn't what go-vcr writes.
    """
    top = entry.as_mapping(tree, where=source.name)
    if top.get("version") not in _VERSIONS:
        entry.refuse(f"{source.name}, version", top.get("version"), "1 or 2")
    listed = top["interactions"]
    assert isinstance(listed, list)  # noqa: S101 - as `fits` has seen
    return read_each(listed, _interaction, _title, name=source.name)


def _title(fields: dict[object, object]) -> str:
    match fields.get("request"):
        case {"method": method, "url": url}:
            return title(method or "GET", url)
        case _:
            return "no request"


def _interaction(fields: dict[object, object], where: str) -> Interaction:
    asked = entry.as_mapping(fields.get("request"), where=f"{where}, request")
    answered = entry.as_mapping(fields.get("response"), where=f"{where}, response")
    body = entry.read_body(asked.get("body"), where=f"{where}, request.body")
    form = asked.get("form")
    if not body and form:
        # A form that the client's own code had read before go-vcr could.
        body = urlencode(fields_of(form, where=f"{where}, request.form").pairs).encode()
    url = entry.as_text(asked.get("url"), where=f"{where}, request.url")
    if url.startswith("/"):  # recorded in a server, which knows its host alone
        url = f"https://{optional(asked.get('host'), where=f'{where}, request.host')}{url}"
    request = request_of(
        # Go takes no method for GET.
        optional(asked.get("method"), where=f"{where}, request.method") or "GET",
        url,
        fields_of(asked.get("headers"), where=f"{where}, request.headers"),
        body,
        where=f"{where}, request.url",
    )
    # "200 OK"
    _, _, reason = optional(answered.get("status"), where=f"{where}, response.status").partition(
        " "
    )
    return interaction_of(
        request,
        answered.get("code"),
        reason,
        fields_of(answered.get("headers"), where=f"{where}, response.headers"),
        entry.read_body(answered.get("body"), where=f"{where}, response.body"),
        where=f"{where}, response.code",
    )
