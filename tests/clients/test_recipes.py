"""The recipes of docs/clients.md run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import node_packages
from client_runs import needed
from commands import environment as clean
from graphtape.runner.command import environment
from known_clients import azure_cli
from proxies import replaying
from tapes import exchanged, taped
from unused import left_unused

PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text("utf-8")
RECIPES = {
    name: (language, code)
    for name, language, code in re.findall(
        r"<!-- recipe: (\S+) -->\n```(\w+)\n(.*?)```", PAGE, re.DOTALL
    )
}
ACTION = "/beta/deviceManagement/chromeOSOnboardingSettings/disconnect"


def written(name: str, folder: Path) -> list[str]:
    """Write a recipe to a file; return the command that runs it."""
    language, code = RECIPES[name]
    suffix = {"python": "py", "js": "mjs", "sh": "sh"}[language]
    path = folder / f"recipe.{suffix}"
    path.write_text(code, "utf-8")
    if language == "js":
        (folder / "node_modules").symlink_to(node_packages.installed())
        return ["node", str(path)]
    return [sys.executable if language == "python" else needed("bash"), str(path)]


def test_every_client_has_a_recipe() -> None:
    clients = {"msgraph", "msal", "graph-client", "kiota", "az", "requests", "httpx", "curl"}
    assert set(RECIPES) == clients


@pytest.mark.parametrize(
    "name",
    # azure-cli is installed by whichever test needs it first.
    [pytest.param(n, marks=pytest.mark.timeout(900 if n == "az" else 60)) for n in RECIPES],
)
def test_a_recipe_disconnects_and_prints_the_status(name: str, tmp_path: Path) -> None:
    variables = {"AZURE_CONFIG_DIR": str(tmp_path / "az")}
    if name == "az":
        variables["PATH"] = f"{azure_cli().parent}{os.pathsep}{os.environ['PATH']}"
    json = {"Content-Type": "application/json"}
    tape = taped(tmp_path, exchanged("POST", ACTION, '{"value": "inprogress"}', fields=json))
    with replaying(tape, tls=True) as proxy:
        done = subprocess.run(
            written(name, tmp_path),
            env=environment(clean(**variables), proxy.proxy.addresses, signs_in=True),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout.strip()) == (0, "inprogress"), done.stderr
        assert left_unused(proxy.proxy.outcome.session) == {}
