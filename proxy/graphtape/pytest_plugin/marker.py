"""What the markers on a test ask for."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

MODES = ("none", "once", "new_episodes", "all")
_ARGUMENTS = ("explore", "mode", "scenario", "status")
_SUFFIXES = (".yaml", ".yml", ".json", ".har")

# What some system takes in no file name, and what shells make something of inside quotes. Brackets
# stay: so do they in pytest-recording's names, whose cassettes are found where they lie.
_UNSAFE = re.compile(r'[<>:"/\\|?*%\'\x00-\x1f\x7f]')
_LONGEST_NAME = 200
"""Bytes; the longest that file systems take is 255, and `.part` and `.lock` need room."""


class MarkerError(Exception):
    """A marker asks for what there isn't."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a test asks for: of each, the nearest marker that says it.

    Attributes:
        names: Of cassettes, as written; none is the test's own.
        mode: None where no marker says.
        explore: Whether the test is run under each documented failure, or the faults it is run
            under; None where no marker says.
        directs: Of `scenario` and `status`, what is said; None there is none at all.
    """

    names: tuple[str, ...]
    mode: str | None
    explore: bool | tuple[str, ...] | None
    directs: dict[str, object]

    @classmethod
    def by(cls, markers: Iterable[pytest.Mark]) -> Asked:
        """Read the markers of a test, the nearest first.

        Raises:
            MarkerError: One says what there isn't.
        """
        names: tuple[str, ...] = ()
        said: dict[str, object] = {}
        for marker in markers:
            _check(marker)
            names = names or tuple(map(str, marker.args))
            said = {**marker.kwargs, **said}
        mode = said.pop("mode", None)
        explore = said.pop("explore", None)
        return cls(
            names=names,
            mode=None if mode is None else str(mode),
            explore=_faults(explore),
            directs=said,
        )


def _faults(explore: object) -> bool | tuple[str, ...] | None:
    if explore is None or isinstance(explore, bool):
        return explore
    if isinstance(explore, str):
        return (explore,)
    if isinstance(explore, list | tuple):
        return tuple(map(str, explore))
    raise MarkerError(
        f"@pytest.mark.graphtape: explore={explore!r} is neither True nor names of faults"
    )


def _check(marker: pytest.Mark) -> None:
    for name in marker.kwargs:
        if name not in _ARGUMENTS:
            raise MarkerError(
                f"@pytest.mark.graphtape takes no argument {name!r}: it takes names of cassettes, "
                f"and {', '.join(_ARGUMENTS)}"
            )
    for name in marker.args:
        if not isinstance(name, str | Path) or not str(name).strip():
            raise MarkerError(
                f"@pytest.mark.graphtape: {name!r} is no cassette's name; write "
                '@pytest.mark.graphtape("disconnect") for cassettes/disconnect.yaml'
            )
    mode = marker.kwargs.get("mode")
    if mode is not None and mode not in MODES:
        raise MarkerError(f"@pytest.mark.graphtape: mode {mode!r} is none of {', '.join(MODES)}")


def cassettes_of(item: pytest.Item, names: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the absolute paths of a test's cassettes.

    Args:
        item: The test.
        names: As its markers write them; none is its own cassette.
    """
    folder = item.path.parent / "cassettes"
    if names:
        return tuple(folder / _with_suffix(name) for name in names)
    return (folder / item.path.stem / f"{_own_name(item)}.yaml",)


def _with_suffix(name: str) -> str:
    return name if name.lower().endswith(_SUFFIXES) else f"{name}.yaml"


def _own_name(item: pytest.Item) -> str:
    """Name a test's own cassette after it, its parameters and its classes."""
    whole = item.nodeid.partition("::")[2].replace("::", ".")
    name = _UNSAFE.sub("-", whole).rstrip(". ")
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    mark = hashlib.sha256(whole.encode()).hexdigest()[:12]
    return f"{name.encode()[:_LONGEST_NAME].decode(errors='ignore')}-{mark}"
