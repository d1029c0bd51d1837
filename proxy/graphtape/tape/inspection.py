"""What a YAML file may hold before a loader touches it.

PyYAML's C loader crashes the process on deep nesting, shares what aliases point at so that
walking the result can take forever, and expands merge keys exponentially. One pass over the
parser's events finds all three, and the object tags, in a fifth of the time loading takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from graphtape.core.errors import CassetteError

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]  # the same, without libyaml

if TYPE_CHECKING:
    from collections.abc import Collection

_CORE = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset(
    {"!"}
    | {
        _CORE + name
        for name in ("str", "int", "float", "bool", "null", "binary", "timestamp", "seq", "map")
    }
)
_DEEPEST = 100
_ALIAS_FACTOR = 10
_ALIAS_ALLOWANCE = 1_000_000


def inspect(text: str, *, name: str, tags: Collection[str]) -> None:
    """Refuse a YAML text that no cassette needs to look like.

    Args:
        text: The whole file.
        name: The file, for the message.
        tags: Full tags admitted beyond YAML's own.

    Raises:
        CassetteError: The first thing found.
        yaml.YAMLError: The text isn't YAML.
    """
    # Written out, aliases may make the file larger by a factor, or a flat allowance if it is small.
    limit = _ALIAS_FACTOR * len(text) + _ALIAS_ALLOWANCE
    sight = _Sight(name=name, tags=_PLAIN_TAGS.union(tags), limit=limit)
    for event in yaml.parse(text, Loader=SafeLoader):
        match event:
            case yaml.ScalarEvent():
                sight.scalar(event)
            case yaml.AliasEvent():
                sight.alias(event)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                sight.open(event)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                sight.close()
            case _:
                pass  # stream and document marks


class _Sight:
    """What was seen so far: open collections, what each one stands for, and so each anchor."""

    def __init__(self, *, name: str, tags: Collection[str], limit: int) -> None:
        self._name = name
        self._tags = tags
        self._limit = limit
        self._anchors: dict[str, int] = {}
        self._open: list[str | None] = []
        self._sizes = [0]  # in characters; the whole file's comes first

    def scalar(self, event: yaml.ScalarEvent) -> None:
        self._check_tag(event)
        if event.value == "<<" and event.implicit[0]:
            self._refuse(event, "a merge key (<<)", "write the merged fields out")
        self._add(event.anchor, 1 + len(event.value))

    def alias(self, event: yaml.AliasEvent) -> None:
        if event.anchor in self._open:
            self._refuse(event, f"the alias *{event.anchor} inside itself", "write it out")
        self._add(None, self._anchors.get(event.anchor or "", 0))

    def open(self, event: yaml.SequenceStartEvent | yaml.MappingStartEvent) -> None:
        if not self._open and isinstance(event, yaml.SequenceStartEvent):
            raise CassetteError(top_level_list(self._name))
        self._check_tag(event)
        if len(self._open) == _DEEPEST:
            self._refuse(event, f"more than {_DEEPEST} levels of nesting", "check the file")
        self._open.append(event.anchor)
        self._sizes.append(1)

    def close(self) -> None:
        self._add(self._open.pop(), self._sizes.pop())

    def _add(self, anchor: str | None, size: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = size
        self._sizes[-1] += size
        if self._sizes[-1] > self._limit:
            # As soon as it shows: the number itself would grow without end.
            raise CassetteError(
                f"{self._name}: its aliases stand for more than {self._limit} characters; "
                "write out what they point at"
            )

    def _check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        tag = event.tag
        if tag is not None and tag not in self._tags:
            shown = tag.replace(_CORE, "!!", 1)
            self._refuse(event, f"the object tag {shown!r}", "record it again, or remove the tag")

    def _refuse(self, event: yaml.Event, found: str, remedy: str) -> None:
        line = f", line {event.start_mark.line + 1}" if event.start_mark else ""
        raise CassetteError(f"{self._name}{line}: found {found}; {remedy}")


def top_level_list(name: str) -> str:
    """Say why a file whose outermost value is a list is refused."""
    return (
        f"{name}: its outermost value is a list, the layout vcrpy had before version 1.0; "
        "record it again"
    )
