"""Dev Proxy's mocks in: the file of its MockResponsePlugin.

Source: `mockresponseplugin.mocksfile.schema.json` and `MockResponsePlugin.cs` of dotnet/dev-proxy.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from graphtape.core.message import Headers
from graphtape.tape import entry
from graphtape.tape.formats.exchange import (
    Found,
    LeftOutError,
    Rule,
    entries_of,
    interaction_of,
    json_bytes,
    optional,
    pairs_of,
    request_of,
    title,
    typed,
)
from graphtape.tape.formats.mocks import (
    Mock,
    answered_once,
    interaction,
    narrowed,
    sorted_out,
    without_wildcards,
)

if TYPE_CHECKING:
    from graphtape.tape.formats.source import Source

_METHOD = "GET"
_NO_BODY = {"GET", "HEAD"}


def fits(tree: object) -> bool:
    """Tell mocks by their list `mocks`."""
    return isinstance(tree, dict) and isinstance(tree.get("mocks"), list)


def read(tree: object, source: Source) -> Found:
    """Read mocks: the first that fits a request answers it, of those with `nth` on that call.

    Raises:
        CassetteError: Something in it isn't what Dev Proxy reads.
    """
    mocked = entry.as_mapping(tree, where=source.name)["mocks"]
    assert isinstance(mocked, list)  # noqa: S101 - as `fits` has seen
    mocks: list[Mock] = []
    skipped: list[str] = []
    notes: list[str] = []
    for fields, where, about in entries_of(mocked, _title, name=source.name, kind="mock"):
        try:
            mocks.append(_mock(fields, source, about=about, where=where, notes=notes))
        except LeftOutError as exc:
            skipped.append(f"{about}: {exc}")
    notes += _counted_together(mocks)
    found = sorted_out(mocks)
    return Found(
        interactions=tuple(map(interaction, found.taped)),
        rules=found.rules,
        skipped=(*skipped, *found.skipped),
        notes=(*notes, *answered_once(found.taped)),
    )


def _title(fields: dict[object, object]) -> str:
    match fields.get("request"):
        case {"url": url, **rest}:
            return title(rest.get("method") or _METHOD, url)
        case _:
            return "no request"


def _mock(
    fields: dict[object, object], source: Source, *, about: str, where: str, notes: list[str]
) -> Mock:
    asked = entry.as_mapping(fields.get("request"), where=f"{where}, request")
    answered = entry.as_mapping(fields.get("response") or {}, where=f"{where}, response")
    url = entry.as_text(asked.get("url"), where=f"{where}, request.url")
    method = optional(asked.get("method"), where=f"{where}, request.method") or _METHOD
    nth = asked.get("nth")
    if nth is not None and entry.as_integer(nth, where=f"{where}, request.nth") < 1:
        raise LeftOutError(f"nth is {str(nth)[:9]}: calls are counted from 1")
    plain, any_value = without_wildcards(url) if "*" in url else (url, ())
    request = request_of(method, plain, Headers(), b"", where=f"{where}, request.url")
    fragment = optional(asked.get("bodyFragment"), where=f"{where}, request.bodyFragment")
    if fragment and request.method not in _NO_BODY:
        notes.append(f"{about}: answers whatever the body: a rule has no bodyFragment")
    whole = interaction_of(
        request,
        answered.get("statusCode", 200),
        "",
        *_answer(answered, source, where=f"{where}, response"),
        where=f"{where}, response.statusCode",
    )
    rule = Rule(
        about=about,
        methods=(request.method,),
        request=request,
        response=whole.response,
        nth=_number(nth),
    )
    writes = request.method not in _NO_BODY
    exact = "*" not in url and nth is None and not (writes and fragment)
    return Mock(rule=narrowed(rule, plain, any_value), exact=exact)


def _number(nth: object) -> int | None:
    return nth if isinstance(nth, int) else None


def _answer(answered: dict[object, object], source: Source, *, where: str) -> tuple[Headers, bytes]:
    headers = Headers.of(pairs_of(answered.get("headers"), where=f"{where}.headers"))
    match answered.get("body"):
        case None:
            return headers.without("Content-Type"), b""
        case str(text) if text.startswith("@"):
            body = source.beside(text[1:])
        case tree:  # a text goes out as JSON, too: in quotes
            body = json_bytes(tree)
    return typed(headers, "application/json", body), body


def _counted_together(mocks: list[Mock]) -> list[str]:
    """Say where Dev Proxy counts calls together that a scenario counts apart: by URL alone."""
    methods: dict[str, set[str]] = defaultdict(set)
    for mock in mocks:
        methods[mock.rule.request.url].update(mock.rule.methods)
    return [
        f"{mock.rule.about}: counts its own method alone; Dev Proxy counts "
        f"{' and '.join(sorted(methods[mock.rule.request.url]))} of a URL together"
        for mock in mocks
        if mock.rule.nth is not None and len(methods[mock.rule.request.url]) > 1
    ]
