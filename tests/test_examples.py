"""The examples of docs/examples run as they stand, and fail where what they test is wrong."""

from __future__ import annotations

import json
import re
import shlex
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

import node_packages
from commands import graphtape
from examples import FOLDER, command, copied, run

if TYPE_CHECKING:
    from pathlib import Path

_POSIX = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell's")
NAMES = ["pytest", "unittest", *(pytest.param(name, marks=_POSIX) for name in ("node", "shell"))]
each_example = pytest.mark.parametrize("name", NAMES)

# What the runner of each says of tests that all passed.
PASSED = {
    "pytest": r"^6 passed|=+ 6 passed",
    "unittest": r"^Ran 6 tests in [\d.]+s\n\nOK$",
    "node": r"^. pass 5\n. fail 0$",
    "shell": r"\A(ok .+\n){6}\Z",
}
TAPE = "cassettes/disconnect.yaml"

# What is changed on tape, into what, and what the failure says of it.
CHANGES = {
    "never-done": (
        '"onboardingStatus":"unknown"',
        '"onboardingStatus":"onboarded"',
        "not done after 5 polls",
    ),
    "no-disconnect": (
        "chromeOSOnboardingSettings/disconnect\n",
        "groups/add\n",
        "Nothing recorded answers POST",
    ),
}


@each_example
def test_an_example_passes_offline_as_it_stands(name: str, tmp_path: Path) -> None:
    folder = copied(name, tmp_path)
    done = run(command(folder, "Run them"), folder)
    assert done.returncode == 0, done.stdout
    assert re.search(PASSED[name], done.stdout, re.MULTILINE), done.stdout


@each_example
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_example_fails_where_the_tenant_behaved_otherwise(
    name: str, change: tuple[str, str, str], tmp_path: Path
) -> None:
    folder = copied(name, tmp_path)
    tape = folder / TAPE
    was, becomes, said = change
    text = tape.read_text("utf-8")
    assert was in text
    tape.write_text(text.replace(was, becomes), "utf-8")
    done = run(command(folder, "Run them"), folder)
    assert done.returncode != 0, done.stdout
    assert said in done.stdout, done.stdout


@each_example
def test_an_example_records_its_cassette_as_it_says(name: str, tmp_path: Path) -> None:
    folder = copied(name, tmp_path)
    kept = (folder / TAPE).rename(folder / "kept.yaml")
    done = run(command(folder, "Record the cassette anew"), folder)
    assert done.returncode == 0, done.stdout
    metadata = yaml.safe_load((folder / TAPE).read_text("utf-8"))["metadata"]["graphtape"]
    assert (metadata["upstream"], metadata["interactions"]) == ("sandbox", 4)
    differences = graphtape("diff", kept, folder / TAPE, cwd=folder)
    assert differences.returncode == 0, differences.stdout


def test_no_secret_and_no_identity_is_in_an_example(tmp_path: Path) -> None:
    assert len(list(FOLDER.rglob("*.yaml"))) >= len(NAMES)
    done = graphtape("scan", FOLDER, cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_the_index_names_every_example_and_its_command() -> None:
    index = (FOLDER / "README.md").read_text("utf-8")
    for folder in FOLDER.iterdir():
        if folder.is_dir() and not folder.name.startswith("."):
            assert f"[{folder.name}]({folder.name})" in index
            if (folder / "cassettes").is_dir():
                assert f"`{shlex.join(command(folder, 'Run them'))}`" in index


def test_the_npm_example_and_its_test_use_the_same_client() -> None:
    client = "@microsoft/microsoft-graph-client"
    example = json.loads((FOLDER / "node" / "package.json").read_text("utf-8"))
    tested = json.loads((node_packages.FOLDER / "package.json").read_text("utf-8"))
    assert example["dependencies"][client] == tested["dependencies"][client]
