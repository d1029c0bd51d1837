"""The console's own files: what is vendored, how large, how they are served."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import requests

from proxies import replaying

FOLDER = Path(__file__).parents[2] / "proxy" / "graphtape" / "console"
TOKEN = "FAKE-console-token"


def test_what_is_vendored_is_what_was_noted() -> None:
    noted = tomllib.loads((FOLDER / "vendor" / "VENDOR.toml").read_text(encoding="utf-8"))["file"]
    assert {each["name"] for each in noted} == {
        path.name for path in (FOLDER / "vendor").glob("*.js")
    }
    for each in noted:
        data = (FOLDER / "vendor" / each["name"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == each["sha256"]
        assert each["licence"]


def test_modules_are_short_and_all_of_it_is_small() -> None:
    for path in FOLDER.glob("*.js"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 150, path.name
    served = [path for path in FOLDER.rglob("*") if path.suffix in {".js", ".css", ".html"}]
    assert sum(path.stat().st_size for path in served) <= 80 * 1024


def test_no_file_names_another_host() -> None:
    for path in FOLDER.rglob("*.*"):
        if path.suffix in {".js", ".css", ".html"} and path.parent == FOLDER:
            text = path.read_text(encoding="utf-8")
            assert "://" not in text, path.name


@pytest.mark.parametrize("asset", ["", "/app.js", "/style.css", "/vendor/preact-htm.js"])
def test_files_need_no_token_and_bind_the_browser(tape: Path, asset: str) -> None:
    with replaying(tape, control_token=TOKEN) as proxy:
        answer = requests.get(f"{proxy.control}/console{asset}", timeout=5)
        refused = requests.get(f"{proxy.control}/sessions", timeout=5)
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert refused.status_code == 401


@pytest.mark.parametrize(
    "asset", ["/", "/nothing.js", "/vendor", "/vendor/VENDOR.toml", "/%2e%2e/settings.py", "/..%2f"]
)
def test_nothing_else_is_served(tape: Path, asset: str) -> None:
    with replaying(tape) as proxy:
        assert requests.get(f"{proxy.control}/console{asset}", timeout=5).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "console.example"},
        {"Origin": "http://127.0.0.1:9"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=["rebound", "another-port", "cross-site", "same-site"],
)
def test_others_get_neither_page_nor_data(tape: Path, headers: dict[str, str]) -> None:
    with replaying(tape) as proxy:
        for path in ("/console", "/scenarios", "/sessions/default/tape", "/cassettes"):
            answer = requests.get(proxy.control + path, headers=headers, timeout=5)
            assert answer.status_code == 403, path


def test_the_console_can_be_left_out(tape: Path) -> None:
    with replaying(tape, console=False) as proxy:
        assert requests.get(f"{proxy.control}/console", timeout=5).status_code == 404
        assert proxy.proxy.addresses.console is None


def _console(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "graphtape", "console", "--print", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_the_command_prints_the_link(tape: Path, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    with replaying(tape) as proxy:
        proxy.proxy.addresses.write(ready)
        said = json.loads(ready.read_text(encoding="utf-8"))["console"]
        assert said == f"{proxy.control}/console"
        by_file = _console("--ready-file", str(ready))
        host = proxy.control.removeprefix("http://")
        by_port = _console("--control", host, "--control-token", "a&b")
    assert by_file.stdout == f"{said}\n"
    assert by_port.stdout == f"{said}#token=a%26b\n"
    gone = _console("--control", host)
    assert gone.returncode == 1
    assert host in gone.stderr
