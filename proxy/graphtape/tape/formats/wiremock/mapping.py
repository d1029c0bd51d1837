"""Stub mappings: which of two answers, in what order they stand on tape."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphtape.core.matching.key import key_of
from graphtape.tape import entry
from graphtape.tape.formats.exchange import (
    Found,
    LeftOutError,
    Rule,
    entries_of,
    interaction_of,
    optional,
    request_of,
    title,
)
from graphtape.tape.formats.mocks import Mock, answered_once, interaction, sorted_out
from graphtape.tape.formats.wiremock.answer import Answered, answered
from graphtape.tape.formats.wiremock.request import Asked, asked
from graphtape.tape.formats.wiremock.states import Step, ordered

if TYPE_CHECKING:
    from graphtape.tape.formats.source import Source

Tree = dict[object, object]
_PRIORITY = 5
_LISTENERS = ("postServeActions", "serveEventListeners")


def fits(tree: object) -> bool:
    """Tell stub mappings: a list `mappings`, or one with `request` and `response`."""
    match tree:
        case {"mappings": list()}:
            return True
        case {"request": dict(request), "response": dict()}:
            return "method" in request or any(str(key).startswith("url") for key in request)
        case _:
            return False


def read(tree: object, source: Source) -> Found:
    """Read stub mappings.

    Raises:
        CassetteError: Something in them isn't what WireMock reads.
    """
    top = entry.as_mapping(tree, where=source.name)
    mappings = top.get("mappings", [top])
    assert isinstance(mappings, list)  # noqa: S101 - as `fits` has seen
    stubs: list[_Stub] = []
    skipped: list[str] = []
    entries = entries_of(mappings, _title, name=source.name, kind="stub")
    for index, (fields, where, about) in enumerate(entries):
        try:
            stubs.append(_stub(fields, source, index=index, about=about, where=where))
        except LeftOutError as exc:
            skipped.append(f"{about}: {exc}")
    return _together(stubs, skipped)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stub:
    """A stub, what of it was lost, and its part in a scenario."""

    index: int
    mock: Mock
    priority: int
    lost: tuple[str, ...]
    step: Step | None


def _together(stubs: list[_Stub], skipped: list[str]) -> Found:
    order = ordered([stub.step for stub in stubs if stub.step is not None])
    skipped += [
        f"{stub.mock.rule.about}: no stub leads to its state {stub.step.needs!r}"
        for stub in stubs
        if stub.index in order.unreached and stub.step is not None
    ]
    reached = [stub for stub in stubs if stub.index not in order.unreached]
    # Of stubs that fit, one of the lowest number answers, and among those the last that came.
    asked_first = sorted(reached, key=lambda stub: (stub.priority, -stub.index))
    found = sorted_out([stub.mock for stub in asked_first])
    places = {id(stub.mock): _place(stub, reached, order.ranks) for stub in reached}
    taped = sorted(found.taped, key=lambda mock: places[id(mock)])
    notes = [f"{stub.mock.rule.about}: {lost}" for stub in stubs for lost in stub.lost]
    notes += [
        f"{stub.mock.rule.about}: {order.notes[stub.index]}"
        for stub in reached
        if stub.index in order.notes
    ]
    return Found(
        interactions=tuple(map(interaction, taped)),
        rules=found.rules,
        skipped=(*skipped, *found.skipped),
        notes=(*notes, *answered_once(taped)),
    )


def _place(stub: _Stub, stubs: list[_Stub], ranks: dict[int, int]) -> tuple[int, int]:
    """Return where a stub stands: what answers until a scenario gets there, before it."""
    if stub.step is None:
        key = key_of(stub.mock.rule.request)
        later = (
            ranks[each.index]
            for each in stubs
            if each.step is not None and key_of(each.mock.rule.request) == key
        )
        return min([stub.index, *later]), 0
    return ranks[stub.index], 1


def _title(fields: Tree) -> str:
    match fields.get("request"):
        case {"method": str(method)}:
            return title(method, "https://graph.microsoft.com")
        case _:
            return "no request"


def _stub(fields: Tree, source: Source, *, index: int, about: str, where: str) -> _Stub:
    request = asked(
        entry.as_mapping(fields.get("request"), where=f"{where}, request"),
        where=f"{where}, request",
    )
    response = answered(
        entry.as_mapping(fields.get("response") or {}, where=f"{where}, response"),
        source,
        where=f"{where}, response",
    )
    step = _step(fields, index, where=where)
    lost = [*request.lost, *response.lost]
    lost += [f"its {name} don't run" for name in _LISTENERS if fields.get(name)]
    if step is not None:
        if not request.exact:
            raise LeftOutError("a tape has no order for a stub that answers several requests")
        if response.status is None:
            raise LeftOutError("a tape has no order for a connection that breaks")
        if response.effect:
            lost.append(f"its {' and '.join(response.effect)} isn't done")
            response.effect.clear()
    priority = fields.get("priority", _PRIORITY)
    return _Stub(
        index=index,
        mock=Mock(
            rule=_rule(request, response, about=about, where=where),
            exact=request.exact,
            ordered=step is not None,
        ),
        priority=entry.as_integer(priority, where=f"{where}, priority"),
        lost=tuple(lost),
        step=step,
    )


def _rule(wanted: Asked, given: Answered, *, about: str, where: str) -> Rule:
    method = wanted.methods[0] if wanted.methods else "GET"
    request = request_of(
        method, wanted.url, wanted.headers, wanted.body, where=f"{where}, request.url"
    )
    rule = Rule(
        about=about,
        methods=wanted.methods,
        request=request,
        effect=given.effect,
        any_value=wanted.any_value,
    )
    if given.status is None:
        return rule
    whole = interaction_of(
        request, given.status, given.reason, given.headers, given.body,
        where=f"{where}, response.status",
    )  # fmt: skip
    return replace(rule, request=whole.request, response=whole.response)


def _step(fields: Tree, index: int, *, where: str) -> Step | None:
    name = optional(fields.get("scenarioName"), where=f"{where}, scenarioName")
    if not name:
        return None
    needs = optional(fields.get("requiredScenarioState"), where=f"{where}, requiredScenarioState")
    sets = optional(fields.get("newScenarioState"), where=f"{where}, newScenarioState")
    return Step(stub=index, scenario=name, needs=needs or None, sets=sets or None)
