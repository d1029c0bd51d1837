"""Entities as Graph writes them, alone and in pages (Paging Microsoft Graph data)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.sandbox.fault import unknown_property
from graphtape.sandbox.outcome import Document

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphtape.sandbox.call import Call
    from graphtape.sandbox.query import Properties


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitySet:
    """A kind of entity.

    Attributes:
        path: Where it lies below the version; also its name in `@odata.context`.
        type_name: Qualified.
        properties: Every property that may be selected, in the order they are written.
    """

    path: str
    type_name: str
    properties: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An entity on its way to a page.

    Attributes:
        serial: Its place; never given twice, so that a page token outlives a delete.
        properties: In full.
    """

    serial: int
    properties: Properties


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page, and whom it showed.

    Attributes:
        serials: Of the entities shown, in order.
    """

    document: Document
    serials: tuple[int, ...]


def entity_body(
    call: Call, kind: EntitySet, properties: Properties, default: tuple[str, ...]
) -> dict[str, object]:
    """Write one entity with its context.

    Args:
        call: Says where, and which properties.
        kind: What it is.
        properties: In full.
        default: The properties to show where the call selects none.
    """
    shown = _selection(call, kind, default)
    context = f"{_context(call, kind)}/$entity"
    return {"@odata.context": context, **{name: properties[name] for name in shown}}


def page(call: Call, kind: EntitySet, rows: Iterable[Row], default: tuple[str, ...]) -> Page:
    """Write one page of a collection; arguments as in `entity_body`, rows in order of serial."""
    query = call.query
    shown = _selection(call, kind, default)
    if query.filter is not None and query.filter.name not in kind.properties:
        raise unknown_property(query.filter.name, kind.type_name)
    admitted = [row for row in rows if query.filter is None or query.filter.admits(row.properties)]
    rest = [row for row in admitted if query.after is None or row.serial > query.after]
    here = rest[: query.top]
    body: dict[str, object] = {"@odata.context": _context(call, kind)}
    if query.count:
        body["@odata.count"] = len(admitted)
    if len(rest) > len(here):
        following = query.following(here[-1].serial)
        body["@odata.nextLink"] = f"{call.base}/{kind.path}?{following}"
    body["value"] = [{name: row.properties[name] for name in shown} for row in here]
    return Page(document=Document(body=body), serials=tuple(row.serial for row in here))


def _selection(call: Call, kind: EntitySet, default: tuple[str, ...]) -> tuple[str, ...]:
    for name in call.query.select:
        if name not in kind.properties:
            raise unknown_property(name, kind.type_name)
    return tuple(dict.fromkeys(call.query.select)) or default


def _context(call: Call, kind: EntitySet) -> str:
    selected = f"({','.join(call.query.select)})" if call.query.select else ""
    return f"{call.base}/$metadata#{kind.path}{selected}"
