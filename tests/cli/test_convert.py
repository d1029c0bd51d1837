"""`graphtape convert`, from and to the formats of other tools."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from commands import graphtape
from graphtape import scenarios
from graphtape.tape.store import open_cassette
from proxies import replaying

PAGE = (Path(__file__).parents[2] / "docs" / "convert.md").read_text(encoding="utf-8")
ROOT = "https://graph.microsoft.com"
PERSON = {"userPrincipalName": "grady@tailwind-traders.example.org", "accountEnabled": True}


def mocks(path: Path) -> Path:
    tree = {
        "mocks": [
            {
                "request": {"url": f"{ROOT}/v1.0/groups", "nth": 2},
                "response": {
                    "statusCode": 429,
                    "headers": [{"name": "Retry-After", "value": "3"}],
                    "body": {"error": {"code": "TooManyRequests"}},
                },
            },
            {"request": {"url": f"{ROOT}/v1.0/groups"}, "response": {"body": {"value": []}}},
            {"request": {"url": f"{ROOT}/v1.0/users/*"}, "response": {"body": PERSON}},
            {"request": {"url": f"{ROOT}/v1.0/us*rs"}, "response": {"body": {}}},
        ]
    }
    path.write_text(json.dumps(tree))
    return path


def test_mocks_become_a_cassette_and_a_scenario_that_play_as_they_did(tmp_path: Path) -> None:
    done = graphtape("convert", str(mocks(tmp_path / "m.json")), "t.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "t.yaml: wrote 1 interaction",
        "t.scenario.yaml: wrote 2 rules; replay with --scenario t.scenario.yaml",
        "redacted 0 secrets and 1 identity; kept 0 personal fields",
        "left out mock 3 (GET graph.microsoft.com): a rule has no `*` inside a segment of a path",
    ]
    assert "grady" not in (tmp_path / "t.scenario.yaml").read_text()
    named = tmp_path / "t.scenario.yaml"
    with replaying(tmp_path / "t.yaml", scenario=(str(named),)) as proxy:
        answers = [
            requests.get(f"{proxy.url}/v1.0/{path}", timeout=10)
            for path in ("groups", "groups", "groups", "users/7")
        ]
    assert [answer.status_code for answer in answers] == [200, 429, 200, 200]
    assert answers[1].headers["Retry-After"] == "3"
    assert answers[3].json()["accountEnabled"] is True


def test_the_example_of_the_page_prints_what_the_page_shows(tmp_path: Path) -> None:
    (tree,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    ((command, output),) = re.findall(r"```console\n\$ graphtape (.*)\n((?:.*\n)*?)```", PAGE)
    (tmp_path / "mocks.json").write_text(tree)
    done = graphtape(*command.split(), cwd=tmp_path)
    assert (done.stdout, done.stderr) == (output, "")
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True, text=True
    )
    assert ran.stdout == "2 ()\n"


def test_a_scenario_beside_is_replaced_only_when_forced(tmp_path: Path) -> None:
    source = str(mocks(tmp_path / "m.json"))
    (tmp_path / "t.scenario.yaml").write_text("mine")
    done = graphtape("convert", source, "t.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "t.scenario.yaml exists" in done.stderr
    assert not (tmp_path / "t.yaml").exists()
    assert graphtape("convert", source, "t.yaml", "--force", cwd=tmp_path).returncode == 0
    assert scenarios.load(str(tmp_path / "t.scenario.yaml")).rules


def test_every_way_out_is_redacted(tmp_path: Path) -> None:
    entry = {
        "startedDateTime": "2026-01-02T03:04:05Z",
        "request": {
            "method": "GET",
            "url": f"{ROOT}/v1.0/users/grady@tailwind-traders.example.org",
            "headers": [{"name": "Authorization", "value": "Bearer not-a-real-token"}],
        },
        "response": {
            "status": 200,
            "headers": [{"name": "Content-Type", "value": "application/json"}],
            "content": {"text": json.dumps({**PERSON, "clientSecret": "not-a-real-secret"})},
        },
    }
    (tmp_path / "p.har").write_text(json.dumps({"log": {"entries": [entry]}}))
    for name, *to in (
        ("a.yaml",),
        ("a.har",),
        ("w.json", "--to", "wiremock"),
        ("d.json", "--to", "dev-proxy"),
    ):
        done = graphtape("convert", "p.har", name, *to, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        text = (tmp_path / name).read_text()
        assert "grady" not in text
        assert "not-a-real" not in text
        assert "accountEnabled" in text


def test_there_and_back_a_tape_is_the_same_and_nothing_is_redacted_twice(tmp_path: Path) -> None:
    source = tmp_path / "p.har"
    source.write_text(json.dumps({"log": {"entries": []}}))
    graphtape("convert", str(mocks(tmp_path / "m.json")), "t.yaml", cwd=tmp_path)
    for name, to in (("h.har", "har"), ("w.json", "wiremock"), ("d.json", "dev-proxy")):
        for pair in (("t.yaml", name, "--to", to), (name, f"{to}.yaml")):
            done = graphtape("convert", *pair, cwd=tmp_path)
            assert done.returncode == 0, done.stderr
            assert "redacted 0 secrets and 0 identities" in done.stdout
        assert (
            open_cassette(tmp_path / f"{to}.yaml").interactions
            == open_cassette(tmp_path / "t.yaml").interactions
        )


def test_variables_of_a_test_become_the_cassettes(tmp_path: Path) -> None:
    entry = {"RequestUri": f"{ROOT}/v1.0/me", "RequestMethod": "GET", "StatusCode": 200}
    tree = {"Entries": [entry], "Variables": {"name": "n-1", "who": "grady@tailwind.example.org"}}
    (tmp_path / "r.json").write_text(json.dumps(tree))
    assert graphtape("convert", "r.json", "t.yaml", cwd=tmp_path).returncode == 0
    metadata = open_cassette(tmp_path / "t.yaml").metadata
    assert metadata is not None
    assert metadata.variables["name"] == "n-1"
    assert "grady" not in metadata.variables["who"]
    assert metadata.recorded_at == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("p.har", "t.json"), "t.json: JSON of what? say --to wiremock or --to dev-proxy"),
        (("p.har", "t.json", "--to", "cassette"), "JSON cassettes are read, not written"),
        (("p.har", "t.yaml", "--to", "saz"), "Invalid value for '--to'"),
        (("no.json", "t.yaml"), "no.json: no such file; check the path"),
        (("cut.json", "t.yaml"), "cut.json, line 1: not JSON"),
    ],
)
def test_what_can_not_be_converted_is_said_in_one_line_and_nothing_is_written(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    (tmp_path / "p.har").write_text('{"log": {"entries": []}}')
    (tmp_path / "cut.json").write_text('{"mocks": [{"request": {"url": "https://a')
    done = graphtape("convert", *arguments, cwd=tmp_path)
    assert done.returncode in {1, 2}
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("t.*"))


def test_rules_are_lost_where_there_is_no_scenario_beside(tmp_path: Path) -> None:
    source = str(mocks(tmp_path / "m.json"))
    done = graphtape("convert", source, "w.json", "--to", "wiremock", cwd=tmp_path)
    assert (
        "left out 2 of the mocks, which answer several requests: only a cassette has a scenario "
        "beside it"
    ) in done.stdout.splitlines()
