"""Which of the files and folders a user names are cassettes; nothing is parsed that isn't one."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from graphtape import files
from graphtape.core.errors import CassetteError
from graphtape.tape.record import SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json", ".har"})
"""What is looked into in a folder; a file that is named may have any."""

# At the start of a line, as vcrpy writes it, or in a mapping written as JSON.
_INTERACTIONS = re.compile(
    rb"^[\"']?interactions[\"']?[ \t]*:|\A\s*\{.*interactions", re.MULTILINE | re.DOTALL
)
# The list that vcrpy wrote before 1.0: no one reads it any more, but it is a cassette.
_OLD_LAYOUT = (
    re.compile(rb"^-[ \t]+request[ \t]*:", re.MULTILINE),
    re.compile(rb"^[ \t]+response[ \t]*:", re.MULTILINE),
)
UNSAVED: Final = (
    "an unsaved recording, which the next `graphtape record` of its cassette takes up; "
    "scan the cassette then"
)
"""What a `.part` is, for messages."""

_PART_NAME = re.compile(r"\.part(?:-[0-9]+)?")
_NEVER_ENTERED = frozenset({"node_modules", "__pycache__"})


def cassettes_among(paths: Iterable[Path]) -> Iterator[Path]:
    """List the files named, and the cassettes in the folders named; each file once.

    Of folders, hidden ones inside aren't entered, and files that plainly are no cassettes are
    passed over. What is broken is listed: its reader says so.

    Raises:
        CassetteError: A folder can't be listed.
    """
    listed: set[Path] = set()
    for path in paths:
        for each in _inside(path) if files.is_folder(path) else (path,):
            real = files.real(each)
            if real not in listed:
                listed.add(real)
                yield each


def parts_among(paths: Iterable[Path]) -> Iterator[Path]:
    """List the recordings in the folders named that weren't saved: their run was cut short.

    Raises:
        CassetteError: A folder can't be listed.
    """
    for folder in paths:
        if files.is_folder(folder):
            yield from filter(is_part, _files(folder))


def is_part(path: Path) -> bool:
    """Tell whether a file is the append file of a cassette, by name and first bytes."""
    if not _PART_NAME.fullmatch(path.suffix.lower()):
        return False
    try:
        files.check(path)
        with path.open("rb") as file:
            return file.read(len(SIGNATURE)) == SIGNATURE
    except OSError:
        return False


def _inside(folder: Path) -> Iterator[Path]:
    for path in _files(folder):
        if path.suffix.lower() in SUFFIXES and _may_be_cassette(path):
            yield path


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name not in _NEVER_ENTERED
        )
        for name in sorted(names):
            yield Path(place, name)


def _refuse(error: OSError) -> None:
    raise CassetteError(
        f"{error.filename}: can't be listed ({error.strerror}); check the path"
    ) from error


def _may_be_cassette(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix == ".har":
        return True
    try:
        data = files.content(path)
    except OSError:
        return True
    return _json_cassette(data) if suffix == ".json" else _yaml_cassette(data)


def _yaml_cassette(data: bytes) -> bool:
    return _INTERACTIONS.search(data) is not None or all(p.search(data) for p in _OLD_LAYOUT)


def _json_cassette(data: bytes) -> bool:
    if b'"interactions"' not in data and b'"request"' not in data:
        return False
    try:
        tree: object = json.loads(data)
    except (ValueError, RecursionError):
        return b'"interactions"' in data
    match tree:
        case {"interactions": _} | [{"request": _, "response": _}, *_]:
            return True
        case _:
            return False
