"""Which requests a stub answers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from graphtape.core.graph.cloud import GRAPH_ROOTS
from graphtape.core.message import Headers
from graphtape.tape import entry
from graphtape.tape.formats.exchange import base64_bytes, json_bytes, optional, scalar, text_bytes
from graphtape.tape.formats.wiremock.pattern import path_of_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

Tree = dict[object, object]
_KINDS = ("url", "urlPath", "urlPathTemplate", "urlPathPattern", "urlPattern")
_UNCHECKED = (
    "formParameters", "cookies", "basicAuthCredentials", "multipartPatterns", "customMatcher",
    "clientIp",
)  # fmt: skip
_ANYTHING = {".*", ".+", "[^&]*", "[^&]+"}
_TEMPLATE = re.compile(r"\{([^{}]+)\}")
_PLACEHOLDER = "${json-unit."


@dataclass(slots=True)
class Asked:
    """What a stub answers.

    Attributes:
        methods: Empty for any.
        url: At a Graph root unless the stub names a host; its path may be a template.
        headers: Those that it wants equal to a value.
        body: Known to the byte; empty where any will do.
        any_value: Decoded names of query parameters whose value doesn't matter.
        exact: Whether it is one request alone.
        lost: Conditions that nothing checks, a line each.
    """

    methods: tuple[str, ...] = ()
    url: str = ""
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    any_value: tuple[str, ...] = ()
    exact: bool = True
    lost: list[str] = field(default_factory=list)


def asked(tree: Tree, *, where: str) -> Asked:
    """Read a request pattern.

    Raises:
        CassetteError: It isn't one.
        LeftOutError: No rule and no interaction says that.
    """
    found = Asked()
    _method(tree.get("method"), found, where=f"{where}.method")
    path, query = _path(tree, found, where=where)
    pairs = list(_query(tree.get("queryParameters"), found, where=f"{where}.queryParameters"))
    text = "&".join(part for part in (query, urlencode(pairs, safe="$:@,()'/")) if part)
    found.url = f"{_origin(tree, where=where)}{path}{'?' + text if text else ''}"
    _headers(tree.get("headers"), found, where=f"{where}.headers")
    _body(tree.get("bodyPatterns"), found, where=f"{where}.bodyPatterns")
    found.lost += [f"its {name} aren't checked" for name in _UNCHECKED if tree.get(name)]
    return found


def _method(tree: object, found: Asked, *, where: str) -> None:
    match tree:
        case None | "ANY":
            found.exact = False
        case {"oneOf": list(names)}:
            found.methods = tuple(entry.as_text(name, where=where).upper() for name in names)
            found.exact = False
        case {"noneOf": _}:
            found.lost.append("its noneOf of methods isn't checked")
            found.exact = False
        case _:
            found.methods = (entry.as_text(tree, where=where).upper(),)


def _origin(tree: Tree, *, where: str) -> str:
    host = tree.get("host")
    if isinstance(host, dict):
        host = host.get("equalTo")
    if host is None:
        return GRAPH_ROOTS[0]
    scheme = optional(tree.get("scheme"), where=f"{where}.scheme") or "https"
    port = tree.get("port")
    name = entry.as_text(host, where=f"{where}.host")
    return f"{scheme}://{name}" + (f":{scalar(port, where=f'{where}.port')}" if port else "")


def _path(tree: Tree, found: Asked, *, where: str) -> tuple[str, str]:
    """Return path and query."""
    kind = next((name for name in _KINDS if tree.get(name) is not None), None)
    if kind is None:
        found.exact = False
        return "/**", ""
    text = entry.as_text(tree[kind], where=f"{where}.{kind}")
    if kind == "url":
        path, _, query = text.partition("?")
    elif kind == "urlPath":
        path, query = text, ""
    elif kind == "urlPathTemplate":
        path, query = _filled(text, tree.get("pathParameters"), found, where=where), ""
    else:
        path, query = path_of_pattern(text, found.lost, query=kind == "urlPattern"), ""
        found.exact = False
    if not path.startswith("/"):
        entry.refuse(f"{where}.{kind}", path, "a path, from a slash")
    return path, query


def _filled(template: str, tree: object, found: Asked, *, where: str) -> str:
    values: dict[str, str] = {}
    for name, condition in entry.as_mapping(tree or {}, where=f"{where}.pathParameters").items():
        value = condition.get("equalTo") if isinstance(condition, dict) else None
        if isinstance(value, str):
            values[str(name)] = quote(value, safe="")
        else:
            found.lost.append(f"its condition on the path's {name!s} isn't checked")
    path = _TEMPLATE.sub(lambda each: values.get(each[1], each[0]), template)
    found.exact = found.exact and "{" not in path
    return path


def _query(tree: object, found: Asked, *, where: str) -> Iterator[tuple[str, str]]:
    for key, condition in entry.as_mapping(tree or {}, where=where).items():
        name = entry.as_text(key, where=f"{where}, a name")
        match condition:
            case {"equalTo": value}:
                yield name, scalar(value, where=f"{where}.{name}.equalTo")
            case {"hasExactly": list(several)}:
                for each in several:
                    value = each.get("equalTo") if isinstance(each, dict) else each
                    yield name, scalar(value, where=f"{where}.{name}.hasExactly")
            case {"absent": True}:
                found.lost.append(f"that the query has no {name} isn't checked")
            case _:
                wide = isinstance(condition, dict) and condition.get("matches") in _ANYTHING
                if not wide:
                    found.lost.append(f"any value of {name} in the query will do")
                found.any_value += (name,)
                found.exact = False
                yield name, ""


def _headers(tree: object, found: Asked, *, where: str) -> None:
    for key, condition in entry.as_mapping(tree or {}, where=where).items():
        name = entry.as_text(key, where=f"{where}, a name")
        value = condition.get("equalTo") if isinstance(condition, dict) else None
        if value is None:
            found.lost.append(f"its condition on the header {name} isn't checked")
        else:
            text = scalar(value, where=f"{where}.{name}.equalTo")
            found.headers = found.headers.add(name, text)


def _body(tree: object, found: Asked, *, where: str) -> None:
    if not tree:
        return
    if not isinstance(tree, list):
        entry.refuse(where, tree, "a list")
    if len(tree) == 1 and isinstance(tree[0], dict) and _known(tree[0], found, where=where):
        return
    found.exact = False
    found.lost.append("it answers whatever the body: a rule has no such condition on it")


def _known(condition: Tree, found: Asked, *, where: str) -> bool:
    """Take the body that a condition wants, if it wants one."""
    match condition:
        case {"equalToJson": wanted}:
            if isinstance(wanted, str):
                entry.as_text(wanted, where=f"{where}[0].equalToJson")
                body = text_bytes(wanted, "")
            else:
                body = json_bytes(wanted)
            if _PLACEHOLDER.encode() in body:
                return False
            found.body = body
            found.exact = found.exact and condition.get("ignoreExtraElements") is not True
        case {"equalTo": str(wanted)}:
            found.body = text_bytes(entry.as_text(wanted, where=f"{where}[0].equalTo"), "")
        case {"binaryEqualTo": str(wanted)}:
            found.body = base64_bytes(wanted, where=f"{where}[0].binaryEqualTo")
        case _:
            return False
    return True
