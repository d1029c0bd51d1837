"""Real recordings stay what they were but for what had to go."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from graphtape.core.json_text import scalars, text
from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.core.redaction import Policy, Redactor, find

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDINGS = Path(__file__).parents[4] / "shared" / "cassettes"

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason=f"no real recordings at {RECORDINGS}: only kept where licensed"
)

# Whatever else changes would be an alarm: a real field that was taken for a secret.
EXPECTED = re.compile(
    r"@|tenant|organization|domain|password|secret|token|cookie|authorization|/v2/|^id:",
    re.IGNORECASE,
)


def cassettes() -> Iterator[Interaction]:
    for path in sorted((RECORDINGS / "azure-cli").glob("*.yaml")):
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["interactions"]:
            asked, answered = entry["request"], entry["response"]
            body = asked["body"] or ""
            yield Interaction(
                request=Request(
                    method=asked["method"],
                    url=asked["uri"],
                    headers=Headers.of((n, v) for n, vs in asked["headers"].items() for v in vs),
                    body=body if isinstance(body, bytes) else body.encode(),
                ),
                response=Response(
                    status=answered["status"]["code"],
                    headers=Headers.of((n, v) for n, vs in answered["headers"].items() for v in vs),
                    body=(answered["body"]["string"] or "").encode(),
                ),
            )


def archives() -> Iterator[Interaction]:
    for path in sorted((RECORDINGS / "har").glob("*.har")):
        for entry in json.loads(path.read_text(encoding="utf-8"))["log"]["entries"]:
            asked, answered = entry["request"], entry["response"]
            yield Interaction(
                request=Request(
                    method=asked["method"],
                    url=asked["url"],
                    headers=Headers.of((h["name"], h["value"]) for h in asked["headers"]),
                    body=asked.get("postData", {}).get("text", "").encode(),
                ),
                response=Response(
                    status=answered["status"],
                    headers=Headers.of((h["name"], h["value"]) for h in answered["headers"]),
                    body=answered["content"].get("text", "").encode(),
                ),
            )


@pytest.fixture(scope="module")
def recorded() -> list[Interaction]:
    return [*cassettes(), *archives()]


def redacted(interaction: Interaction, redactor: Redactor) -> Interaction:
    return Interaction(
        request=redactor.request(interaction.request).request,
        response=redactor.response(interaction.response, url=interaction.request.url),
    )


def test_json_stays_json_with_the_same_fields(recorded: list[Interaction]) -> None:
    redactor = Redactor(salt="s")
    compared = 0
    for raw in recorded:
        body = raw.response.body
        if body[:1] != b"{":
            continue
        clean = redacted(raw, redactor).response.body
        before, after = list(scalars(body)), list(scalars(clean))
        assert [one.path for one in before] == [one.path for one in after]
        for one, other in zip(before, after, strict=True):
            if text(body, one) != text(clean, other):
                assert EXPECTED.search(f"{one.path[-1]}: {one.path} {text(body, one)}"), one
        compared += 1
    assert compared > 100


def test_most_answers_stay_to_the_byte(recorded: list[Interaction]) -> None:
    redactor = Redactor(salt="s")
    same = [raw for raw in recorded if redacted(raw, redactor).response.body == raw.response.body]
    assert len(same) > len(recorded) // 2


def test_a_redacted_recording_has_no_findings_and_stays_as_it_is(
    recorded: list[Interaction],
) -> None:
    redactor = Redactor(salt="s")
    for raw in recorded:
        clean = redacted(raw, redactor)
        assert not list(find(clean, Policy()))
        assert redacted(clean, redactor) == clean


def test_no_tenant_of_a_real_recording_is_left_where_its_place_says_so(
    recorded: list[Interaction],
) -> None:
    redactor = Redactor(salt="s")
    left = "\n".join(repr(redacted(raw, redactor)) for raw in recorded)
    assert "AzureSDKTeam" not in left
    tenants = set(re.findall(r"graph\.microsoft\.com/v2/([0-9a-f-]{36})", left))
    assert tenants
    assert all(tenant.startswith("facade00-") for tenant in tenants)
