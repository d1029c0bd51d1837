"""The shape of what a recording's operations answer: statuses, media types, fields, their types."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphtape.core.errors import RequestError
from graphtape.core.graph.batch import answers_of, is_batch, parts_of
from graphtape.core.matching.body import Json, json_of
from graphtape.core.matching.operation import Operation
from graphtape.core.message import Interaction, media_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


NULL = "null"
_TYPES: dict[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    type(None): NULL,
}
"""JSON's types (RFC 8259 section 3), true and false being one."""
_FIRST_ERROR = 400
_CONTEXT = "@odata.context"
_DATA_KEY = re.compile(r"[0-9]+|.*[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}.*", re.IGNORECASE)
# With a lower-case letter, so that the address of a user in WA is none.
_MEMBER = re.compile(r"#?(?=[^a-z]*[a-z])[A-Za-z][A-Za-z0-9.]{1,99}")


@dataclass(slots=True)
class Field:
    """What was seen at one place of an answer's body.

    Attributes:
        parent: The place of what it is in.
        types: Of JSON.
        members: Its texts that may be an enum's; None once one can't be.
    """

    parent: str | None
    types: set[str] = field(default_factory=set)
    members: set[str] | None = field(default_factory=set)


@dataclass(slots=True)
class Answers:
    """What an operation answers: when it succeeds, or when it fails."""

    statuses: set[str] = field(default_factory=set)
    media: set[str] = field(default_factory=set)
    fields: dict[str, Field] = field(default_factory=dict)


@dataclass(slots=True)
class Shape:
    """What a recording knows of an operation, as it spelled it first."""

    operation: Operation
    succeeding: Answers = field(default_factory=Answers)
    failing: Answers = field(default_factory=Answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One answer; `values` holds its body if that is JSON."""

    operation: Operation
    status: int
    media: str
    values: tuple[Json, ...]


def shapes_of(interactions: Iterable[Interaction]) -> dict[Operation, Shape]:
    """Gather shapes by operation, spelled as `Operation.folded`; `@odata.context` is left out."""
    shapes: dict[Operation, Shape] = {}
    for interaction in interactions:
        for seen in _answers(interaction):
            shape = shapes.setdefault(seen.operation.folded(), Shape(seen.operation))
            answers = shape.failing if seen.status >= _FIRST_ERROR else shape.succeeding
            answers.statuses.add(str(seen.status))
            answers.media |= {seen.media} - {""}
            for value in seen.values:
                _look(value, "", None, answers.fields)
    return shapes


def operations_of(interaction: Interaction) -> Iterator[Operation]:
    """Return the operation a request calls; of a batch, those of its parts that were answered."""
    parts = list(answered_parts(interaction))
    for part in parts:
        yield from operations_of(part)
    if not parts:
        yield Operation.of(interaction.request.method, interaction.request.url)


def _answers(interaction: Interaction) -> Iterator[_Seen]:
    """Return the answer, and those of the parts of a batch in place of its body."""
    request, response = interaction.request, interaction.response
    try:
        values: tuple[Json, ...] = (json_of(response.headers, response.body),)
    except ValueError:
        values = ()
    parts = [seen for part in answered_parts(interaction) for seen in _answers(part)]
    yield _Seen(
        operation=Operation.of(request.method, request.url),
        status=response.status,
        media=media_type(response.headers) if response.body else "",
        values=() if parts else values,
    )
    yield from parts


def answered_parts(interaction: Interaction) -> Iterator[Interaction]:
    """Return the parts of a batch that were answered, as interactions of their own."""
    try:
        parts = parts_of(interaction.request) if is_batch(interaction.request) else ()
    except RequestError:
        return
    answers = answers_of(interaction.response) if parts else {}
    for part in parts:
        if part.id in answers:
            yield Interaction(request=part.request, response=answers[part.id])


def _look(value: Json, place: str, parent: str | None, fields: dict[str, Field]) -> None:
    seen = fields.setdefault(place, Field(parent))
    seen.types.add(_TYPES[type(value)])
    if isinstance(value, dict):
        for name, child in value.items():
            if not name.endswith(_CONTEXT):
                step = "{id}" if _DATA_KEY.fullmatch(name) else name
                _look(child, f"{place}.{step}" if place else step, place, fields)
    elif isinstance(value, list):
        for item in value:
            _look(item, f"{place}[]", place, fields)
    elif isinstance(value, str):
        if not _MEMBER.fullmatch(value):
            seen.members = None
        elif seen.members is not None:
            seen.members.add(value)
