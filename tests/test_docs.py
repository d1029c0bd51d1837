"""What the documentation says is so."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from commands import environment, graphtape, serving
from graphtape.cli import main
from tapes import exchanged, taped

DISCONNECT = "/beta/deviceManagement/chromeOSOnboardingSettings/disconnect"
JSON = {"Content-Type": "application/json"}
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


def test_the_run_in_ci_of_the_readme_bends_reports_and_passes(tmp_path: Path) -> None:
    taped(tmp_path, exchanged("POST", DISCONNECT, '{"value": "inprogress"}', fields=JSON))
    (block,) = re.findall(r"<!-- example: ci -->\n```sh\n(.*?)```", README, re.DOTALL)
    serve = shlex.split(block)
    assert serve[0] == "graphtape"
    assert serve[-1] == "pytest"
    (tmp_path / "test_app.py").write_text(
        f"""
import json, os, urllib.request

def test_a_failed_disconnect():
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
    url = os.environ["GRAPH_BASE_URL"] + {DISCONNECT!r}
    with opener.open(urllib.request.Request(url, method="POST"), timeout=10) as answer:
        assert json.load(answer)["value"] == "failed"
"""
    )
    command = [sys.executable, "-m", *serve[-1:], "-q", "-p", "no:cacheprovider"]
    done = graphtape(*serve[1:-1], *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 passed" in done.stdout
    assert 'failures="0"' in (tmp_path / "report.xml").read_text(encoding="utf-8")


def test_the_pytest_example_of_the_readme_passes(tmp_path: Path) -> None:
    code = next(
        block
        for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL)
        if "@pytest.mark.graphtape" in block
    )
    taped(tmp_path, exchanged("POST", DISCONNECT, '{"value": "inprogress"}', fields=JSON))
    (tmp_path / "cassettes").mkdir()
    (tmp_path / "tape.yaml").rename(tmp_path / "cassettes" / "disconnect.yaml")
    (tmp_path / "my_app.py").write_text(
        f"""
import json, urllib.request

def disconnect(base_url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
    asked = urllib.request.Request(base_url + {DISCONNECT!r}, method="POST")
    with opener.open(asked, timeout=10) as answer:
        return json.load(answer)["value"]
"""
    )
    (tmp_path / "test_readme.py").write_text(f"import my_app\nimport pytest\n\n{code}")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout


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
