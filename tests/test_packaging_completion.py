"""Shell completion: click's, asked as the shells ask it."""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from commands import environment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Make a program of the name that is installed: click's variables are called after it."""
    path = tmp_path / "graphtape"
    # A first line that names an interpreter can't quote its path.
    python = "import sys; from graphtape.cli import main; sys.argv[0] = 'graphtape'; main()"
    command = shlex.join([sys.executable, "-c", python])
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    path.chmod(0o755)
    return path


def told(program: Path, **variables: str) -> str:
    done = subprocess.run(
        [str(program)],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def offers(program: Path, line: str) -> list[str]:
    """Return what bash is told for the last word of a line: a kind and a value each."""
    at = str(len(line.split(" ")) - 1)
    asked = {"_GRAPHTAPE_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": at}
    return told(program, **asked).splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script(shell: str, program: Path) -> None:
    script = told(program, _GRAPHTAPE_COMPLETE=f"{shell}_source")
    assert f"_GRAPHTAPE_COMPLETE={shell}_complete" in script


def test_commands_are_completed(program: Path) -> None:
    names = ["plain,record", "plain,redact", "plain,refresh", "plain,replay"]
    assert sorted(offers(program, "graphtape re")) == names


def test_options_are_completed(program: Path) -> None:
    offered = offers(program, "graphtape replay --f")
    names = ("--fail-on", "--fail-on-unused", "--fast", "--freeze-time")
    assert {f"plain,{name}" for name in names} <= set(offered)


def test_choices_are_completed(program: Path) -> None:
    offered = offers(program, "graphtape replay --order ")
    assert offered == ["plain,position", "plain,request"]


def test_files_are_left_to_the_shell(program: Path) -> None:
    assert offers(program, "graphtape replay t") == ["file,t"]


@pytest.mark.skipif(sys.platform == "win32", reason="bash asks")
def test_bash_itself_completes_with_the_script(program: Path) -> None:
    script = f"""
        PATH={shlex.quote(str(program.parent))}:$PATH
        eval "$(_GRAPHTAPE_COMPLETE=bash_source graphtape)"
        COMP_WORDS=(graphtape sc) COMP_CWORD=1
        _graphtape_completion graphtape
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if "Couldn't detect Bash version" in done.stderr or "older than 4.4" in done.stderr:
        pytest.skip("click completes in bash 4.4 and later")
    assert done.stdout.split() == ["scan", "scenarios"], done.stderr
