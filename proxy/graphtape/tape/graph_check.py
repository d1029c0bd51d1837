"""Files compared with Graph's model: cassettes, mocks and scenarios."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from graphtape import scenarios
from graphtape.core.check.finding import Lacks
from graphtape.core.graph.cloud import GRAPH_ROOTS
from graphtape.core.matching.shape import answered_parts
from graphtape.core.message import Interaction
from graphtape.tape.formats.mocks import path_of_rule
from graphtape.tape.formats.registry import read
from graphtape.tape.formats.source import Source
from graphtape.tape.store import named_content

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from graphtape.core.check.checker import Checker
    from graphtape.core.check.finding import Finding
    from graphtape.core.matching.body import Json
    from graphtape.tape.formats.exchange import Rule

_VERSIONS = ("v1.0", "beta")


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A finding, and where it is.

    Attributes:
        path: The file, as the user named it.
        at: What of it: `interaction 3`, `rule 0`, `mock 2 (GET …)`.
    """

    path: Path
    at: str
    finding: Finding

    @property
    def place(self) -> str:
        """Where in the file it stands."""
        return f"{self.at}, {self.finding.place}"

    def fields(self) -> dict[str, object]:
        """Return it as JSON has it; what isn't known is left out."""
        finding = self.finding
        tree = {
            "file": str(self.path),
            "at": self.at,
            "place": finding.place,
            "lacks": str(finding.lacks),
            "what": finding.what,
            "of": finding.of,
            "near": finding.near,
        }
        return {name: value for name, value in tree.items() if value}

    def __str__(self) -> str:
        return f"{self.path}, {self.place}: {self.finding}"


def checked(path: Path, checker: Checker) -> list[Located]:
    """Compare a file with Graph's model.

    Args:
        path: Of a cassette, a scenario, or what another tool recorded or mocks.
        checker: That compares.

    Raises:
        CassetteError: It can't be read.
        UsageError: It is a scenario, and wrong.
    """
    data = named_content(path)
    tree = _scenario(data, path)
    if tree is not None:
        return [Located(path=path, at=at, finding=each) for at, each in _rules(tree, checker)]
    found = read(Source(name=str(path), path=path, data=data))
    located = [
        Located(path=path, at=f"interaction {number}", finding=finding)
        for number, interaction in enumerate(found.interactions)
        for each in (interaction, *answered_parts(interaction))
        for finding in checker.interaction(each)
    ]
    return located + [
        Located(path=path, at=rule.about, finding=finding)
        for rule in found.rules
        for finding in _of_mock(rule, checker)
    ]


def _of_mock(rule: Rule, checker: Checker) -> list[Finding]:
    if "*" in path_of_rule(rule):  # any number of segments: no operation
        return []
    if rule.response is None:
        return checker.call(rule.request.method, rule.request.url)
    return checker.interaction(Interaction(request=rule.request, response=rule.response))


def _scenario(data: bytes, path: Path) -> dict[str, Json] | None:
    """Return a scenario as it is written; None of a file that is none."""
    if b"rules" not in data or b"interactions" in data:
        return None
    text = data.decode("utf-8", "replace")
    try:
        tree = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    if not isinstance(tree, dict) or not isinstance(tree.get("rules"), list):
        return None
    scenarios.read(text, source=str(path))
    return tree


def _rules(tree: dict[str, Json], checker: Checker) -> Iterator[tuple[str, Finding]]:
    rules = tree["rules"]
    assert isinstance(rules, list)  # noqa: S101 - as it was read
    for number, rule in enumerate(rules):
        if isinstance(rule, dict) and isinstance(when := rule.get("when"), dict):
            for finding in dict.fromkeys(_of_rule(rule, when, checker)):
                yield f"rule {number}", finding


def _of_rule(rule: dict[str, Json], when: dict[str, Json], checker: Checker) -> Iterator[Finding]:
    """Compare a rule: it holds for every version, and so it is enough that one has it."""
    path = when.get("path")
    if not isinstance(path, str) or path.endswith("**"):
        return
    methods = when.get("method", "GET")
    query = when.get("query")
    text = "&".join(query) if isinstance(query, dict) else ""
    for method in methods if isinstance(methods, list) else [methods]:
        by_version: list[list[Finding]] = []
        for version in _VERSIONS:
            url = f"{GRAPH_ROOTS[0]}/{version}{path}{'?' + text if text else ''}"
            found = checker.call(str(method).upper(), url)
            takes = checker.takes(str(method).upper(), url)
            if takes is not None:
                model, operation = takes
                for place, value in _answers(rule):
                    found += checker.answer(model, value, operation.answer, place=place)
                for place, kind, value in _edits(rule, operation.answer):
                    found += checker.value(model, {kind: value}, operation.answer, place=place)
            by_version.append(found)
        yield from min(by_version, key=_badness)


def _badness(found: list[Finding]) -> tuple[bool, int]:
    """Rank a version that has the operation before one that hasn't."""
    return any(each.lacks is Lacks.OPERATION for each in found), len(found)


def _answers(rule: dict[str, Json]) -> Iterator[tuple[str, Json]]:
    timeline = rule.get("timeline")
    for effect in (rule, *(timeline if isinstance(timeline, list) else ())):
        answer = effect.get("answer") if isinstance(effect, dict) else None
        if isinstance(answer, dict) and answer.get("status", 200) in range(200, 400):
            body = answer.get("body")
            if isinstance(body, str):
                try:
                    body = json.loads(body)
                except ValueError:
                    continue
            yield "answer.body", body


def _edits(rule: dict[str, Json], kind: str) -> Iterator[tuple[str, str, Json]]:
    """Return what is set at the root of an answer that is one object."""
    edits = rule.get("set")
    if not kind or kind.endswith("[]") or kind.startswith("=") or not isinstance(edits, dict):
        return
    for path, value in edits.items():
        name = path.removeprefix("$.")
        if path.startswith("$.") and name.isidentifier():
            yield "set", name, value
