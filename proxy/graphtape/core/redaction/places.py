"""Where a value stands, and what that says about it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from graphtape.core.redaction.vocabulary import (
    CURSOR_ENDINGS,
    DOMAIN_FIELDS,
    FORM_SECRETS,
    HEADERS,
    LINK_FIELDS,
    PERSONAL,
    QUERY_SECRETS,
    SECRET_ENDINGS,
    SECRET_FIELDS,
    SECRET_NEIGHBOURS,
    TENANT_ENDINGS,
    TENANT_FIELDS,
    Place,
    credentials_header,
    folded,
)

if TYPE_CHECKING:
    from graphtape.core.redaction.policy import Policy


Path = tuple[str | int, ...]

# A field that says nothing by its own name, and the one around it that does.
_NAMED_BY_PARENT = {
    ("verifieddomains", "name"): Place.DOMAIN,
    ("emailaddress", "name"): Place.PERSON,
    ("link", "weburl"): Place.LINK,  # createLink: who has it may read
}
_HEADER_MAPS = frozenset({"headers", "httpheaders"})  # a $batch part's
_NEIGHBOURS = SECRET_NEIGHBOURS | SECRET_FIELDS - {"clientinfo", "primarykey", "secondarykey"}
_SEPARATOR = re.compile(r"[/.:\\]")
_REMEMBERED = 4096  # the keys of a hostile body must not pile up


class Rules:
    """The built-in names and a user's own.

    Attributes:
        has_paths: Whether one of the user's names a field by those around it.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.identities = not policy.keep_identities
        self.personal = policy.personal
        self.patterns = tuple(re.compile(pattern) for pattern in policy.patterns)
        self.allowed_values = frozenset(policy.allow_values)
        self._names: dict[str, Place] = {}
        self._pairs: dict[tuple[str, str], Place] = {}
        self._fields, self._field_paths = _split(policy.fields)
        self._allowed, self._allowed_paths = _split(policy.allow_fields)
        self.has_paths = bool(self._field_paths or self._allowed_paths)
        self._queries = {folded(name) for name in policy.queries}
        self._allowed_queries = {folded(name) for name in policy.allow_queries}
        self._headers = {folded(name) for name in policy.headers}
        self._allowed_headers = {folded(name) for name in policy.allow_headers}

    def field(self, path: Path) -> Place:
        """Say what a JSON field's name says, or that of a container it stands in."""
        named = Place.PLAIN
        around = last = ""
        for step in path:
            if isinstance(step, str):
                around, last = last, step
                place = self._names.get(step) or self._name(step)
                if named is not Place.SECRET or place is Place.ALLOWED:
                    named = place
        if named is Place.PLAIN and around:
            named = self._pairs.get((around, last)) or self._pair(around, last)
        if self.has_paths:
            named = self._by_path(path, named)
        return named

    def parameter(self, name: str, *, query: bool) -> Place:
        """Say what the name of a form field or query parameter says."""
        key = folded(name)
        if query and key in self._allowed_queries:
            return Place.ALLOWED
        if key in FORM_SECRETS or (query and (key in QUERY_SECRETS or key in self._queries)):
            return Place.PLAIN if key in self._allowed else Place.SECRET
        place = self._names.get(name) or self._name(name)
        if query and key == "token":
            return Place.PLAIN  # of a delta query; no secret by itself
        # `$filter=domain eq …` is no domain, and a link in a parameter is a URL like any.
        return place if place in {Place.SECRET, Place.TENANT, Place.ALLOWED} else Place.PLAIN

    def header(self, name: str) -> Place:
        """Say what a header field's name says."""
        key = folded(name)
        if key in self._allowed_headers:
            return Place.ALLOWED
        if key in self._headers:
            return Place.SECRET
        known = HEADERS.get(key) or credentials_header(key)
        if known is not Place.PLAIN:
            return known
        if key in SECRET_FIELDS or key.endswith(SECRET_ENDINGS) or key.startswith("xauth"):
            return Place.SECRET
        if key.endswith("token") and not key.endswith(CURSOR_ENDINGS):
            return Place.SECRET
        return Place.TENANT if key.endswith(TENANT_ENDINGS) else Place.PLAIN

    def neighbour(self, field: str, name: str) -> Place:
        """Say what a name that is the value of a folded `field` says of the value beside it."""
        key = field if field in SECRET_NEIGHBOURS else folded(_SEPARATOR.split(name)[-1])
        key = key.replace(" ", "")
        if key in self._allowed or key in self._allowed_headers:
            return Place.ALLOWED
        if key in _NEIGHBOURS or key in self._headers or key.endswith(SECRET_ENDINGS):
            return Place.SECRET
        return credentials_header(key)

    def _name(self, name: str) -> Place:
        """Look a name up once."""
        place = self._place_of(folded(name))
        if len(self._names) < _REMEMBERED:
            self._names[name] = place
        return place

    def _place_of(self, key: str) -> Place:
        if key in self._allowed:
            return Place.ALLOWED
        if key in self._fields or key in SECRET_FIELDS or key.endswith(SECRET_ENDINGS):
            return Place.SECRET
        if key in TENANT_FIELDS or key.endswith(TENANT_ENDINGS):
            return Place.TENANT
        if key in DOMAIN_FIELDS:
            return Place.DOMAIN
        if key in LINK_FIELDS or key.endswith("downloadurl"):
            return Place.LINK
        return PERSONAL.get(key) or credentials_header(key)

    def _pair(self, around: str, name: str) -> Place:
        """Look up, once, a name that says something only together with the one around it."""
        outer = folded(around)
        if outer in _HEADER_MAPS:
            place = self.header(name)
        else:
            place = _NAMED_BY_PARENT.get((outer, folded(name)), Place.PLAIN)
        if len(self._pairs) < _REMEMBERED:
            self._pairs[around, name] = place
        return place

    def _by_path(self, path: Path, named: Place) -> Place:
        names = tuple(folded(step) for step in path if isinstance(step, str))
        if any(names[-len(wanted) :] == wanted for wanted in self._allowed_paths):
            return Place.ALLOWED
        if any(names[-len(wanted) :] == wanted for wanted in self._field_paths):
            return Place.SECRET
        return named


@lru_cache(maxsize=32)
def rules_of(policy: Policy) -> Rules:
    """Compile a policy once."""
    return Rules(policy)


def _split(names: tuple[str, ...]) -> tuple[set[str], list[tuple[str, ...]]]:
    """Part plain names from dotted paths."""
    plain = {folded(name) for name in names if "." not in name}
    paths = [tuple(folded(part) for part in name.split(".")) for name in names if "." in name]
    return plain, paths
