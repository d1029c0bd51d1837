"""Mocks of a file sorted out: those that become interactions, and those that become rules.

An interaction answers one request; a rule of a scenario any that fit, before the tape is asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from graphtape.core.graph.cloud import GRAPH_ROOTS
from graphtape.core.graph.path_template import PathTemplate, below_version
from graphtape.core.matching.key import key_of, writes
from graphtape.core.message import Interaction
from graphtape.tape.formats.exchange import LeftOutError, Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

_URL = re.compile(r"([^/?#]*://[^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.DOTALL)
_KEYED = re.compile(r"([A-Za-z]+)\('?\*'?\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mock:
    """A mock as its tool has it.

    Attributes:
        rule: What it says.
        exact: Whether it answers one request alone: it may become an interaction.
        ordered: Whether it has its place among others, which a rule has not.
    """

    rule: Rule
    exact: bool
    ordered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """What mocks became.

    Attributes:
        taped: Those that are interactions, in the order they were given.
        rules: The others, in the order they are to be asked.
        skipped: Why some are neither, a line each.
    """

    taped: tuple[Mock, ...]
    rules: tuple[Rule, ...]
    skipped: tuple[str, ...]


def answered_once(taped: Sequence[Mock]) -> list[str]:
    """Say which mocks answer a write, which a tape does once."""
    once = [mock.rule.about for mock in taped if writes(mock.rule.request) and not mock.ordered]
    if not once:
        return []
    more = f" and {len(once) - 1} more" if len(once) > 1 else ""
    return [f"{once[0]}{more}: a tape answers a write once; record or repeat it for more"]


def interaction(mock: Mock) -> Interaction:
    """Return the interaction that an exact mock is."""
    assert mock.rule.response is not None  # noqa: S101 - exact ones answer
    return Interaction(request=mock.rule.request, response=mock.rule.response)


def sorted_out(mocks: Sequence[Mock]) -> Sorted:
    """Sort mocks out, so that each request gets the answer it got from their tool.

    Args:
        mocks: The one that is asked first, first.
    """
    skipped: list[str] = []
    kept: list[Mock] = []
    for mock in mocks:
        if _taped(mock) and not mock.ordered:
            first = next((each.rule for each in kept if _before(each, mock)), None)
            if first is not None:
                if first.response != mock.rule.response:
                    skipped.append(f"{mock.rule.about}: {first.about} answers its request first")
                continue
        hidden = [each for each in kept if each.ordered and _covers(mock.rule, each.rule)]
        if hidden and not mock.ordered:
            skipped.append(f"{mock.rule.about}: a rule would answer before {hidden[0].rule.about}")
            continue
        kept.append(mock)
    wide = [mock.rule for mock in kept if not _taped(mock)]
    taped, rules = [], []
    for mock in kept:
        if _taped(mock) and (mock.ordered or not any(_covers(rule, mock.rule) for rule in wide)):
            taped.append(mock)
        else:
            rules.append(mock.rule)
    # A rule without a query fits requests with any; so those that name more of it come first.
    rules.sort(key=lambda rule: -len(parse_qsl(_parts(rule.request.url)[2] or "")))
    return Sorted(taped=tuple(taped), rules=tuple(rules), skipped=tuple(skipped))


def _before(earlier: Mock, mock: Mock) -> bool:
    """Tell whether an earlier mock answers the one request that another one means."""
    if _taped(earlier):
        same = key_of(earlier.rule.request) == key_of(mock.rule.request)
        return same and not earlier.ordered
    return _covers(earlier.rule, mock.rule)


def _taped(mock: Mock) -> bool:
    return mock.exact and mock.rule.response is not None and not mock.rule.effect


def _covers(rule: Rule, other: Rule) -> bool:
    """Tell whether a rule answers every request that another one means, on each call."""
    if rule.nth is not None or rule.response is None or "calls" in rule.effect:
        return False
    if rule.methods and other.request.method not in rule.methods:
        return False
    wanted = dict(parse_qsl(_parts(rule.request.url)[2] or "", keep_blank_values=True))
    given = dict(parse_qsl(_parts(other.request.url)[2] or "", keep_blank_values=True))
    if rule.request.body and rule.request.body != other.request.body:
        return False
    for name, value in wanted.items():
        if name not in given or (name not in rule.any_value and given[name] != value):
            return False
    try:
        return _template(rule).matches(below_version(other.request.url))
    except ValueError:
        return False


def path_of_rule(rule: Rule) -> str:
    """Return the path that a scenario names: below the version, without a query."""
    _, path, _ = _parts(rule.request.url)
    names = [name for name in path.split("/") if name]
    if names and names[0] in {"v1.0", "beta", "v2"}:
        del names[0]
    return "/" + "/".join(names)


def _template(rule: Rule) -> PathTemplate:
    return PathTemplate.parse(path_of_rule(rule))


def query_of_rule(rule: Rule) -> dict[str, str | None]:
    """Return the query values that a scenario names; None for any."""
    query = parse_qsl(_parts(rule.request.url)[2] or "", keep_blank_values=True)
    return {name: None if name in rule.any_value else value for name, value in query}


def _parts(url: str) -> tuple[str, str, str | None]:
    found = _URL.fullmatch(url)
    return (found[1], found[2], found[3]) if found else (url, "", None)


def without_wildcards(url: str) -> tuple[str, tuple[str, ...]]:
    """Write a URL in which `*` stands for any text as the template of a rule.

    Returns:
        The URL, and the decoded names of query parameters whose value doesn't matter.

    Raises:
        LeftOutError: No rule says that.
    """
    if url == "*" or (url.endswith("*") and url.partition("://")[2] == "*"):
        return f"{GRAPH_ROOTS[0]}/**", ()
    origin, path, query = _parts(url)
    segments = path.split("/")[1:]
    if len(segments) > 1 and segments[0] == "*":
        segments[0] = "v1.0"  # rules hold for every version
    made: list[str] = []
    for number, segment in enumerate(segments):
        last = number == len(segments) - 1
        if "*" not in segment:
            made.append(segment)
        elif segment == "*":
            made += ["{id}", "**"] if last and query is None else ["{id}"]
        elif (keyed := _KEYED.fullmatch(segment)) is not None:
            made += [keyed[1], "{id}"]
        elif last and query is None and segment.index("*") == len(segment) - 1:
            made += [segment[:-1], "**"]
        else:
            raise LeftOutError("a rule has no `*` inside a segment of a path")
    pairs = parse_qsl(query or "", keep_blank_values=True)
    named = [(name, value) for name, value in pairs if "*" not in name]
    free = tuple(name for name, value in named if "*" in value)
    text = "&".join(part for part in (query or "").split("&") if "*" not in part.split("=")[0])
    host = origin.replace("*", "any")
    return f"{host}/{'/'.join(made)}{'?' + text if named else ''}", free


def narrowed(rule: Rule, url: str, any_value: tuple[str, ...]) -> Rule:
    """Return a rule for the template of another URL."""
    return replace(rule, request=rule.request.with_url(url), any_value=any_value)
