"""What the documentation says is so."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from commands import serving
from graphtape.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = "\n".join(p.read_text(encoding="utf-8") for p in sorted((ROOT / "docs").glob("*.md")))


def example(name: str) -> tuple[list[str], list[str]]:
    """Return the two shell blocks after a marker: what serves, and what is asked of it."""
    _, _, after = README.partition(f"<!-- example: {name} -->")
    serve, ask = re.findall(r"```sh\n(.*?)```", after, re.DOTALL)[:2]
    return shlex.split(serve), shlex.split(ask)


def run_example(name: str, folder: Path) -> tuple[str, str]:
    serve, ask = example(name)
    assert serve[0] == "graphtape"
    with serving(*serve[1:], cwd=folder) as served:
        asked = [part.replace("http://127.0.0.1:8787", served.url) for part in ask]
        done = subprocess.run(
            [*asked, "-sS", "--noproxy", "*"], capture_output=True, check=True, text=True
        )
    assert served.code == 0, served.stderr
    return done.stdout, served.stderr


def test_the_three_jobs_of_the_readme_run_as_they_stand(tmp_path: Path) -> None:
    answer, said = run_example("record", tmp_path)
    assert '"value":"inprogress"' in answer
    assert "saved tape.yaml" in said
    answer, _ = run_example("replay", tmp_path)
    assert '"value":"inprogress"' in answer
    answer, _ = run_example("bend", tmp_path)
    assert '"value":"failed"' in answer


def commands() -> dict[str, click.Command]:
    context = click.Context(main)
    return {name: main.get_command(context, name) for name in main.list_commands(context)}  # type: ignore[misc]


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_and_option_is_documented(name: str) -> None:
    assert f"graphtape {name}" in DOCS
    for parameter in commands()[name].params:
        if isinstance(parameter, click.Option) and parameter.name != "help":
            for flag in parameter.opts:
                assert f"`{flag}" in DOCS, flag


def test_every_link_in_the_docs_leads_to_a_file() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_architecture_names_every_module_of_core() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for module in (ROOT / "proxy" / "graphtape" / "core").iterdir():
        name = module.stem
        if not name.startswith("_"):
            assert f"`{name}`" in text, name
