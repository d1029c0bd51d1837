"""What docs/ci.md shows runs as it stands."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from commands import environment
from graphtape.cli import main

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
LINES = re.findall(r"^\s*(?:- (?:run: )?)?(graphtape .+)$", PAGE.replace("\\\n", ""), re.MULTILINE)
CALLS = {shlex.join(words): words for words in (shlex.split(x, comments=True) for x in LINES)}


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are a POSIX shell's")
@pytest.mark.parametrize("name", ["command", "beside"])
def test_an_example_runs_as_it_stands_again_and_again(tmp_path: Path, name: str) -> None:
    _, _, after = PAGE.partition(f"<!-- example: {name} -->")
    script = after.partition("```sh\n")[2].partition("```")[0]
    shutil.copytree(ROOT / "cassettes", tmp_path / "cassettes")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    if name == "beside":  # as a run that was killed leaves it
        (tmp_path / "ready.json").write_text('{"proxy": "http://127.0.0.1:1", "pid": 1}')
    for _ in range(2):
        done = subprocess.run(
            ["sh", "-e", "-c", script],
            cwd=tmp_path,
            env=environment(PATH=path),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert '"value":"inprogress"' in done.stdout


@pytest.mark.parametrize("words", CALLS.values(), ids=CALLS)
def test_a_line_is_one_that_the_command_line_takes(words: list[str]) -> None:
    _, name, *rest = words
    command = main.get_command(click.Context(main), name)
    assert command is not None
    command.make_context(name, [word for word in rest if word != "&"])
