"""What several sessions left unused together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphtape.core.report.report import Report
    from graphtape.core.report.usage import Unused


def joint(reports: Iterable[Report]) -> tuple[Unused, ...]:
    """Return, of each cassette, what every session that played it left unused."""
    shortest: dict[str, Unused] = {}
    used: dict[str, set[int]] = {}
    for report in reports:
        for each in report.unused:
            found = shortest.setdefault(each.cassette, each)
            if each.tape.size < found.tape.size:  # its file was changed while the proxy ran
                shortest[each.cassette] = each
            used.setdefault(each.cassette, set()).update(each.used)
    return tuple(
        replace(each, used=frozenset(index for index in used[name] if index < each.tape.size))
        for name, each in shortest.items()
    )


def unused_by_all(reports: Iterable[Report]) -> dict[str, list[int]]:
    """Return, by cassette, what every session that played it left unused."""
    return {each.cassette: list(each.indices) for each in joint(reports) if each.count}
