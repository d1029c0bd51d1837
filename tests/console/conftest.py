"""A real Chromium that looks at the console of a real proxy."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
import requests

from proxies import AUTH, recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

INSTALL = "apt-get install -y --no-install-recommends chromium"
SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"


def _chromium() -> str:
    path = os.environ.get("GRAPHTAPE_CHROMIUM") or shutil.which("chromium")
    if path is None:
        why = f"no Chromium: {INSTALL}, or set GRAPHTAPE_CHROMIUM"
        if os.environ.get("GRAPHTAPE_BROWSER") == "must":
            pytest.fail(why)
        pytest.skip(why)
    return path


@pytest.fixture(scope="module")  # its loop runs until it ends: no asyncio test may come between
def browser() -> Iterator[Browser]:
    path = _chromium()
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - loads a driver

    arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=arguments)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Return a page; what goes wrong in it fails the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.set_default_timeout(10_000)
    yield opened
    context.close()
    assert wrong == []


@pytest.fixture(scope="session")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("console") / "tape.yaml"
    with recording(path, upstream="sandbox") as proxy:
        for method, url in (
            ("GET", "/v1.0/me"),
            ("GET", "/v1.0/users?$select=id,displayName&$top=40"),
            ("GET", SETTINGS),
            ("POST", f"{SETTINGS}/disconnect"),
            ("GET", SETTINGS),
            ("GET", SETTINGS),
        ):
            requests.request(method, proxy.url + url, headers=AUTH, timeout=5)
    return path
