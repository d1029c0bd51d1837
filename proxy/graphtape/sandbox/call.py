"""A request taken apart for the tenant: version, segments, query, body."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from graphtape.core.graph.actions import local_name
from graphtape.sandbox.fault import bad_request
from graphtape.sandbox.outcome import Outcome
from graphtape.sandbox.query import Query, parse_query

if TYPE_CHECKING:
    from datetime import datetime

    from graphtape.core.message import Headers, Request

_KEY_IN_PARENTHESES = re.compile(r"(\w+)\('((?:[^']|'')*)'\)")


class Version(StrEnum):
    """Graph's API versions."""

    V1 = "v1.0"
    BETA = "beta"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request at the tenant.

    Attributes:
        root: The Graph root it was made at, without a slash at the end.
        segments: The path below the version, decoded; `users('x')` is `users`, `x`, and an
            action has lost its namespace.
        body: Decoded (no Content-Encoding).
        now: The time of the call, UTC.
    """

    root: str
    version: Version
    segments: tuple[str, ...]
    query: Query
    method: str
    headers: Headers
    body: bytes
    now: datetime

    @property
    def base(self) -> str:
        """The root with the version."""
        return f"{self.root}/{self.version}"

    @property
    def path(self) -> str:
        """The path below the version, decoded."""
        return "/".join(self.segments)

    def json_object(self) -> Mapping[str, object]:
        """Read the body as a JSON object.

        Raises:
            GraphFault: It isn't one.
        """
        try:
            value: object = json.loads(self.body)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise bad_request(
                "Unable to read JSON request payload. Please ensure Content-Type header is set"
                " and payload is of valid JSON format."
            )
        return value


Operations = Mapping[str, Callable[[Call], Outcome]]
"""What each method does at one path."""


def read_call(request: Request, *, root: str, now: datetime) -> Call:
    """Take a request apart.

    Raises:
        GraphFault: The version or the query is none of Graph's.
    """
    parts = urlsplit(request.url)
    version, *segments = parts.path.removeprefix("/").rstrip("/").split("/")
    if version not in frozenset(Version):
        raise bad_request(f"Invalid version: {unquote(version)}")
    return Call(
        root=root,
        version=Version(version),
        segments=tuple(key for segment in segments for key in _keys(unquote(segment))),
        query=parse_query(parts.query),
        method=request.method.upper(),
        headers=request.headers,
        body=request.body,
        now=now,
    )


def _keys(segment: str) -> tuple[str, ...]:
    # OData's own form of a key; Graph and its SDKs take both.
    found = _KEY_IN_PARENTHESES.fullmatch(segment)
    if found is None:
        return (local_name(segment),)
    return found[1], found[2].replace("''", "'")
