"""Scenarios and statuses as Python code says them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from graphtape import scenarios
from graphtape.core.errors import UsageError
from graphtape.core.scenario.key_fault import SpellingError
from graphtape.core.scenario.schema import scenario_of
from graphtape.core.scenario.status import StatusRule

if TYPE_CHECKING:
    from graphtape.core.scenario.rule import Scenario

_NO_STATUS = "is no status: 'failed', 'disconnect=failed', or a list of such texts"

log = logging.getLogger("graphtape")

OneScenario: TypeAlias = str | Path | Mapping[str, object]
"""A preset's name, a file, or a scenario itself: name and rules, as a file spells them."""

Scenarios: TypeAlias = OneScenario | Sequence[OneScenario]
Statuses: TypeAlias = str | Sequence[str]
"""`VALUE`, `connect=VALUE` or `disconnect=VALUE`, or several of them."""


def scenarios_of(said: object, *, folder: Path) -> tuple[Scenario, ...]:
    """Read scenarios, which may come from untyped code; the first is asked first.

    Args:
        said: One of them, or several.
        folder: Relative files lie in it.

    Raises:
        UsageError: One isn't known, or is wrong.
    """
    if isinstance(said, str | Path | Mapping):
        return (_scenario(said, folder),)
    if not isinstance(said, Sequence):
        raise UsageError(_no_scenario(said))
    return tuple(_scenario(each, folder) for each in said)


def _scenario(said: object, folder: Path) -> Scenario:
    match said:
        case Path():
            return scenarios.load(str(folder / said))
        case str() if scenarios.is_file(said):
            return scenarios.load(str(folder / said))
        case str():
            return scenarios.load(said)
        case Mapping():
            try:
                return scenario_of(dict(said))
            except SpellingError as exc:
                raise UsageError(f"scenario {said.get('name')!r}: {exc}") from exc
        case _:
            raise UsageError(_no_scenario(said))


def _no_scenario(said: object) -> str:
    return (
        f"{said!r} is no scenario: a preset's name, a file, a dict with name and rules, or a list "
        "of these"
    )


def statuses_of(said: object) -> tuple[StatusRule, ...]:
    """Read statuses, which may come from untyped code; the first that fits holds.

    Raises:
        UsageError: One has no value, or names another action.
    """
    several = [said] if isinstance(said, str) else said
    if not isinstance(several, Sequence):
        raise UsageError(f"{said!r} {_NO_STATUS}")
    rules = tuple(_status(each) for each in several)
    for rule in rules:
        if rule.warning:
            log.warning("%s", rule.warning)
    return rules


def _status(said: object) -> StatusRule:
    if not isinstance(said, str):
        raise UsageError(f"{said!r} {_NO_STATUS}")
    return StatusRule.parse(said)
