"""A YAML cassette read an interaction at a time, where it is written as recorders write it.

PyYAML's own loaders build a tree of nodes of the whole file, then a tree of values beside it: five
times its size, most of the time spent on the nodes. Here the parser's events become values at
once, and an interaction can go before the next one comes. What takes more than that (anchors,
merge keys, tags of Python's, a fault anywhere) is left to the loader that copes with it or says
what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Protocol, TypeVar

import yaml

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]  # the same, without libyaml


if TYPE_CHECKING:
    from graphtape.tape.progress import Progress

_Event = TypeVar("_Event", bound=yaml.Event)

_INTERACTIONS = "interactions"
_DEEPEST = 100
_TEXT = "tag:yaml.org,2002:str"
_BINARY = "tag:yaml.org,2002:binary"
# A merge key and a default value: what they mean shows only in the mapping around them.
_SPECIAL = frozenset({"tag:yaml.org,2002:merge", "tag:yaml.org,2002:value"})
_MOST_REMEMBERED = 4096
_TOLD_EVERY = 100


class NotPlainError(Exception):
    """The text takes a loader of its own, for what it holds or to say what is wrong with it."""


class _Events(Protocol):
    """What is used of a loader: its parser, and how it reads a scalar."""

    def get_event(self) -> yaml.Event | None: ...
    def resolve(self, kind: type[yaml.Node], value: str, implicit: tuple[bool, bool]) -> str: ...
    def construct_document(self, node: yaml.Node) -> object: ...
    def dispose(self) -> None: ...


def read_plain(
    data: bytes, take: Callable[[object], None], *, progress: Progress | None = None
) -> dict[object, object]:
    """Hand over each item of the list `interactions`; return what else the mapping holds.

    Args:
        data: The whole file, valid UTF-8.
        take: Called with each item in turn, before it's known whether the rest is in order.
        progress: In bytes, where the text is ASCII; else behind by what isn't.

    Raises:
        NotPlainError: It isn't a mapping with such a list, or not in plain YAML.
    """
    loader = SafeLoader(data)
    try:
        return _Reader(loader, take, progress, len(data)).read()
    except (
        yaml.YAMLError,
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as exc:
        raise NotPlainError(str(exc)) from exc
    finally:
        loader.dispose()


class _Reader:
    """Makes values of a parser's events."""

    def __init__(
        self,
        loader: _Events,
        take: Callable[[object], None],
        progress: Progress | None,
        total: int,
    ) -> None:
        self._loader = loader
        self._next = loader.get_event
        self._take = take
        self._progress = progress
        self._total = total
        self._scalars: dict[str, Hashable] = {}

    def read(self) -> dict[object, object]:
        self._expect(yaml.StreamStartEvent)
        self._expect(yaml.DocumentStartEvent)
        _check_collection(self._expect(yaml.MappingStartEvent))
        top: dict[object, object] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            name = self._key(event)
            if name != _INTERACTIONS:
                top[name] = self._value(self._next(), 1)
                continue
            if name in top:
                raise NotPlainError("two lists of interactions")
            top[name] = None
            self._read_list()
        self._expect(yaml.DocumentEndEvent)
        self._expect(yaml.StreamEndEvent)
        if _INTERACTIONS not in top:
            raise NotPlainError("no list of interactions")
        return top

    def _read_list(self) -> None:
        _check_collection(self._expect(yaml.SequenceStartEvent))
        count = 0
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            if self._progress is not None and count % _TOLD_EVERY == 0:
                mark = event.start_mark if event is not None else None
                self._progress(mark.index if mark is not None else 0, self._total)
            self._take(self._value(event, 2))
            count += 1

    def _expect(self, kind: type[_Event]) -> _Event:
        event = self._next()
        if not isinstance(event, kind):
            raise NotPlainError(f"found {event}")
        return event

    def _value(self, event: yaml.Event | None, depth: int) -> object:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if depth == _DEEPEST:
            raise NotPlainError("nested too deeply")
        if isinstance(event, yaml.MappingStartEvent):
            _check_collection(event)
            return self._mapping(depth + 1)
        if isinstance(event, yaml.SequenceStartEvent):
            _check_collection(event)
            return self._sequence(depth + 1)
        raise NotPlainError(f"found {event}")

    def _mapping(self, depth: int) -> dict[object, object]:
        following, end = self._next, yaml.MappingEndEvent
        mapping: dict[object, object] = {}
        while not isinstance(event := following(), end):
            key = self._key(event)
            mapping[key] = self._value(following(), depth)
        return mapping

    def _sequence(self, depth: int) -> list[object]:
        following, end = self._next, yaml.SequenceEndEvent
        items: list[object] = []
        while not isinstance(event := following(), end):
            items.append(self._value(event, depth))
        return items

    def _key(self, event: yaml.Event | None) -> object:
        if not isinstance(event, yaml.ScalarEvent):
            raise NotPlainError("a key that is no scalar")
        return self._scalar(event)

    def _scalar(self, event: yaml.ScalarEvent) -> object:
        if event.anchor is not None:
            raise NotPlainError("an anchor")
        value: str = event.value
        if event.tag is not None:
            return self._tagged(event.tag, value)
        if not event.implicit[0]:
            return value
        known = self._scalars.get(value, self)
        if known is self:
            known = self._plain(value)
            if len(self._scalars) < _MOST_REMEMBERED:
                self._scalars[value] = known
        return known

    def _tagged(self, tag: str, value: str) -> object:
        if tag == _TEXT:
            return value
        if tag == _BINARY:
            return self._loader.construct_document(yaml.ScalarNode(tag, value))
        raise NotPlainError(f"the tag {tag}")

    def _plain(self, value: str) -> Hashable:
        """Read a scalar without quotes as YAML 1.1 does: it may be a number, a date, nothing."""
        tag = self._loader.resolve(yaml.ScalarNode, value, (True, False))
        if tag == _TEXT:
            return value
        if tag in _SPECIAL:
            raise NotPlainError(f"a plain {value}")
        read = self._loader.construct_document(yaml.ScalarNode(tag, value))
        assert isinstance(read, Hashable)  # noqa: S101 - scalars have no other values
        return read


def _check_collection(event: yaml.CollectionStartEvent) -> None:
    if event.tag is not None or event.anchor is not None:
        raise NotPlainError("a tag or an anchor")
