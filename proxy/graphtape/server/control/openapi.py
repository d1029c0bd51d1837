"""The OpenAPI 3.1 document of the control API, from its routes and their types."""

from __future__ import annotations

import inspect
import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from graphtape import __version__
from graphtape.core.scenario.schema import anything, json_schema
from graphtape.server.control.message import REF, Direction, Refused, SessionId

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from graphtape.server.control.route import AnyRoute

Schema: TypeAlias = dict[str, Any]
"""JSON Schema, as msgspec types it."""

_JSON = "application/json"
_ANY = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.BAD_GATEWAY,
)
_NAMED = re.compile(r"\{(\w+)\}")
_NUMBER: Schema = {"type": "integer", "minimum": 0}
_WITH_BODY = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


def document(routes: Sequence[AnyRoute]) -> bytes:
    """Write the document, as JSON."""
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
            "info": {
                "title": "Graphtape's control API",
                "version": __version__,
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "security": [{}, {"token": []}],
            "paths": _paths(routes),
            "components": {
                "securitySchemes": {
                    "token": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "--control-token, where the proxy has one",
                    }
                },
                "schemas": _schemas(routes),
            },
        }
    )


def _paths(routes: Sequence[AnyRoute]) -> dict[str, dict[str, object]]:
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        item = paths.setdefault(route.path, {})
        if parameters := [
            _parameter(name, "path", _in_path(name), required=True)
            for name in _NAMED.findall(route.path)
        ]:
            item["parameters"] = parameters
        item[route.method.lower()] = _operation(route)
    return paths


def _in_path(name: str) -> Schema:
    """Return what a step of a path may be."""
    match name:
        case "id":
            return _schema(SessionId)
        case "number" | "index":
            return _NUMBER
        case _:
            return {"type": "string"}


def _operation(route: AnyRoute) -> dict[str, object]:
    operation: dict[str, object] = {"operationId": route.name, "summary": route.summary}
    parameters = list(_query(route.query))
    if parameters:
        operation["parameters"] = parameters
    if route.takes:
        schema = route.body_schema or _schema(route.body)
        content = {_JSON: {"schema": schema}}
        operation["requestBody"] = {"required": not route.may_be_empty, "content": content}
    refused = {_JSON: {"schema": {"$ref": f"{REF}Refused"}}}
    errors = {*_ANY, *route.errors, *(_WITH_BODY if route.reads else ())}
    if "{id}" in route.path:
        errors.add(HTTPStatus.MISDIRECTED_REQUEST)
    operation["responses"] = {
        str(route.status.value): _answer(route),
        **{
            str(status.value): {"description": status.phrase, "content": refused}
            for status in sorted(errors)
        },
    }
    return operation


def _answer(route: AnyRoute) -> dict[str, object]:
    answer: dict[str, object] = {"description": route.summary}
    if route.answer is not None:
        text = {"schema": {"type": "string"}}
        own = {"schema": _schema(route.answer)}
        answer["content"] = {media: own if media == _JSON else text for media in route.media}
    if route.status is HTTPStatus.CREATED:
        answer["headers"] = {
            "Location": {"description": "of what is new", "schema": {"type": "string"}}
        }
    return answer


def _query(kind: type) -> Iterable[dict[str, object]]:
    """Spell the fields of a query's type as parameters."""
    properties = _components([kind])[kind.__name__]["properties"]
    for name, schema in properties.items():
        described = dict(schema)
        text = str(described.pop("description", ""))
        yield _parameter(name, "query", _without_null(described), description=text)


def _without_null(schema: Schema) -> Schema:
    """Take null out: in a query, what isn't said isn't there."""
    match schema.pop("anyOf", None):
        case [one, {"type": "null"}]:
            schema.pop("default", None)
            return {**one, **schema}
        case _:
            return schema


def _parameter(
    name: str, place: str, schema: object, *, required: bool = False, description: str = ""
) -> dict[str, object]:
    said = {"description": description} if description else {}
    return {"name": name, "in": place, "required": required, **said, "schema": schema}


def _schema(kind: object) -> Schema:
    (schema,), _ = msgspec.json.schema_components(
        [kind], ref_template=REF + "{name}", schema_hook=anything
    )
    return schema


def _schemas(routes: Sequence[AnyRoute]) -> dict[str, object]:
    kinds = [kind for route in routes for kind in (route.body, route.answer) if kind is not None]
    schemas: dict[str, object] = {**_components([*kinds, Direction, Refused]), **_scenario()}
    schemas.pop("Nothing", None)
    return schemas


def _components(kinds: Iterable[object]) -> dict[str, Schema]:
    _, components = msgspec.json.schema_components(
        list(kinds), ref_template=REF + "{name}", schema_hook=anything
    )
    for schema in components.values():
        _describe(schema)
    return components


def _describe(schema: Schema) -> None:
    """Hand what a docstring says of attributes to the properties they are."""
    text = inspect.cleandoc(str(schema.get("description", "")))
    about, _, attributes = text.partition("\n\nAttributes:\n")
    if about:
        schema["description"] = about
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return
    for name, said in _attributes(attributes):
        if name in properties:
            properties[name] = {**properties[name], "description": said}


def _attributes(text: str) -> Iterable[tuple[str, str]]:
    """Read Google's form of attributes: each begins a line, four spaces in."""
    lines = inspect.cleandoc(text).replace("\n    ", " ").splitlines()
    for line in lines:
        names, colon, said = line.partition(": ")
        if colon:
            for name in names.split(", "):
                yield name, said


def _scenario() -> Mapping[str, object]:
    """Return the schemas of scenario files, each a component of its own."""
    whole = json.loads(json.dumps(json_schema()).replace("#/$defs/", REF))
    return dict(whole["$defs"])
