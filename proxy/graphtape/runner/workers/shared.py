"""Reports of workers that serve the same sessions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphtape.server.state.part import Part, merged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphtape.core.report.report import Report


def together(reports: Iterable[Report]) -> list[Report]:
    """Return one report of each session, the default one's first."""
    by_session: dict[str, list[Report]] = {}
    for report in reports:
        by_session.setdefault(report.session, []).append(report)
    return [_joined(each) for each in by_session.values()]


def _joined(reports: list[Report]) -> Report:
    # One that a dead worker left says of tapes nothing.
    first = next((each for each in reports if each.cassettes), reports[0])
    others = [each for each in reports if each is not first]
    used = {unused.cassette: set(unused.used) for unused in first.unused}
    for other in others:
        for unused in other.unused:
            used.get(unused.cassette, set()).update(unused.used)
    whole = merged(first, [Part.of(other, ()) for other in others])
    return replace(
        whole,
        unused=tuple(replace(each, used=frozenset(used[each.cassette])) for each in first.unused),
    )
