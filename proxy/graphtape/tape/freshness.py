"""When cassettes were recorded, and that they were found as they are since."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphtape.core.errors import CassetteError
from graphtape.core.matching.drift import drift, line
from graphtape.core.report.wording import ago, count
from graphtape.core.tape.age import age_at
from graphtape.tape.lock import locked
from graphtape.tape.store import is_yaml, open_cassette, save_cassette

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    from graphtape.tape.vcr_format import Cassette


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """A cassette that is to be recorded anew.

    Attributes:
        age: Since it was recorded.
        cassette: As it is.
    """

    path: Path
    age: timedelta
    cassette: Cassette


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """What became of one.

    Attributes:
        new: As it is now; None where the run failed, and it is as it was.
    """

    old: Old
    new: Cassette | None


def older(paths: Iterable[Path], limit: timedelta, now: datetime) -> tuple[list[Old], list[Path]]:
    """Choose the cassettes that are older than a limit.

    Args:
        paths: Of cassettes; those that can't be written are passed over.
        limit: Their age.
        now: With a time zone.

    Returns:
        The old ones, and those that don't say when they were recorded.

    Raises:
        CassetteError: One can't be read.
    """
    found: list[Old] = []
    unknown: list[Path] = []
    for path in paths:
        if not is_yaml(path):
            continue
        cassette = open_cassette(path)
        said = cassette.metadata.recorded_at if cassette.metadata is not None else ""
        age = age_at(said, now)
        if age is None:
            unknown.append(path)
        elif age > limit:
            found.append(Old(path=path, age=age, cassette=cassette))
    return found, unknown


def confirm(path: Path, now: datetime) -> Cassette:
    """Write into a cassette that what it holds was recorded now; the rest stays, byte for byte.

    A recording that found nothing changed leaves the file as it was, its date included.

    Raises:
        CassetteError: It can't be read or written.
    """
    time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        with locked(path):
            cassette = open_cassette(path)
            if cassette.metadata is None:
                return cassette
            metadata = replace(cassette.metadata, recorded_at=time)
            save_cassette(
                path,
                cassette.interactions,
                metadata=metadata,
                other_metadata=cassette.other_metadata,
            )
    except OSError as exc:  # of the lock: its file is in the same folder
        raise CassetteError(f"{path}: can't be written ({exc.strerror})") from exc
    return replace(cassette, metadata=metadata)


def as_markdown(refreshed: Sequence[Refreshed], *, looked_at: int, spelled: str) -> str:
    """Write what was recorded anew as the text of a pull request.

    Args:
        refreshed: In the order it was recorded.
        looked_at: How many cassettes there were.
        spelled: The age they were to be older than.
    """
    were = "was" if len(refreshed) == 1 else "were"
    of = f"{len(refreshed)} of {count(looked_at, 'cassette')}"
    lines = ["## Recordings made anew", "", f"{of} {were} older than {spelled}."]
    for each in refreshed:
        lines += ["", f"### {each.old.path}", "", *_one(each)]
    return "\n".join(lines) + "\n"


def _one(each: Refreshed) -> list[str]:
    metadata = each.old.cassette.metadata
    date = metadata.recorded_at[:10] if metadata is not None else ""
    whence = f"Recorded {date}, {ago(each.old.age.days)}"
    if each.new is None:
        return [f"{whence}. The run failed, and it is as it was."]
    before, after = each.old.cassette.interactions, each.new.interactions
    same = sum((Counter(before) & Counter(after)).values())
    kept = f"{same} as before, {len(after) - same} new; {len(before) - same} of the old ones went"
    lines = [f"{whence}. {count(len(after), 'interaction')}: {kept}."]
    changes = drift(before, after)
    lines += ["", *(f"- {line(change)}" for change in changes)] if changes else []
    return lines if changes else [*lines, "", "No operation answers otherwise in shape."]
