"""The console for everybody: axe finds nothing, in any view and theme."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from proxies import AUTH, replaying

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe: pip install")
VIEWS = ("live/1", "live/2", "misses/2", "tape/0", "timeline/3", "scenarios/throttled", "sessions")
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]


def wrong(page: Page) -> list[str]:
    options = {"runOnly": {"type": "tag", "values": RULES}}
    found = axe.Axe().run(page, options=options).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", [*VIEWS, "cassettes", "report"])
def test_axe_finds_nothing(tape: Path, page: Page, view: str, theme: str) -> None:
    page.context.clear_cookies()
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type] # one of its literals
    with replaying(tape) as proxy:
        for method, path in (
            ("GET", "/v1.0/me"),
            ("GET", "/v1.0/users?$top=1"),
            ("POST", "/beta/deviceManagement/chromeOSOnboardingSettings/disconnect"),
        ):
            requests.request(method, proxy.url + path, headers=AUTH, timeout=5)
        page.goto(f"{proxy.control}/console#/s/default/{view}")
        page.wait_for_timeout(600)
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        assert wrong(page) == []


def test_axe_finds_what_is_broken_on_purpose(tape: Path, page: Page) -> None:
    with replaying(tape) as proxy:
        page.goto(f"{proxy.control}/console")
        page.wait_for_timeout(300)
        page.evaluate("document.getElementById('filter').removeAttribute('aria-label')")
        page.evaluate("document.getElementById('filter').removeAttribute('placeholder')")
        assert any(each.startswith("label") for each in wrong(page))
