"""The console in a real browser, by its accessible names."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest
import requests

from graphtape.scenarios import preset_text
from proxies import AUTH, recording, replaying
from tapes import exchanged, taped

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from proxies import Running

pytest.importorskip("playwright", reason="needs playwright: pip install 'graphtape[test]'")
from playwright.sync_api import expect

SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"
VIEWS = ["Live", "Misses", "Tape", "Timeline", "Scenarios", "Sessions", "Cassettes", "Report"]
MISSED = "/v1.0/users?$select=id,mail&$top=90"


def ask(proxy: Running, path: str = "/v1.0/me", method: str = "GET") -> requests.Response:
    return requests.request(method, proxy.url + path, headers=AUTH, timeout=5)


def view(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Views").get_by_role("link", name=name, exact=True).click()


def test_everything_has_its_name(tape: Path, page: Page) -> None:
    with replaying(tape) as proxy:
        ask(proxy)
        page.goto(f"{proxy.control}/console")
        expect(page.get_by_role("heading", name="Graphtape", exact=True)).to_be_visible()
        links = page.get_by_role("navigation", name="Views").get_by_role("link")
        expect(links).to_have_count(len(VIEWS))
        for name in VIEWS:
            expect(links.and_(page.get_by_role("link", name=name, exact=True))).to_be_visible()
        for name in ("Session", "Status", "Scenario"):
            expect(page.get_by_role("combobox", name=name, exact=True)).to_be_visible()
        for name in ("Rewind", "Follow"):
            expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
        expect(page.get_by_role("searchbox", name="Filter")).to_be_visible()
        expect(
            page.get_by_role("list", name="Tape position").get_by_role("listitem")
        ).to_have_count(6)
        expect(page.get_by_role("region", name="Details")).to_be_visible()
        grid = page.get_by_role("grid", name="Requests")
        expect(grid).to_have_attribute("aria-rowcount", "2")
        row = grid.get_by_role("row", name=re.compile("^1 GET 200 replayed"))
        expect(row.get_by_role("gridcell")).to_have_count(6)


def test_a_page_shows_what_was_before_it_though_nothing_happens(tape: Path, page: Page) -> None:
    with replaying(tape) as proxy:
        ask(proxy)
        for name in ("tape/0", "scenarios", "sessions"):
            page.goto("about:blank")
            page.goto(f"{proxy.control}/console#/s/default/{name}")
            expect(page.get_by_text("replay · offline")).to_be_visible()
            scenario = page.get_by_role("combobox", name="Scenario")
            expect(scenario.get_by_role("option", name="throttled", exact=True)).to_have_count(1)


def test_three_clicks_lead_to_the_parameter_that_differs(tape: Path, page: Page) -> None:
    with replaying(tape) as proxy:
        assert ask(proxy, MISSED).status_code == 599
        page.goto(f"{proxy.control}/console")
        view(page, "Misses")
        page.get_by_role("link", name="1", exact=True).click()
        details = page.get_by_role("region", name="Details")
        asked = details.get_by_role("region", name="Asked")
        recorded = details.get_by_role("region", name="Nearest recorded")
        expect(asked.locator("mark")).to_have_text(["mail", "90"])
        expect(recorded.locator("mark")).to_have_text(["displayName", "40"])
        expect(details.get_by_text("graphtape record")).to_be_visible()


def test_a_status_by_hand_bends_the_next_answer(tape: Path, page: Page) -> None:
    with replaying(tape) as proxy:
        page.goto(f"{proxy.control}/console")
        page.get_by_role("combobox", name="Status").select_option("failed")
        expect(page.get_by_role("status")).to_contain_text("failed")
        answer = ask(proxy, f"{SETTINGS}/disconnect", "POST").json()
        assert answer["value"] == "failed"
        page.get_by_role("combobox", name="Scenario").select_option("throttled")
        expect(page.get_by_role("status")).to_contain_text("throttled")
        assert ask(proxy).status_code == 429
        page.get_by_role("combobox", name="Scenario").select_option("")
        expect(page.get_by_role("status")).not_to_contain_text("throttled")
        assert ask(proxy).status_code == 200
        kept = requests.get(f"{proxy.control}/sessions/default", timeout=5).json()
        assert (kept["status"], kept["scenario"]) == (["failed"], [])


def test_the_whole_job_by_keyboard(tape: Path, page: Page) -> None:
    with replaying(tape) as proxy:
        ask(proxy)
        ask(proxy, f"{SETTINGS}/disconnect", "POST")
        ask(proxy, MISSED)
        page.goto(f"{proxy.control}/console")
        expect(page.get_by_role("row", name=re.compile("^3 GET 599 missed"))).to_be_visible()
        page.on("dialog", lambda dialog: dialog.accept())
        press = page.keyboard.press
        press("m")
        asked = page.get_by_role("region", name="Asked")
        expect(asked.locator("mark")).to_have_text(["mail", "90"])
        press("s")
        expect(page.get_by_role("combobox", name="Status")).to_be_focused()
        press("f")
        expect(page.get_by_role("status")).to_contain_text("failed")
        press("Escape")
        press("r")
        expect(page.get_by_role("status")).to_contain_text("rewound")
        assert ask(proxy, f"{SETTINGS}/disconnect", "POST").json()["value"] == "failed"


def test_the_list_is_walked_with_the_keyboard(tape: Path, page: Page) -> None:
    with replaying(tape) as proxy:
        for _ in range(50):
            ask(proxy)
        page.goto(f"{proxy.control}/console")
        grid = page.get_by_role("grid", name="Requests")
        expect(grid).to_have_attribute("aria-rowcount", "51")
        expect(page.locator("#row-50")).to_be_visible()
        for key, number in (("End", 50), ("k", 49), ("Home", 1), ("j", 2), ("ArrowDown", 3)):
            page.keyboard.press(key)
            expect(grid).to_have_attribute("aria-activedescendant", f"row-{number}")
            expect(page.locator(f"#row-{number}")).to_have_attribute("aria-selected", "true")
        page.keyboard.press("/")
        page.keyboard.type("mj")  # acts in no field
        expect(page.get_by_role("searchbox", name="Filter")).to_have_value("mj")


def test_the_filter_leaves_what_fits(tape: Path, page: Page) -> None:
    with replaying(tape) as proxy:
        ask(proxy)
        ask(proxy, MISSED)
        ask(proxy, SETTINGS)
        page.goto(f"{proxy.control}/console")
        grid = page.get_by_role("grid", name="Requests")
        expect(grid).to_have_attribute("aria-rowcount", "4")
        page.get_by_role("searchbox", name="Filter").fill("get missed")
        expect(grid).to_have_attribute("aria-rowcount", "2")
        expect(grid.get_by_role("row")).to_have_count(2)


def test_a_reload_and_a_dropped_connection_lose_nothing(tape: Path, page: Page) -> None:
    with replaying(tape) as proxy:
        ask(proxy)
        page.goto(f"{proxy.control}/console")
        grid = page.get_by_role("grid", name="Requests")
        expect(grid).to_have_attribute("aria-rowcount", "2")

        page.context.set_offline(offline=True)
        for _ in range(5):
            ask(proxy)
        page.context.set_offline(offline=False)
        expect(grid).to_have_attribute("aria-rowcount", "7")
        numbers = [str(number) for number in range(1, 7)]
        cells = grid.locator(".rows .row > :first-child")
        expect(cells).to_have_text(numbers)
        ask(proxy)
        expect(cells).to_have_text([*numbers, "7"])
        page.reload()
        expect(cells).to_have_text([*numbers, "7"])


def test_new_misses_are_said(tape: Path, page: Page) -> None:
    with replaying(tape) as proxy:
        page.goto(f"{proxy.control}/console")
        expect(page.get_by_text("replay · offline")).to_be_visible()
        ask(proxy, MISSED)
        expect(page.get_by_role("status")).to_have_text("1 new miss")


def test_what_was_masked_is_marked(tape: Path, page: Page) -> None:
    with replaying(tape) as proxy:
        page.goto(f"{proxy.control}/console")
        view(page, "Tape")
        page.get_by_role("link", name="#0", exact=True).click()
        recorded = page.get_by_role("region", name="Recorded request")
        mark = recorded.locator("mark").first
        expect(mark).to_have_text("REDACTED")
        expect(mark).to_have_attribute("title", "secret: rule authorization")


def test_of_several_tapes_the_one_that_answered_is_shown(
    tape: Path, tmp_path: Path, page: Page
) -> None:
    other = taped(tmp_path, exchanged("GET", "/v1.0/groups/9", '{"displayName": "the second"}'))
    with replaying([tape, other]) as proxy:
        assert ask(proxy, "/v1.0/groups/9").status_code == 200
        page.goto(f"{proxy.control}/console#/s/default/live/1")
        details = page.get_by_role("region", name="Details")
        expect(details.get_by_role("region", name="Recorded answer")).to_contain_text("the second")
        details.get_by_role("link", name="#0", exact=True).click()
        assert page.url.endswith("#/s/default/tape/1-0")
        interactions = page.get_by_role("region", name="Interactions")
        expect(interactions.get_by_role("row")).to_have_count(2)
        expect(interactions).to_contain_text("/v1.0/groups/9")
        page.get_by_role("combobox", name="Cassette").select_option(str(tape))
        expect(interactions.get_by_role("row")).to_have_count(7)


def test_a_scenario_file_shows_its_text(
    tmp_path: Path, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cassette = taped(tmp_path, exchanged("GET", "/v1.0/me"))
    (tmp_path / "scenarios").mkdir()
    text = preset_text("throttled").replace("throttled", "own", 1)
    (tmp_path / "scenarios" / "own.yaml").write_text(text)
    with replaying(cassette) as proxy:
        page.goto(f"{proxy.control}/console#/s/default/scenarios")
        page.get_by_role("link", name="scenarios/own.yaml").click()
        shown = page.get_by_role("region", name="Details").locator("pre")
        expect(shown).to_have_text(text)


def test_the_timeline_tells_when_and_what_a_client_did_wrong(tape: Path, page: Page) -> None:
    with replaying(tape) as proxy:
        ask(proxy)
        ask(proxy, f"{SETTINGS}/disconnect", "POST")
        ask(proxy, SETTINGS)
        scenario = {"scenario": "throttled"}
        requests.put(f"{proxy.control}/sessions/default/scenario", json=scenario, timeout=5)
        assert ask(proxy, SETTINGS).status_code == 429
        assert ask(proxy, SETTINGS).status_code == 200  # too early, which is a verdict
        page.goto(f"{proxy.control}/console#/s/default/timeline")
        line = page.get_by_role("region", name="After a write")
        items = line.get_by_role("listitem")
        expect(items).to_have_count(4)
        expect(line).to_contain_text("3 requests in")
        expect(items.nth(0)).to_contain_text(re.compile(r"\+0\.00 s 2 replayed POST .* → 200"))
        expect(items.nth(2)).to_contain_text(re.compile(r"\+\d.* 4 injected GET .* → 429"))
        expect(items.nth(3)).to_contain_text("early-retry: request 5")
        places = line.locator(".bar").evaluate_all(
            "bars => bars.map((bar) => bar.getBoundingClientRect().left)"
        )
        assert places == sorted(places)
        assert places[-1] > places[0]


def test_what_is_left_in_a_cassette_is_shown(
    tmp_path: Path, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = '{"clientSecret": "FAKE-left-over-7713"}'
    cassette = taped(tmp_path, exchanged("GET", "/v1.0/me"), exchanged("GET", "/v1.0/apps", answer))
    (tmp_path / "zero.yaml").write_text("interactions: []\nversion: 1\n")
    with replaying(cassette) as proxy:
        page.goto(f"{proxy.control}/console#/s/default/cassettes")
        listed = page.get_by_role("region", name="Cassettes of the folder")
        expect(listed.get_by_role("row")).to_have_count(3)
        page.get_by_role("searchbox", name="Filter").fill("TAPE")
        expect(listed.get_by_role("row")).to_have_count(2)
        listed.get_by_role("link", name="tape.yaml", exact=True).click()
        details = page.get_by_role("region", name="Details")
        row = details.get_by_role("row", name=re.compile("response.body.clientSecret"))
        expect(row.locator("mark")).to_be_visible()
        expect(details).not_to_contain_text("7713")
        expect(details).to_contain_text("graphtape redact tape.yaml")
        row.get_by_role("link", name="#1", exact=True).click()
        assert page.url.endswith("#/s/default/tape/1")


def test_a_command_to_copy_quotes_the_name_of_a_file(
    tmp_path: Path, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = '{"clientSecret": "FAKE-left-over-7714"}'
    cassette = taped(tmp_path, exchanged("GET", "/v1.0/apps", answer))
    cassette.rename(tmp_path / "a'b; touch x $(y).yaml")
    with replaying(taped(tmp_path, exchanged("GET", "/v1.0/me"))) as proxy:
        page.goto(f"{proxy.control}/console#/s/default/cassettes")
        page.get_by_role("link", name="a'b; touch x").click()
        command = page.get_by_role("region", name="Details").locator("code")
        words = shlex.split(command.text_content() or "")
        assert words == ["graphtape", "redact", "a'b; touch x $(y).yaml"]


def test_while_recording_a_bar_tells_what_is_on_the_tape(tmp_path: Path, page: Page) -> None:
    with recording(tmp_path / "new.yaml", upstream="sandbox") as proxy:
        page.goto(f"{proxy.control}/console")
        bar = page.get_by_role("region", name="Recording", exact=True)
        expect(bar).to_contain_text("Recording sandbox into new.yaml: 0 interactions")
        ask(proxy)
        ask(proxy, SETTINGS)
        expect(bar).to_contain_text("2 interactions · 0 passed on · 0 left off")
        expect(bar).to_contain_text(re.compile(r"[1-9]\d* secrets masked"))
        told = requests.get(f"{proxy.control}/sessions/default", timeout=5).json()["recording"]
        part = tmp_path / "new.yaml.part"
        assert told["part_bytes"] == part.stat().st_size > 0
        assert (told["new"], told["dropped"], told["upstream"]) == (2, 0, "sandbox")
        view(page, "Tape")
        expect(bar).to_be_visible()
    with replaying(tmp_path / "new.yaml") as proxy:
        page.goto(f"{proxy.control}/console")
        expect(page.get_by_text("replay · offline")).to_be_visible()
        expect(bar).to_have_count(0)


def test_a_session_is_chosen_and_ended(tape: Path, page: Page) -> None:
    with replaying(tape) as proxy:
        page.goto(f"{proxy.control}/console")
        body = {"id": "second"}
        requests.post(f"{proxy.control}/sessions", json=body, timeout=5)
        choice = page.get_by_role("combobox", name="Session", exact=True)
        expect(choice.get_by_role("option", name="second")).to_have_count(1)
        choice.select_option("second")
        assert page.url.endswith("#/s/second/live")
        ask(proxy, "/_session/second/v1.0/me")
        expect(page.get_by_role("grid", name="Requests")).to_have_attribute("aria-rowcount", "2")
        page.on("dialog", lambda dialog: dialog.accept())
        view(page, "Sessions")
        page.get_by_role("button", name="End second").click()
        expect(page.get_by_role("button", name="End second")).to_have_count(0)
        found = requests.get(f"{proxy.control}/sessions/second", timeout=5)
        assert found.status_code == 404


@pytest.mark.parametrize("width", [320, 720])
def test_a_narrow_page_needs_no_scrolling_sideways(tape: Path, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    with replaying(tape) as proxy:
        ask(proxy, MISSED)
        for name in VIEWS:
            page.goto(f"{proxy.control}/console#/s/default/{name.lower()}/1")
            expect(page.get_by_role("heading", name="Graphtape", exact=True)).to_be_visible()
            page.wait_for_timeout(200)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, name
