"""Windows and macOS: what can be known of them from here."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "proxy" / "graphtape"
MODULES = sorted(SOURCE.rglob("*.py"))
POSIX_ALONE = frozenset(
    {
        "crypt",
        "curses",
        "fcntl",
        "grp",
        "nis",
        "ossaudiodev",
        "posix",
        "pty",
        "pwd",
        "readline",
        "resource",
        "spwd",
        "syslog",
        "termios",
        "tty",
        "uvloop",
    }
)
WINDOWS_ALONE = frozenset({"_winapi", "msvcrt", "nt", "winreg", "winsound"})


def platform_imports(tree: ast.AST, *, guarded: bool = False) -> list[str]:
    """List modules one platform alone has, but for imports that a platform or a failure guards."""
    found: list[str] = []
    for node in ast.iter_child_nodes(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        tops = {name.partition(".")[0] for name in names}
        if not guarded:
            found += sorted(tops & (POSIX_ALONE | WINDOWS_ALONE))
        found += platform_imports(node, guarded=guarded or is_guard(node))
    return found


def is_guard(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return "sys.platform" in ast.unparse(node.test)
    if isinstance(node, ast.Try):
        return any("ImportError" in ast.unparse(each.type or node) for each in node.handlers)
    return False


def test_no_module_needs_what_one_platform_alone_has() -> None:
    found = {
        path: platform_imports(ast.parse(path.read_text(encoding="utf-8"))) for path in MODULES
    }
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import fcntl", ["fcntl"]),
        ("from pwd import getpwnam", ["pwd"]),
        ("def f():\n    import termios", ["termios"]),
        ("import os, resource", ["resource"]),
        ("try:\n    import uvloop\nexcept ImportError:\n    pass", []),
        ("try:\n    import uvloop\nfinally:\n    pass", ["uvloop"]),
        ("if sys.platform == 'win32':\n    import msvcrt", []),
    ],
)
def test_the_check_sees_imports_and_their_guards(text: str, found: list[str]) -> None:
    assert platform_imports(ast.parse(text)) == found


@pytest.mark.parametrize("platform", ["win32", "darwin"])
@pytest.mark.skipif(os.environ.get("GRAPHTAPE_FULL") != "1", reason="GRAPHTAPE_FULL=1 checks types")
def test_every_name_of_os_and_signal_exists_on(platform: str, tmp_path: Path) -> None:
    if find_spec("mypy") is None:
        pytest.skip("needs mypy")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--platform", platform, "--cache-dir", tmp_path, "proxy"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return [name for name in listed.stdout.split("\0") if name]


def test_every_file_of_the_project_can_be_checked_out_on_windows() -> None:
    names = tracked()
    if not names:
        pytest.skip("needs a git checkout")
    assert [
        name for name in names if set(name) & set('<>:"\\|?*') or name.endswith((" ", "."))
    ] == []
    assert len({name.lower() for name in names}) == len(names), "two names differ in case alone"
