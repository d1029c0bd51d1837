"""The folders of docs/examples, copied and run as their users would."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import node_packages
from commands import environment

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = Path(__file__).parents[1] / "docs" / "examples"
# Nobody listens there: whatever doesn't go to the proxy on this machine fails.
_NOWHERE = "http://127.0.0.1:9"


def copied(name: str, to: Path) -> Path:
    """Copy an example, without what runs of it left; its npm packages are there."""
    folder = to / name
    left = shutil.ignore_patterns("__pycache__", ".*_cache", "node_modules")
    shutil.copytree(FOLDER / name, folder, ignore=left)
    if (folder / "package.json").exists():
        (folder / "node_modules").symlink_to(node_packages.installed())
    return folder


def command(folder: Path, what: str) -> list[str]:
    """Return the command that the top of an example's test file gives for something."""
    texts = [path.read_text("utf-8") for path in sorted(folder.iterdir()) if path.is_file()]
    (line,) = [found[1] for text in texts for found in re.finditer(rf"{what}: +(.+)", text)]
    return shlex.split(line)


def run(
    words: Sequence[str], cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in an example's folder, its streams in one text, with no way off the machine.

    pytest has Graphtape's plugin and those it needs, not what else is installed.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), _NOWHERE)
    plugins = {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "-p graphtape.pytest_plugin",
    }
    return subprocess.run(
        words,
        cwd=cwd,
        env=environment(PATH=path, **proxies, **plugins, **(env or {})),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
        check=False,
    )
