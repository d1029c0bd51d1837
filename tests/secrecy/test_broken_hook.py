"""A user's own redaction that fails loses what it fails on, loudly, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from commands import serving
from durability.logged import logged
from graphtape.tape.store import open_cassette
from proxies import AUTH, RawServer

if TYPE_CHECKING:
    from pathlib import Path

HOOKS = """
from vcr.request import Request

def request(request):
    assert isinstance(request, Request)
    if "boom" in request.uri:
        raise ValueError("can't redact the Fake-secret-of-the-hook")
    if "skip" in request.path:
        return None
    if "wrong" in request.path:
        return "no request"
    request.headers["X-Hooked"] = request.method
    return request

def response(response):
    assert set(response) == {"status", "headers", "body"}
    if "unwanted" in str(response["body"]["string"]):
        return None
    response["headers"]["X-Hooked"] = ["answer"]
    return response
"""
SETTINGS = """
[redaction]
before-record-request = "own_hooks.request"
before-record-response = "own_hooks.response"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own_hooks.py").write_text(HOOKS)
    (tmp_path / "graphtape.toml").write_text(SETTINGS)
    return tmp_path


def ask(url: str, *names: str) -> list[int]:
    return [
        requests.get(f"{url}/v1.0/{name}?access_token=Fake-token", headers=AUTH, timeout=10)
        .status_code
        for name in names
    ]  # fmt: skip


def test_what_a_hook_fails_on_is_dropped_and_told_at_once_and_at_the_end(folder: Path) -> None:
    with RawServer() as graph, logged("record", "t.yaml", "--upstream", graph.url, cwd=folder) as r:
        assert ask(r.url, "one", "boom", "two") == [200, 200, 200]
        line = "GET https://graph.microsoft.com/v1.0/boom?access_token=REDACTED was answered"
        r.wait_for(line)
        assert "it couldn't be redacted (ValueError)" in r.stderr
    assert r.code == 1
    assert f"left off the tape: {line}" in r.stderr
    assert r.stderr.count("it couldn't be redacted") == 2, r.stderr
    assert "Fake" not in r.stderr
    tape = open_cassette(folder / "t.yaml")
    assert [each.request.url.partition("?")[0][-3:] for each in tape.interactions] == ["one", "two"]


def test_what_is_no_request_any_more_is_dropped(folder: Path) -> None:
    with RawServer() as graph, logged("record", "t.yaml", "--upstream", graph.url, cwd=folder) as r:
        assert ask(r.url, "one", "wrong") == [200, 200]
    assert r.code == 1
    assert "(TypeError)" in r.stderr
    assert len(open_cassette(folder / "t.yaml").interactions) == 1


def test_what_a_hook_leaves_off_is_no_failure(folder: Path) -> None:
    unwanted = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nunwanted"
    with RawServer() as graph:
        graph.answer = lambda request: (
            unwanted if b"/third" in request else b"HTTP/1.1 204 No Content\r\n\r\n"
        )
        with serving("record", "t.yaml", "--upstream", graph.url, cwd=folder) as served:
            assert ask(served.url, "first", "skip", "third", "fourth") == [204, 204, 200, 204]
    assert served.code == 0, served.stderr
    assert "NOT on the tape" not in served.stderr
    assert "left off the tape" not in served.stderr
    assert "saved t.yaml: 2 interactions" in served.stderr


def test_hooks_get_and_give_what_vcrpy_hands_them(folder: Path) -> None:
    with (
        RawServer() as graph,
        serving("record", "t.yaml", "--upstream", graph.url, cwd=folder) as served,
    ):
        ask(served.url, "one")
    (only,) = open_cassette(folder / "t.yaml").interactions
    assert only.request.headers.get("X-Hooked") == "GET"
    assert only.response.headers.get("X-Hooked") == "answer"
    assert "Fake-token" not in only.request.url


def test_a_hook_gets_the_answers_body_as_bytes(folder: Path) -> None:
    """As vcrpy hands it over: https://vcrpy.readthedocs.io, Custom Response Filtering."""
    (folder / "own_hooks.py").write_text(
        HOOKS.replace(
            'if "unwanted" in str(response["body"]["string"])',
            'if b"?" in response["body"]["string"]',
        )
    )
    with (
        RawServer() as graph,
        serving("record", "t.yaml", "--upstream", graph.url, cwd=folder) as served,
    ):
        ask(served.url, "one")
    assert served.code == 0, served.stderr
