"""The operation a request calls: its method, and its path without what it is called on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core.matching.key import GRAPH_PLACE, key_of
from graphtape.core.message import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

_ID = "{id}"
# OData string literals (OData 4.01 ABNF, "string"): a quote in one is doubled.
_LITERAL = re.compile(r"(?<=[(=,])'(?:[^']|'')*'")
# A driveItem by its path: /drive/root:/Reports/2026.xlsx:/content.
_BY_PATH = re.compile(r"(?<=[^/]):/[^:]+(:?)")
_PATH = ":/{path}"
_CALL = re.compile(r"([^(]*)\((.*)\)\Z")
# Names in Graph are letters; a few hold one number: oauth2PermissionGrants, getOffice365….
_WORD = r"\$?[A-Za-z]+|[a-z][A-Za-z]*[0-9]{1,3}[A-Za-z]*"
_NAME = re.compile(rf"v[0-9]+(?:\.[0-9]+)?|(?:{_WORD})(?:\.(?:{_WORD}))*")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Operation:
    """One call of an API, whatever it is called on.

    Attributes:
        path: `/beta/users/{id}/messages`, decoded; actions and functions by their local name,
            their arguments as `{value}`. Off Graph the host stands before it.
        method: Upper case.
    """

    path: str
    method: str

    @classmethod
    def of(cls, method: str, url: str) -> Operation:
        """Name the operation a request calls; the query doesn't take part."""
        key = key_of(Request(method=method, url=url))
        place = "" if key.place == GRAPH_PLACE else key.place
        return cls(path=place + _template(key.path), method=key.method)

    @property
    def last_segment(self) -> str:
        """What the path ends in."""
        return self.path.rpartition("/")[2]

    def folded(self) -> Operation:
        """Return the form that two spellings of one operation share: Graph ignores case."""
        return Operation(path=self.path.lower(), method=self.method)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _template(path: str) -> str:
    path = _BY_PATH.sub(_PATH + r"\1", _LITERAL.sub("''", path))
    return "/".join(part for segment in path.split("/") for part in _parts(segment))


def _parts(segment: str) -> Iterator[str]:
    """Replace what a segment holds of data; `users('x')` and `users/x` are the same."""
    call = _CALL.match(segment)
    if call is None:
        word = segment.removesuffix(":")
        known = not word or word == "{path}" or _NAME.fullmatch(word)
        yield segment if known else _ID + segment[len(word) :]
        return
    names = [argument.partition("=")[0].strip() for argument in call[2].split(",")]
    if "=" in call[2]:
        yield f"{call[1]}({','.join(f'{name}={{value}}' for name in names)})"
        return
    yield call[1]
    if call[2]:
        yield _ID
