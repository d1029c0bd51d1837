"""The commands in docs/cassettes.md say what the page says they do."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from commands import graphtape
from graphtape.tape.store import open_cassette, save_cassette

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cassettes.md").read_text(encoding="utf-8")
EXAMPLES: list[tuple[str, str]] = re.findall(
    r"```console\n\$ graphtape (.*)\n((?:.*\n)*?)```", PAGE
)
SANDBOX = ROOT / "cassettes" / "disconnect-sandbox.yaml"


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Lay out the files the page speaks of."""
    for name in ("tape.yaml", "old.yaml"):
        shutil.copy(SANDBOX, tmp_path / name)
    drifted(tmp_path / "new.yaml")
    entries = [called("me"), called("users", status=0), called("groups")]
    har = {"log": {"version": "1.2", "entries": entries}}
    (tmp_path / "portal.har").write_text(json.dumps(har))
    return tmp_path


def drifted(path: Path) -> None:
    """Write what Graph might answer once it has changed."""
    cassette = open_cassette(SANDBOX)
    changed = [
        replace(each, response=replace(each.response, body=bent(each.response.body)))
        if re.search("chromeOSOnboardingSettings/[0-9a-f-]{36}$", each.request.url)
        else each
        for each in cassette.interactions
    ]
    save_cassette(path, changed, metadata=cassette.metadata)


def bent(body: bytes) -> bytes:
    tree = json.loads(body)
    del tree["lastModifiedDateTime"]
    return json.dumps({**tree, "onboardingStatus": "retired"}).encode()


def called(path: str, *, status: int = 200) -> dict[str, object]:
    token = {"name": "Authorization", "value": "Bearer not-a-real-token"}
    answer = '{"userPrincipalName": "grady@tailwind-traders.example.org"}'
    return {
        "startedDateTime": "2026-01-02T03:04:05Z",
        "request": {
            "method": "GET",
            "url": f"https://graph.microsoft.com/v1.0/{path}",
            "headers": [token],
        },
        "response": {
            "status": status,
            "headers": [],
            "content": {"mimeType": "application/json", "text": answer},
        },
    }


def test_the_page_has_examples_of_each_command() -> None:
    assert {command.split()[0] for command, _ in EXAMPLES} == {"convert", "diff", "trim"}


@pytest.mark.parametrize(("command", "output"), EXAMPLES, ids=[each[0] for each in EXAMPLES])
def test_an_example_prints_what_the_page_shows(command: str, output: str, desk: Path) -> None:
    done = graphtape(*shlex.split(command), cwd=desk)
    assert done.stdout == output
    assert done.stderr == ""
    assert done.returncode == (1 if "new.yaml" in command else 0)


@pytest.mark.parametrize("salts", [("", ""), ("one", "two"), ("", "one")], ids=str)
def test_recordings_with_different_pseudonyms_have_no_drift(
    salts: tuple[str, str], desk: Path
) -> None:
    for name, salt in zip("ab", salts, strict=True):
        env = {"GRAPHTAPE_SALT": salt}
        done = graphtape("convert", "portal.har", f"{name}.yaml", cwd=desk, env=env)
        assert done.returncode == 0, done.stderr
    assert (desk / "a.yaml").read_bytes() != (desk / "b.yaml").read_bytes()
    assert graphtape("diff", "a.yaml", "b.yaml", cwd=desk).stdout == "no drift\n"


def test_a_trim_does_the_same_whatever_the_salt(desk: Path) -> None:
    said = set()
    for salt in ("", "one", "two"):
        shutil.copy(SANDBOX, desk / "tape.yaml")
        done = graphtape("trim", "tape.yaml", cwd=desk, env={"GRAPHTAPE_SALT": salt})
        said.add((done.stdout, (desk / "tape.yaml").read_bytes()))
    assert len(said) == 1
    kept, old = open_cassette(desk / "tape.yaml").metadata, open_cassette(SANDBOX).metadata
    assert kept is not None
    assert old is not None
    assert kept.salt == old.salt
