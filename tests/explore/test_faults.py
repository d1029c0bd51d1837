"""The calls of a run, and the failures documented for them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from graphtape.core.errors import UsageError
from graphtape.core.message import Headers, Request, Response
from graphtape.explore.call import Call, Exchange, calls_of, meant
from graphtape.explore.documented import faults_of
from graphtape.explore.fault import Chosen, Fault
from graphtape.explore.pattern import Pattern

ROOT = "https://graph.microsoft.com"
LIST = json.dumps({"value": [{"id": "a"}]})
GROUP = json.dumps({"id": "g", "displayName": "Staff"})
ONBOARDING = "/beta/deviceManagement/chromeOSOnboardingSettings"


def exchange(
    method: str, path: str, answer: str = GROUP, *, body: str = "", **headers: str
) -> Exchange:
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    fields.append(("Content-Type", "application/json"))
    request = Request(
        method=method, url=ROOT + path, headers=Headers.of(fields), body=body.encode()
    )
    json_type = Headers.of([("Content-Type", "application/json")])
    response = Response(status=200, reason="OK", headers=json_type, body=answer.encode())
    return Exchange(request=request, response=response)


def one(*exchanges: Exchange) -> Call:
    return calls_of(exchanges, str)[-1]


def names(call: Call) -> set[str]:
    return {fault.name for fault in faults_of(call)}


def test_a_read_of_a_list_meets_no_404_and_no_409() -> None:
    found = names(one(exchange("GET", "/v1.0/groups", LIST)))
    assert {"400", "401", "403", "429", "429-date", "429-bare", "500", "502", "503", "504"} <= found
    assert {"reset", "close", "truncate", "garbage", "slow", "hang"} <= found
    assert found.isdisjoint({"404", "409", "410", "412", "expired-next-link"})


def test_an_entity_meets_404_and_a_write_409_too() -> None:
    assert "404" in names(one(exchange("GET", "/v1.0/groups/g")))
    assert {"404", "409"} <= names(one(exchange("PATCH", "/v1.0/groups/g", body="{}")))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1.0/groups/delta?$deltatoken=t", "410"),
        ("/v1.0/groups/delta?$deltatoken=t", "expired-delta-link"),
        ("/v1.0/me/drive/root/delta(token='t')", "expired-delta-link"),
        ("/v1.0/groups?$skiptoken=t", "expired-next-link"),
    ],
)
def test_a_link_can_have_expired(path: str, name: str) -> None:
    assert name in names(one(exchange("GET", path, LIST)))


def test_a_conditional_request_meets_412() -> None:
    assert "412" in names(one(exchange("DELETE", "/v1.0/groups/g", If_Match='W/"1"')))
    assert "412" in names(one(exchange("PUT", "/v1.0/groups/g/photo", If_None_Match="*")))
    # RFC 9110 section 13.1.2: such a read is answered 304.
    assert "412" not in names(one(exchange("GET", "/v1.0/groups/g", If_None_Match='W/"1"')))


def test_an_answer_without_a_body_can_not_be_truncated() -> None:
    assert "truncate" not in names(one(exchange("DELETE", "/v1.0/groups/g", "")))


def test_a_status_of_intune_becomes_each_other_one() -> None:
    entity = one(exchange("GET", f"{ONBOARDING}/9", '{"onboardingStatus": "failed"}'))
    found = {fault.value for fault in faults_of(entity)} - {""}
    assert found == {
        "unknown",
        "inprogress",
        "onboarded",
        "offboarding",
        "unknownFutureValue",
        "undocumentedValue",
    }
    assert all(fault.stays for fault in faults_of(entity) if fault.value)


def test_one_part_of_a_batch_fails_in_each_status() -> None:
    parts = [
        {"id": "1", "method": "GET", "url": "/groups/g"},
        {"id": "2", "method": "DELETE", "url": "/groups/h"},
    ]
    call = one(exchange("POST", "/v1.0/$batch", "{}", body=json.dumps({"requests": parts})))
    of_parts = [fault for fault in faults_of(call) if fault.name.startswith("part-")]
    assert {"part-403", "part-429", "part-503"} <= {fault.name for fault in of_parts}
    assert {fault.call.path for fault in of_parts} == {"/v1.0/groups/g", "/v1.0/groups/h"}
    assert {"404", "409"}.isdisjoint(names(call))  # a part's, never the batch's own
    assert {"400", "429", "503", "504"} <= names(call)


def test_a_rule_means_its_call_and_no_other() -> None:
    asked = [
        exchange("GET", "/v1.0/groups/g"),
        exchange("GET", "/v1.0/groups?$top=1", LIST),
        exchange("POST", "/v1.0/groups", body="{}"),
        exchange("GET", "/v1.0/groups?$top=2", LIST),
        exchange("GET", "/v1.0/groups/g"),
    ]
    requests = [each.request for each in asked]
    calls = calls_of(asked, str)
    assert [meant(call, requests) for call in calls] == [(place, 0) for place in range(5)]
    assert [call.nth for call in calls] == [1, 1, 1, 1, 2]
    assert [call.last for call in calls] == [False, True, True, True, True]


def test_calls_that_are_made_at_once_stand_in_the_order_of_the_tape() -> None:
    made = [
        replace(exchange("GET", f"/v1.0/users/{name}"), interaction=place)
        for place, name in enumerate("abc")
    ]
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        calls = calls_of([made[place] for place in order], str)
        assert [call.path[-1] for call in calls] == ["a", "b", "c"]
        assert [call.index for call in calls] == [0, 1, 2]


def test_what_is_masked_in_a_path_stands_open() -> None:
    call = calls_of(
        [exchange("GET", "/v1.0/users/ann@firm.example/manager?$filter=x")],
        lambda url: url.replace("ann@firm.example", "user1").replace("=x", "=***"),
    )[0]
    assert call.when.path == "/users/{any}/manager"
    assert call.when.query == {"$filter": None}
    assert "ann" not in json.dumps(faults_of(call)[0].spelled())


def test_sign_in_is_no_call_of_graph() -> None:
    token = Request(
        method="POST",
        url="https://login.microsoftonline.com/t/oauth2/v2.0/token",
        headers=Headers.of([]),
        body=b"",
    )
    response = exchange("GET", "/v1.0/me").response
    assert calls_of([Exchange(request=token, response=response)], str) == ()


@pytest.mark.parametrize("fault", faults_of(one(exchange("POST", f"{ONBOARDING}/disconnect"))))
def test_every_fault_is_a_scenario(fault: Fault) -> None:
    assert fault.scenario().rules


@pytest.mark.parametrize(
    ("chosen", "among", "others"),
    [
        ("outage", {"outage", "outage-reset"}, {"reset"}),
        ("429", {"429", "429-date", "429-bare"}, {"503"}),
        ("429-date", {"429-date"}, {"429", "429-bare"}),
        ("reset", {"reset"}, {"close"}),
    ],
)
def test_faults_are_chosen_by_name_or_family(
    chosen: str, among: set[str], others: set[str]
) -> None:
    wanted = Chosen((chosen,))
    found = {each.name for each in faults_of(one(exchange("GET", "/v1.0/me"))) if each in wanted}
    assert among <= found
    assert found.isdisjoint(others)


def test_a_fault_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="418"):
        Chosen(("418",))


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("POST /**", True),
        ("post /groups/{id}/members", True),
        ("/v1.0/groups/**", True),
        ("GET /**", False),
        ("/groups", False),
    ],
)
def test_calls_are_chosen_by_method_and_path(pattern: str, fits: bool) -> None:  # noqa: FBT001
    call = one(exchange("POST", "/v1.0/groups/g/members", body="{}"))
    assert Pattern.parse(pattern).matches(call) is fits


@pytest.mark.parametrize("pattern", ["groups", "G-T /groups", "GET /a/**/b"])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError):
        Pattern.parse(pattern)
