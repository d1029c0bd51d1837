"""`graphtape explore` at a terminal."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tapes import exchanged, taped

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform == "win32":
    pytest.skip("Windows has no pseudo terminals of this kind", allow_module_level=True)

from terminals import CTRL_C, at_terminal

GREEN = "\x1b[32m"
APP = """
import os, sys, time, urllib.error, urllib.request
try:
    urllib.request.urlopen(os.environ["GRAPH_BASE_URL"] + "/v1.0/me", timeout=60).read()
except urllib.error.HTTPError as error:
    if error.code == 400:
        sys.exit("failed: 400")
print("asked")
"""


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Lay a tape of one call, and an app that makes it and swallows most errors."""
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    answer = json.dumps({"displayName": "Lee"})
    return taped(tmp_path, exchanged("GET", "/v1.0/me", answer))


def test_the_table_has_colours_and_the_progress_what_was_found(tape: Path) -> None:
    words = ("explore", tape.name, "--faults", "400,503,slow", "--jobs", "1")
    with at_terminal(*words, "--", sys.executable, "app.py", cwd=tape.parent) as terminal:
        terminal.finish()
    assert terminal.code == 5
    assert "a second; found: 1 no retry" in terminal.text
    assert f"{GREEN} S  " in terminal.drawn
    assert "400 503 slow" in terminal.text


def test_no_colour_is_drawn_where_none_is_wanted(tape: Path) -> None:
    words = ("explore", "-q", tape.name, "--faults", "400")
    with at_terminal(
        *words, "--", sys.executable, "app.py", cwd=tape.parent, env={"NO_COLOR": "1"}
    ) as terminal:
        terminal.finish()
    assert terminal.code == 0
    assert "\x1b[3" not in terminal.drawn
    assert "1 told" in terminal.text


def test_ctrl_c_at_a_terminal_ends_the_bar_and_reports(tape: Path) -> None:
    words = ("explore", tape.name, "--faults", "400,hang", "--jobs", "1", "--out", "out")
    with at_terminal(*words, "--", sys.executable, "app.py", cwd=tape.parent) as terminal:
        terminal.until("1/2")
        terminal.press(CTRL_C)
        terminal.finish()
    assert terminal.code == 130
    assert "1 not run: interrupted" in terminal.text
