"""Postman's collections in, versions 2.0 and 2.1: their saved examples.

Source: Postman's collection schema, https://schema.getpostman.com/collection/json/v2.1.0/.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from graphtape.core.message import Headers, Interaction, Request
from graphtape.tape import entry
from graphtape.tape.formats.exchange import (
    Found,
    LeftOutError,
    dated,
    interaction_of,
    json_bytes,
    optional,
    pairs_of,
    request_of,
    scalar,
    text_bytes,
    title,
    typed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from graphtape.tape.formats.source import Source

Tree = dict[object, object]
_VARIABLE = re.compile(r"\{\{([^{}]+)\}\}")
_DEEPEST = 50
_LANGUAGES = {"json": "application/json", "xml": "application/xml", "html": "text/html"}


def fits(tree: object) -> bool:
    """Tell a collection by `info` and its list `item`."""
    match tree:
        case {"info": dict(), "item": list()}:
            return True
        case _:
            return False


def read(tree: object, source: Source) -> Found:
    """Read the examples of a collection, in its order.

    Raises:
        CassetteError: Something in it isn't what Postman writes.
    """
    top = entry.as_mapping(tree, where=source.name)
    variables = _variables(top.get("variable"), where=f"{source.name}, variable")
    interactions: list[Interaction] = []
    skipped: list[str] = []
    for item, place in _items(top["item"], source.name, depth=0):
        request = item["request"]
        examples = item.get("response") or []
        if not isinstance(examples, list):
            entry.refuse(f"{place}, response", examples, "a list")
        if not examples:
            skipped.append(f"{_named(item)}: it has no saved example")
        for number, each in enumerate(examples):
            where = f"{place}, response[{number}]"
            example = entry.as_mapping(each, where=where)
            try:
                interactions.append(_interaction(example, request, variables, where=where))
            except LeftOutError as exc:
                skipped.append(f"{_named(item)}, example {number}: {exc}")
    return Found(
        interactions=tuple(interactions), skipped=tuple(skipped), started_at=dated(interactions)
    )


def _items(tree: object, where: str, *, depth: int) -> Iterator[tuple[Tree, str]]:
    """Walk through folders to what has a request."""
    if not isinstance(tree, list) or depth > _DEEPEST:
        entry.refuse(f"{where}, item", tree, f"a list, at most {_DEEPEST} folders deep")
    for number, each in enumerate(tree):
        place = f"{where}, item[{number}]"
        item = entry.as_mapping(each, where=place)
        if "item" in item:
            yield from _items(item["item"], place, depth=depth + 1)
        elif "request" in item:
            yield item, place


def _named(item: Tree) -> str:
    request = item["request"]
    if isinstance(request, dict):
        url = request.get("url")
        raw = url.get("raw") if isinstance(url, dict) else url
        return f"a request ({title(request.get('method') or 'GET', raw)})"
    return f"a request ({title('GET', request)})"


def _variables(tree: object, *, where: str) -> dict[str, str]:
    return dict(pairs_of(tree, where=where, key="key"))


def _interaction(
    example: Tree, asked: object, variables: Mapping[str, str], *, where: str
) -> Interaction:
    request = _request(
        example.get("originalRequest") or asked, variables, where=f"{where}, originalRequest"
    )
    headers = _headers(example.get("header"), {}, where=f"{where}.header")
    text = optional(example.get("body"), where=f"{where}.body")
    body = text_bytes(text, headers.get("Content-Type") or "")
    language = optional(
        example.get("_postman_previewlanguage"), where=f"{where}._postman_previewlanguage"
    )
    return interaction_of(
        request,
        example.get("code"),
        optional(example.get("status"), where=f"{where}.status"),
        typed(headers, _LANGUAGES.get(language, ""), body),
        body,
        where=f"{where}.code",
    )


def _request(tree: object, variables: Mapping[str, str], *, where: str) -> Request:
    if isinstance(tree, str):  # a GET, its URL alone
        tree = {"url": tree}
    fields = entry.as_mapping(tree, where=where)
    body, media = _body(fields.get("body"), variables, where=f"{where}.body")
    headers = _headers(fields.get("header"), variables, where=f"{where}.header")
    return request_of(
        optional(fields.get("method"), where=f"{where}.method") or "GET",
        _url(fields.get("url"), variables, where=f"{where}.url"),
        typed(headers, media, body),
        body,
        where=f"{where}.url",
    )


def _url(tree: object, variables: Mapping[str, str], *, where: str) -> str:
    in_path: dict[str, str] = {}
    if isinstance(tree, dict):
        in_path = _variables(tree.get("variable"), where=f"{where}.variable")
        tree = tree.get("raw")
    text = _filled(entry.as_text(tree, where=where), variables)
    if (left := _VARIABLE.search(text)) is not None:
        raise LeftOutError(f"its URL has {left[0]}, which the collection gives no value")
    if "://" not in text:
        text = f"https://{text}"
    path, mark, query = text.partition("?")
    segments = path.split("/")
    filled = [
        in_path.get(each[1:], each) if each.startswith(":") else each for each in segments[3:]
    ]
    return "/".join([*segments[:3], *filled]) + mark + query


def _filled(text: str, variables: Mapping[str, str]) -> str:
    # Values may hold variables themselves; a few rounds do, and a circle ends.
    for _ in range(5):
        text = _VARIABLE.sub(lambda found: variables.get(found[1].strip(), found[0]), text)
    return text


def _headers(tree: object, variables: Mapping[str, str], *, where: str) -> Headers:
    if isinstance(tree, str):  # version 2.0: a block of lines
        split = (line.partition(":") for line in tree.splitlines())
        pairs = [(name.strip(), value.strip()) for name, colon, value in split if colon]
    else:
        pairs = list(pairs_of(tree, where=where, key="key"))
    return Headers.of((name, _filled(value, variables)) for name, value in pairs)


def _body(tree: object, variables: Mapping[str, str], *, where: str) -> tuple[bytes, str]:
    """Return the body of a request, and its media type."""
    if tree is None:
        return b"", ""
    fields = entry.as_mapping(tree, where=where)
    mode = fields.get("mode")
    if fields.get("disabled") is True or mode is None or fields.get(mode) in (None, "", [], {}):
        return b"", ""
    content = fields[mode]
    match mode:
        case "raw":
            text = _filled(entry.as_text(content, where=f"{where}.raw"), variables)
            match fields.get("options"):
                case {"raw": {"language": str(language)}}:
                    media = _LANGUAGES.get(language, "text/plain")
                case _:
                    media = "text/plain"
            return text_bytes(text, ""), media
        case "urlencoded":
            form = "application/x-www-form-urlencoded"
            if isinstance(content, str):
                return content.encode("utf-8", "replace"), form
            pairs = pairs_of(content, where=f"{where}.urlencoded", key="key")
            filled = [(name, _filled(value, variables)) for name, value in pairs]
            return urlencode(filled).encode(), form
        case "graphql":
            graph = entry.as_mapping(content, where=f"{where}.graphql")
            asked = {"query": scalar(graph.get("query"), where=f"{where}.graphql.query")}
            return json_bytes({**asked, "variables": graph.get("variables")}), "application/json"
        case "formdata" | "file":
            raise LeftOutError("the files of its body aren't in the collection")
        case _:
            raise LeftOutError("its body is in an unknown mode")
