"""One failure of a call, as the effect of a scenario's rule, and which of them are wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphtape.core.errors import UsageError
from graphtape.core.graph.actions import ONBOARDING_STATUSES
from graphtape.core.scenario.schema import scenario_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from graphtape.core.scenario.rule import Scenario
    from graphtape.explore.call import Call

UNDOCUMENTED = "undocumentedValue"
TOLD_TO_WAIT = frozenset({"429", "429-date", "503"})
"""Answers after which Graph wants the same request again."""

BROKEN = frozenset({"reset", "close", "truncate", "garbage", "slow", "hang", "outage-reset"})
"""Of these the connection is lost, or taken for it."""

LASTING = frozenset({"outage", "outage-reset"})
"""Every try of the request fails."""

LOST = BROKEN | LASTING | {"500", "502", "504"}
"""After these a client can't know whether its write took effect."""

STATUS = "status="
PART = "part-"

NAMES = (
    "400",
    "401",
    "403",
    "404",
    "409",
    "410",
    "412",
    "429",
    "429-date",
    "429-bare",
    "500",
    "502",
    "503",
    "504",
    "reset",
    "close",
    "truncate",
    "garbage",
    "slow",
    "hang",
    "outage",
    "outage-reset",
    "expired-next-link",
    "expired-delta-link",
)
"""In the order of the table; `part-` goes before that of a status for one part of a `$batch`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One failure.

    Attributes:
        name: In tables, reports and `--faults`.
        effect: As a rule spells it.
        words: What a message that names it holds, one of them; lower case.
        value: The status it puts in place of a recorded one; '' where it isn't that.
        stays: Whether later calls of the same request meet it too.
        again: Answers the same request after it, where the tape has no answer left for it.
        call: It is about: a part's, where one part of a `$batch` fails.
    """

    name: str
    effect: Mapping[str, object]
    call: Call
    words: tuple[str, ...] = ()
    value: str = ""
    stays: bool = False
    again: Mapping[str, object] | None = None

    @property
    def kind(self) -> str:
        """Its name, without saying that it meets a part."""
        return self.name.removeprefix(PART)

    def spelled(self) -> dict[str, object]:
        """Write the scenario that makes this failure alone, as a file has it."""
        call = self.call
        when: dict[str, object] = {"method": call.when.method, "path": call.when.path}
        if call.when.query:
            when["query"] = dict(call.when.query)
        calls = {"from" if self.stays else "nth": call.nth}
        rules = [{"when": when, "calls": calls, **self.effect}]
        if self.again is not None:
            rules.append({"when": when, "calls": {"from": call.nth + 1}, "answer": self.again})
        return {
            "name": f"explore-{call.index}-{self.name}",
            "description": f"{self.name} at {call.name}",
            "rules": rules,
        }

    def scenario(self) -> Scenario:
        """Make the scenario."""
        return scenario_of(self.spelled())


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which faults are wanted, by name or family; none chooses all.

    Attributes:
        names: `429` is also `429-date` and `429-bare`, `status` every status, `part` every part.
    """

    names: tuple[str, ...] = ()
    _known: frozenset[str] = field(
        default=frozenset(
            {*NAMES, "expired", "status", "part", *(n.partition("-")[0] for n in NAMES)}
        )
    )

    def __post_init__(self) -> None:
        """Refuse what there isn't.

        Raises:
            UsageError: No fault has that name.
        """
        for name in self.names:
            plain = name.removeprefix(PART)
            if plain not in self._known and not plain.startswith(STATUS):
                raise UsageError(
                    f"--faults: no fault {name!r}; there are {', '.join(NAMES)}, part-STATUS, "
                    "status and status=VALUE"
                )

    def __contains__(self, fault: object) -> bool:
        """Tell whether a fault is wanted."""
        if not self.names:
            return True
        if not isinstance(fault, Fault):
            return False
        plain = fault.kind
        families = {fault.name, plain, plain.partition("-")[0], plain.partition("=")[0]}
        if fault.name != plain:
            families |= {"part", PART + plain.partition("-")[0]}
        return not families.isdisjoint(self.names)


def in_order(faults: Iterable[Fault]) -> list[str]:
    """Return the names of faults, each once, in the order of the table."""
    values = [f"{STATUS}{value}" for value in (*ONBOARDING_STATUSES, UNDOCUMENTED)]
    order = {name: place for place, name in enumerate((*NAMES, *values))}
    found = {each.name: (each.name != each.kind, order[each.kind]) for each in faults}
    return sorted(found, key=lambda name: found[name])
