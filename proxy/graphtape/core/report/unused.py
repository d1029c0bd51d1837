"""What several sessions left unused together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphtape.core.report.report import Report


def unused_by_all(reports: Iterable[Report]) -> dict[str, list[int]]:
    """Return, by cassette, what every session that played it left unused."""
    left: dict[str, set[int]] = {}
    for report in reports:
        for each in report.unused:
            left.setdefault(each.cassette, set(each.indices)).intersection_update(each.indices)
    return {name: sorted(indices) for name, indices in left.items() if indices}
