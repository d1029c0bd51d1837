"""What the report of a replay names unused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

from graphtape import files
from graphtape.core.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

Indices: TypeAlias = frozenset[int]


def read_unused(report: Path) -> dict[str, Indices] | Indices:
    """Read the indices of unused interactions, by cassette as the replay was given it.

    Returns:
        Indices alone where the report has one list of them.

    Raises:
        UsageError: It is no such report.
    """
    try:
        tree: object = json.loads(files.content(report))
    except (OSError, ValueError, RecursionError) as exc:
        reason = (exc.strerror if isinstance(exc, OSError) else None) or str(exc)
        raise UsageError(f"--report {report}: can't be read as JSON: {reason}") from exc
    match tree:
        case {"unused": listed} if _is_indices(listed):
            return frozenset(listed)
        case {"unused": dict(listed)} if all(map(_is_indices, listed.values())):
            return {name: frozenset(indices) for name, indices in listed.items()}
        case _:
            raise UsageError(
                f"--report {report}: it has no `unused` that lists indices by cassette; write it "
                "with `graphtape replay … --report FILE.json`"
            )


def _is_indices(value: object) -> TypeGuard[list[int]]:
    # Not isinstance: true and false are ints too.
    return isinstance(value, list) and all(type(each) is int for each in value)
