"""The failures under which a test is run again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from graphtape.core.errors import GraphtapeError, UsageError
from graphtape.explore.call import Exchange, calls_of
from graphtape.explore.documented import faults_of
from graphtape.explore.fault import Chosen, Fault
from graphtape.tape.store import open_cassette

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from graphtape.pytest_plugin.marker import Asked

LONGEST_HANG = 60
"""Seconds; then the connection is reset, as nobody kills a test whose client waits for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored:
    """One failure of one call of a test, or none.

    Attributes:
        id: Of the test that is made of it.
        cassettes: Those of the test without failures.
        fault: None leaves all as recorded.
    """

    id: str
    cassettes: tuple[Path, ...]
    fault: Fault | None = None

    def over(self, asked: Asked) -> Asked:
        """Add the failure to what a test asks for; it goes before its scenarios."""
        if self.fault is None:
            return asked
        said = asked.directs.get("scenario")
        others = said if isinstance(said, list | tuple) else [] if said is None else [said]
        fault = self.fault
        if fault.kind == "hang":
            fault = replace(fault, effect={"fault": "reset", "delay": {"fixed": LONGEST_HANG}})
        directs = {**asked.directs, "scenario": [fault.spelled(), *others]}
        return replace(asked, directs=directs)


def explored(cassettes: Sequence[Path], names: tuple[str, ...]) -> list[Explored]:
    """Return what a test is run under: as recorded, then each failure of each call on its tapes.

    Args:
        cassettes: Of the test; where one is missing, there is nothing to run it under.
        names: Of the faults that are wanted; none are all of them.
    """
    paths = tuple(cassettes)
    if not all(path.exists() for path in paths):
        return []
    found = [Explored(id="recorded", cassettes=paths)]
    try:
        chosen = Chosen(names)
        exchanges = [
            Exchange(request=each.request, response=each.response)
            for path in paths
            for each in open_cassette(path).interactions
        ]
    except UsageError as exc:
        raise pytest.UsageError(str(exc).replace("--faults", "explore")) from exc
    except GraphtapeError:  # the fixture says what is wrong with it
        return []
    for call in calls_of(exchanges, str):
        last = call.path.rstrip("/").rpartition("/")[2]
        found += (
            Explored(
                id=f"{call.index}-{call.method}-{last}-{fault.name}", cassettes=paths, fault=fault
            )
            for fault in faults_of(call)
            if fault in chosen
        )
    return found
