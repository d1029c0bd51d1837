"""Verdicts on the client: facts in the summary, failures where asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from commands import serving
from proxies import AUTH
from tapes import exchanged, taped

if TYPE_CHECKING:
    from pathlib import Path

DISCONNECT = "/beta/deviceManagement/chromeOSOnboardingSettings/disconnect"


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return taped(tmp_path, exchanged("POST", DISCONNECT, '{"value": "inprogress"}'))


def test_a_verdict_is_said_and_fails_nothing_unless_asked(tmp_path: Path, tape: Path) -> None:
    with serving("replay", tape, cwd=tmp_path) as served:
        requests.post(served.url + DISCONNECT, timeout=5)
    assert f"verdict: no-token: request 1 (POST {DISCONNECT})" in served.stderr
    assert served.code == 0
    with serving("replay", tape, "--fail-on", "no-token,early-retry", cwd=tmp_path) as served:
        requests.post(served.url + DISCONNECT, timeout=5)
    assert served.code == 1
    with serving("replay", tape, "--fail-on", "early-retry", cwd=tmp_path) as served:
        requests.post(served.url + DISCONNECT, timeout=5)
    assert served.code == 0


def test_a_client_that_comes_back_too_soon_is_told_apart(tmp_path: Path, tape: Path) -> None:
    with serving("replay", tape, "--scenario", "throttled", cwd=tmp_path) as served:
        statuses = [
            requests.post(served.url + DISCONNECT, headers=AUTH, timeout=5).status_code
            for _ in range(2)
        ]
    assert statuses == [429, 200]
    assert "verdict: early-retry: request 2" in served.stderr
    assert "was told to wait 1 s" in served.stderr


def test_a_wait_that_is_not_over_at_the_end_is_no_verdict(tmp_path: Path, tape: Path) -> None:
    with serving("replay", tape, "--scenario", "throttled", cwd=tmp_path) as served:
        requests.post(served.url + DISCONNECT, headers=AUTH, timeout=5)
        requests.get(f"{served.url}/v1.0/nothing", headers=AUTH, timeout=5)
    assert "verdict" not in served.stderr  # the wait of 1 s isn't over when the run ends


def test_disconnect_with_a_body_is_a_verdict_while_recording_too(tmp_path: Path) -> None:
    with serving("record", "t.yaml", "--upstream", "sandbox", cwd=tmp_path) as served:
        requests.post(served.url + DISCONNECT, json={"a": 1}, headers=AUTH, timeout=5)
    assert "verdict: disconnect-with-body: request 1" in served.stderr
    assert served.code == 0
