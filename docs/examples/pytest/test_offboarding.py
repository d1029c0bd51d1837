"""Tests of an app that uses msgraph-beta-sdk: offline, with pytest and one cassette.

Run them:                  pytest
Record the cassette anew:  pytest -k waits --graphtape-mode=all --graphtape-upstream=sandbox
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from offboarding import ODataError, OffboardingError, offboard

if TYPE_CHECKING:
    from graphtape import ProxySession

SETTINGS = "https://graph.microsoft.com/beta/deviceManagement/chromeOSOnboardingSettings"

# cassettes/disconnect.yaml: a disconnect and three polls. Every test plays it from its start.
pytestmark = pytest.mark.graphtape("disconnect")


def run(graph: ProxySession) -> list[list[str]]:
    """Offboard without pauses; return the statuses seen."""
    seen: list[list[str]] = []
    asyncio.run(
        offboard(graph.base_url, "not-a-real-token", pause=0, polls=5, on_status=seen.append)
    )
    return seen


def test_it_waits_until_every_setting_is_let_go(graphtape: ProxySession) -> None:
    assert run(graphtape) == [["offboarding"] * 3, ["offboarding"] * 3, ["unknown"] * 3]
    assert [(call.method, call.url) for call in graphtape.calls] == [
        ("POST", f"{SETTINGS}/disconnect"),
        *[("GET", SETTINGS)] * 3,
    ]


@pytest.mark.graphtape(status="disconnect=failed")
def test_a_disconnect_that_fails_at_once_is_not_waited_for(graphtape: ProxySession) -> None:
    with pytest.raises(OffboardingError, match="didn't take"):
        run(graphtape)
    assert len(graphtape.calls) == 1


@pytest.mark.graphtape(scenario="late-failure")
def test_a_disconnect_that_fails_later_is_told(graphtape: ProxySession) -> None:
    with pytest.raises(OffboardingError, match="failed later"):
        run(graphtape)
    assert [call.method for call in graphtape.calls] == ["POST", "GET", "GET", "GET"]


@pytest.mark.graphtape(scenario="stuck-offboarding")
def test_it_gives_up_on_a_tenant_that_is_never_let_go(graphtape: ProxySession) -> None:
    with pytest.raises(OffboardingError, match="after 5 polls"):
        run(graphtape)


@pytest.mark.graphtape(scenario="throttled")
def test_a_throttled_disconnect_is_repeated_once_graph_allows_it(graphtape: ProxySession) -> None:
    assert run(graphtape)[-1] == ["unknown"] * 3
    assert [(call.method, call.status, call.source) for call in graphtape.calls[:2]] == [
        ("POST", 429, "injected"),
        ("POST", 200, "replayed"),
    ]
    # No verdict: it waited as long as Retry-After says.
    assert not graphtape.report().verdicts


@pytest.mark.graphtape(scenario="not-licensed")
def test_a_tenant_without_intune_is_an_error_of_the_sdk(graphtape: ProxySession) -> None:
    with pytest.raises(ODataError) as caught:
        run(graphtape)
    assert caught.value.error.message == "Request not applicable to target tenant."
