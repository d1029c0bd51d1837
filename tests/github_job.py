"""The project's GitHub Action, and a job that uses it: its scripts are run as GitHub runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
import yaml

from commands import environment

ROOT = Path(__file__).parents[1]
EXPRESSION = re.compile(r"\$\{\{ *([a-z_.-]+) *\}\}")


class Input(msgspec.Struct, forbid_unknown_fields=True):
    description: str
    default: str


class Output(msgspec.Struct, forbid_unknown_fields=True):
    description: str
    value: str


class Step(msgspec.Struct, forbid_unknown_fields=True, rename={"when": "if", "given": "with"}):
    id: str = ""
    when: str = ""
    uses: str = ""
    given: dict[str, str | bool] = {}
    shell: str = ""
    env: dict[str, str] = {}
    run: str = ""
    working_directory: str = msgspec.field(default="", name="working-directory")


class Runs(msgspec.Struct, forbid_unknown_fields=True):
    using: Literal["composite"]
    steps: list[Step]


class Action(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    description: str
    author: str
    branding: dict[str, str]
    inputs: dict[str, Input]
    outputs: dict[str, Output]
    runs: Runs


TEXT = (ROOT / "action.yml").read_text(encoding="utf-8")
ACTION = msgspec.convert(yaml.safe_load(TEXT), Action)
SCRIPTS = [step for step in ACTION.runs.steps if step.run]
INSTALL, START, STOP = SCRIPTS


@dataclass(slots=True)
class Job:
    """A job on a runner: what one step leaves in the files that GitHub names, the next one finds.

    Attributes:
        folder: The workspace.
        exported: What GITHUB_ENV holds so far.
        outputs: Of its steps so far.
    """

    folder: Path
    exported: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    def use(self, step: Step, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Run a step's script; `_` stands for `-` in the names of inputs."""
        context = {f"inputs.{name}": given.default for name, given in ACTION.inputs.items()}
        context |= {f"inputs.{name.replace('_', '-')}": text for name, text in inputs.items()}
        context["steps.install.outputs.graphtape"] = str(self.temp / "a graphtape")
        context["steps.python.outputs.python-path"] = sys.executable
        context["github.action_path"] = str(ROOT)
        given = {
            name: EXPRESSION.sub(lambda found: context[found[1]], text)
            for name, text in step.env.items()
        }
        return self.shell(step.run, **given)

    def shell(self, script: str, **given: str) -> subprocess.CompletedProcess[str]:
        """Run a script as `shell: bash` does."""
        path = self.temp / "step.sh"
        path.write_text(script)
        files = {name: self.temp / name for name in ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH")}
        for file in files.values():
            file.write_text("")
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(path)],
            cwd=self.folder,
            env=environment(
                RUNNER_TEMP=str(self.temp),
                RUNNER_OS="Linux",
                GITHUB_STEP_SUMMARY=str(self.summary),
                GRAPHTAPE_DATA_DIR=str(self.temp / "data"),
                **{name: str(file) for name, file in files.items()},
                **self.exported,
                **given,
            ),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        self.exported |= read_pairs(files["GITHUB_ENV"])
        self.outputs |= read_pairs(files["GITHUB_OUTPUT"])
        return done

    @property
    def temp(self) -> Path:
        return self.folder.parent / "runner temp"

    @property
    def summary(self) -> Path:
        return self.temp / "summary.md"


def read_pairs(file: Path) -> dict[str, str]:
    lines = (line.partition("=") for line in file.read_text().splitlines())
    return {name: value for name, _, value in lines}
