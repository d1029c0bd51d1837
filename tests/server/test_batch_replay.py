"""Batches, replayed whole, in parts and put together, with no upstream."""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import requests
import yaml

from graphtape.core.tape.outcome import Mode
from proxies import AUTH, proxied, recording, replaying
from unused import left_unused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxies import Running

ROOT = "https://graph.microsoft.com/beta"
SETTINGS = "/deviceManagement/chromeOSOnboardingSettings"
DISCONNECT = f"{SETTINGS}/disconnect"
JSON = {"Content-Type": "application/json"}
PNG = b"\x89PNG\r\n\x1a\n"


def interaction(
    method: str, path: str, answer: object, *, body: object = None
) -> dict[str, object]:
    sent = None if body is None else json.dumps(body)
    return {
        "request": {
            "method": method,
            "uri": ROOT + path,
            "body": sent,
            "headers": {"Content-Type": ["application/json"]} if sent else {},
        },
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {"content-type": ["application/json"]},
            "body": {"string": json.dumps(answer)},
        },
    }


def part(number: str, method: str, url: str, **more: object) -> dict[str, object]:
    return {"id": number, "method": method, "url": url, **more}


def get(number: str, url: str, **more: object) -> dict[str, object]:
    return part(number, "GET", url, **more)


def said(number: str, body: object, status: int = 200, **headers: str) -> dict[str, object]:
    return {"id": number, "status": status, "headers": {**JSON, **headers}, "body": body}


def batched(asked: list[dict[str, object]], *answers: dict[str, object]) -> dict[str, object]:
    return interaction("POST", "/$batch", {"responses": answers}, body={"requests": asked})


def state(value: str) -> dict[str, str]:
    return {"id": "1", "onboardingStatus": value}


# 0 onboarded, 1 a batch: disconnect and offboarding, 2 unknown, 3 a batch: photo, me, a failure
FIRST = [part("w", "POST", DISCONNECT), get("r", f"{SETTINGS}/1", dependsOn=["w"])]
SECOND = [get("1", "/me/photo/$value"), get("2", "/me"), get("3", "/nobody")]
TAPE = [
    interaction("GET", f"{SETTINGS}/1", state("onboarded")),
    batched(FIRST, said("r", state("offboarding")), said("w", {"value": "inprogress"})),
    interaction("GET", f"{SETTINGS}/1", state("unknown")),
    batched(
        SECOND,
        {
            "id": "1",
            "status": 200,
            "headers": {"Content-Type": "image/png"},
            "body": b64encode(PNG).decode(),
        },
        said("2", {"id": "7", "manager@odata.navigationLink": f"{ROOT}/users/7"}),
        said("3", {"error": {"code": "Request_ResourceNotFound"}}, 404),
    ),
]


@contextmanager
def playing(tmp_path: Path, *tape: dict[str, object], **settings: object) -> Iterator[Running]:
    path = tmp_path / "tape.yaml"
    path.write_text(yaml.safe_dump({"interactions": list(tape or TAPE), "version": 1}))
    with replaying(path, **settings) as proxy:
        yield proxy


def send(proxy: Running, *parts: dict[str, object], version: str = "beta") -> requests.Response:
    url = f"{proxy.url}/{version}/$batch"
    return requests.post(url, json={"requests": parts}, headers=AUTH, timeout=10)


def ask(proxy: Running, *parts: dict[str, object], version: str = "beta") -> dict[str, Any]:
    got = send(proxy, *parts, version=version)
    assert got.status_code == 200, got.text
    answers = got.json()["responses"]
    assert [each["id"] for each in answers] == [each["id"] for each in parts]
    return {each["id"]: each for each in answers}


def alone(proxy: Running, method: str, path: str) -> requests.Response:
    return requests.request(method, f"{proxy.url}/beta{path}", headers=AUTH, timeout=10)


def unused(proxy: Running) -> list[int]:
    found = left_unused(proxy.proxy.outcome.session)
    return [index for indices in found.values() for index in indices]


def test_a_recorded_batch_plays_to_the_same_batch(tmp_path: Path) -> None:
    with playing(tmp_path) as proxy:
        got = send(proxy, *FIRST)
        again = send(proxy, *FIRST)
    recorded = TAPE[1]["response"]["body"]["string"]  # type: ignore[index]
    assert got.text == recorded
    assert got.headers["Graphtape-Result"] == "replayed"
    assert got.headers["Graphtape-Interaction"] == "1"
    assert again.headers["Graphtape-Result"] == "missed"


def test_parts_of_a_recorded_batch_play_one_by_one(tmp_path: Path) -> None:
    with playing(tmp_path) as proxy:
        before = alone(proxy, "GET", f"{SETTINGS}/1").json()
        written = alone(proxy, "POST", DISCONNECT)
        polls = [alone(proxy, "GET", f"{SETTINGS}/1").json() for _ in range(3)]
        photo = alone(proxy, "GET", "/me/photo/$value")
        me = alone(proxy, "GET", "/me")
        missing = alone(proxy, "GET", "/nobody")
        twice = alone(proxy, "POST", DISCONNECT)
    assert before == state("onboarded")
    assert written.json() == {"value": "inprogress"}
    assert written.headers["Graphtape-Interaction"] == "1"
    assert [poll["onboardingStatus"] for poll in polls] == ["offboarding", "unknown", "unknown"]
    assert (photo.content, photo.headers["Content-Type"]) == (PNG, "image/png")
    assert me.json()["manager@odata.navigationLink"] == f"{proxy.url}/beta/users/7"
    assert (missing.status_code, missing.reason) == (404, "Not Found")
    assert twice.status_code == 599
    assert "already played" in twice.json()["error"]["message"]


def test_parts_play_in_other_groupings_and_orders(tmp_path: Path) -> None:
    with playing(tmp_path) as proxy:
        one = ask(
            proxy,
            get("x", "/me"),
            get("y", f"{SETTINGS}/1", dependsOn=["z"]),
            part("z", "POST", DISCONNECT),
        )
        two = ask(proxy, get("x", f"{SETTINGS}/1"), get("y", "/me/photo/$value"))
        sources = {entry.source for entry in proxy.entries}
        left = unused(proxy)
    assert one["y"]["body"] == state("offboarding")
    assert one["z"]["body"] == {"value": "inprogress"}
    assert one["x"]["body"]["manager@odata.navigationLink"] == f"{proxy.url}/beta/users/7"
    assert two["x"]["body"] == state("unknown")
    assert two["y"]["body"] == b64encode(PNG).decode()
    assert two["y"]["headers"]["Content-Type"] == "image/png"
    assert sources == {"replayed"}
    assert left == [3]  # /nobody was never asked


def test_the_batch_that_all_parts_are_from_is_named(tmp_path: Path) -> None:
    with playing(tmp_path) as proxy:
        one = send(proxy, get("a", "/me"), get("b", "/nobody"))
        two = send(proxy, get("a", "/me"), get("b", f"{SETTINGS}/1"))
    assert one.headers["Graphtape-Interaction"] == "3"
    assert "Graphtape-Interaction" not in two.headers


def test_plain_interactions_play_as_parts(tmp_path: Path) -> None:
    sent = {"displayName": "é"}
    tape = [
        interaction("GET", "/me", {"n": 1}),
        interaction("POST", "/groups", {"id": "g"}, body=sent),
        interaction("GET", "/me", {"n": 2}),
    ]
    with playing(tmp_path, *tape) as proxy:
        first = ask(proxy, get("1", "/me"))
        both = ask(
            proxy,
            part("1", "POST", "/groups", headers=JSON, body=sent),
            get("2", "me", dependsOn=["1"]),
        )
        left = unused(proxy)
    assert first["1"]["body"] == {"n": 1}
    assert (both["1"]["body"], both["2"]["body"]) == ({"id": "g"}, {"n": 2})
    assert both["1"]["headers"] == {"content-type": "application/json"}
    assert left == []


@pytest.mark.parametrize("name", ["dependsOn", "depends_on"])
def test_what_depends_on_a_failed_part_is_424_and_uses_no_tape(tmp_path: Path, name: str) -> None:
    with playing(tmp_path) as proxy:
        got = ask(
            proxy,
            part("w", "POST", DISCONNECT, **{name: ["n"]}),
            get("n", "/nobody"),
            get("r", "/me", **{name: ["w"]}),
        )
        assert alone(proxy, "POST", DISCONNECT).status_code == 200
    assert [got[number]["status"] for number in "wnr"] == [424, 404, 424]
    assert got["w"]["body"]["error"]["code"] == "FailedDependency"
    assert proxy.entries[0].source == "replayed"


def test_a_part_that_misses_says_why_while_the_others_answer(tmp_path: Path) -> None:
    with playing(tmp_path) as proxy:
        answer = send(
            proxy, get("1", "/me?$top=1"), get("2", "/me"), get("3", "/me", dependsOn=["1"])
        )
        got = {each["id"]: each for each in answer.json()["responses"]}
        [entry] = proxy.entries
        counted = proxy.proxy.outcome.session.journal.misses
    assert answer.status_code == 200
    assert answer.headers["Graphtape-Result"] == "missed"
    assert [got[number]["status"] for number in "123"] == [599, 200, 424]
    assert got["1"]["body"]["error"]["code"] == "GraphtapeMiss"
    assert "GET /beta/me?$top=1" in got["1"]["body"]["error"]["message"]
    assert entry.note.startswith("part '1': Nothing recorded answers GET /beta/me?$top=1")
    assert counted == [entry]
    assert "not-a-real-token" not in answer.text


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        pytest.param([get("1", "/me"), get("1", "/me")], "unique", id="same-id"),
        pytest.param([get(str(n), "/me") for n in range(21)], "exceeds", id="21-parts"),
        pytest.param([get("1", "/me", dependsOn=["0"])], "missing", id="unknown-dependency"),
    ],
)
def test_a_batch_that_graph_refuses_is_a_graph_shaped_400(
    tmp_path: Path, parts: list[dict[str, object]], message: str
) -> None:
    with playing(tmp_path) as proxy:
        got = send(proxy, *parts)
    assert got.status_code == 400
    assert got.json()["error"]["code"] == "GraphtapeBatch"
    assert message in got.json()["error"]["message"]
    assert got.headers["Graphtape-Result"] == "refused"


def test_absolute_urls_of_the_proxy_and_versions_left_in_are_the_same_part(tmp_path: Path) -> None:
    with playing(tmp_path) as proxy:
        got = ask(
            proxy,
            get("1", f"{proxy.url}/beta/me"),
            get("2", f"{proxy.url}/_session/default/beta/me"),
            get("3", "/beta/me"),
            get("4", f"{ROOT}/me"),
            version="v1.0",
        )
    assert {each["status"] for each in got.values()} == {200}


def test_a_batch_out_of_its_turn_has_newer_answers_to_its_parts(tmp_path: Path) -> None:
    poll = [get("1", f"{SETTINGS}/1"), get("2", "/me")]
    tape = [
        batched(poll, said("1", state("onboarded")), said("2", {"id": "7"})),
        interaction("POST", "/disconnect", {"value": "inprogress"}),
        interaction("GET", f"{SETTINGS}/1", state("offboarding")),
    ]
    with playing(tmp_path, *tape) as proxy:
        seen = [ask(proxy, *poll)["1"]["body"]["onboardingStatus"] for _ in range(2)]
        repeated = send(proxy, *poll)
        assert alone(proxy, "POST", "/disconnect").status_code == 200
        seen.append(ask(proxy, *poll)["1"]["body"]["onboardingStatus"])
        assert unused(proxy) == []
    assert seen == ["onboarded", "onboarded", "offboarding"]
    assert repeated.text == tape[0]["response"]["body"]["string"]  # type: ignore[index]


def test_a_recorded_failure_of_a_whole_batch_plays_in_its_turn(tmp_path: Path) -> None:
    failed = batched(FIRST)
    failed["response"] = {
        "status": {"code": 429, "message": "Too Many Requests"},
        "headers": {"Retry-After": ["1"]},
        "body": {"string": ""},
    }
    with playing(tmp_path, failed, TAPE[1]) as proxy:
        statuses = [send(proxy, *FIRST).status_code for _ in range(2)]
        assert unused(proxy) == []
    assert statuses == [429, 200]


def test_status_reaches_into_the_parts_of_an_assembled_batch(tmp_path: Path) -> None:
    with playing(tmp_path, status=("failed",)) as proxy:
        got = ask(proxy, get("a", f"{SETTINGS}/1"), part("b", "POST", DISCONNECT), get("c", "/me"))
    assert got["a"]["body"] == state("failed")
    assert got["b"]["body"] == {"value": "failed"}


def test_an_identity_comes_back_as_each_part_sent_it(tmp_path: Path) -> None:
    path = tmp_path / "tape.yaml"
    users = [get("1", "/users/alice@fabrikam-retail.test"), get("2", SETTINGS)]
    with recording(path, upstream="sandbox") as proxy:
        recorded = ask_any(proxy, users)
    assert "alice@fabrikam-retail.test" not in path.read_text()
    with replaying(path) as proxy:
        regrouped = ask_any(proxy, users[:1])
        single = alone(proxy, "GET", "/users/alice@fabrikam-retail.test")
        listed = alone(proxy, "GET", SETTINGS)
    assert regrouped["1"]["status"] == recorded["1"]["status"] == single.status_code
    assert listed.json() == recorded["2"]["body"]


def ask_any(proxy: Running, parts: list[dict[str, object]]) -> dict[str, Any]:
    got = send(proxy, *parts)
    text = got.text.replace(proxy.url, "PROXY")
    return {each["id"]: each for each in json.loads(text)["responses"]}


def test_new_episodes_plays_a_batch_of_recorded_parts_and_forwards_any_other_whole(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tape.yaml"
    with recording(path, upstream="sandbox") as proxy:
        alone(proxy, "GET", SETTINGS)
        alone(proxy, "POST", DISCONNECT)
    with proxied(path, mode=Mode.NEW_EPISODES, upstream="sandbox") as proxy:
        played = send(proxy, get("1", SETTINGS))
        mixed = send(proxy, part("1", "POST", DISCONNECT), get("2", "/me"))
        written = alone(proxy, "POST", DISCONNECT)
    kept = yaml.safe_load(path.read_text())["interactions"]
    assert played.headers["Graphtape-Result"] == "replayed"
    assert mixed.headers["Graphtape-Result"] == "recorded"
    assert written.headers["Graphtape-Result"] == "replayed"  # nothing of it was used up
    assert [each["request"]["uri"].rpartition("/")[2] for each in kept][2:] == ["$batch"]


def test_a_recorded_batch_names_graph_and_never_the_proxy(tmp_path: Path) -> None:
    path = tmp_path / "tape.yaml"
    with recording(path, upstream="sandbox") as proxy:
        got = send(proxy, get("1", f"{proxy.url}/beta{SETTINGS}"), get("2", "/me"))
    assert [each["status"] for each in got.json()["responses"]] == [200, 200]
    assert b"127.0.0.1" not in path.read_bytes()
    with replaying(path) as proxy:
        assert alone(proxy, "GET", SETTINGS).status_code == 200
        again = send(proxy, get("1", f"{proxy.url}/beta{SETTINGS}"), get("2", "/me"))
    assert again.headers["Graphtape-Result"] == "replayed"
