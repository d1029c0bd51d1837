"""Values a test makes up: left out of matching, and handed back where the recording echoed them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests
import yaml

from commands import graphtape, serving
from proxies import replaying

if TYPE_CHECKING:
    from pathlib import Path


def made(name: str) -> dict[str, object]:
    return {
        "request": {
            "method": "POST",
            "uri": "https://graph.microsoft.com/v1.0/groups?run=1",
            "body": f'{{"displayName": "{name}", "mailEnabled": false}}',
            "headers": {"Content-Type": ["application/json"]},
        },
        "response": {
            "status": {"code": 201, "message": "Created"},
            "headers": {"content-type": ["application/json"]},
            "body": {"string": f'{{"id": "1", "displayName": "{name}", "mailEnabled": false}}'},
        },
    }


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "tape.yaml"
    path.write_text(yaml.safe_dump({"interactions": [made("test-recorded")], "version": 1}))
    return path


def make(url: str, name: str, *, path: str = "/v1.0/groups?run=1") -> requests.Response:
    return requests.post(url + path, json={"mailEnabled": False, "displayName": name}, timeout=5)


def test_an_ignored_field_comes_back_as_the_client_sent_it(tape: Path) -> None:
    with replaying(tape, ignore_body=("displayName",)) as proxy:
        got = make(proxy.url, "test-made-up-4711")
    assert got.json() == {"id": "1", "displayName": "test-made-up-4711", "mailEnabled": False}


def test_a_field_that_is_not_ignored_makes_a_miss_that_names_the_option(tape: Path) -> None:
    with replaying(tape) as proxy:
        got = make(proxy.url, "test-made-up-4711")
    assert got.status_code == 599
    assert "--ignore-body displayName" in got.json()["error"]["message"]


def test_a_route_has_options_of_its_own(tmp_path: Path, tape: Path) -> None:
    (tmp_path / "graphtape.toml").write_text(
        '[[matching.routes]]\nmethod = "post"\npath = "/groups"\n'
        'ignore-body = ["displayName"]\nignore-query = ["run"]\n'
    )
    with serving("replay", tape, cwd=tmp_path) as served:
        got = make(served.url, "test-made-up-4711", path="/v1.0/groups?run=2")
        assert got.json()["displayName"] == "test-made-up-4711"
    assert served.code == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[matching.routes]]\npath = "groups"\n', "/users/{id}"),
        ('[[matching.routes]]\npath = "/v1.0/groups"\n', "leave v1.0 out"),
        ('[[matching.routes]]\npath = "/groups"\nignore = ["x"]\n', "ignore"),
        ('[[matching.routes]]\npath = "/groups"\nmatch-on = ["colour"]\n', "raw_body"),
    ],
)
def test_a_wrong_route_is_refused(tmp_path: Path, tape: Path, text: str, says: str) -> None:
    (tmp_path / "graphtape.toml").write_text(text)
    done = graphtape("replay", tape, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
