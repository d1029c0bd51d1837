"""Which requests a rule is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from graphtape.core.graph.actions import last_segment
from graphtape.core.graph.path_template import PathTemplate, below_version, keys_apart
from graphtape.core.matching.body import Json, pairs_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from graphtape.core.message import Headers, Request
    from graphtape.core.scenario.json_path import JsonPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request taken apart once, for every rule that looks at it.

    Attributes:
        path: Segments below the version, decoded, actions by their local names.
        keyed: Likewise, with `settings('x')` as two segments, as OData lets it be written.
        action: The last segment without namespace and arguments.
        query: Decoded (name, value) pairs.
        apart: Whether only rules that name a path or action see it: sign-in, and the envelope of
            a `$batch`, whose parts are seen one by one.
        session: The id of the client's session.
    """

    request: Request
    path: tuple[str, ...]
    keyed: tuple[str, ...]
    action: str
    query: frozenset[tuple[str, str]]
    apart: bool
    session: str

    @classmethod
    def of(cls, request: Request, *, session: str) -> Ask:
        """Take a request apart; one whose URL is none has no path and no action."""
        from graphtape.core.signin.place import is_sign_in_place  # noqa: PLC0415 - few runs have rules

        try:
            split, action = urlsplit(request.url), last_segment(request.url)
            sign_in = is_sign_in_place(request.url)
        except ValueError:  # a host no URL can have, in a part of a batch
            split, action, sign_in = urlsplit(""), "", False
        path = below_version(split.path)
        return cls(
            request=request,
            path=path,
            keyed=keys_apart(path),
            action=action,
            query=frozenset(pairs_of(split.query)),
            apart=sign_in or path[-1:] == ("$batch",),
            session=session,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """What a request must be for a rule to see it; what is None or empty doesn't count.

    Attributes:
        methods: Upper case; any of them.
        action: A last segment by its local name.
        query: Decoded names and values, None for any; all of them, others may stand beside.
        body: Values that must stand at these paths of a JSON body.
        header: Fields and the value one of their fields, or one of its list elements, must have.
        after: An action's local name: only once this play let such a request pass.
    """

    methods: tuple[str, ...] = ()
    path: PathTemplate | None = None
    action: str | None = None
    query: tuple[tuple[str, str | None], ...] = ()
    body: tuple[tuple[JsonPath, Json], ...] = ()
    header: tuple[tuple[str, str], ...] = ()
    session: str | None = None
    after: str | None = None

    def differs(self, ask: Ask) -> str | None:
        """Return why a request doesn't match, `after` aside; None where it does."""
        if self.session is not None and ask.session != self.session:
            return f"the session is {ask.session!r}, not {self.session!r}"
        return self._differs_in_place(ask) or self._differs_inside(ask)

    def lacks(self, seen: Collection[str]) -> str | None:
        """Return which action is missing before this request; None where none is.

        Args:
            seen: Actions this play let pass so far, by local name.
        """
        if self.after is None or self.after in seen:
            return None
        return f"no {self.after!r} came before"

    def _differs_in_place(self, ask: Ask) -> str | None:
        if self.methods and ask.request.method.upper() not in self.methods:
            return f"the method is {ask.request.method}, not {' or '.join(self.methods)}"
        if self.action is not None and ask.action != self.action:
            return f"the action is {ask.action!r}, not {self.action!r}"
        if self.path is None:
            if self.action is None and ask.apart:
                return "sign-in and $batch itself meet only rules that name a path or action"
        elif not (self.path.matches(ask.path) or self.path.matches(ask.keyed)):
            return f"the path /{'/'.join(ask.path)} is not {self.path.text}"
        return None

    def _differs_inside(self, ask: Ask) -> str | None:
        for name, value in self.query:
            if value is None and all(name != given for given, _ in ask.query):
                return f"the query has no {name}"
            if value is not None and (name, value) not in ask.query:
                return f"the query has no {name}={value}"
        for name, value in self.header:
            if not _has(ask.request.headers, name, value):
                return f"the header {name} is not {value!r}"
        for path, wanted in self.body:
            if not any(_same(found, wanted) for found in path.values(ask.request.body)):
                return f"{path.text} in the body is not {wanted!r}"
        return None


def _has(headers: Headers, name: str, value: str) -> bool:
    wanted = value.strip()
    for field in headers.all(name):
        if field.strip() == wanted or wanted in (piece.strip() for piece in field.split(",")):
            return True
    return False


def _same(one: Json, other: Json) -> bool:
    """Compare as JSON does: true is not 1, and a list may hold either."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return one == other
