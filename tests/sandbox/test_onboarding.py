from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.service import GRAPH, SETTINGS

if TYPE_CHECKING:
    from sandbox.service import SandboxClient

CONNECT = {"ownerUserPrincipalName": "new@contoso.com", "ownerAccessToken": "fake-owner-token"}
ABSENT = "11111111-1111-1111-1111-111111111111"


async def first_setting(sandbox: SandboxClient) -> dict[str, Any]:
    answer = await sandbox.ask("GET", f"{SETTINGS}?$top=1")
    setting: dict[str, Any] = answer.json["value"][0]
    return setting


async def status_of(sandbox: SandboxClient, key: str) -> str:
    status: str = (await sandbox.ask("GET", f"{SETTINGS}/{key}")).json["onboardingStatus"]
    return status


async def test_list_gives_every_setting_with_the_documented_properties(
    sandbox: SandboxClient,
) -> None:
    answer = await sandbox.ask("GET", SETTINGS)
    assert answer.status == 200
    assert answer.json["@odata.context"] == (
        f"{GRAPH}/beta/$metadata#deviceManagement/chromeOSOnboardingSettings"
    )
    assert [set(setting) for setting in answer.json["value"]] == [
        {
            "id",
            "ownerUserPrincipalName",
            "onboardingStatus",
            "lastModifiedDateTime",
            "lastDirectorySyncDateTime",
        }
    ] * 3


async def test_list_spans_two_pages_at_two_a_page_and_the_link_points_at_graph(
    sandbox: SandboxClient,
) -> None:
    first, second = await sandbox.pages(f"{SETTINGS}?$top=2&$select=id,onboardingStatus")
    assert first["@odata.nextLink"].startswith(f"{GRAPH}{SETTINGS}?$top=2&$select=")
    assert "@odata.nextLink" not in second
    ids = [setting["id"] for setting in first["value"] + second["value"]]
    assert len(set(ids)) == 3
    assert set(second["value"][0]) == {"id", "onboardingStatus"}


async def test_a_delete_between_two_pages_loses_no_setting(sandbox: SandboxClient) -> None:
    first = (await sandbox.ask("GET", f"{SETTINGS}?$top=2")).json
    await sandbox.ask("DELETE", f"{SETTINGS}/{first['value'][0]['id']}")
    second = (await sandbox.ask("GET", first["@odata.nextLink"])).json
    assert len(second["value"]) == 1


@pytest.mark.parametrize("form", ["{base}/{key}", "{base}('{key}')", "{base}/{key}/"])
async def test_get_takes_both_forms_of_a_key(sandbox: SandboxClient, form: str) -> None:
    setting = await first_setting(sandbox)
    answer = await sandbox.ask("GET", form.format(base=SETTINGS, key=setting["id"]))
    assert answer.status == 200
    assert answer.json["id"] == setting["id"]
    assert answer.json["@odata.context"].endswith(
        "#deviceManagement/chromeOSOnboardingSettings/$entity"
    )


async def test_create_answers_201_with_the_bare_root_as_location(sandbox: SandboxClient) -> None:
    created = await sandbox.ask(
        "POST",
        SETTINGS,
        payload={
            "@odata.type": "#microsoft.graph.chromeOSOnboardingSettings",
            "ownerUserPrincipalName": "new@contoso.com",
            "onboardingStatus": "failed",
        },
    )
    assert created.status == 201
    assert created.headers["Location"] == GRAPH
    assert created.json["lastModifiedDateTime"] == "2026-03-01T12:00:00.0000000Z"
    assert await status_of(sandbox, created.json["id"]) == "failed"


async def test_update_answers_the_entity_as_it_now_is(sandbox: SandboxClient) -> None:
    key = (await first_setting(sandbox))["id"]
    answer = await sandbox.ask("PATCH", f"{SETTINGS}/{key}", payload={"onboardingStatus": "failed"})
    assert answer.status == 200
    assert answer.json["onboardingStatus"] == "failed"
    assert await status_of(sandbox, key) == "failed"


async def test_update_answers_204_to_whoever_prefers_the_minimum(sandbox: SandboxClient) -> None:
    key = (await first_setting(sandbox))["id"]
    answer = await sandbox.ask(
        "PATCH",
        f"{SETTINGS}/{key}",
        payload={"ownerUserPrincipalName": "other@contoso.com"},
        headers={"Prefer": "return=minimal"},
    )
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Preference-Applied"] == "return=minimal"
    kept = await sandbox.ask("GET", f"{SETTINGS}/{key}")
    assert kept.json["ownerUserPrincipalName"] == "other@contoso.com"


async def test_a_deleted_setting_is_gone(sandbox: SandboxClient) -> None:
    key = (await first_setting(sandbox))["id"]
    deleted = await sandbox.ask("DELETE", f"{SETTINGS}/{key}")
    assert (deleted.status, deleted.body) == (204, b"")
    assert (await sandbox.ask("GET", f"{SETTINGS}/{key}")).status == 404


@pytest.mark.parametrize("name", ["disconnect", "microsoft.graph.disconnect"])
async def test_disconnect_answers_the_documented_status(sandbox: SandboxClient, name: str) -> None:
    answer = await sandbox.ask("POST", f"{SETTINGS}/{name}")
    assert answer.status == 200
    assert answer.json == {
        "@odata.context": f"{GRAPH}/beta/$metadata#microsoft.graph.chromeOSOnboardingStatus",
        "value": "inprogress",
    }


async def test_after_disconnect_two_reads_see_offboarding_and_the_rest_unknown(
    sandbox: SandboxClient,
) -> None:
    await sandbox.ask("POST", f"{SETTINGS}/disconnect")
    assert [await sandbox.statuses() for _ in range(4)] == [
        ["offboarding"] * 3,
        ["offboarding"] * 3,
        ["unknown"] * 3,
        ["unknown"] * 3,
    ]


async def test_a_list_and_a_get_each_count_as_one_read(sandbox: SandboxClient) -> None:
    key = (await first_setting(sandbox))["id"]
    await sandbox.ask("POST", f"{SETTINGS}/disconnect")
    assert (await sandbox.statuses())[0] == "offboarding"
    assert await status_of(sandbox, key) == "offboarding"
    assert await status_of(sandbox, key) == "unknown"
    assert await sandbox.statuses() == ["unknown", "offboarding", "offboarding"]


async def test_a_page_reads_only_the_settings_it_shows(sandbox: SandboxClient) -> None:
    await sandbox.ask("POST", f"{SETTINGS}/disconnect")
    for _ in range(2):
        await sandbox.ask("GET", f"{SETTINGS}?$top=1")
    assert await sandbox.statuses() == ["unknown", "offboarding", "offboarding"]


@pytest.mark.parametrize("name", ["connect", "microsoft.graph.connect"])
async def test_connect_of_a_new_owner_adds_a_setting_that_gets_onboarded(
    sandbox: SandboxClient, name: str
) -> None:
    answer = await sandbox.ask("POST", f"{SETTINGS}/{name}", payload=CONNECT)
    assert (answer.status, answer.json["value"]) == (200, "inprogress")
    seen = [(await sandbox.statuses())[3:] for _ in range(4)]
    assert seen == [["inprogress"], ["inprogress"], ["onboarded"], ["onboarded"]]


async def test_connect_of_a_known_owner_starts_its_setting_anew(sandbox: SandboxClient) -> None:
    setting = await first_setting(sandbox)
    await sandbox.ask("POST", f"{SETTINGS}/disconnect")
    owner = setting["ownerUserPrincipalName"].upper()
    await sandbox.ask(
        "POST", f"{SETTINGS}/connect", payload={**CONNECT, "ownerUserPrincipalName": owner}
    )
    assert [await status_of(sandbox, setting["id"]) for _ in range(3)] == [
        "inprogress",
        "inprogress",
        "onboarded",
    ]
    assert len(await sandbox.statuses()) == 3


async def test_the_owners_token_is_never_given_back(sandbox: SandboxClient) -> None:
    connected = await sandbox.ask("POST", f"{SETTINGS}/connect", payload=CONNECT)
    listed = await sandbox.ask("GET", SETTINGS)
    assert b"fake-owner-token" not in connected.body + listed.body


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({}, id="empty"),
        pytest.param({"ownerUserPrincipalName": "a@contoso.com"}, id="no-token"),
        pytest.param({"ownerAccessToken": "fake"}, id="no-owner"),
        pytest.param({**CONNECT, "ownerAccessToken": ""}, id="blank-token"),
        pytest.param({**CONNECT, "ownerAccessToken": 1}, id="number"),
    ],
)
async def test_connect_without_its_two_fields_is_a_400(
    sandbox: SandboxClient, payload: dict[str, object]
) -> None:
    answer = await sandbox.ask("POST", f"{SETTINGS}/connect", payload=payload)
    assert (answer.status, answer.error["code"]) == (400, "BadRequest")
    assert "is required" in json.loads(answer.error["message"])["Message"]


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"onboardingStatus": "finished"}, "'finished' is no onboardingStatus"),
        ({"ownerUserPrincipalName": 5}, "must be a string"),
        ({"owner": "a@contoso.com"}, "Could not find a property named 'owner'"),
    ],
    ids=["status", "type", "name"],
)
async def test_a_value_the_entity_cant_hold_is_a_400(
    sandbox: SandboxClient, payload: dict[str, object], said: str
) -> None:
    key = (await first_setting(sandbox))["id"]
    for method, path in (("POST", SETTINGS), ("PATCH", f"{SETTINGS}/{key}")):
        answer = await sandbox.ask(method, path, payload=payload)
        assert answer.status == 400
        assert said in answer.error["message"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_an_unknown_setting_is_a_404_in_intunes_flavour(
    sandbox: SandboxClient, method: str
) -> None:
    answer = await sandbox.ask(method, f"{SETTINGS}/{ABSENT}")
    assert (answer.status, answer.error["code"]) == (404, "ResourceNotFound")
    said = json.loads(answer.error["message"])
    assert set(said) == {
        "_version",
        "Message",
        "CustomApiErrorPhrase",
        "RetryAfter",
        "ErrorSourceService",
        "HttpHeaders",
    }
    assert said["_version"] == 3
    assert f"Activity ID: {answer.headers['request-id']}" in said["Message"]
    assert ABSENT in said["Message"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", SETTINGS, "GET, POST"),
        ("GET", f"{SETTINGS}/disconnect", "POST"),
        ("GET", f"{SETTINGS}/microsoft.graph.connect", "POST"),
        ("POST", f"{SETTINGS}/{ABSENT}", "GET, PATCH, DELETE"),
    ],
)
async def test_another_method_is_a_405_that_lists_those_allowed(
    sandbox: SandboxClient, method: str, path: str, allowed: str
) -> None:
    answer = await sandbox.ask(method, path)
    assert answer.status == 405
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize("rest", ["", "/disconnect", f"/{ABSENT}"])
async def test_v1_has_no_onboarding_settings(sandbox: SandboxClient, rest: str) -> None:
    path = SETTINGS.replace("/beta/", "/v1.0/")
    answer = await sandbox.ask("GET", f"{path}{rest}")
    assert (answer.status, answer.error["code"]) == (400, "BadRequest")
    assert answer.error["message"] == (
        "Resource not found for the segment 'chromeOSOnboardingSettings'."
    )
