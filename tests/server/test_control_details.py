"""The control API: an entry with its nearest, the tape with its position, masks, what is there."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from aiohttp import ClientTimeout

from control_api import controlled
from proxies import AUTH, recording
from tapes import exchanged, taped

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import ClientResponse

    from control_api import Control

SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("details") / "tape.yaml"
    with recording(path, upstream="sandbox") as proxy:

        def ask(method: str, path: str) -> None:
            requests.request(method, proxy.url + path, headers=AUTH, timeout=5)

        ask("GET", "/v1.0/users?$top=2&$select=id")
        ask("GET", SETTINGS)
        ask("POST", f"{SETTINGS}/disconnect")
        ask("GET", SETTINGS)
        ask("GET", "/v1.0/me")
    return path


async def told(control: Control, path: str, status: int = 200) -> dict[str, Any]:
    answer = await control.ask("GET", path)
    assert answer.status == status, await answer.text()
    found = await answer.json()
    assert isinstance(found, dict)
    return found


async def test_a_miss_is_told_with_its_nearest_and_each_difference(tape: Path) -> None:
    async with controlled(tape) as control:
        assert await control.get(control.data, "/v1.0/users?$top=7&$select=id") == 599
        found = await told(control, "/sessions/default/journal/1")
    (miss,) = found["misses"]
    assert miss["nearest"][0]["index"] == 0
    assert miss["nearest"][0]["differences"] == [
        {"place": "query.$top", "recorded": "2", "asked": "7"}
    ]
    assert miss["asked"]["url"].endswith("$top=7&$select=id")
    assert any("graphtape record" in line for line in miss["advice"])


async def test_an_entry_names_its_tape_among_several(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    tapes = [
        taped(first, exchanged("GET", "/v1.0/me", '{"on": "first"}')),
        taped(tmp_path, exchanged("GET", "/v1.0/groups/7", '{"on": "second"}')),
    ]
    async with controlled(tapes) as control:
        before = time.time()
        for path in ("/v1.0/groups/7", "/v1.0/me", "/v1.0/groups/8"):
            await control.get(control.data, path)
        entries = (await told(control, "/sessions/default/journal"))["entries"]
        told_there = await told(control, "/sessions/default/tape/0?cassette=1")
        missed = await told(control, "/sessions/default/journal/3")
    assert [(each["cassette"], each["interaction"]) for each in entries] == [
        (1, 0), (0, 0), (None, None),
    ]  # fmt: skip
    assert "second" in told_there["response"]["body"]
    near = missed["misses"][0]["nearest"][0]
    assert (near["number"], near["index"], near["cassette"]) == (1, 0, str(tapes[1]))
    assert all(before - 60 < each["at"] < time.time() + 60 for each in entries)


async def test_a_miss_keeps_no_secret(tape: Path) -> None:
    secret = "FAKE-canary-3f9d0c"
    async with controlled(tape) as control:
        await control.get(control.data, f"/v1.0/nothing?client_secret={secret}")
        entry = await told(control, "/sessions/default/journal/1")
        tapes = await told(control, "/sessions/default/journal")
    assert "client_secret" in json.dumps(entry)
    assert secret not in json.dumps((entry, tapes))


async def test_an_answer_used_up_is_near_without_differences(tape: Path) -> None:
    async with controlled(tape) as control:
        for status in (200, 599):
            async with control.http.post(
                f"{control.data}{SETTINGS}/disconnect", headers=AUTH
            ) as answer:
                assert answer.status == status
        found = await told(control, "/sessions/default/journal/2")
    (miss,) = found["misses"]
    assert [(near["index"], near["differences"]) for near in miss["nearest"]] == [(2, [])]


async def test_misses_alone_can_be_asked_for(tape: Path) -> None:
    async with controlled(tape) as control:
        for path in ("/v1.0/me", "/v1.0/nothing", "/v1.0/me"):
            await control.get(control.data, path)
        page = await told(control, "/sessions/default/journal?source=missed")
    assert [entry["number"] for entry in page["entries"]] == [2]
    assert page["next"] == 3


async def test_others_are_answered_while_a_long_interaction_is_redacted(tmp_path: Path) -> None:
    people = [
        {"mail": f"person{n}@contoso.example", "clientSecret": f"no-{n}"} for n in range(9000)
    ]
    tape = taped(tmp_path, exchanged("GET", "/v1.0/users", json.dumps({"value": people})))
    async with controlled(tape) as control:
        asked = asyncio.create_task(told(control, "/sessions/default/tape/0"))
        answered = 0
        while not asked.done():
            await told(control, "/health")
            answered += not asked.done()
        found = await asked
    assert answered > 1
    assert found["response"]["cut"]
    assert found["marks"]
    assert "hartmann" not in found["response"]["body"]


async def test_the_text_of_a_scenario_file_is_given(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    (folder / "scenarios").mkdir(parents=True)
    text = "name: own\nrules: []  # as it is\n"
    for path in (folder / "scenarios" / "own.yaml", tmp_path / "own.yaml"):
        path.write_text(text)
    (folder / "scenarios" / "secret.txt").write_text("no scenario")
    async with controlled(taped(folder, exchanged("GET", "/v1.0/me"))) as control:
        found = await told(control, "/scenarios/scenarios%2Fown.yaml")
        assert found == {"name": "scenarios/own.yaml", "text": text}
        for name, status in (
            ("..%2Fown.yaml", 403),
            ("%2Fetc%2Fhosts.yaml", 403),
            ("scenarios%2Fsecret.txt", 404),
            ("scenarios%2Fnone.yaml", 404),
        ):
            refused = await told(control, f"/scenarios/{name}", status)
            assert text not in refused["error"]["message"]


async def test_what_is_left_in_a_cassette_is_told_masked(tmp_path: Path) -> None:
    secret = "FAKE-left-over-8841"
    left = taped(
        tmp_path,
        exchanged("GET", "/v1.0/me"),
        exchanged("GET", "/v1.0/apps", json.dumps({"clientSecret": secret})),
    )
    (tmp_path / "below").mkdir()
    left.rename(tmp_path / "below" / "left.yaml")
    (tmp_path / "below" / "broken.yaml").write_text("interactions: [\n")
    clean = taped(tmp_path, exchanged("GET", "/v1.0/me"))
    async with controlled(clean) as control:
        found = await told(control, "/cassettes/below%2Fleft.yaml/findings")
        nothing = await told(control, "/cassettes/tape.yaml/findings")
        broken = await told(control, "/cassettes/below%2Fbroken.yaml/findings")
        for name in ("none.yaml", "..%2Ftape.yaml", "%2Fetc%2Fpasswd"):
            await told(control, f"/cassettes/{name}/findings", 404)
    (row,) = found["findings"]
    assert (row["interaction"], row["place"]) == (1, "response.body.clientSecret")
    assert found["count"] == 1
    assert secret not in json.dumps(found)
    assert (nothing["findings"], nothing["failure"]) == ([], None)
    assert "below/broken.yaml" in broken["failure"]


async def test_an_entry_that_is_none_is_not_found(tape: Path) -> None:
    async with controlled(tape) as control:
        for path in ("journal/9", "tape/99", "tape/x", "tape?cassette=1"):
            await told(control, f"/sessions/default/{path}", 404)
        await told(control, "/scenarios/no-such-preset", 404)


async def test_the_tape_tells_where_the_session_is(tape: Path) -> None:
    async with controlled(tape) as control:
        before = await told(control, "/sessions/default/tape")
        assert before["position"] == {"cassette": str(tape), "write": None, "low": 0, "high": 2}
        async with control.http.post(f"{control.data}{SETTINGS}/disconnect", headers=AUTH):
            pass
        await control.get(control.data)
        after = await told(control, "/sessions/default/tape?after=2&limit=3")
    assert after["position"] == {"cassette": str(tape), "write": 2, "low": 2, "high": 5}
    rows = after["rows"]
    assert [(row["index"], row["write"], row["played"]) for row in rows] == [
        (2, True, True),
        (3, False, False),
        (4, False, True),
    ]
    assert (after["next"], after["size"], after["played"]) == (5, 5, 2)


@pytest.fixture
def edited(tape: Path, tmp_path: Path) -> Path:
    """Return a tape as somebody records it who has no redaction."""
    text = tape.read_text(encoding="utf-8")
    shown = text.replace("/v1.0/me\n", "/v1.0/me?client_secret=FAKE-not-a-secret-1\n", 1)
    assert shown != text
    path = tmp_path / "tape.yaml"
    path.write_text(shown, encoding="utf-8")
    return path


async def test_marks_stand_where_masks_do(edited: Path) -> None:
    async with controlled(edited) as control:
        found = await told(control, "/sessions/default/tape/4")
    request, marks = found["request"], found["marks"]
    (mark,) = [each for each in marks if each["place"] == "request.url"]
    assert mark["kind"] == "secret"
    assert request["url"][mark["start"] : mark["end"]].startswith("REDACTED")
    assert "not-a-secret" not in json.dumps(found)
    header = [each for each in marks if each["place"] == "request.header.Authorization"]
    assert all(each["rule"] == "authorization" for each in header)


async def test_scenarios_and_cassettes_are_listed(tape: Path) -> None:
    folder = tape.parent / "scenarios"
    folder.mkdir(exist_ok=True)
    (folder / "mine.yaml").write_text(
        "name: mine\ndescription: of a test\nrules: [{status: 503}]\n", encoding="utf-8"
    )
    async with controlled(tape) as control:
        listed = await told(control, "/scenarios")
        preset = await told(control, "/scenarios/throttled")
        cassettes = await told(control, "/cassettes")
    rows = {row["name"]: row for row in listed["scenarios"]}
    assert rows["throttled"]["preset"] is True
    assert rows["scenarios/mine.yaml"]["preset"] is False
    assert "rules:" in str(preset["text"])
    (cassette,) = cassettes["cassettes"]
    assert cassette["name"] == "tape.yaml"
    assert cassette["sessions"] == ["default"]
    assert cassette["interactions"] == 5
    assert cassette["edited"] is False


async def ticks(response: ClientResponse) -> dict[str, Any]:
    """Read up to the next tick."""
    while True:
        line = (await response.content.readline()).decode()
        assert line
        if line.startswith("data: "):
            found = json.loads(line.removeprefix("data: "))
            assert isinstance(found, dict)
            return found


async def test_a_listener_goes_on_after_the_last_tick_it_had(tape: Path) -> None:
    url = "/events?every=50ms"
    timeout = ClientTimeout(total=20)
    async with controlled(tape) as control:
        async with control.http.get(control.url + url, timeout=timeout) as response:
            await response.content.readline()
            await control.get(control.data)
            first = await ticks(response)
        for _ in range(3):
            await control.get(control.data)
        again = {"Last-Event-ID": str(first["id"])}
        async with control.http.get(control.url + url, headers=again, timeout=timeout) as response:
            second = await ticks(response)
    entries = second["entries"]
    assert [entry[1] for entry in entries] == [2, 3, 4]
    assert second["dropped"] == 0


async def test_a_listener_is_told_what_becomes_of_sessions(tape: Path) -> None:
    async with controlled(tape) as control:
        url = f"{control.url}/events?every=50ms"
        async with control.http.get(url, timeout=ClientTimeout(total=20)) as response:
            await response.content.readline()
            await control.open(id="mine")
            opened = await ticks(response)
            await control.ask("PUT", "/sessions/mine/scenario", json={"status": "failed"})
            directed = await ticks(response)
            await control.ask("POST", "/sessions/mine/rewind")
            rewound = await ticks(response)
            await control.ask("DELETE", "/sessions/mine")
            ended = await ticks(response)
    told_of = [tick["sessions"] for tick in (opened, directed, rewound, ended)]
    assert told_of == [
        [{"session": "mine", "what": what}] for what in ("opened", "directed", "rewound", "ended")
    ]
