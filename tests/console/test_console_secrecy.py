"""The console shows nothing it shouldn't, runs nothing of a tape, and asks nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests
import yaml

from proxies import AUTH, replaying

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

pytest.importorskip("playwright", reason="needs playwright: pip install 'graphtape[test]'")
from playwright.sync_api import expect

VIEWS = ("live/1", "misses/2", "tape/0", "timeline/1", "scenarios", "sessions", "report")
EVIL = "<img src=x onerror=pwned=1><script>pwned=1</script>"
CANARY = "FAKE-canary-9b1f7c2e"
TOKEN = "FAKE-console-token"


def cassette(path: Path, *, url: str, header: str, value: str, body: str) -> Path:
    answer = {
        "request": {"method": "GET", "uri": url, "body": None, "headers": {header: [value]}},
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {header: [value], "Content-Type": ["application/json"]},
            "body": {"string": body},
        },
    }
    tape = {"interactions": [answer], "version": 1}
    path.write_text(yaml.safe_dump(tape, sort_keys=False), encoding="utf-8")
    return path


def test_nothing_of_a_tape_runs(tmp_path: Path, page: Page) -> None:
    root = "https://graph.microsoft.com/v1.0/users"
    tape = cassette(
        tmp_path / "evil.yaml",
        url=f"{root}?$filter={EVIL}",
        header="X-Evil",
        value=EVIL,
        body=f'{{"value": "{EVIL}"}}',
    )
    rule = {"name": EVIL, "rules": [{"answer": {"status": 503, "body": {"error": EVIL}}}]}
    violations: list[str] = []
    page.on("console", lambda said: violations.append(said.text))
    with replaying(tape) as proxy:
        params = {"$filter": EVIL}
        users = f"{proxy.url}/v1.0/users"
        assert requests.get(users, params=params, headers=AUTH, timeout=5).status_code == 200
        params = {"$filter": f"{EVIL}{EVIL}"}
        assert requests.get(users, params=params, headers=AUTH, timeout=5).status_code == 599
        directed = requests.put(f"{proxy.control}/sessions/default/scenario", json=rule, timeout=5)
        assert directed.status_code == 200, directed.text
        shown = 0
        for view in VIEWS:
            page.goto(f"{proxy.control}/console#/s/default/{view}")
            page.wait_for_timeout(400)
            shown += page.locator("body").inner_text().count("onerror=pwned=1")
            assert page.evaluate("typeof pwned") == "undefined"
            assert page.locator("#app img, #app script").count() == 0
    assert shown >= 4
    assert violations == [text for text in violations if "599" in text or "404" in text]


def test_no_secret_reaches_the_page(tmp_path: Path, page: Page) -> None:
    tape = cassette(
        tmp_path / "tape.yaml",
        url=f"https://graph.microsoft.com/v1.0/users?client_secret={CANARY}",
        header="Authorization",
        value=f"Bearer {CANARY}",
        body=f'{{"value": [{{"secretText": "{CANARY}"}}]}}',
    )
    seen: list[str] = []
    page.on("response", lambda response: seen.append(response.url))
    with replaying(tape) as proxy:
        for path in (f"/v1.0/users?client_secret={CANARY}", f"/v1.0/x?client_secret={CANARY}0"):
            requests.get(proxy.url + path, headers={"Authorization": CANARY}, timeout=5)
        for view in VIEWS:
            page.goto(f"{proxy.control}/console#/s/default/{view}")
            page.wait_for_timeout(300)
            assert CANARY not in page.content()
        control = proxy.control
        for url in {url for url in seen if "/events" not in url}:
            assert CANARY not in requests.get(url, timeout=5).text
    assert {url for url in seen if not url.startswith((control, "data:"))} == set()
    assert any("/tape/0" in url for url in seen)


def test_a_token_is_taken_out_of_the_address_and_sent(tape: Path, page: Page) -> None:
    with replaying(tape, control_token=TOKEN) as proxy:
        requests.get(f"{proxy.url}/v1.0/me", headers=AUTH, timeout=5)
        page.goto(f"{proxy.control}/console")
        expect(page.get_by_role("alert")).to_contain_text("token")
        expect(page.get_by_role("row", name="replayed")).to_have_count(0)
        page.goto("about:blank")
        page.goto(f"{proxy.control}/console#token={TOKEN}")
        expect(page.get_by_role("gridcell", name="replayed")).to_be_visible()
        assert TOKEN not in page.url
        page.reload()
        expect(page.get_by_role("gridcell", name="replayed")).to_be_visible()


def test_another_page_of_this_machine_rewinds_nothing(tape: Path, page: Page) -> None:
    settings = "/beta/deviceManagement/chromeOSOnboardingSettings"
    with replaying(tape) as proxy, replaying(tape) as other:
        play = f"{proxy.url}{settings}/disconnect"
        assert requests.post(play, headers=AUTH, timeout=5).status_code == 200
        page.goto(f"{other.control}/health")
        page.evaluate(
            "url => fetch(url, {method: 'POST', mode: 'no-cors'}).catch(() => 0)",
            f"{proxy.control}/sessions/default/rewind",
        )
        assert requests.post(play, headers=AUTH, timeout=5).status_code == 599
