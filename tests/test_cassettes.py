"""The cassettes that ship with the project."""

from __future__ import annotations

from pathlib import Path

import requests

from graphtape.tape.store import open_cassette
from proxies import replaying

CASSETTES = Path(__file__).parents[1] / "cassettes"
SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"


def test_the_documentations_example_answers_its_29_bytes() -> None:
    with replaying(CASSETTES / "disconnect-documentation.yaml") as proxy:
        got = requests.post(f"{proxy.url}{SETTINGS}/disconnect", timeout=5)
    assert (got.status_code, len(got.content)) == (200, 29)
    assert got.json() == {"value": "inprogress"}


def test_the_documentations_example_says_what_it_is() -> None:
    cassette = open_cassette(CASSETTES / "disconnect-documentation.yaml")
    assert "Not recorded from a tenant" in str(cassette.other_metadata["source"])


def test_the_sandbox_session_says_so_and_polls_to_the_end() -> None:
    path = CASSETTES / "disconnect-sandbox.yaml"
    cassette = open_cassette(path)
    assert cassette.metadata is not None
    assert cassette.metadata.upstream == "sandbox"
    assert not cassette.edited
    with replaying(path) as proxy:
        listed = requests.get(f"{proxy.url}{SETTINGS}", timeout=5).json()["value"]
        requests.post(f"{proxy.url}{SETTINGS}/disconnect", timeout=5)
        url = f"{proxy.url}{SETTINGS}/{listed[0]['id']}"
        polls = [requests.get(url, timeout=5).json()["onboardingStatus"] for _ in range(4)]
    assert polls == ["offboarding", "offboarding", "unknown", "unknown"]
