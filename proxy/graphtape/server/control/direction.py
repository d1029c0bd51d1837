"""The ways a call may say scenarios and statuses."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from graphtape import scenarios
from graphtape.core.decoded import convert
from graphtape.core.errors import RequestError, UsageError
from graphtape.core.scenario.key_fault import SpellingError
from graphtape.core.scenario.schema import scenario_of
from graphtape.core.scenario.status import StatusRule
from graphtape.server.control.message import Direction
from graphtape.server.control.reading import fault, json_path

if TYPE_CHECKING:
    from graphtape.core.scenario.rule import Scenario

_CODE = "GraphtapeScenario"
_LARGEST = 1024 * 1024
_SUFFIXES = (".yaml", ".yml", ".json")
_FORMS = (
    "send a preset's name, a scenario file's path, a scenario with name and rules, a list of "
    'these, or {"scenario": …, "status": …}'
)

Directing: TypeAlias = "tuple[tuple[Scenario, ...], tuple[StatusRule, ...]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """Where scenarios are found.

    Attributes:
        folder: Files are resolved in it and may not leave it; None where they may be anywhere.
    """

    folder: Path | None

    async def directing(self, said: object) -> Directing:
        """Read the body that directs a session: one of the forms of a scenario, or a Direction.

        Raises:
            RequestError: It is none, or there is no such scenario.
        """
        return await asyncio.to_thread(self.directing_now, said)

    def directing_now(self, said: object) -> Directing:
        """Read as `directing` does; works on files: not for the loop."""
        if isinstance(said, dict) and not {"name", "rules"} & said.keys():
            if not said:
                raise fault("GraphtapeBody", "$", f"says nothing; {_FORMS}")
            try:
                both = convert(said, Direction)
            except SpellingError as exc:
                where = json_path(exc.keys)
                raise fault("GraphtapeBody", where, f"{exc.reason}; {_FORMS}") from exc
            chosen = () if both.scenario is None else self._read(both.scenario)
            return chosen, statuses(both.status)
        return self._read(said, at="$"), ()

    async def read(self, said: object, *, at: str = "$.scenario") -> tuple[Scenario, ...]:
        """Read one scenario, or a list of them.

        Args:
            said: A name, a path or a scenario; as decoded.
            at: JSON path of it.

        Raises:
            RequestError: It is none, or there is no such scenario.
        """
        return await asyncio.to_thread(self._read, said, at=at)

    def _read(self, said: object, *, at: str = "$.scenario") -> tuple[Scenario, ...]:
        if isinstance(said, list):
            return tuple([self._one(each, f"{at}[{n}]") for n, each in enumerate(said)])
        return (self._one(said, at),)

    def _one(self, said: object, at: str) -> Scenario:
        try:
            match said:
                case str() if scenarios.is_file(said):
                    return self._file(said)
                case str():
                    return scenarios.preset(said)
                case {"name": str() as name, **rest} if not rest:
                    return scenarios.preset(name)
                case dict():
                    return scenario_of(said)
                case _:
                    raise fault(_CODE, at, f"is none; {_FORMS}")
        except SpellingError as exc:
            raise fault(_CODE, json_path(exc.keys, at), exc.reason) from exc
        except UsageError as exc:
            raise fault(_CODE, at, str(exc)) from exc

    async def text(self, name: str) -> str:
        """Return the YAML of a preset, or the text of a scenario file of the folder.

        Raises:
            RequestError: The file lies outside the folder.
            UsageError: There is none.
        """
        if scenarios.is_file(name):
            return await asyncio.to_thread(self._file_text, name)
        return await asyncio.to_thread(scenarios.preset_text, name)

    def _file(self, name: str) -> Scenario:
        return scenarios.read(self._file_text(name), source=name)

    def _file_text(self, name: str) -> str:
        path = Path(name) if self.folder is None else self.folder / name
        if not name.lower().endswith(_SUFFIXES) or "\0" in name:
            raise UsageError(
                f"{name[:200]!r} is no scenario file; one ends in .yaml, .yml or .json"
            )
        try:
            if self.folder is not None and not path.resolve().is_relative_to(self.folder.resolve()):
                raise RequestError(
                    f"scenario {name[:200]!r} lies outside the folder the proxy was started in; "
                    "name one in it, or send the scenario itself",
                    status=403,
                    code="GraphtapeScenarioPath",
                )
            if not path.is_file():
                raise UsageError(f"no scenario file {name[:200]!r}")
            if path.stat().st_size > _LARGEST:
                raise UsageError(f"scenario file {name[:200]!r} is above 1 MiB")
        except (OSError, RuntimeError) as exc:  # a name too long, a loop of links
            raise UsageError(f"no scenario file {name[:200]!r}") from exc
        return scenarios.file_text(str(path))


def statuses(said: str | list[str] | None) -> tuple[StatusRule, ...]:
    """Read one status, or a list of them.

    Raises:
        RequestError: One has no value, or names another action.
    """
    texts = [said] if isinstance(said, str) else said or []
    rules: list[StatusRule] = []
    for number, text in enumerate(texts):
        try:
            rules.append(StatusRule.parse(text))
        except UsageError as exc:
            at = "$.status" if isinstance(said, str) else f"$.status[{number}]"
            raise fault("GraphtapeStatus", at, str(exc)) from exc
    return tuple(rules)


def spelled(rules: tuple[StatusRule, ...]) -> list[str]:
    """Write status rules as `--status` takes them."""
    return [rule.value if rule.action is None else f"{rule.action}={rule.value}" for rule in rules]
