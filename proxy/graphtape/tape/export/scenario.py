"""Rules of mocks out, as a scenario file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

from graphtape import scenarios
from graphtape.core.errors import UsageError
from graphtape.core.message import is_json, media_type
from graphtape.tape.export.answers import text_of
from graphtape.tape.formats.exchange import LeftOutError
from graphtape.tape.formats.mocks import path_of_rule, query_of_rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphtape.core.message import Response
    from graphtape.tape.formats.exchange import Rule

# They are made anew for each answer.
_NOT_WRITTEN = ("Content-Length", "Date", "Transfer-Encoding")


def write(rules: Sequence[Rule], *, name: str, source: str) -> tuple[str, list[str]]:
    """Write a scenario file.

    Args:
        rules: Redacted, in the order in which they are asked.
        name: Of the scenario.
        source: What it was made of, for people.

    Returns:
        Its text, empty where no rule is left, and why some aren't, a line each.
    """
    spelled: list[dict[str, object]] = []
    lost: list[str] = []
    for rule in rules:
        try:
            one = _spelled(rule)
            scenarios.read(_text([one], name, source), source="a rule")
        except (LeftOutError, UsageError) as exc:
            lost.append(f"{rule.about}: {exc}")
        else:
            spelled.append(one)
    return (_text(spelled, name, source) if spelled else ""), lost


def _text(rules: list[dict[str, object]], name: str, source: str) -> str:
    tree = {"name": name, "description": f"Mocks of {source}.", "rules": rules}
    text: str = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=100)
    return text


def _spelled(rule: Rule) -> dict[str, object]:
    when: dict[str, object] = {}
    if rule.methods:
        when["method"] = rule.methods[0] if len(rule.methods) == 1 else list(rule.methods)
    when["path"] = path_of_rule(rule)
    if query := query_of_rule(rule):
        when["query"] = query
    if body := _body_paths(rule.request.body):
        when["body"] = body
    spelled: dict[str, object] = {"when": when}
    if rule.nth is not None:
        spelled["calls"] = {"nth": rule.nth}
    if rule.response is not None:
        spelled["answer"] = _answer(rule.response)
    return {**spelled, **rule.effect}


def _body_paths(body: bytes) -> dict[str, object]:
    """Return the members of a JSON object, by path."""
    try:
        tree = json.loads(body) if body else None
    except (ValueError, RecursionError):
        return {}
    if not isinstance(tree, dict):
        return {}
    return {f"$[{json.dumps(name, ensure_ascii=False)}]": value for name, value in tree.items()}


def _answer(response: Response) -> dict[str, object]:
    answer: dict[str, object] = {"status": response.status}
    headers: dict[str, str] = {}
    for name, value in response.headers.without(*_NOT_WRITTEN):
        if name.lower() in {known.lower() for known in headers}:
            raise LeftOutError(f"an answer of a scenario has a header once, and this {name} twice")
        headers[name] = value
    if headers:
        answer["headers"] = headers
    if not response.body:
        return answer
    text = text_of(response.body, response.headers)
    if text is None:
        raise LeftOutError("an answer of a scenario is JSON or text, and its body is neither")
    answer["body"] = text
    if is_json(media_type(response.headers)):
        try:
            answer["body"] = json.loads(text)
        except (ValueError, RecursionError):
            answer["body"] = text
    return answer
