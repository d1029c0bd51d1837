"""Graph's own model, compiled: its operations by path, its types, its enums."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from graphtape.core.matching.body import Json

Node: TypeAlias = "dict[str, object]"

_ANY = "{}"
_METHODS = ""
_DRIVE = "drive"
_OWNS_A_DRIVE = ("users", "groups", "sites")


@dataclass(frozen=True, slots=True, kw_only=True)
class Takes:
    """What an operation takes and answers.

    Attributes:
        options: Query options that it takes, as they are documented; None where that isn't known.
        answer: The type of what it answers: `user`, `user[]` in `value`, `=status` as `value`;
            empty where it isn't known.
        body: The type of what it is sent; likewise.
    """

    options: tuple[str, ...] | None
    answer: str
    body: str


@dataclass(slots=True)
class Model:
    """The model of one version.

    Attributes:
        packages: What it was made of: versions by package.
        enums: Members, by lower-case name.
        names: How types and enums are spelled, likewise.
    """

    packages: Mapping[str, str]
    enums: Mapping[str, Sequence[str]]
    names: Mapping[str, str]
    _options: Sequence[Sequence[str]]
    _types: Mapping[str, tuple[str, dict[str, str]]]
    _paths: Node
    _children: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _all: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, tree: Json) -> Model:
        """Make a model of what `tools/graph_model.py` wrote."""
        assert isinstance(tree, dict)  # noqa: S101 - our own file
        model = cls(
            packages=cast("dict[str, str]", tree["packages"]),
            enums=cast("dict[str, list[str]]", tree["enums"]),
            names=cast("dict[str, str]", tree["names"]),
            _options=cast("list[list[str]]", tree["options"]),
            _types=cast("dict[str, tuple[str, dict[str, str]]]", tree["types"]),
            _paths=_folded(cast("Node", tree["paths"])),
        )
        for name, (base, _) in model._types.items():
            if base:
                model._children[base].append(name)
        return model

    def find(self, segments: Sequence[str]) -> Node | None:
        """Return the place of a path below the version; None where there is none."""
        return next(iter(self._find(self._paths, _known(segments), 0)), None)

    def methods(self, segments: Sequence[str]) -> dict[str, Takes]:
        """Return what a path can be asked, by method; empty where there is no such path."""
        found: dict[str, Takes] = {}
        for node in self._find(self._paths, _known(segments), 0):
            for method, said in cast("dict[str, list[object]]", node.get(_METHODS, {})).items():
                at, answer, body = cast("tuple[int, str, str]", tuple(said))
                options = None if at < 0 else tuple(self._options[at])
                found.setdefault(method, Takes(options=options, answer=answer, body=body))
        return found

    def near(self, segments: Sequence[str], method: str) -> str | None:
        """Return the name that a path was probably meant to have where it goes wrong."""
        path = _known(segments)
        for depth in range(len(path) - 1, -1, -1):
            for parent in self._find(self._paths, path[:depth], 0):
                names = {name.lower(): name for name in _spelled(parent)}
                known = [
                    name
                    for name in names
                    if any(
                        depth + 1 < len(path) or method in cast("Node", node.get(_METHODS, {}))
                        for node in self._find(cast("Node", parent[name]), path[depth + 1 :], 0)
                    )
                ]
                close = get_close_matches(path[depth], known, n=1, cutoff=0.7)
                if close and close[0] != path[depth]:
                    return self._name(parent, close[0])
        return None

    def properties(self, kind: str) -> dict[str, str]:
        """Return the properties of a type, of those it is made from and of those made from it."""
        found = self._all.get(kind)
        if found is None:
            found = {}
            name: str | None = kind
            while name is not None and name in self._types:
                base, own = self._types[name]
                found = {**own, **found}
                name = base or None
            for child in self._descendants(kind):
                found = {**self._types[child][1], **found}
            self._all[kind] = found
        return found

    def knows(self, kind: str) -> bool:
        """Tell whether a type's properties are known."""
        return kind in self._types and bool(self.properties(kind))

    def spelled(self, kind: str) -> str:
        """Name a type as Graph spells it; of what one action takes, the action."""
        if kind.startswith("!"):
            return kind.split("/")[-2]
        return self.names.get(kind, kind)

    def _descendants(self, kind: str) -> Iterable[str]:
        for child in self._children.get(kind, ()):
            yield child
            yield from self._descendants(child)

    def _find(self, node: Node, path: Sequence[str], at: int) -> Iterable[Node]:
        """Walk down: a name before a variable, which any segment is."""
        if at == len(path):
            yield node
            return
        for name in dict.fromkeys((path[at], _ANY)):
            if name and (following := node.get(name)) is not None:
                yield from self._find(cast("Node", following), path, at + 1)

    def _name(self, parent: Node, folded: str) -> str:
        spelled = cast("dict[str, str]", parent.get(_SPELLED, {}))
        return spelled.get(folded, folded)


_SPELLED = "\0"


def _spelled(node: Node) -> list[str]:
    return [name for name in node if name not in {_METHODS, _ANY, _SPELLED}]


def _folded(node: Node) -> Node:
    """Key a tree of paths by lower-case names, and keep how they are spelled."""
    folded: Node = {}
    spelled: dict[str, str] = {}
    for name, below in node.items():
        if name == _METHODS:
            folded[name] = below
            continue
        folded[name.lower()] = _folded(cast("Node", below))
        spelled[name.lower()] = name
    folded[_SPELLED] = spelled
    return folded


def _known(segments: Sequence[str]) -> list[str]:
    """Spell a path as the SDKs do, who know drives and items by their ids alone, and no `me`."""
    path = [segment.lower() for segment in segments]
    if path[:1] == ["me"]:
        path[:1] = ["users", _ANY]
    path = ["{}" if segment.startswith("{") else segment for segment in path]
    if len(path) > 3 and path[0] in _OWNS_A_DRIVE and path[2] == _DRIVE:  # noqa: PLR2004 - owner/id/drive/…
        path[:3] = ["drives", _ANY]
    elif len(path) > 1 and path[0] == _DRIVE:
        path[:1] = ["drives", _ANY]
    made: list[str] = []
    for segment in path:
        if made and made[-1].endswith(":") and segment == _ANY:
            made[-1:] = ["items", _ANY] if made[-1] == "root:" else [made[-1].rstrip(":")]
        else:
            made.append(segment)
    if made[:2] == ["drives", _ANY] and made[2:3] == ["root"] and len(made) > 3:  # noqa: PLR2004
        made[2:3] = ["items", _ANY]
    return made
