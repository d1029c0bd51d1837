"""A rule: which requests, which of their calls, what happens; a scenario is rules with a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphtape.core.scenario.budget import Budget
    from graphtape.core.scenario.calls import Calls
    from graphtape.core.scenario.effect import Effect
    from graphtape.core.scenario.when import When


NOBODY_NOTIFIED = (
    "a scenario has notify, and nobody is notified; start with `graphtape replay --notify URL`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        timeline: What happens to the calls it acts on, one after the other; the last one stays.
            None leaves a call alone. A rule without a timeline has one of one effect.
        budget: Refuses what goes beyond it, in place of a timeline.
    """

    when: When
    calls: Calls
    timeline: tuple[Effect | None, ...] = ()
    budget: Budget | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Rules with a name.

    Attributes:
        seed: For everything random; None leaves it to the run.
        description: For people.
    """

    name: str
    rules: tuple[Rule, ...]
    seed: int | None = None
    description: str = ""

    @property
    def notifies(self) -> bool:
        """Whether it lets changes happen that an app is to be notified of."""
        effects = [effect for rule in self.rules for effect in rule.timeline]
        return any(effect is not None and effect.notices for effect in effects)
