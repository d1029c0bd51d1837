"""The control API: sessions opened, directed, rewound, told of and closed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
import requests

from control_api import controlled
from proxies import AUTH, recording

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from control_api import Control

RULE: dict[str, object] = {"name": "mine", "rules": [{"answer": {"status": 418}}]}


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("control") / "tape.yaml"
    with recording(path, upstream="sandbox") as proxy:
        requests.get(f"{proxy.url}/v1.0/me", headers=AUTH, timeout=5)
    (path.parent / "mine.yaml").write_text(json.dumps(RULE), encoding="utf-8")
    (path.parent / "broken.yaml").write_text("name: x\nrules: [{when: 7}]\n", encoding="utf-8")
    return path


@pytest.fixture
async def control(tape: Path) -> AsyncIterator[Control]:
    async with controlled(tape) as serving:
        yield serving


async def message(control: Control, method: str, path: str, body: object) -> tuple[int, str]:
    headers = {"Content-Type": "application/json"}
    response = await control.ask(method, path, data=json.dumps(body), headers=headers)
    answer = await response.json()
    return response.status, answer["error"]["message"] if "error" in answer else ""


async def test_a_new_session_is_named_and_located(control: Control) -> None:
    response = await control.ask("POST", "/sessions", json={"id": "t.1", "cassettes": "tape.yaml"})
    assert response.status == 201
    assert response.headers["Location"] == "/sessions/t.1"
    assert await response.json() == {"id": "t.1", "base_url": f"{control.data}/_session/t.1"}


async def test_the_base_url_has_the_host_of_the_call_and_the_port_of_the_proxy(
    control: Control,
) -> None:
    response = await control.ask("POST", "/sessions", json={}, headers={"Host": "localhost:1"})
    port = control.data.rpartition(":")[2]
    base = (await response.json())["base_url"]
    assert base.startswith(f"http://localhost:{port}/_session/")


async def test_an_ipv6_host_keeps_its_brackets(control: Control) -> None:
    response = await control.ask("POST", "/sessions", json={}, headers={"Host": "[::1]:1"})
    assert (await response.json())["base_url"].startswith("http://[::1]:")


async def test_a_session_answers_under_its_base_url(control: Control) -> None:
    base = await control.open(cassettes=["tape.yaml"])
    assert await control.get(base) == 200


async def test_a_session_is_opened_with_scenario_and_status(control: Control) -> None:
    base = await control.open(id="bent", scenario=["throttled", RULE], status="failed")
    assert [await control.get(base), await control.get(base)] == [429, 418]
    facts = await (await control.ask("GET", "/sessions/bent")).json()
    assert facts["status"] == ["failed"]
    assert facts["answers"] == {"injected": 2}


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(RULE, id="a-scenario"),
        pytest.param([RULE], id="a-list"),
        pytest.param("mine.yaml", id="a-file"),
        pytest.param({"scenario": RULE, "status": ["disconnect=failed"]}, id="with-status"),
    ],
)
async def test_a_scenario_is_put_in_any_of_its_forms(control: Control, said: object) -> None:
    base = await control.open(id="put")
    response = await control.ask("PUT", "/sessions/put/scenario", json=said)
    assert (await response.json())["scenario"] == ["mine"]
    assert await control.get(base) == 418


@pytest.mark.parametrize("said", ["forbidden", {"name": "forbidden"}], ids=["name", "object"])
async def test_a_preset_is_put_by_its_name(control: Control, said: object) -> None:
    base = await control.open(id="preset")
    assert (await control.ask("PUT", "/sessions/preset/scenario", json=said)).status == 200
    assert await control.get(base) == 403


async def test_a_session_without_its_scenario_answers_from_the_tape(control: Control) -> None:
    base = await control.open(id="back", scenario=RULE)
    assert (await control.ask("DELETE", "/sessions/back/scenario")).status == 204
    assert await control.get(base) == 200


async def test_rewinding_begins_a_scenario_anew_and_keeps_the_journal(control: Control) -> None:
    base = await control.open(id="again", scenario="throttled")
    statuses = [await control.get(base), await control.get(base)]
    assert (await control.ask("POST", "/sessions/again/rewind")).status == 204
    assert [*statuses, await control.get(base)] == [429, 200, 429]
    page = await (await control.ask("GET", "/sessions/again/journal")).json()
    assert [entry["status"] for entry in page["entries"]] == [429, 200, 429]


async def test_a_journal_is_read_page_by_page(control: Control) -> None:
    base = await control.open(id="pages")
    for _ in range(3):
        await control.get(base)
    first = await (await control.ask("GET", "/sessions/pages/journal?limit=2")).json()
    path = f"/sessions/pages/journal?after={first['next']}"
    second = await (await control.ask("GET", path)).json()
    assert [[e["number"] for e in page["entries"]] for page in (first, second)] == [[1, 2], [3]]
    assert (second["next"], second["gone"]) == (3, 0)
    last = await (await control.ask("GET", "/sessions/pages/journal?after=3")).json()
    assert (last["entries"], last["next"]) == ([], 3)


async def test_sessions_are_listed_in_the_order_they_were_opened(control: Control) -> None:
    await control.open(id="b")
    await control.open(id="a")
    listed = await (await control.ask("GET", "/sessions")).json()
    assert [each["id"] for each in listed["sessions"]] == ["default", "b", "a"]


async def test_health_counts_sessions_and_requests(control: Control) -> None:
    base = await control.open()
    await control.get(base)
    health = await (await control.ask("GET", "/health")).json()
    assert health["status"] == "ok"
    assert (health["sessions"], health["requests"], health["proxy"]) == (2, 1, control.data)


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/markdown", "text/markdown"),
        ("text/html, application/xml;q=0.9, */*;q=0.1", "application/xml"),
        ("text/*;q=0.5, text/markdown;q=0", "text/xml"),
    ],
)
async def test_a_report_is_in_the_form_the_client_accepts(
    control: Control, accept: str | None, media: str
) -> None:
    headers = {} if accept is None else {"Accept": accept}
    response = await control.ask("GET", "/sessions/default/report", headers=headers)
    assert response.content_type == media


async def test_a_report_as_junit_is_xml(control: Control) -> None:
    headers = {"Accept": "application/xml"}
    response = await control.ask("GET", "/sessions/default/report", headers=headers)
    assert ET.fromstring(await response.text()).tag == "testsuites"  # noqa: S314 - our own


async def test_a_form_nobody_has_is_refused_before_the_session_is_closed(control: Control) -> None:
    await control.open(id="kept")
    headers = {"Accept": "image/png"}
    response = await control.ask("DELETE", "/sessions/kept", headers=headers)
    assert response.status == 406
    assert "text/markdown" in await response.text()
    assert (await control.ask("GET", "/sessions/kept")).status == 200


async def test_a_closed_session_gives_its_last_report_and_is_gone(control: Control) -> None:
    base = await control.open(id="done")
    await control.get(base)
    response = await control.ask("DELETE", "/sessions/done")
    assert (await response.json())["requests"] == 1
    assert (await control.ask("GET", "/sessions/done")).status == 404
    assert await control.get(base) == 404


async def test_the_default_session_stays(control: Control) -> None:
    assert (await control.ask("DELETE", "/sessions/default")).status == 409


async def test_an_id_in_use_is_refused(control: Control) -> None:
    await control.open(id="taken")
    status, text = await message(control, "POST", "/sessions", {"id": "taken"})
    assert (status, "'taken' is open already" in text) == (409, True)


@pytest.mark.parametrize("session_id", ["", "a/b", "a b", "é", "x" * 65, "a\n", ".", ".."])
async def test_what_is_no_id_is_refused(control: Control, session_id: str) -> None:
    assert (await message(control, "POST", "/sessions", {"id": session_id}))[0] == 400


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"cassettes": ["tape.yaml", 1]}, ("$.cassettes[1]", "expected a text")),
        ({"casettes": "tape.yaml"}, ("$.casettes:", "unknown key", "allowed: cassettes")),
        ({"mode": "nine"}, ("$.mode", "none, once, new_episodes, all")),
        ({"status": ["failed", "x=failed"]}, ("$.status[1]", "'x'", "disconnect")),
        ({"scenario": "throtled"}, ("$.scenario:", "did you mean 'throttled'")),
        ({"scenario": ["failed", {"name": "x", "rules": [{}]}]}, ("$.scenario[1].rules[0]",)),
        ({"scenario": {"name": "x", "rulez": []}}, ("$.scenario.rulez", "allowed")),
        ({"scenario": "broken.yaml"}, ("$.scenario:", "broken.yaml, line 2")),
        ({"scenario": "no.yaml"}, ("$.scenario:", "no scenario file 'no.yaml'")),
        ({"scenario": 7}, ("$.scenario:", "a preset's name")),
    ],
)
async def test_a_wrong_body_is_told_by_json_path(
    control: Control, body: object, words: tuple[str, ...]
) -> None:
    status, text = await message(control, "POST", "/sessions", body)
    assert status == 400
    assert [word for word in words if word not in text] == [], text


@pytest.mark.parametrize("said", [{}, None, 7, {"scenaro": "failed"}, [[]]])
async def test_what_directs_nothing_is_refused(control: Control, said: object) -> None:
    status, text = await message(control, "PUT", "/sessions/default/scenario", said)
    assert status == 400
    assert "a preset's name" in text


@pytest.mark.parametrize("query", ["after=x", "after=-1", "limit=0", "aftr=1", "after=1&after=2"])
async def test_a_wrong_query_is_refused(control: Control, query: str) -> None:
    response = await control.ask("GET", f"/sessions/default/journal?{query}")
    assert response.status == 400


@pytest.mark.parametrize(
    "name", ["../mine.yaml", "/etc/hosts.yaml", "link.yaml", "a/../../mine.yaml"]
)
async def test_a_scenario_file_elsewhere_is_out_of_reach(
    control: Control, tape: Path, tmp_path: Path, name: str
) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text(json.dumps(RULE), encoding="utf-8")
    link = tape.parent / "link.yaml"
    link.unlink(missing_ok=True)
    link.symlink_to(outside)
    for method, path, body in (
        ("PUT", "/sessions/default/scenario", name),
        ("POST", "/sessions", {"scenario": [name]}),
    ):
        status, text = await message(control, method, path, body)
        assert (status, "outside the folder" in text) == (403, True), text


async def test_a_cassette_elsewhere_is_out_of_reach(control: Control) -> None:
    status, _ = await message(control, "POST", "/sessions", {"cassettes": "../tape.yaml"})
    assert status == 403
