"""The examples of apps that are notified run as they stand, and fail where the app is wrong."""

from __future__ import annotations

import json
import re
import shutil
import socket
from typing import TYPE_CHECKING

import pytest

from examples import FOLDER, command, run

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

_NODE = pytest.mark.skipif(
    shutil.which("node") is None or shutil.which("npm") is None,
    reason="needs node 18.13 or later and npm on the PATH: apt-get install nodejs npm",
)
NAMES = ["notifications-python", pytest.param("notifications-node", marks=_NODE)]
each_example = pytest.mark.parametrize("name", NAMES)

PASSED = {
    "notifications-python": r"^Ran 6 tests in [\d.]+s\n\nOK$",
    "notifications-node": r"^. pass 6\n. fail 0$",
}
APP = {"notifications-python": "mailbox_app.py", "notifications-node": "mailbox.js"}
_LEFT = shutil.ignore_patterns("__pycache__", "node_modules")
PAGE = "http://127.0.0.1:3000"

# What each app does wrong, by what it says, and what it says then.
WRONG = {
    "token-not-answered": {
        "notifications-python": ("tokens[0].encode()", 'b"ok"'),
        "notifications-node": (".end(token)", '.end("ok")'),
    },
    "state-not-compared": {
        "notifications-python": ("if not hmac.compare_digest(", "if False and ("),
        "notifications-node": ("if (!this.#isFromGraph(item)) return;", ""),
    },
    "twice-processed": {
        "notifications-python": ("self.seen.add(", "len("),
        "notifications-node": ("this.#seen.add(item.id);", ""),
    },
}


def ran(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run an example as its file says, but for the port, which may be in use here."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    package = folder / "package.json"
    if package.exists():
        package.write_text(package.read_text("utf-8").replace(PAGE, PAGE.replace("3000", port)))
    words = [each.replace(PAGE, PAGE.replace("3000", port)) for each in command(folder, "Run them")]
    return run(words, folder, {"APP_PORT": port})


@each_example
def test_an_example_passes_offline_as_it_stands(name: str, tmp_path: Path) -> None:
    folder = shutil.copytree(FOLDER / name, tmp_path / name, ignore=_LEFT)
    done = ran(folder)
    assert done.returncode == 0, done.stdout
    assert re.search(PASSED[name], done.stdout, re.MULTILINE), done.stdout


@each_example
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_an_example_fails_where_its_app_is_wrong(
    name: str, wrong: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    folder = shutil.copytree(FOLDER / name, tmp_path / name, ignore=_LEFT)
    app = folder / APP[name]
    text = app.read_text("utf-8")
    was, becomes = wrong[name]
    assert was in text
    app.write_text(text.replace(was, becomes, 1), "utf-8")
    done = ran(folder)
    assert done.returncode != 0, done.stdout


def test_the_node_example_needs_no_package() -> None:
    package = json.loads((FOLDER / "notifications-node" / "package.json").read_text("utf-8"))
    assert "dependencies" not in package
