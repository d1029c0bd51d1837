"""What changed in the tenant, and whether a subscription covers it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from graphtape.core.graph.actions import only_reads
from graphtape.core.graph.path_template import below_version, keys_apart

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphtape.core.matching.body import Json
    from graphtape.core.message import Request, Response
    from graphtape.core.notification.kind import Kind

_ALL = "getall"


def segments_of(resource: str) -> tuple[str, ...]:
    """Return the segments of a resource's path for comparison: lower case, keys apart."""
    return tuple(segment.lower() for segment in path_of(resource))


def path_of(resource: str) -> tuple[str, ...]:
    """Return the segments of a resource's path, or of a URL's, below the version, keys apart."""
    named = resource if "://" in resource else "/" + resource.lstrip("/")
    return keys_apart(below_version(named.partition("?")[0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of one resource.

    Attributes:
        path: Of the resource below the version, keys apart.
        type: `created`, `updated` or `deleted`.
        data: Of the resource, as far as it is known.
    """

    path: tuple[str, ...]
    type: str
    data: Mapping[str, Json] = field(default_factory=dict)

    @property
    def resource(self) -> str:
        """The path as a notification has it, relative to the version."""
        return "/".join(quote(segment, safe="!$&'()*+,;=:@") for segment in self.path)

    def is_covered(self, subscribed: tuple[str, ...], kind: Kind) -> bool:
        """Tell whether a subscription to a resource is about this one.

        Args:
            subscribed: Segments of the resource subscribed to, lower case, keys apart.
            kind: Of that resource.
        """
        changed = tuple(segment.lower() for segment in self.path)
        *above, last = subscribed or ("",)
        if kind.whole_tree:
            tree = tuple(above) if last == "root" else subscribed
            return changed[: len(tree)] == tree
        if last.startswith(_ALL):
            held = changed[len(above) :]
            return changed[: len(above)] == tuple(above) and last.removeprefix(_ALL) in held
        return changed == subscribed or changed[:-1] == subscribed


def changes_by(request: Request, response: Response) -> tuple[Change, ...]:
    """Return what a request that was answered may have changed, the likeliest first.

    Whether a POST created an item or was an action on one can't be told by its URL: a
    subscription takes the first of these that it covers.
    """
    if only_reads(request.method, request.url) or not 200 <= response.status < 300:  # noqa: PLR2004 - 2xx
        return ()
    path = keys_apart(below_version(request.url))
    if path[-1:] == ("$ref",):  # members and owners of a group are changes of the group
        holder = path[:-1] if request.method == "POST" else path[:-2]
        return (Change(path=holder, type="updated"), Change(path=holder[:-1], type="updated"))
    match request.method:
        case "DELETE":
            return (Change(path=path, type="deleted"),)
        case "POST":
            data = object_of(response.body)
            key = data.get("id")
            acted = Change(path=path[:-1], type="updated")
            if not isinstance(key, str):
                return (acted,)
            return (Change(path=(*path, key), type="created", data=data), acted)
        case _:
            data = {**object_of(request.body), **object_of(response.body)}
            return (Change(path=path, type="updated", data=data),)


def object_of(body: bytes) -> dict[str, Json]:
    """Read a JSON object; an empty one where a body is none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
