"""WireMock's stub mappings out, as one file for its folder `mappings`."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from graphtape.core.graph.cloud import ABSOLUTE_URL, GRAPH_ROOTS
from graphtape.tape.export.answers import Exported, by_request, listed, text_of
from graphtape.tape.formats.wiremock.states import STARTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphtape.core.message import Headers, Interaction, Request, Response

_CONDITIONS = ("Range", "If-None-Match")


def write(interactions: Sequence[Interaction]) -> Exported:
    """Write stubs; several answers to one request become a scenario, whose last one stays."""
    places: dict[int, tuple[int, int, int]] = {}
    groups = by_request(interactions)
    for number, group in enumerate(groups):
        for turn, index in enumerate(group):
            places[index] = (number, turn, len(group))
    stubs = [_stub(each, *places[index]) for index, each in enumerate(interactions)]
    text = json.dumps({"mappings": stubs}, indent=2, ensure_ascii=False) + "\n"
    in_turn = [index for group in groups if len(group) > 1 for index in group]
    why = "answered in turn, each request by itself: a stub doesn't wait for the write between"
    lost = (f"{listed(in_turn)}: {why}",) if in_turn else ()
    return Exported(data=text.encode("utf-8", "surrogateescape"), lost=lost)


def _stub(interaction: Interaction, number: int, turn: int, turns: int) -> dict[str, object]:
    stub: dict[str, object] = {}
    if turns > 1:
        stub["scenarioName"] = f"request {number}"
        stub["requiredScenarioState"] = f"answer {turn + 1}" if turn else STARTED
        if turn + 1 < turns:
            stub["newScenarioState"] = f"answer {turn + 2}"
    stub["request"] = _asked(interaction.request)
    stub["response"] = _answered(interaction.response)
    return stub


def _asked(request: Request) -> dict[str, object]:
    found = ABSOLUTE_URL.fullmatch(request.url)
    assert found is not None  # noqa: S101 - on tape every URL is
    asked: dict[str, object] = {"method": request.method, "url": found[3] or "/"}
    if not asked["url"].startswith("/"):  # type: ignore[attr-defined]  # a text
        asked["url"] = f"/{asked['url']}"
    if f"{found[1]}://{found[2]}".lower() != GRAPH_ROOTS[0]:
        host, _, port = found[2].rpartition("@")[2].partition(":")
        asked["scheme"] = found[1].lower()
        asked["host"] = {"equalTo": host}
        if port.isdigit():
            asked["port"] = int(port)
    conditions = {
        name: {"equalTo": value} for name in _CONDITIONS for value in request.headers.all(name)[:1]
    }
    if conditions:
        asked["headers"] = conditions
    if request.body:
        asked["bodyPatterns"] = [_wanted(request)]
    return asked


def _wanted(request: Request) -> dict[str, object]:
    text = text_of(request.body, request.headers)
    if text is None:
        return {"binaryEqualTo": base64.b64encode(request.body).decode()}
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return {"equalTo": text}
    return {"equalToJson": text} if isinstance(tree, dict | list) else {"equalTo": text}


def _answered(response: Response) -> dict[str, object]:
    answered: dict[str, object] = {"status": response.status}
    if response.reason:
        answered["statusMessage"] = response.reason
    if len(response.headers):
        answered["headers"] = _fields(response.headers)
    text = text_of(response.body, response.headers)
    if text is None:
        answered["base64Body"] = base64.b64encode(response.body).decode()
    elif text:
        answered["body"] = text
    return answered


def _fields(headers: Headers) -> dict[str, object]:
    names = dict.fromkeys(name for name, _ in headers)
    several = {name: headers.all(name) for name in names}
    return {name: each[0] if len(each) == 1 else list(each) for name, each in several.items()}
