"""A scenario as its file spells it, whole: decoded, checked, and made into rules.

The JSON Schema that editors check files by comes from the same types.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal, cast

import msgspec
from msgspec import Meta, field

from graphtape.core.decoded import convert
from graphtape.core.graph.actions import local_name
from graphtape.core.graph.path_template import PathTemplate
from graphtape.core.matching.body import unplus
from graphtape.core.scenario.budget import Budget
from graphtape.core.scenario.calls import Always, Calls, Every, From, Nth, Probably
from graphtape.core.scenario.key_fault import KeyFault, SpellingError
from graphtape.core.scenario.rule import Rule, Scenario
from graphtape.core.scenario.spelled_effect import (
    Duration,
    Scalar,
    Spelled,
    SpelledEffect,
    json_path,
    wait_of,
    written,
)
from graphtape.core.scenario.when import When

if TYPE_CHECKING:
    from graphtape.core.matching.body import Json
    from graphtape.core.scenario.effect import Effect

Count = Annotated[int, Meta(ge=1)]


class SpelledWhen(Spelled, frozen=True, kw_only=True):
    """Which requests; every key optional, all that are given must hold."""

    method: Annotated[str | list[str] | None, Meta(description="one, or any of several")] = None
    path: Annotated[
        str | None,
        Meta(
            description="without version; {id} is one segment, a last /** any number of them",
            examples=["/deviceManagement/chromeOSOnboardingSettings/{id}"],
        ),
    ] = None
    action: Annotated[
        str | None, Meta(description="the last segment, with or without microsoft.graph.")
    ] = None
    query: Annotated[
        dict[str, Scalar | None], Meta(description="decoded names and values; null for any")
    ] = field(default_factory=dict)
    header: Annotated[dict[str, Scalar], Meta(description="fields and their values")] = field(
        default_factory=dict
    )
    body: Annotated[dict[str, object], Meta(description="values by JSON path")] = field(
        default_factory=dict
    )
    session: Annotated[str | None, Meta(description="the session's id")] = None
    after: Annotated[
        str | None, Meta(description="only once the session has called this action")
    ] = None

    def __post_init__(self) -> None:
        self.read()

    def read(self) -> When:
        """Make the condition.

        Raises:
            KeyFault: A path is none.
        """
        methods = [self.method] if isinstance(self.method, str) else self.method or []
        for method in methods:
            if not method.isascii() or not method.isalpha():
                raise KeyFault(f"{method!r} is no method; write GET, POST, PATCH …", "method")
        try:
            path = None if self.path is None else PathTemplate.parse(self.path)
        except ValueError as exc:
            raise KeyFault(str(exc), "path") from exc
        return When(
            methods=tuple(method.upper() for method in methods),
            path=path,
            action=None if self.action is None else local_name(self.action),
            query=tuple(
                (unplus(name), None if value is None else written(value))
                for name, value in self.query.items()
            ),
            body=tuple(
                (json_path(text, "body"), cast("Json", value)) for text, value in self.body.items()
            ),
            header=tuple((name, written(value)) for name, value in self.header.items()),
            session=self.session,
            after=None if self.after is None else local_name(self.after),
        )


class SpelledCalls(Spelled, frozen=True, kw_only=True):
    """Which of the calls that `when` lets in, counted per session from 1: one of these."""

    nth: Count | None = None
    from_: Count | None = field(default=None, name="from")
    every: Count | None = None
    probability: Annotated[float, Meta(ge=0, le=1)] | None = None

    def __post_init__(self) -> None:
        self.read()

    def read(self) -> Calls:
        """Make the condition.

        Raises:
            KeyFault: It isn't exactly one.
        """
        match (self.nth, self.from_, self.every, self.probability):
            case (int(number), None, None, None):
                return Nth(number)
            case (None, int(number), None, None):
                return From(number)
            case (None, None, int(number), None):
                return Every(number)
            case (None, None, None, float() | int() as probability):
                return Probably(float(probability))
            case _:
                raise KeyFault("write exactly one of nth, from, every, probability")


class SpelledBudget(Spelled, frozen=True, kw_only=True):
    """A throttling limit: what goes beyond it is a 429 that says when to come back."""

    writes: Count | None = None
    any: Count | None = None
    window: Duration

    def __post_init__(self) -> None:
        self.read()

    def read(self) -> Budget:
        """Make the budget.

        Raises:
            KeyFault: It has no limit, or its window is no duration.
        """
        if self.writes is None and self.any is None:
            raise KeyFault("it limits nothing; write writes, any, or both")
        window = wait_of(self.window, "window")
        return Budget(writes=self.writes, any=self.any, window=window)


class SpelledRule(SpelledEffect, frozen=True, kw_only=True):
    """Which requests, which of their calls, and what happens to them."""

    when: SpelledWhen = SpelledWhen()
    calls: Annotated[
        Literal["first"] | SpelledCalls | None,
        Meta(description="which of the calls; every one, unless said"),
    ] = None
    timeline: Annotated[
        list[SpelledEffect] | None, Meta(description="one effect a call; the last one stays")
    ] = None
    budget: SpelledBudget | None = None

    def __post_init__(self) -> None:
        self.read()

    def read(self) -> Rule:
        """Make the rule.

        Raises:
            KeyFault: It says nothing to do, or two things that exclude each other.
        """
        match self.calls:
            case None:
                calls: Calls = Always()
            case "first":
                calls = Nth(1)
            case SpelledCalls():
                calls = self.calls.read()
        return Rule(
            when=self.when.read(),
            calls=calls,
            timeline=self._timeline(),
            budget=None if self.budget is None else self.budget.read(),
        )

    def _timeline(self) -> tuple[Effect | None, ...]:
        effect = self.effect()
        if self.budget is not None:
            if effect is not None or self.timeline is not None:
                raise KeyFault("budget answers by itself; give other effects a rule each", "budget")
            return ()
        if self.timeline is None:
            if effect is None:
                raise KeyFault(
                    "says nothing to do; write one of answer, append, budget, delay, fault, "
                    "headers, notify, remove, set, status, timeline"
                )
            return (effect,)
        if effect is not None:
            raise KeyFault("it stands alone; move the other effects into its entries", "timeline")
        if not self.timeline:
            raise KeyFault("it is empty; write one effect a call", "timeline")
        return tuple(entry.effect() for entry in self.timeline)


class SpelledScenario(Spelled, frozen=True, kw_only=True):
    """A scenario of Graphtape."""

    name: Annotated[str, Meta(min_length=1)]
    description: Annotated[str, Meta(description="what it imitates, for people")] = ""
    seed: Annotated[int | None, Meta(description="for everything random; 0 unless said")] = None
    rules: Annotated[list[SpelledRule], Meta(min_length=1)]


def scenario_of(value: object) -> Scenario:
    """Make a scenario of decoded YAML or JSON.

    Raises:
        SpellingError: It is none; the keys say where.
    """
    try:
        spelled = convert(value, SpelledScenario)
    except SpellingError as exc:
        if exc.keys[-1:] == ("on",):
            hint = "YAML 1.1 reads on as true, so the key is when"
            raise SpellingError(f"{exc.reason}; {hint}", *exc.keys) from exc
        raise
    return Scenario(
        name=spelled.name,
        rules=tuple(rule.read() for rule in spelled.rules),
        seed=spelled.seed,
        description=spelled.description.strip(),
    )


def json_schema() -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of a scenario file."""
    made = msgspec.json.schema(SpelledScenario, schema_hook=anything)
    for name in ("SpelledCalls", "SpelledDelay"):
        made["$defs"][name] |= {"minProperties": 1, "maxProperties": 1}
    schema: dict[str, object] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Graphtape scenario",
        **json.loads(json.dumps(made).replace("Spelled", "")),
    }
    return schema


def anything(kind: type) -> dict[str, object]:
    """Describe `object`, which msgspec leaves to its user: a hook for its schemas."""
    if kind is not object:
        raise NotImplementedError  # msgspec's way to be told that a type isn't known
    return {"description": "any JSON value"}
