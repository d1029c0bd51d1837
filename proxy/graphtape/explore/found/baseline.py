"""Findings that are known, in a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from graphtape.core.errors import GraphtapeError, UsageError
from graphtape.files import content
from graphtape.tape.store import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from graphtape.explore.exploration import Case

FORMAT = 1
Key: TypeAlias = tuple[str, str, int, str]


class _Known(msgspec.Struct, frozen=True):
    method: str
    path: str
    nth: int
    fault: str
    outcome: str = ""


class _File(msgspec.Struct, frozen=True):
    format: int
    findings: list[_Known]


def key_of(case: Case) -> Key:
    """Return what a finding is known by: the call, its occurrence, and the fault."""
    part = case.fault.call
    return part.method, part.path, part.nth, case.fault.name


def read(path: Path) -> frozenset[Key]:
    """Read the findings that are known.

    Raises:
        UsageError: There is no such file, or it is none of ours.
    """
    try:
        found = msgspec.json.decode(content(path), type=_File)
    except OSError as exc:
        raise UsageError(
            f"--baseline {path}: can't be read ({exc.strerror}); --write-baseline makes one"
        ) from exc
    except msgspec.DecodeError as exc:
        raise UsageError(f"--baseline {path}: is no baseline of `explore`: {exc}") from exc
    if found.format != FORMAT:
        raise UsageError(f"--baseline {path}: has format {found.format}, and this reads {FORMAT}")
    return frozenset((each.method, each.path, each.nth, each.fault) for each in found.findings)


def write(path: Path, findings: Iterable[Case]) -> None:
    """Write findings; the file is the whole old or the whole new one.

    Raises:
        GraphtapeError: It can't be written.
    """
    listed = []
    for case in findings:
        method, where, nth, fault = key_of(case)
        result = "" if case.judgement is None else case.judgement.result.value
        listed.append(
            {"method": method, "path": where, "nth": nth, "fault": fault, "outcome": result}
        )
    text = json.dumps({"format": FORMAT, "findings": listed}, indent=2, ensure_ascii=False)
    try:
        replace_file(path, [f"{text}\n".encode()])
    except OSError as exc:
        raise GraphtapeError(f"--write-baseline {path}: can't be written ({exc.strerror})") from exc
