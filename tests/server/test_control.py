"""The control API: its own port, loopback, JSON only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import requests
import yaml

from proxies import AUTH, exchange, recording, replaying

if TYPE_CHECKING:
    from pathlib import Path

VARIABLES = "/sessions/default/variables"


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "tape.yaml"
    with recording(path, upstream="sandbox") as proxy:
        requests.get(f"{proxy.url}/v1.0/me", headers=AUTH, timeout=5)
        for saved in (
            {"group": "test-7f3a", "secret": "Bearer eyJhbGciOiJub25lIn0.eyJhIjoxfQ.sig123456"},
            {"group": "test-9b1c"},
        ):
            got = requests.put(proxy.control + VARIABLES, json=saved, timeout=5)
            assert got.status_code == 200
    return path


def test_a_variable_saved_while_recording_is_handed_back_at_replay(tape: Path) -> None:
    with replaying(tape) as proxy:
        got = requests.get(proxy.control + VARIABLES, timeout=5).json()
    assert got["group"] == "test-9b1c"


def test_a_secret_in_a_variable_does_not_reach_the_disk(tape: Path) -> None:
    assert "eyJhbGciOiJub25lIn0" not in tape.read_text()
    assert set(yaml.safe_load(tape.read_text())["metadata"]["graphtape"]["variables"]) == {
        "group",
        "secret",
    }


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        pytest.param("PUT", VARIABLES, {"json": {"a": "b"}}, 409, id="while-replaying"),
        pytest.param("PUT", VARIABLES, {"json": {"a": 1}}, 400, id="wrong-type"),
        pytest.param("PUT", VARIABLES, {"data": {"a": "b"}}, 415, id="a-form"),
        pytest.param(
            "PUT",
            VARIABLES,
            {"data": "{", "headers": {"Content-Type": "application/json"}},
            400,
            id="broken-json",
        ),
        pytest.param("GET", "/sessions/nobody/variables", {}, 404, id="no-such-session"),
        pytest.param("GET", "/nothing", {}, 404, id="no-such-path"),
        pytest.param("DELETE", "/health", {}, 405, id="no-such-method"),
        pytest.param("GET", "/health", {"headers": {"Host": "evil.example"}}, 403, id="rebinding"),
    ],
)
def test_bad_input_is_refused_as_json(
    tape: Path, method: str, path: str, sent: dict[str, object], status: int
) -> None:
    with replaying(tape) as proxy:
        got = requests.request(method, proxy.control + path, timeout=5, **sent)  # type: ignore[arg-type]
    assert got.status_code == status
    assert got.json()["error"]["code"].startswith("Graphtape")


@pytest.mark.parametrize(
    ("sent", "where"),
    [
        ({"ok": "x", "grp": 7}, "$.grp: expected a text, got a whole number"),
        ({"a": {"b": 1}}, "$.a: expected a text, got a mapping"),
        ([], "$: expected a mapping, got a list"),
    ],
    ids=["number", "object", "list"],
)
def test_a_variable_that_is_no_text_is_named(tmp_path: Path, sent: object, where: str) -> None:
    with recording(tmp_path / "tape.yaml", upstream="sandbox") as proxy:
        got = requests.put(proxy.control + VARIABLES, json=sent, timeout=5)
    assert got.status_code == 400
    assert got.json()["error"]["message"].startswith(where)


def test_a_request_without_host_is_refused_as_json(tape: Path) -> None:
    with replaying(tape) as proxy:
        answer = exchange(proxy.control, b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == b"400"
    error = json.loads(body)["error"]
    assert error["code"] == "GraphtapeBadRequest"


def test_a_variable_whose_name_says_secret_is_masked(tmp_path: Path) -> None:
    path = tmp_path / "tape.yaml"
    with recording(path, upstream="sandbox") as proxy:
        requests.get(f"{proxy.url}/v1.0/me", headers=AUTH, timeout=5)
        saved = {"password": "CANARY-variable", "run": "4711"}
        requests.put(proxy.control + VARIABLES, json=saved, timeout=5)
    assert "CANARY-variable" not in path.read_text()
    assert "4711" in path.read_text()
