"""Scenarios, as clients meet them: in replay, while recording, in batches, by header."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest
import requests

from graphtape.tape.store import open_cassette
from proxies import AUTH, OK, RawServer, exchange, recording, replaying
from tapes import exchanged, taped

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"
ENTITY = f"{SETTINGS}/1"


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return taped(
        tmp_path,
        exchanged("GET", ENTITY, '{"id": "1", "onboardingStatus": "onboarded"}'),
        exchanged("POST", f"{SETTINGS}/disconnect", '{"value": "inprogress"}'),
        exchanged("GET", ENTITY, '{"id": "1", "onboardingStatus": "offboarding"}'),
        exchanged("GET", ENTITY, '{"id": "1", "onboardingStatus": "unknown"}'),
    )


def disconnect(url: str, **headers: str) -> requests.Response:
    return requests.post(f"{url}{SETTINGS}/disconnect", headers=headers, timeout=10)


def poll(url: str) -> str:
    return str(requests.get(url + ENTITY, timeout=10).json()["onboardingStatus"])


def write(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text)
    return str(path)


def test_throttled_answers_429_once_and_uses_up_no_tape(tape: Path) -> None:
    with replaying(tape, scenario=("throttled",)) as proxy:
        first, second, third = (disconnect(proxy.url, **{"client-request-id": "c"}) for _ in "123")
        journal = [(entry.source, entry.status) for entry in proxy.entries]
    assert (first.status_code, first.headers["Retry-After"]) == (429, "1")
    assert first.json()["error"]["code"] == "TooManyRequests"
    assert first.headers["client-request-id"] == "c"
    assert first.headers["Graphtape-Result"] == "injected"
    assert second.json() == {"value": "inprogress"}
    assert third.status_code == 599
    assert journal == [("injected", 429), ("replayed", 200), ("missed", 599)]


def test_late_failure_is_accepted_then_polls_offboarding_then_failed(tape: Path) -> None:
    with replaying(tape, scenario=("late-failure",)) as proxy:
        assert poll(proxy.url) == "onboarded"
        assert disconnect(proxy.url).json() == {"value": "inprogress"}
        polls = [poll(proxy.url) for _ in range(6)]
    assert polls[0] == "offboarding"
    assert polls[-1] == "failed"
    assert set(polls) == {"offboarding", "failed"}


def test_stuck_offboarding_never_finishes(tape: Path) -> None:
    with replaying(tape, scenario=("stuck-offboarding",)) as proxy:
        disconnect(proxy.url)
        assert {poll(proxy.url) for _ in range(5)} == {"offboarding"}


def test_a_rule_bends_one_field_and_keeps_the_rest(tape: Path, tmp_path: Path) -> None:
    rules = write(
        tmp_path,
        "name: mine\nrules:\n"
        "- when: {path: '/deviceManagement/chromeOSOnboardingSettings/{id}'}\n"
        "  set: {'$.onboardingStatus': failed}\n  headers: {X-Bent: 'yes'}\n",
    )
    with replaying(tape, scenario=(rules,)) as proxy:
        got = requests.get(proxy.url + ENTITY, timeout=10)
    assert got.text == '{"id": "1", "onboardingStatus": "failed"}'
    assert got.headers["X-Bent"] == "yes"
    assert got.headers["Graphtape-Result"] == "replayed"


def test_status_comes_after_scenarios_and_leaves_injected_answers(tape: Path) -> None:
    with replaying(tape, scenario=("failed", "throttled"), status=("unknown",)) as proxy:
        assert disconnect(proxy.url).status_code == 429
        assert disconnect(proxy.url).json() == {"value": "unknown"}


def test_a_header_chooses_a_scenario_for_one_request(tape: Path) -> None:
    with replaying(tape) as proxy:
        assert disconnect(proxy.url, **{"Graphtape-Scenario": "forbidden"}).status_code == 403
        bent = disconnect(proxy.url, **{"Graphtape-Scenario": "status=failed"})
        assert bent.json() == {"value": "failed"}
        assert poll(proxy.url) == "offboarding"


@pytest.mark.parametrize("value", ["nonsense", "status=", "../secret.yaml", "/etc/passwd"])
def test_an_unknown_scenario_in_a_header_is_refused_and_reads_no_file(
    tape: Path, value: str
) -> None:
    with replaying(tape) as proxy:
        got = disconnect(proxy.url, **{"Graphtape-Scenario": value})
    assert got.status_code == 400
    assert got.json()["error"]["code"] == "GraphtapeScenario"


def test_reset_reaches_the_client_and_the_write_is_not_used_up(tape: Path, tmp_path: Path) -> None:
    rules = write(
        tmp_path,
        "name: mine\nrules:\n- when: {action: disconnect}\n  calls: first\n  fault: reset\n",
    )
    with replaying(tape, scenario=(rules,)) as proxy:
        with pytest.raises(requests.ConnectionError):
            disconnect(proxy.url)
        assert disconnect(proxy.url).json() == {"value": "inprogress"}


def test_a_truncated_write_can_be_played_again(tape: Path, tmp_path: Path) -> None:
    rules = write(
        tmp_path,
        "name: mine\nrules:\n- when: {action: disconnect}\n  calls: first\n  fault: truncate\n",
    )
    with replaying(tape, scenario=(rules,)) as proxy:
        with pytest.raises(requests.RequestException):
            disconnect(proxy.url)
        assert disconnect(proxy.url).json() == {"value": "inprogress"}


def test_a_hanging_request_does_not_hold_up_others_or_the_stop(tape: Path, tmp_path: Path) -> None:
    rules = write(tmp_path, "name: mine\nrules:\n- when: {action: disconnect}\n  fault: hang\n")
    with replaying(tape, scenario=(rules,)) as proxy:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{proxy.url}{SETTINGS}/disconnect", timeout=0.5, trust_env=False)
        assert poll(proxy.url) == "onboarded"


def test_while_recording_an_injected_answer_reaches_neither_upstream_nor_tape(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tape.yaml"
    with (
        RawServer(answer=lambda _: OK) as upstream,
        recording(path, upstream=upstream.url, scenario=("throttled", "failed")) as proxy,
    ):
        assert disconnect(proxy.url, **AUTH).status_code == 429
        assert upstream.requests == []
        assert disconnect(proxy.url, **AUTH).status_code == 200
    assert len(open_cassette(path).interactions) == 1


def test_while_recording_the_tape_keeps_what_upstream_said(tmp_path: Path) -> None:
    path = tmp_path / "tape.yaml"
    rules = write(
        tmp_path,
        "name: mine\nrules:\n- when: {action: disconnect}\n"
        "  set: {'$.value': failed}\n  fault: truncate\n",
    )
    with recording(path, upstream="sandbox", scenario=(rules,)) as proxy:
        raw = exchange(
            proxy.url,
            f"POST {SETTINGS}/disconnect HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            "Authorization: Bearer not-a-real-token\r\n\r\n".encode(),
        )
    assert b"HTTP/1.1 200" in raw
    assert not raw.endswith(b"}")
    (only,) = open_cassette(path).interactions
    assert json.loads(only.response.body)["value"] == "inprogress"


BATCH = {
    "requests": [
        {
            "id": "a",
            "method": "POST",
            "url": "/deviceManagement/chromeOSOnboardingSettings/disconnect",
        },
        {"id": "b", "method": "GET", "url": "/me", "dependsOn": ["a"]},
        {"id": "c", "method": "GET", "url": "/users"},
    ]
}


def batch(url: str) -> dict[str, tuple[int, object]]:
    got = requests.post(f"{url}/beta/$batch", json=BATCH, headers=AUTH, timeout=10)
    return {
        part["id"]: (part["status"], (part["body"] or {}).get("error", {}).get("code"))
        for part in got.json()["responses"]
    }


def test_a_failed_part_of_a_batch_fails_its_dependants(tmp_path: Path) -> None:
    tape = taped(
        tmp_path,
        exchanged("POST", f"{SETTINGS}/disconnect", '{"value": "inprogress"}'),
        exchanged("GET", "/beta/me", '{"id": "me"}'),
        exchanged("GET", "/beta/users", '{"value": []}'),
    )
    rules = write(
        tmp_path,
        "name: mine\nrules:\n- when: {action: disconnect}\n  calls: first\n"
        "  answer: {error: TooManyRequests, retry_after: 5}\n",
    )
    with replaying(tape, scenario=(rules,)) as proxy:
        assert batch(proxy.url) == {
            "a": (429, "TooManyRequests"),
            "b": (424, "FailedDependency"),
            "c": (200, None),
        }
        assert batch(proxy.url) == {"a": (200, None), "b": (200, None), "c": (200, None)}


def test_while_recording_an_injected_part_does_not_go_up(tmp_path: Path) -> None:
    path = tmp_path / "tape.yaml"
    rules = write(
        tmp_path,
        "name: mine\nrules:\n- when: {action: disconnect}\n"
        "  answer: {error: TooManyRequests, retry_after: 5}\n"
        "- when: {path: /users}\n  status: 503\n",
    )
    with recording(path, upstream="sandbox", scenario=(rules,)) as proxy:
        assert batch(proxy.url) == {
            "a": (429, "TooManyRequests"),
            "b": (424, "FailedDependency"),
            "c": (503, None),
        }
    (only,) = open_cassette(path).interactions
    assert [part["id"] for part in json.loads(only.request.body)["requests"]] == ["c"]
    assert json.loads(only.response.body)["responses"][0]["status"] == 200


def test_the_same_seed_gives_the_same_faults_in_two_runs(tape: Path) -> None:
    def run(seed: int) -> list[int]:
        with replaying(tape, scenario=("flaky",), seed=seed) as proxy:
            return [requests.get(proxy.url + ENTITY, timeout=10).status_code for _ in range(25)]

    first = run(7)
    assert run(7) == first
    assert run(8) != first
    assert set(first) > {200}


def test_under_fast_delays_are_skipped_and_budgets_recover_by_the_wait_told(
    tape: Path, tmp_path: Path
) -> None:
    rules = write(
        tmp_path,
        "name: mine\nrules:\n- budget: {any: 2, window: 20s}\n- when: {method: GET}\n"
        "  delay: {fixed: 30s}\n",
    )
    with replaying(tape, scenario=(rules,), fast=True) as proxy:
        statuses = [requests.get(proxy.url + ENTITY, timeout=5).status_code for _ in range(4)]
    assert statuses[:3] == [200, 200, 429]
    assert statuses[3] == 200


EFFECTS = {
    "set: {$.onboardingStatus: failed}": "set",
    "remove: $.id": "remove",
    "status: 404": "status",
    "headers: {X-Odd: '1'}": "headers",
    "delay: {fixed: 1ms}": "delay",
    "fault: truncate": "truncate",
    "fault: drip": "drip",
    "fault: bad_chunk": "bad_chunk",
    "fault: close": "close",
    "{set: {$.id: '2'}, status: 503, fault: truncate}": "set, status, truncate",
}


@pytest.mark.parametrize(("effect", "name"), EFFECTS.items(), ids=EFFECTS.values())
def test_every_effect_is_told_in_every_report(tape: Path, effect: str, name: str) -> None:
    rule = effect if effect.startswith("{") else f"{{{effect}}}"
    mine = write(tape.parent, f"name: mine\nrules:\n- {rule}\n")
    with replaying(tape, scenario=(mine,), fast=True) as proxy:
        for _ in range(2):
            exchange(
                proxy.url, f"GET {ENTITY} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode()
            )
        place = f"{proxy.control}/sessions/default/report"
        told = {
            kind: requests.get(place, headers={"Accept": kind}, timeout=10).text
            for kind in ("application/json", "text/markdown", "application/xml")
        }
    (fault,) = json.loads(told["application/json"])["faults"]
    assert (fault["why"], fault["times"]) == (f"scenario 'mine', rule 1: {name}", 2)
    for text in told.values():
        assert f"rule 1: {name}" in text


def test_effects_on_parts_of_a_recorded_batch_are_told(tmp_path: Path) -> None:
    parts = {"requests": [{"id": "1", "method": "GET", "url": "/me"}]}
    answer = {"responses": [{"id": "1", "status": 200, "body": {"id": "me"}}]}
    tape = taped(
        tmp_path,
        exchanged("POST", "/v1.0/$batch", json.dumps(answer), body=json.dumps(parts)),
    )
    mine = write(tmp_path, "name: mine\nrules:\n- {when: {path: /me}, set: {$.id: you}}\n")
    with replaying(tape, scenario=(mine,)) as proxy:
        got = requests.post(f"{proxy.url}/v1.0/$batch", json=parts, timeout=10)
        report = requests.get(f"{proxy.control}/sessions/default/report", timeout=10).json()
    assert got.json()["responses"][0]["body"] == {"id": "you"}
    assert [each["why"] for each in report["faults"]] == ["scenario 'mine', rule 1: set"]


def test_effects_while_recording_are_told(tmp_path: Path) -> None:
    mine = write(tmp_path, "name: mine\nrules:\n- {status: 418}\n")
    with (
        RawServer() as graph,
        recording(tmp_path / "new.yaml", upstream=graph.url, scenario=(mine,)) as proxy,
    ):
        assert requests.get(f"{proxy.url}/v1.0/me", timeout=10).status_code == 418
        report = requests.get(f"{proxy.control}/sessions/default/report", timeout=10).json()
    assert report["faults"] == [
        {"why": "scenario 'mine', rule 1: status", "status": 418, "times": 1}
    ]
