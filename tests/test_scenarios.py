"""Scenario files: every key, valid and broken, and the presets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from graphtape.core.errors import UsageError
from graphtape.core.graph.actions import ONBOARDING_STATUSES
from graphtape.core.message import Request
from graphtape.core.scenario.effect import ConnectionFault, WireFault
from graphtape.core.scenario.play import Answer, Fault, Pass, Play
from graphtape.scenarios import load, preset_text, presets, read, schema_text
from plays import SETTINGS, STAMP, answered, asked, bent, decide, disconnect, status

DOCS = Path(__file__).parents[1] / "docs" / "scenarios.md"

WHOLE = """\
name: mine
description: every key there is
seed: 3
rules:
- when: {method: GET, path: '/deviceManagement/chromeOSOnboardingSettings/{id}',
         action: disconnect, query: {$top: '5'}, header: {Prefer: x}, body: {$.a: 1}, session: s,
         after: connect}
  calls: first
  answer: {error: TooManyRequests, retry_after: 5, message: m, status: 429, headers: {X-A: b}}
  delay: {fixed: 200ms}
  fault: truncate
- when: {method: [GET, POST]}
  calls: {nth: 2}
  set: {'$.onboardingStatus': failed}
  remove: [$.a, $.b]
  append: {'$.value': {id: x}}
  status: 202
  headers: {Retry-After: 3, X-B: null}
  delay: {uniform: [100ms, 1s]}
  fault: drip
- calls: {from: 2}
  fault: reset
  delay: {log_normal: {median: 200ms, sigma: 0.5, max: 5s}}
- calls: {every: 3}
  timeline: [{set: {$.a: 1}}, {answer: {status: 204}}, {notify: [{lifecycleEvent: missed}]}]
- notify: {resource: me/messages/1, changeType: created, fault: late}
- calls: {probability: 0.2}
  delay: {per_byte: 1ms}
- budget: {writes: 100, any: 1000, window: 20s}
- answer: {error: InvalidAuthenticationToken, claims: {access_token: {}}}
- answer: {status: 200, headers: {X: '1'}, body: {a: 1}}
"""


def test_a_file_with_every_key_is_read() -> None:
    scenario = read(WHOLE, source="mine.yaml")
    assert (scenario.name, scenario.seed, len(scenario.rules)) == ("mine", 3, 9)


def test_every_key_of_the_schema_stands_in_the_whole_file_and_in_the_docs() -> None:
    documented = DOCS.read_text(encoding="utf-8")
    for table in json.loads(schema_text())["$defs"].values():
        for key in table["properties"]:
            assert re.search(rf"\b{key}:", WHOLE), key
            assert f"`{key}`" in documented, key


def test_json_is_yaml() -> None:
    text = '{"name": "x", "rules": [{"fault": "reset"}]}'
    assert read(text, source="x.json").name == "x"


GOLDEN = Path(__file__).parent / "golden" / "broken_scenarios.txt"


def broken() -> list[tuple[str, str]]:
    """Read the golden file: the lines below `rules:`, an arrow and the message, a blank line."""
    blocks = GOLDEN.read_text(encoding="utf-8").strip().split("\n\n")
    pairs = (block.split("\n=> ") for block in blocks)
    return [(lines, message) for lines, message in pairs]


@pytest.mark.parametrize(("lines", "message"), broken())
def test_a_broken_file_names_itself_line_key_and_what_is_allowed(lines: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(f"name: x\nrules:\n{lines}\n", source="mine.yaml")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: a scenario is a mapping with name and rules"),
        ("- a", "line 1: a scenario is a mapping with name and rules"),
        ("rules: [{fault: reset}]", "line 1: the key 'name' is missing"),
        ("name: x\nrules: []", "line 2: rules: expected a list of length >= 1"),
        (
            "name: x\nseeds: 1",
            "line 2: seeds: unknown key; allowed: description, name, rules, seed",
        ),
        ("name: x\nseed: a", "line 2: seed: expected a whole number or null, got a text"),
    ],
)
def test_a_file_that_is_no_scenario_says_so(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(text, source="mine.yaml")
    assert str(caught.value) == f"mine.yaml, {message}"


def test_texts_that_yaml_1_1_takes_for_something_else_stay_texts() -> None:
    text = "name: no\nrules:\n- set: {$.a: off, $.b: 2026-01-05T08:30:00Z, $.c: 1:30, $.d: 010}"
    play = Play.over([read(text, source="x")])
    made = bent(decide(play, asked()), answered(b'{"a":0,"b":0,"c":0,"d":0}'))
    assert json.loads(made.body) == {"a": "off", "b": "2026-01-05T08:30:00Z", "c": "1:30", "d": 10}


def test_aliases_that_explode_are_refused() -> None:
    lists = "\n".join(f"- &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))
    text = f"name: x\nrules:\n- &a0 [1]\n{lists}\n"
    with pytest.raises(UsageError, match="aliases stand for too much"):
        read(text, source="x")


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(UsageError, match="nested too deep"):
        read("[" * 5000, source="x")


def test_a_file_is_told_from_a_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: x\nrules: [{fault: reset}]\n", encoding="utf-8")
    assert load(str(path)).name == "x"
    with pytest.raises(UsageError, match=r"no scenario file '.*none\.yaml'"):
        load(str(tmp_path / "none.yaml"))
    with pytest.raises(UsageError, match="no scenario 'throtled'; did you mean 'throttled'"):
        load("throtled")


# Presets


def test_each_preset_is_named_as_its_file_and_described() -> None:
    assert len(presets()) == 31
    for name in presets():
        scenario = load(name)
        assert scenario.name == name
        assert scenario.description.endswith(".")


def test_the_docs_list_every_preset_with_its_description() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (.*) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    listed = [row for row in rows if row[0] in presets()]
    assert listed == [(name, load(name).description) for name in presets()]


def play(*names: str) -> Play:
    return Play.over([load(name) for name in names])


STATUSES = [
    *((name, name) for name in ONBOARDING_STATUSES),
    ("undocumented-status", "pendingRemoval"),
]


@pytest.mark.parametrize(("name", "value"), STATUSES)
def test_a_status_preset_bends_actions_and_entities(name: str, value: str) -> None:
    action = bent(decide(play(name), disconnect()), answered(b'{"value": "x"}'))
    assert action.body == b'{"value": "%s"}' % value.encode()
    listed = answered(b'{"value":[{"id":"1","onboardingStatus":"x"}]}')
    made = bent(decide(play(name), asked(SETTINGS)), listed)
    assert made.body == listed.body.replace(b'"x"', b'"%s"' % value.encode())
    own = bent(
        decide(play(name), asked(f"{SETTINGS}/1/onboardingStatus")), answered(b'{"value":"x"}')
    )
    assert own.body == b'{"value":"%s"}' % value.encode()


@pytest.mark.parametrize(("name", "value"), STATUSES)
def test_a_status_preset_adds_no_field(name: str, value: str) -> None:
    del value
    other = answered(b'{"id":"1"}')
    assert bent(decide(play(name), asked(f"{SETTINGS}/1?$select=id")), other) is other
    error = answered(b'{"error":{"code":"x"}}', status=404)
    assert bent(decide(play(name), disconnect()), error) is error


def statuses(name: str, request: Request, count: int = 3) -> list[int | None]:
    played = play(name)
    return [status(decide(played, request), request) for _ in range(count)]


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("throttled", [429, None, None]),
        ("throttled-without-retry-after", [429, None, None]),
        ("claims-challenge", [401, None, None]),
        ("unauthorized", [401, 401, 401]),
        ("forbidden", [403, 403, 403]),
        ("not-licensed", [400, 400, 400]),
        ("not-found", [404, 404, 404]),
        ("conflict", [409, 409, 409]),
        ("outage", [503, 503, 503]),
        ("gateway-timeout", [504, 504, 504]),
    ],
)
def test_an_error_preset_answers_a_disconnect(name: str, answers: list[int | None]) -> None:
    assert statuses(name, disconnect()) == answers


@pytest.mark.parametrize(
    ("name", "request_", "code", "header"),
    [
        ("throttled", disconnect(), "TooManyRequests", ("Retry-After", "1")),
        ("throttled-without-retry-after", disconnect(), "TooManyRequests", ("Retry-After", None)),
        ("unauthorized", asked(), "InvalidAuthenticationToken", ("WWW-Authenticate", "Bearer")),
        ("forbidden", disconnect(), "Forbidden", ("Retry-After", None)),
        ("forbidden", asked(), "Authorization_RequestDenied", ("Retry-After", None)),
        ("not-found", disconnect(), "ResourceNotFound", ("Retry-After", None)),
        ("not-found", asked(), "Request_ResourceNotFound", ("Retry-After", None)),
        ("outage", asked(), "ServiceUnavailable", ("Retry-After", "1")),
    ],
)
def test_an_error_preset_has_graphs_code_and_header(
    name: str, request_: Request, code: str, header: tuple[str, str | None]
) -> None:
    decision = decide(play(name), request_)
    assert isinstance(decision, Answer)
    response = decision.response(request_, STAMP)
    assert json.loads(response.body)["error"]["code"] == code
    field, value = header
    sent = response.headers.get(field)
    assert sent is None if value is None else (sent or "").startswith(value)


@pytest.mark.parametrize(
    ("asked_for", "code", "fresh"),
    [
        ("/v1.0/users/delta?$deltatoken=x", "SyncStateNotFound", "/v1.0/users/delta"),
        (
            "/v1.0/groups/microsoft.graph.delta()?%24select=id&%24deltatoken=a%3D&$skiptoken=b",
            "SyncStateNotFound",
            "/v1.0/groups/microsoft.graph.delta()?%24select=id",
        ),
        (
            "/beta/drives/d/root/delta?token=1&$top=5",
            "resyncRequired",
            "/beta/drives/d/root/delta?$top=5",
        ),
    ],
)
def test_an_expired_delta_token_is_gone_once_and_starts_anew(
    asked_for: str, code: str, fresh: str
) -> None:
    request = Request(method="GET", url=f"https://graph.microsoft.com{asked_for}")
    played = play("delta-expired")
    decision = decide(played, request)
    assert isinstance(decision, Answer)
    response = decision.response(request, STAMP)
    assert (response.status, response.reason) == (410, "Gone")
    assert json.loads(response.body)["error"]["code"] == code
    assert response.headers.get("Location") == f"https://graph.microsoft.com{fresh}"
    assert status(decide(played, request), request) is None


@pytest.mark.parametrize(
    "path", ["/users/delta", "/users/delta?$select=id", "/users?$deltatoken=x"]
)
def test_what_carries_no_delta_token_never_expires(path: str) -> None:
    request = Request(method="GET", url=f"https://graph.microsoft.com/v1.0{path}")
    assert statuses("delta-expired", request) == [None, None, None]


def test_a_conflict_leaves_reads_alone() -> None:
    assert statuses("conflict", asked()) == [None, None, None]


def test_not_licensed_leaves_the_rest_of_graph_alone() -> None:
    assert statuses("not-licensed", asked()) == [None, None, None]


def test_the_documented_budget_refuses_the_101st_write() -> None:
    answers = statuses("throttled-by-budget", disconnect(), 101)
    assert answers == [None] * 100 + [429]


def test_the_documented_budget_refuses_the_1001st_read() -> None:
    answers = statuses("throttled-by-budget", asked(SETTINGS), 1001)
    assert answers == [None] * 1000 + [429]


def test_flaky_answers_statuses_only_and_the_same_each_time() -> None:
    answers = statuses("flaky", asked(), 400)
    assert answers == statuses("flaky", asked(), 400)
    assert set(answers) == {None, 429, 503, 504}
    assert 70 < sum(each is not None for each in answers) < 130


def test_slow_waits() -> None:
    decision = decide(play("slow"), asked())
    assert isinstance(decision, Pass)
    assert decision.bend is not None
    assert 0.2 < decision.bend.wait.seconds <= 10


def test_reset_and_truncated_break_every_connection() -> None:
    broken = decide(play("reset"), disconnect())
    assert isinstance(broken, Fault)
    assert broken.kind is ConnectionFault.RESET
    cut = decide(play("truncated"), disconnect())
    assert isinstance(cut, Pass)
    assert cut.bend is not None
    assert cut.bend.change.fault is WireFault.TRUNCATE


ENTITY = answered(b'{"id":"1","onboardingStatus":"onboarded"}')


def polled(name: str, count: int) -> list[str]:
    """Read the entity once, disconnect, and read it again and again."""
    played, get = play(name), asked(f"{SETTINGS}/1")
    before = bent(decide(played, get), ENTITY)
    action = bent(decide(played, disconnect()), answered(b'{"value":"unknown"}'))
    after = [bent(decide(played, get), ENTITY) for _ in range(count)]
    entities = [json.loads(each.body)["onboardingStatus"] for each in (before, *after)]
    return [entities[0], json.loads(action.body)["value"], *entities[1:]]


def test_stuck_offboarding_never_finishes() -> None:
    assert polled("stuck-offboarding", 4) == ["onboarded", "inprogress", *["offboarding"] * 4]


def test_late_failure_fails_from_the_third_read_on() -> None:
    seen = ["onboarded", "inprogress", "offboarding", "offboarding", "failed", "failed"]
    assert polled("late-failure", 4) == seen


def test_scenarios_combine_moment_by_moment() -> None:
    played = play("throttled", "failed")
    assert status(decide(played, disconnect())) == 429
    assert (
        bent(decide(played, disconnect()), answered(b'{"value":"x"}')).body == b'{"value":"failed"}'
    )


def test_a_preset_is_readable_yaml_of_its_own() -> None:
    assert preset_text("throttled").startswith("name: throttled\ndescription: ")
