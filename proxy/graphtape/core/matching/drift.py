"""Two recordings compared by shape: what Graph answers now that it didn't, and the reverse.

Values don't matter, and neither do requests: they are the client's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, assert_never

from graphtape.core.matching.shape import NULL, Field, Shape, shapes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from graphtape.core.matching.operation import Operation
    from graphtape.core.message import Interaction

_MOST_MEMBERS = 24
"""Different values of a field that can still be an enum's."""

_ENUM_NAME = re.compile(
    r"(?:action|agent|authority|category|importance|kind|level|mode|platform|priority|reason|"
    r"role|scope|severity|state|status|type|visibility)s?\Z|\Acode\Z",
    re.IGNORECASE,
)


class Aspect(StrEnum):
    """What of an operation differs, in the order it is reported."""

    OPERATION = "operation"
    STATUS = "status"
    CONTENT_TYPE = "content type"
    FIELD = "field"
    MEMBER = "member"


_ORDER = {aspect: number for number, aspect in enumerate(Aspect)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one recording has and the other hasn't, or has otherwise.

    Attributes:
        place: Of a field or member, the dotted path in the answer, `[]` for the items of a list.
        old: The status, media type, JSON types or member of the old recording, empty of an
            operation; None where only the new one has it.
        new: Likewise, of the new recording.
    """

    operation: Operation
    aspect: Aspect
    place: str = ""
    old: str | None = None
    new: str | None = None

    @property
    def kind(self) -> Literal["appeared", "vanished", "changed"]:
        """What happened."""
        if self.old is None:
            return "appeared"
        return "vanished" if self.new is None else "changed"


def drift(old: Iterable[Interaction], new: Iterable[Interaction]) -> tuple[Change, ...]:
    """List what differs in shape, by operation, in a fixed order.

    Fields count where both recordings have seen the object they belong to: an empty list tells
    nothing of its items. `null` is a value any property may have; it counts where a field was
    never null in one recording, and always in the other. Of enum members only new ones count.
    """
    before, after = shapes_of(old), shapes_of(new)
    changes: list[Change] = []
    for key in sorted(before.keys() | after.keys()):
        if key not in before:
            changes.append(Change(operation=after[key].operation, aspect=Aspect.OPERATION, new=""))
        elif key not in after:
            changes.append(Change(operation=before[key].operation, aspect=Aspect.OPERATION, old=""))
        else:
            found = _compared(before[key], after[key])
            changes += sorted(found, key=lambda change: (_ORDER[change.aspect], change.place))
    return tuple(dict.fromkeys(changes))


def line(change: Change) -> str:
    """Write a change for people."""
    what, happened = change.new or change.old or "", change.kind
    if change.kind == "changed":
        what = f"{change.old} -> {change.new}"
    match change.aspect:
        case Aspect.OPERATION:
            text = "operation"
        case Aspect.STATUS | Aspect.CONTENT_TYPE:
            text = f"{change.aspect} {what}"
        case Aspect.FIELD:
            place = f"field {change.place}" if change.place else "body"
            text = f"{place}: {what}" if happened == "changed" else f"{place} ({what})"
        case Aspect.MEMBER:
            text = f"field {change.place}: member {what!r}"
        case _:
            assert_never(change.aspect)
    said = f"{change.operation}: {text}"
    return said if happened == "changed" else f"{said} {happened}"


def as_json(change: Change) -> dict[str, str]:
    """Write a change for programs; `old` and `new` stand where there is one."""
    tree = {
        "change": change.kind,
        "method": change.operation.method,
        "path": change.operation.path,
        "aspect": str(change.aspect),
    }
    if change.aspect in {Aspect.FIELD, Aspect.MEMBER}:
        tree["place"] = change.place
    sides = {"old": change.old, "new": change.new}
    return tree | {name: value for name, value in sides.items() if value}


def _compared(old: Shape, new: Shape) -> Iterator[Change]:
    operation = old.operation
    statuses = [one.succeeding.statuses | one.failing.statuses for one in (old, new)]
    yield from _sets(operation, Aspect.STATUS, *statuses)
    for before, after in ((old.succeeding, new.succeeding), (old.failing, new.failing)):
        if before.statuses and after.statuses:
            yield from _sets(operation, Aspect.CONTENT_TYPE, before.media, after.media)
            for place in sorted(before.fields.keys() | after.fields.keys()):
                yield from _field(operation, place, before.fields, after.fields)


def _sets(operation: Operation, aspect: Aspect, old: set[str], new: set[str]) -> Iterator[Change]:
    gone, come = sorted(old - new), sorted(new - old)
    if len(gone) == len(come) == 1:
        yield Change(operation=operation, aspect=aspect, old=gone[0], new=come[0])
        return
    for found in gone:
        yield Change(operation=operation, aspect=aspect, old=found)
    for found in come:
        yield Change(operation=operation, aspect=aspect, new=found)


def _field(
    operation: Operation, place: str, old: dict[str, Field], new: dict[str, Field]
) -> Iterator[Change]:
    before, after = old.get(place), new.get(place)
    if before is not None and after is not None:
        if _differ(before.types, after.types):
            yield Change(
                operation=operation,
                aspect=Aspect.FIELD,
                place=place,
                old=_written(before.types),
                new=_written(after.types),
            )
        for member in _new_members(operation, place, before, after):
            yield Change(operation=operation, aspect=Aspect.MEMBER, place=place, new=member)
    elif place.endswith("[]"):
        return  # the items of a list that has none, or is no list, on the other side
    elif before is not None and _holds_fields(new, before.parent):
        found = _written(before.types)
        yield Change(operation=operation, aspect=Aspect.FIELD, place=place, old=found)
    elif after is not None and _holds_fields(old, after.parent):
        found = _written(after.types)
        yield Change(operation=operation, aspect=Aspect.FIELD, place=place, new=found)


def _holds_fields(fields: dict[str, Field], place: str | None) -> bool:
    return place is not None and place in fields and "object" in fields[place].types


def _differ(old: set[str], new: set[str]) -> bool:
    known, found = old - {NULL}, new - {NULL}
    if known and found:
        return known != found
    return bool(known) != bool(found) and NULL not in (old & new)


def _written(types: set[str]) -> str:
    return "|".join(sorted(types))


def _new_members(operation: Operation, place: str, old: Field, new: Field) -> list[str]:
    """List members only the new recording has, if the field is an enum by its name and values."""
    if not old.members or not new.members or len(old.members | new.members) > _MOST_MEMBERS:
        return []
    name = place.rpartition(".")[2].rstrip("[]")
    if place == "value":  # of an action, or of one property: its name stands in the path
        name = "status" if operation.method == "POST" else operation.last_segment
    return sorted(new.members - old.members) if _ENUM_NAME.search(name) else []
