"""Scenario files, and the presets that are shipped as such."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import yaml

from graphtape.core.errors import UsageError
from graphtape.core.scenario.key_fault import SpellingError, place
from graphtape.core.scenario.schema import json_schema, scenario_of
from graphtape.files import content

if TYPE_CHECKING:
    from graphtape.core.scenario.rule import Scenario

Keys: TypeAlias = tuple[str | int, ...]
Plain: TypeAlias = "str | bool | int | float | list[Plain] | dict[str, Plain] | None"

_SUFFIXES = (".yaml", ".yml", ".json")
_LARGEST = 100_000
"""Values a file may stand for with its aliases written out."""

_DEEPEST = 100
_CORE = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """Takes scalars for what YAML 1.2 does: `on`, dates and `1:30` are texts."""


# The schema of YAML 1.2.2, section 10.3.2, without infinities, which JSON has not.
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]{1,18}", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(_CORE + _tag, re.compile(rf"(?:{_pattern})\Z"), _first)


def presets() -> tuple[str, ...]:
    """Return the names of the shipped scenarios, sorted."""
    folder = files("graphtape").joinpath("presets")
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def preset_text(name: str) -> str:
    """Return a shipped scenario's YAML.

    Raises:
        UsageError: There is none of that name.
    """
    known = presets()
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}" if near else ""
        raise UsageError(
            f"no scenario {name!r}{hint}. There are {', '.join(known)}; a file of your own ends in "
            ".yaml, .yml or .json"
        )
    return files("graphtape").joinpath("presets", f"{name}.yaml").read_text(encoding="utf-8")


@cache
def preset(name: str) -> Scenario:
    """Return a shipped scenario.

    Raises:
        UsageError: There is none of that name.
    """
    return read(preset_text(name), source=f"{name}.yaml")


def is_file(name_or_file: str) -> bool:
    """Tell a file from a preset's name, by its suffix or a separator in it."""
    return name_or_file.endswith(_SUFFIXES) or "/" in name_or_file or "\\" in name_or_file


def file_text(path: str) -> str:
    """Return a scenario file's text.

    Raises:
        UsageError: It can't be read.
    """
    try:
        return content(Path(path)).decode("utf-8-sig")
    except FileNotFoundError as exc:
        raise UsageError(f"no scenario file {path!r}") from exc
    except OSError as exc:
        raise UsageError(f"can't read scenario file {path!r}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise UsageError(f"scenario file {path!r} is not UTF-8") from exc


def load(name_or_file: str) -> Scenario:
    """Return the scenario of a preset's name, or of a file.

    Raises:
        UsageError: There is none, or the file is wrong; it says file, line, key, what is allowed.
    """
    if is_file(name_or_file):
        return read(file_text(name_or_file), source=name_or_file)
    return preset(name_or_file)


def read(text: str, *, source: str) -> Scenario:
    """Read a scenario's YAML, or JSON, which YAML includes.

    Args:
        text: The whole file.
        source: Its name, for messages.

    Raises:
        UsageError: It is wrong; it says file, line, key, what is allowed.
    """
    marks = _Marks(source)
    try:
        root = yaml.compose(text, Loader=_Loader)
        value = None if root is None else marks.value(root, ())
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise UsageError(f"{source}{line}: not YAML: {exc.problem}") from exc
    except (yaml.YAMLError, RecursionError) as exc:
        raise UsageError(f"{source}: not YAML, or nested too deep") from exc
    if not isinstance(value, dict):
        raise UsageError(f"{source}, line 1: a scenario is a mapping with name and rules")
    try:
        return scenario_of(value)
    except SpellingError as exc:
        where = f"{place(exc.keys)}: " if exc.keys else ""
        raise UsageError(f"{source}, line {marks.line(exc.keys)}: {where}{exc.reason}") from exc


@dataclass(slots=True)
class _Marks:
    """Reads a tree of YAML nodes, and keeps where each value stood.

    Attributes:
        lines: By keys, from 1; of a member, the line of its key.
    """

    source: str
    lines: dict[Keys, int] = field(default_factory=dict)

    def line(self, keys: Keys) -> int:
        """Return the line of a value, or of the nearest around it that the file has."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)

    def value(self, node: yaml.Node, keys: Keys) -> Plain:
        """Read a node that stands under these keys."""
        self.lines.setdefault(keys, node.start_mark.line + 1)
        if len(self.lines) > _LARGEST or len(keys) > _DEEPEST:
            raise self._fault(node, "nested too deep, or its aliases stand for too much")
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*keys, n)) for n, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, keys)
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, keys: Keys) -> dict[str, Plain]:
        members: dict[str, Plain] = {}
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._fault(key, "a key must be a text")
            name = str(key.value)
            if name in members:
                raise self._fault(key, f"the key {name!r} stands here twice")
            self.lines[*keys, name] = key.start_mark.line + 1
            members[name] = self.value(child, (*keys, name))
        return members

    def _scalar(self, node: yaml.Node) -> Plain:
        text, kind = str(node.value), node.tag.removeprefix(_CORE)
        try:
            match kind:
                case "str":
                    return text
                case "null":
                    return None
                case "bool":
                    return text.lower() == "true"
                case "int":
                    return int(text)
                case "float" if math.isfinite(number := float(text)):
                    return number
                case "float":
                    raise self._fault(node, f"{text[:40]!r} is too large a number")
                case _:
                    raise self._fault(node, f"the tag {node.tag!r} has no place in a scenario")
        except ValueError as exc:
            raise self._fault(node, f"{text[:40]!r} is no {kind}") from exc

    def _fault(self, node: yaml.Node, reason: str) -> UsageError:
        return UsageError(f"{self.source}, line {node.start_mark.line + 1}: {reason}")


def schema_text() -> str:
    """Return the JSON Schema of scenario files, for editors."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
