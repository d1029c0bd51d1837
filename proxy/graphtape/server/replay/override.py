"""What a client asks of the proxy in its own headers, for one request."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from graphtape.core.errors import RequestError, UsageError
from graphtape.core.scenario.play import Play
from graphtape.core.scenario.status import StatusRule
from graphtape.core.tape.outcome import Override

if TYPE_CHECKING:
    from graphtape.core.scenario.rule import Scenario

SCENARIO = "graphtape-scenario"
"""`NAME`, several between commas, or `status=VALUE`."""

_STATUS = "status="


def override_of(options: dict[str, str]) -> Override | None:
    """Read the headers; None where they ask for nothing.

    Raises:
        RequestError: There is no such scenario.
    """
    value = options.get(SCENARIO)
    if value is None:
        return None
    wanted = [piece.strip() for piece in value.split(",") if piece.strip()]
    try:
        rules = [StatusRule.parse(w.removeprefix(_STATUS)) for w in wanted if w.startswith(_STATUS)]
        named = [_preset(w) for w in wanted if not w.startswith(_STATUS)]
    except UsageError as exc:
        raise RequestError(f"Graphtape-Scenario: {exc}", code="GraphtapeScenario") from exc
    return Override(script=Play.over(named), rules=tuple(rules))


@lru_cache(maxsize=128)
def _preset(name: str) -> Scenario:
    # By name alone: a header must not make the proxy read a file.
    from graphtape import scenarios  # noqa: PLC0415 - few requests name one

    return scenarios.preset(name)
