from __future__ import annotations

import base64
from typing import Any

import pytest

from graphtape.sandbox.photo import PORTRAIT
from sandbox.service import GRAPH, SETTINGS, SandboxClient

SETTINGS_PART = SETTINGS.removeprefix("/beta")
JSON = {"Content-Type": "application/json"}


def get(key: str, url: str, **more: object) -> dict[str, object]:
    return {"id": key, "method": "GET", "url": url, **more}


async def answers(
    sandbox: SandboxClient, *parts: dict[str, object], version: str = "beta"
) -> dict[str, dict[str, Any]]:
    answer = await sandbox.ask("POST", f"/{version}/$batch", payload={"requests": parts})
    assert answer.status == 200
    return {part["id"]: part for part in answer.json["responses"]}


async def test_each_part_is_answered_as_it_would_be_alone(sandbox: SandboxClient) -> None:
    alone = await sandbox.ask("GET", "/beta/me")
    got = await answers(sandbox, get("1", "/me"), get("2", f"{SETTINGS_PART}?$top=2"))
    assert got["1"]["status"] == 200
    assert got["1"]["body"] == alone.json
    assert got["1"]["headers"]["Content-Type"] == alone.headers["Content-Type"]
    assert got["2"]["body"]["@odata.nextLink"].startswith(f"{GRAPH}{SETTINGS}?$top=2")


async def test_parts_write_and_read_the_same_tenant(sandbox: SandboxClient) -> None:
    got = await answers(
        sandbox,
        get("poll", SETTINGS_PART, dependsOn=["off"]),
        {"id": "off", "method": "POST", "url": f"{SETTINGS_PART}/disconnect"},
        {"id": "up", "method": "PATCH", "url": "me", "headers": JSON, "body": {"jobTitle": "CEO"}},
    )
    assert got["off"]["body"]["value"] == "inprogress"
    assert got["poll"]["body"]["value"][0]["onboardingStatus"] == "offboarding"
    assert (got["up"]["status"], got["up"]["body"]) == (204, None)
    assert (await sandbox.ask("GET", "/v1.0/me")).json["jobTitle"] == "CEO"


async def test_a_part_has_its_own_status_and_headers(sandbox: SandboxClient) -> None:
    got = await answers(
        sandbox,
        {"id": "new", "method": "POST", "url": SETTINGS_PART, "headers": JSON, "body": {}},
        get("gone", f"{SETTINGS_PART}/none"),
        {"id": "no", "method": "DELETE", "url": SETTINGS_PART},
    )
    assert {key: part["status"] for key, part in got.items()} == {
        "new": 201,
        "gone": 404,
        "no": 405,
    }
    assert got["new"]["headers"]["Location"] == GRAPH
    assert got["no"]["headers"]["Allow"] == "GET, POST"


async def test_a_failed_dependency_is_a_424_down_the_chain(sandbox: SandboxClient) -> None:
    got = await answers(
        sandbox,
        get("1", "/users/nobody"),
        get("2", "/me", dependsOn=["1"]),
        get("3", "/me", dependsOn=["2"]),
        get("4", "/me"),
        version="v1.0",
    )
    assert {key: part["status"] for key, part in got.items()} == {
        "1": 404,
        "2": 424,
        "3": 424,
        "4": 200,
    }
    assert got["2"]["body"]["error"]["code"] == "FailedDependency"


async def test_media_travels_as_base64_both_ways(sandbox: SandboxClient) -> None:
    photo = PORTRAIT.data + b"\xfb\xff\xfe"
    url = "/me/photo/$value"
    got = await answers(
        sandbox,
        {
            "id": "put",
            "method": "PUT",
            "url": url,
            "headers": {"content-type": "image/jpeg"},
            "body": base64.urlsafe_b64encode(photo).decode(),
        },
        get("get", url, dependsOn=["put"]),
    )
    assert got["put"]["status"] == 200
    assert base64.b64decode(got["get"]["body"]) == photo
    assert got["get"]["headers"]["Content-Type"] == "image/jpeg"


async def test_twenty_parts_are_taken(sandbox: SandboxClient) -> None:
    got = await answers(sandbox, *(get(str(n), "/me") for n in range(20)))
    assert {part["status"] for part in got.values()} == {200}


async def test_a_part_may_be_absolute_at_graphs_root(sandbox: SandboxClient) -> None:
    got = await answers(
        sandbox, get("1", f"{GRAPH}/v1.0/me"), get("2", "http://127.0.0.1:1/beta/me")
    )
    assert got["1"]["status"] == 200
    assert got["2"]["status"] == 400


async def test_a_batch_in_a_batch_is_refused(sandbox: SandboxClient) -> None:
    part: dict[str, object] = {
        "id": "1",
        "method": "POST",
        "url": "/$batch",
        "headers": JSON,
        "body": {"requests": []},
    }
    assert (await answers(sandbox, part))["1"]["status"] == 400


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({}, id="no-requests"),
        pytest.param({"requests": []}, id="none"),
        pytest.param({"requests": "all"}, id="no-list"),
        pytest.param({"requests": [1]}, id="no-object"),
        pytest.param({"requests": [{"method": "GET", "url": "/me"}]}, id="no-id"),
        pytest.param({"requests": [{"id": 1, "method": "GET", "url": "/me"}]}, id="number-id"),
        pytest.param({"requests": [get("1", "/me", headers=[])]}, id="headers"),
        pytest.param({"requests": [get("1", "/me"), get("1", "/me")]}, id="duplicate-id"),
        pytest.param({"requests": [get(str(n), "/me") for n in range(21)]}, id="21"),
        pytest.param({"requests": [get("1", "/me", dependsOn=["2"])]}, id="unknown-dependency"),
        pytest.param({"requests": [get("1", "/me", dependsOn=["1"])]}, id="circle"),
        pytest.param({"requests": [get("1", "/me", body={"a": 1})]}, id="body-without-type"),
        pytest.param(
            {"requests": [get("1", "/me", headers={"Content-Type": "image/png"}, body="*")]},
            id="not-base64",
        ),
    ],
)
async def test_a_malformed_batch_is_a_400_as_a_whole(
    sandbox: SandboxClient, payload: dict[str, object]
) -> None:
    answer = await sandbox.ask("POST", "/v1.0/$batch", payload=payload)
    assert (answer.status, answer.error["code"]) == (400, "BadRequest")


async def test_batch_is_post_only(sandbox: SandboxClient) -> None:
    answer = await sandbox.ask("GET", "/v1.0/$batch")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
