"""Which permission each operation of Graph documents, out of Microsoft's own file.

Source: "Permissions for HTTP APIs" of microsoftgraph/kibali, whose format permissions.json of
microsoftgraph/microsoft-graph-devx-content is in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graphtape.core.matching.operation import Operation

_VERSIONS = frozenset({"v1.0", "beta"})
_ANY = "{}"
_VARIABLE = re.compile(r"\A\{[^{}]*\}(?=:?\Z)")
_MOST_EXACT = 16
"""Permissions of which every set is tried; beyond, the most useful one is taken in turn."""

_HIGHEST = 5
"""The privilege level of a permission that has none written down."""


class PermissionsError(ValueError):
    """A file isn't a permissions document; its text says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A permission that an operation may be called with.

    Attributes:
        name: Of the permission.
        least: Whether Microsoft documents it as the least privileged one.
        level: 1, the least privileged, to 5.
        also: What else the operation takes, as the file spells it; mostly nothing.
    """

    name: str
    least: bool
    level: int
    also: str = ""

    @property
    def rank(self) -> tuple[bool, int, str]:
        """By this, the least privileged comes first."""
        return not self.least, self.level, self.name


@dataclass(slots=True)
class _Node:
    """A place in the tree of paths: grants by method, and what follows."""

    grants: dict[str, list[Grant]] = field(default_factory=dict)
    next: dict[str, _Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Privileges:
    """What a permissions document says of one scheme.

    Attributes:
        permissions: Names of all of them, by lower case.
    """

    permissions: dict[str, str]
    _root: _Node

    @classmethod
    def parse(cls, tree: object, *, scheme: str) -> Privileges:
        """Read a permissions document.

        Args:
            tree: As decoded.
            scheme: `DelegatedWork`, `DelegatedPersonal` or `Application`.

        Raises:
            PermissionsError: It isn't one.
        """
        listed = tree.get("permissions") if isinstance(tree, dict) else None
        if not isinstance(listed, dict):
            raise PermissionsError("it has no mapping `permissions`")
        root = _Node()
        for name, permission in listed.items():
            _add(root, str(name), _mapping(permission, f"permissions.{name}"), scheme)
        return cls(permissions={str(name).lower(): str(name) for name in listed}, _root=root)

    def grants(self, operation: Operation) -> tuple[Grant, ...]:
        """Return what an operation may be called with, the least privileged first."""
        segments = [part for part in operation.folded().path.split("/") if part]
        if not segments or segments[0] not in _VERSIONS:
            return ()
        found = _found(self._root, segments[1:], operation.method)
        # One permission may stand in several sets of paths.
        best: dict[str, Grant] = {}
        for grant in sorted(found, key=lambda each: each.rank):
            best.setdefault(grant.name, grant)
        return tuple(best.values())


def smallest(choices: Sequence[Sequence[Grant]]) -> tuple[str, ...]:
    """Choose the fewest permissions that allow every operation, out of each one's least.

    A permission that an operation needs may allow others, too: theirs isn't needed then. Of sets
    of one size the one with the lowest levels is taken.

    Args:
        choices: Of each operation its grants, the least privileged first; not empty.
    """
    least = {each[0].name: each[0] for each in choices}
    needs = [frozenset(grant.name for grant in each) & least.keys() for each in choices]
    names = sorted(least, key=lambda name: (least[name].level, name))
    if len(names) <= _MOST_EXACT:
        for size in range(len(names) + 1):
            fitting = [
                chosen
                for chosen in combinations(names, size)
                if all(not need.isdisjoint(chosen) for need in needs)
            ]
            if fitting:
                best = min(fitting, key=lambda chosen: sum(least[name].level for name in chosen))
                return tuple(sorted(best))
    return _in_turn(names, needs)


def _in_turn(names: Iterable[str], needs: Iterable[frozenset[str]]) -> tuple[str, ...]:
    left = list(needs)
    chosen: list[str] = []
    while left:
        most = max(names, key=lambda name: sum(name in need for need in left))
        chosen.append(most)
        left = [need for need in left if most not in need]
    return tuple(sorted(chosen))


def _add(root: _Node, name: str, permission: dict[object, object], scheme: str) -> None:
    where = f"permissions.{name}"
    schemes = _mapping(permission.get("schemes", {}), f"{where}.schemes")
    about = schemes.get(scheme)
    if about is None:
        return
    level = _mapping(about, f"{where}.schemes.{scheme}").get("privilegeLevel")
    for number, each in enumerate(_list(permission.get("pathSets", []), f"{where}.pathSets")):
        inside = f"{where}.pathSets[{number}]"
        paths = _mapping(each, inside)
        if scheme not in _list(paths.get("schemeKeys", []), f"{inside}.schemeKeys"):
            continue
        methods = _list(paths.get("methods", []), f"{inside}.methods")
        also = paths.get("alsoRequires")
        for path, said in _mapping(paths.get("paths", {}), f"{inside}.paths").items():
            node = _node(root, str(path))
            grant = Grant(
                name=name,
                least=scheme in _least(str(said)),
                level=level if isinstance(level, int) else _HIGHEST,
                also=also if isinstance(also, str) else "",
            )
            for method in methods:
                node.grants.setdefault(str(method).upper(), []).append(grant)


def _least(said: str) -> list[str]:
    """Read `least=DelegatedWork,Application`, other pairs beside it between semicolons."""
    for pair in said.split(";"):
        key, _, value = pair.strip().partition("=")
        if key == "least":
            return [name.strip() for name in value.split(",")]
    return []


def _node(root: _Node, path: str) -> _Node:
    node = root
    for segment in path.lower().split("/"):
        if segment:
            name = _VARIABLE.sub(_ANY, segment)
            node = node.next.setdefault(name.removeprefix("microsoft.graph."), _Node())
    return node


def _found(node: _Node, segments: Sequence[str], method: str) -> list[Grant]:
    """Look a path up: a name before a variable, which any segment is."""
    if not segments:
        return node.grants.get(method, [])
    colon = ":" if segments[0].endswith(":") else ""  # a driveItem by its path
    for name in (segments[0], _ANY + colon):
        following = node.next.get(name)
        if following is not None and (found := _found(following, segments[1:], method)):
            return found
    return []


def _mapping(value: object, where: str) -> dict[object, object]:
    if not isinstance(value, dict):
        raise PermissionsError(f"{where} is no mapping")
    return value


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise PermissionsError(f"{where} is no list")
    return value
