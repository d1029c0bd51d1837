from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from graphtape.core.matching.drift import as_json, drift, line
from graphtape.core.matching.operation import Operation
from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.tape.store import open_cassette
from proxies import SHARED, needs_recordings

if TYPE_CHECKING:
    from pathlib import Path

ROOT = "https://graph.microsoft.com"
GUID = "f3ea9f37-4d8a-5d2a-b041-88ac3905fd8b"
OTHER = "0aeca707-866e-407c-b6bf-993e5661942e"
ONE = f"/beta/deviceManagement/chromeOSOnboardingSettings/{GUID}"


def called(
    body: object,
    url: str = "/v1.0/me",
    *,
    method: str = "GET",
    status: int = 200,
    media: str = "application/json",
    sent: object = None,
) -> Interaction:
    return Interaction(
        request=Request(
            method=method,
            url=url if "://" in url else ROOT + url,
            body=b"" if sent is None else json.dumps(sent).encode(),
        ),
        response=Response(
            status=status,
            headers=Headers((("Content-Type", media),)),
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        ),
    )


def lines(old: list[Interaction], new: list[Interaction]) -> list[str]:
    return [line(change).removeprefix("GET /v1.0/me: ") for change in drift(old, new)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param({"a": 1, "b": "x"}, {"b": "y", "a": 2}, [], id="values"),
        pytest.param({"a": 1}, {"a": 1.5}, [], id="a number is a number"),
        pytest.param({"a": 1}, {}, ["field a (number) vanished"], id="vanished"),
        pytest.param({}, {"a": True}, ["field a (boolean) appeared"], id="appeared"),
        pytest.param({"a": "x"}, {"a": {"b": 1}}, ["field a: string -> object"], id="type"),
        pytest.param({"a": {"b": {"c": 1}}}, {"a": {}}, ["field a.b (object) vanished"], id="top"),
        pytest.param(
            {"value": [{"a": 1, "b": 1}]},
            {"value": [{"a": "x"}, {"a": 1}]},
            ["field value[].a: number -> number|string", "field value[].b (number) vanished"],
            id="items",
        ),
        pytest.param({"value": [{"a": 1}]}, {"value": []}, [], id="an empty list tells nothing"),
        pytest.param({"value": []}, {"value": [{"a": 1}]}, [], id="nor did it before"),
        pytest.param({"a": {"b": 1}}, {"a": None}, ["field a: object -> null"], id="always null"),
        pytest.param({"l": [None, "x"]}, {"l": [None]}, [], id="sometimes null"),
        pytest.param({"l": ["x"]}, {"l": ["x", None]}, [], id="null now and then"),
        pytest.param(
            {"a": 1, "@odata.context": "x"}, {"a": 1, "x@odata.context": "y"}, [], id="context"
        ),
        pytest.param({"a": {GUID: 1}}, {"a": {OTHER: 1}}, [], id="ids for names"),
        pytest.param([1], {"a": 1}, ["body: array -> object"], id="the body itself"),
    ],
)
def test_bodies_are_compared_by_shape(old: object, new: object, expected: list[str]) -> None:
    assert lines([called(old)], [called(new)]) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            {"onboardingStatus": "onboarded"},
            {"onboardingStatus": "failed"},
            ["field onboardingStatus: member 'failed' appeared"],
            id="status",
        ),
        pytest.param(
            {"value": [{"groupTypes": ["Unified"]}]},
            {"value": [{"groupTypes": ["Unified", "DynamicMembership"]}]},
            ["field value[].groupTypes[]: member 'DynamicMembership' appeared"],
            id="a list of them",
        ),
        pytest.param(
            {"@odata.type": "#microsoft.graph.user"},
            {"@odata.type": "#microsoft.graph.group"},
            ["field @odata.type: member '#microsoft.graph.group' appeared"],
            id="a derived type",
        ),
        pytest.param({"displayName": "Adele"}, {"displayName": "Grady"}, [], id="a name"),
        pytest.param({"state": "WA"}, {"state": "OR"}, [], id="an address"),
        pytest.param({"status": "not a word"}, {"status": "new"}, [], id="a sentence"),
        pytest.param({"status": ["a1", "b2"]}, {"status": ["a1"]}, [], id="vanished"),
        pytest.param(
            {"type": [f"t{n}" for n in range(30)]}, {"type": ["new"]}, [], id="too many values"
        ),
    ],
)
def test_members_of_enums_that_appear_are_named(
    old: object, new: object, expected: list[str]
) -> None:
    assert lines([called(old)], [called(new)]) == expected


def test_the_value_of_an_action_and_of_a_property_can_be_an_enums() -> None:
    action = "/beta/deviceManagement/chromeOSOnboardingSettings/disconnect"
    qualified = action.replace("disconnect", "microsoft.graph.disconnect")
    subscription = "/beta/deviceManagement/subscriptionState"
    old = [
        called({"value": "inprogress"}, action, method="POST"),
        called({"value": "active"}, subscription),
        called({"value": "Adele"}, "/v1.0/me/displayName"),
    ]
    new = [
        called({"value": "offboarding"}, qualified, method="POST"),
        called({"value": "lockedOut"}, subscription),
        called({"value": "Grady"}, "/v1.0/me/displayName"),
    ]
    assert [line(change) for change in drift(old, new)] == [
        f"POST {action}: field value: member 'offboarding' appeared",
        f"GET {subscription}: field value: member 'lockedOut' appeared",
    ]


def test_statuses_and_content_types_are_compared() -> None:
    old = [called({"a": 1}), called({"error": {"code": "x"}}, status=404)]
    new = [called(b"<p>", media="text/html"), called({"error": {}}, status=410)]
    assert lines(old, new) == [
        "status 404 -> 410",
        "content type application/json -> text/html",
        "field error.code (string) vanished",
    ]


def test_statuses_of_which_more_than_one_differs_come_and_go() -> None:
    old = [called({}), called({}, status=404)]
    new = [called({}), called({}, status=429), called({}, status=503)]
    assert lines(old, new) == [
        "status 404 vanished",
        "status 429 appeared",
        "status 503 appeared",
    ]


def test_parameters_of_a_content_type_and_other_headers_make_no_difference() -> None:
    full = "application/json;odata.metadata=minimal;charset=utf-8"
    assert lines([called({}, media=full)], [called({})]) == []


def test_where_only_one_recording_saw_it_fail_nothing_is_said_of_the_errors_fields() -> None:
    failed = called({"error": {"code": "x"}}, status=404)
    assert lines([called({"a": 1})], [called({"a": 1}), failed]) == ["status 404 appeared"]


def test_operations_of_one_recording_alone_are_listed() -> None:
    old = [called({}), called({}, "/v1.0/groups")]
    new = [called({}), called({}, f"/v1.0/users/{GUID}", method="DELETE")]
    assert [line(change) for change in drift(old, new)] == [
        "GET /v1.0/groups: operation vanished",
        "DELETE /v1.0/users/{id}: operation appeared",
    ]


def test_the_object_a_call_is_made_on_and_its_query_make_no_difference() -> None:
    old = [called({"onboardingStatus": "unknown"}, ONE)]
    new = [called({"onboardingStatus": {}}, ONE.replace(GUID, OTHER) + "?$select=id")]
    path = ONE.replace(GUID, "{id}")
    assert [line(change) for change in drift(old, new)] == [
        f"GET {path}: field onboardingStatus: string -> object"
    ]


def test_the_parts_of_a_batch_are_operations() -> None:
    def batch(body: object) -> Interaction:
        sent = {
            "requests": [
                {"id": "1", "method": "GET", "url": "/me"},
                {"id": "2", "method": "POST", "url": f"/users/{GUID}/revokeSignInSessions"},
            ]
        }
        parts = [
            {"id": "2", "status": 204},
            {"id": "1", "status": 200, "headers": {"content-type": "text/json"}, "body": body},
        ]
        return called({"responses": parts}, "/v1.0/$batch", method="POST", sent=sent)

    assert lines([batch({"a": 1})], [batch({"a": "x"})]) == ["field a: number -> string"]
    assert lines([batch({"a": 1})], [batch({"a": "x"}), called({"a": 1})]) == [
        "content type application/json appeared",
        "field a: number -> number|string",
    ]


def test_an_unreadable_batch_is_compared_as_it_is() -> None:
    broken = called({"responses": [{"id": "1"}]}, "/v1.0/$batch", method="POST")
    failed = called({"error": {"code": "x"}}, "/v1.0/$batch", method="POST", status=400)
    assert [line(change) for change in drift([broken], [failed])] == [
        "POST /v1.0/$batch: status 200 -> 400"
    ]


def test_the_order_of_a_recording_makes_no_difference() -> None:
    old = [called({"a": 1, "b": 1}), called({"c": 1}, "/v1.0/groups")]
    new = [called({"a": "x"}, "/v1.0/groups"), called({"z": 1})]
    assert drift(old, new) == drift(old[::-1], new[::-1])


def test_as_json_names_the_place_and_both_sides() -> None:
    (change,) = drift([called({"a": 1})], [called({"a": "x"})])
    assert as_json(change) == {
        "change": "changed",
        "method": "GET",
        "path": "/v1.0/me",
        "aspect": "field",
        "place": "a",
        "old": "number",
        "new": "string",
    }
    (gone,) = drift([called({})], [])
    assert as_json(gone) == {
        "change": "vanished",
        "method": "GET",
        "path": "/v1.0/me",
        "aspect": "operation",
    }


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (f"/v1.0/users/{GUID}", "/v1.0/users/{id}"),
        ("/v1.0/users/adele%40contoso.com", "/v1.0/users/{id}"),
        ("/v1.0/users('adele@contoso.com')/manager", "/v1.0/users/{id}/manager"),
        (f"/v1.0/applications(appId='{GUID}')", "/v1.0/applications(appId={value})"),
        ("/v1.0/me/messages/AAMkAGI2TG93AAA=/$value", "/v1.0/me/messages/{id}/$value"),
        ("/v1.0/me/drive/items/01BYE5RZ6QN3ZW", "/v1.0/me/drive/items/{id}"),
        ("/v1.0/me/drive/root:/a%20b/c.txt:/content", "/v1.0/me/drive/root:/{path}:/content"),
        ("/v1.0/me/drive/root/search(q='a/b, c=d')", "/v1.0/me/drive/root/search(q={value})"),
        ("/v1.0/teams/x/channels/19:ab@thread.tacv2", "/v1.0/teams/x/channels/{id}"),
        ("/v1.0/users/delta()", "/v1.0/users/delta"),
        ("/v1.0/oauth2PermissionGrants", "/v1.0/oauth2PermissionGrants"),
        (
            "/beta/reports/getOffice365ActiveUserDetail(period='D7')",
            "/beta/reports/getOffice365ActiveUserDetail(period={value})",
        ),
        (
            f"https://login.microsoftonline.com/{GUID}/oauth2/v2.0/token",
            "login.microsoftonline.com/{id}/oauth2/v2.0/token",
        ),
    ],
)
def test_a_path_is_named_without_what_it_is_called_on(url: str, path: str) -> None:
    assert str(Operation.of("get", url if "://" in url else ROOT + url)) == f"GET {path}"


def test_graphs_paths_are_one_whatever_their_case() -> None:
    old, new = called({}, "/v1.0/serviceprincipals"), called({}, "/v1.0/servicePrincipals")
    assert drift([old], [new]) == ()


RECORDINGS = sorted(SHARED.glob("har/*.har")) + sorted(SHARED.glob("azure-cli/*.yaml"))


@needs_recordings
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_a_real_recording_has_not_drifted_from_itself(path: Path) -> None:
    tape = open_cassette(path).interactions
    assert drift(tape, tape) == ()
    assert all(change.kind == "vanished" for change in drift(tape, ()))
