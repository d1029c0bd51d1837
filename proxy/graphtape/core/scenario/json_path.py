"""Values at a path in a JSON text, and edits of them that leave all other bytes unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from graphtape.core.json_path import Step, steps_of
from graphtape.core.json_text import NotJsonError, quote, splice
from graphtape.core.scenario.json_tree import Node, tree, value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from graphtape.core.matching.body import Json

Edit: TypeAlias = "SetValue | RemoveValue | AppendValue"


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonPath:
    """A path to values in a JSON text."""

    text: str
    steps: tuple[Step, ...]

    @classmethod
    def parse(cls, text: str) -> JsonPath:
        """Read a path.

        Raises:
            ValueError: It is none.
        """
        return cls(text=text, steps=steps_of(text))

    def select(self, root: Node) -> list[Node]:
        """Find what stands at the path, in the order of the text."""
        return _follow([root], self.steps)

    def absent_from(self, body: bytes) -> bool:
        """Tell by a quick search that no value is at the path; False means there may be one."""
        last = self.steps[-1].name if self.steps else None
        # An escape could spell the name otherwise.
        return isinstance(last, str) and b"\\u" not in body and quote(last) not in body

    def values(self, body: bytes) -> Iterator[Json]:
        """Read what stands at the path of a JSON text; nothing where it is none."""
        try:
            root = tree(body)
        except NotJsonError:
            return
        for node in self.select(root):
            yield value_of(body[node.start : node.end])


def _follow(nodes: list[Node], steps: tuple[Step, ...]) -> list[Node]:
    for step in steps:
        found: dict[int, Node] = {}
        for node in _below(nodes) if step.deep else nodes:
            for child in _children(node, step.name):
                found.setdefault(child.start, child)
        nodes = list(found.values())
    return nodes


def _below(nodes: list[Node]) -> Iterator[Node]:
    """Yield values and all their descendants, in document order."""
    waiting = nodes[::-1]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children))


def _children(node: Node, name: str | int | None) -> Iterable[Node]:
    if name is None:
        return node.children
    if isinstance(name, int):
        items = node.items or []
        return [items[name]] if -len(items) <= name < len(items) else []
    return [child for key, child in node.members or [] if key == name]


def _apart(nodes: Iterable[Node]) -> list[Node]:
    """Leave out nodes inside others of the list: an edit of the outer one replaces them."""
    kept: list[Node] = []
    for node in sorted(nodes, key=lambda each: each.start):
        if not kept or node.start >= kept[-1].end:
            kept.append(node)
    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class SetValue:
    """Give what stands at the path a value.

    A path that ends in a name adds it to objects that lack it, unless the path looks at any depth.

    Attributes:
        json: The value as JSON text.
    """

    path: JsonPath
    json: bytes

    def edit(self, body: bytes, *, add: bool) -> bytes:
        """Return the text changed; with `add`, where a last name is missing too.

        Raises:
            NotJsonError: `body` isn't JSON, where that had to be known.
        """
        if not (add and self._adds) and self.path.absent_from(body):
            return body
        root = tree(body)
        edits = [(node.start, node.end, self.json) for node in _apart(self.path.select(root))]
        if add and self._adds:
            edits += self._additions(root, str(self.path.steps[-1].name))
        return splice(body, sorted(edits))

    @property
    def _adds(self) -> bool:
        steps = self.path.steps
        named = bool(steps) and isinstance(steps[-1].name, str)
        return named and not any(step.deep for step in steps)

    def _additions(self, root: Node, name: str) -> Iterator[tuple[int, int, bytes]]:
        for node in _follow([root], self.path.steps[:-1]):
            if node.members is not None and all(key != name for key, _ in node.members):
                yield _after_last(node, quote(name) + b":" + self.json)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveValue:
    """Take what stands at the path away, with its name and comma."""

    path: JsonPath

    def edit(self, body: bytes, *, add: bool) -> bytes:
        """Return the text without it; the root itself can't be removed.

        Raises:
            NotJsonError: `body` isn't JSON, where that had to be known.
        """
        del add
        if self.path.absent_from(body):
            return body
        root = tree(body)
        doomed = {node.start for node in _apart(self.path.select(root))}
        edits: list[tuple[int, int, bytes]] = []
        for container in _below([root]):
            if container.start not in doomed:
                edits += ((*span, b"") for span in _cuts(container.children, doomed))
        # A container that goes takes what was cut out of it along.
        return splice(body, _outermost(sorted(edits)))


def _cuts(children: list[Node], doomed: set[int]) -> Iterator[tuple[int, int]]:
    """Return what to cut, so that the commas that stay stand between those that stay."""
    kept_before = False
    for number, child in enumerate(children):
        if child.start not in doomed:
            kept_before = True
        elif kept_before:
            yield children[number - 1].end, child.end
        elif number + 1 < len(children):
            yield child.key_start, children[number + 1].key_start
        else:
            yield child.key_start, child.end


def _outermost(edits: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    kept: list[tuple[int, int, bytes]] = []
    for start, end, new in edits:
        if not kept or start >= kept[-1][1]:
            kept.append((start, end, new))
    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendValue:
    """Add an item to the lists at the path.

    Attributes:
        json: The item as JSON text.
    """

    path: JsonPath
    json: bytes

    def edit(self, body: bytes, *, add: bool) -> bytes:
        """Return the text with the item last in each list.

        Raises:
            NotJsonError: `body` isn't JSON.
        """
        del add
        lists = (node for node in self.path.select(tree(body)) if node.items is not None)
        return splice(body, sorted(_after_last(node, self.json) for node in lists))


def _after_last(container: Node, new: bytes) -> tuple[int, int, bytes]:
    """Put a member or item behind the last one of a container."""
    children = container.children
    if children:
        return children[-1].end, children[-1].end, b"," + new
    return container.start + 1, container.start + 1, new
