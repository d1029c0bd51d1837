"""Take the pictures of docs/console.md from the real page: `python -m tools.console_pictures`."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

from playwright.sync_api import sync_playwright

from graphtape import runner
from graphtape.core.tape.outcome import Mode
from graphtape.runner.serving import InThread
from graphtape.settings import Settings

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"
RECORDED = (
    "GET /v1.0/me",
    "GET /v1.0/users?$select=id,displayName&$top=50",
    "GET /v1.0/organization",
    f"GET {SETTINGS}",
    f"POST {SETTINGS}/disconnect",
    *(f"GET {SETTINGS}" for _ in range(12)),
    "GET /v1.0/users?$top=5",
    f"POST {SETTINGS}/connect",
    *(f"GET {SETTINGS}" for _ in range(6)),
)
PLAYED = (
    *RECORDED[:9],
    "GET /v1.0/users?$select=id,mail&$top=100",
    *RECORDED[9:12],
)


def proxy(tape: Path, mode: Mode) -> InThread:
    """Return a proxy that isn't started yet."""
    settings = Settings(listen="127.0.0.1:0", control="127.0.0.1:0", upstream="sandbox")
    return InThread(runner.Proxy(settings=settings, cassettes=(tape,), mode=mode))


def ask(base: str, asked: str) -> None:
    """Ask; whatever the answer."""
    method, _, path = asked.partition(" ")
    headers = {"Authorization": "Bearer not-a-real-token"}
    opener = build_opener(ProxyHandler({}))
    opener.addheaders = []
    request = Request(base + path, method=method, headers=headers)  # noqa: S310 - our own proxy
    try:
        with opener.open(request, timeout=10):
            pass
    except OSError:
        pass


def main() -> int:
    """Take them."""
    chromium = os.environ.get("GRAPHTAPE_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        sys.stderr.write("no Chromium: apt-get install -y --no-install-recommends chromium\n")
        return 1
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        tape = Path(folder) / "disconnect.yaml"
        with proxy(tape, Mode.ONCE) as recorder:
            for asked in RECORDED:
                ask(recorder.addresses.proxy, asked)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with proxy(tape, Mode.NONE) as player:
            for asked in (*["GET /v1.0/me"] * 12, *PLAYED):
                ask(player.addresses.proxy, asked)
            for theme, address in (("light", f"live/{12 + 10}"), ("dark", "tape/0")):
                page = browser.new_page(
                    viewport={"width": 1440, "height": 800},
                    color_scheme="light" if theme == "light" else "dark",
                )
                page.goto(f"{player.addresses.console}#/s/default/{address}")
                page.wait_for_selector("[aria-label=Details] mark")
                page.wait_for_timeout(500)
                page.screenshot(path=IMAGES / f"console-{theme}.png")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
