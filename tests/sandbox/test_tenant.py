from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest

from graphtape.core.graph.actions import METADATA_CONTENT_TYPE
from graphtape.core.message import Headers, Request
from graphtape.sandbox.tenant import Tenant
from sandbox.service import GRAPH, NOON, SETTINGS, SandboxClient, serve

GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", SETTINGS), ("GET", "/v1.0/me/photo/$value"), ("GET", "/v1.0/none"), ("PUT", SETTINGS)],
)
async def test_every_answer_has_graphs_headers(
    sandbox: SandboxClient, method: str, path: str
) -> None:
    answer = await sandbox.ask(method, path, headers={"client-request-id": "mine-1"})
    assert GUID.fullmatch(answer.headers["request-id"])
    assert answer.headers["client-request-id"] == "mine-1"
    assert answer.headers["Date"] == "Sun, 01 Mar 2026 12:00:00 GMT"
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "ServerInfo" in json.loads(answer.headers["x-ms-ags-diagnostic"])
    assert "Server" not in answer.headers


async def test_a_success_says_odata_and_json_with_metadata(sandbox: SandboxClient) -> None:
    answer = await sandbox.ask("GET", "/v1.0/me")
    assert answer.headers["OData-Version"] == "4.0"
    assert answer.headers["Content-Type"] == METADATA_CONTENT_TYPE
    assert "client-request-id" not in answer.headers


async def test_an_error_is_plain_json_of_graphs_shape(sandbox: SandboxClient) -> None:
    answer = await sandbox.ask("GET", "/v1.0/users/nobody", headers={"client-request-id": "mine"})
    assert answer.headers["Content-Type"] == "application/json"
    assert "OData-Version" not in answer.headers
    assert answer.error["innerError"] == {
        "date": "2026-03-01T12:00:00",
        "request-id": answer.headers["request-id"],
        "client-request-id": "mine",
    }


@pytest.mark.parametrize("sent", [None, "", "Basic ZmFrZQ==", "Bearer", "Bearer  "])
@pytest.mark.parametrize("path", [SETTINGS, "/v1.0/nothing", "/v1.0/$batch"])
async def test_without_a_bearer_token_everything_is_a_401(path: str, sent: str | None) -> None:
    tenant = Tenant(now=lambda: NOON)
    headers = Headers.of([] if sent is None else [("Authorization", sent)])
    answer = tenant.answer(Request(method="POST", url=GRAPH + path, headers=headers))
    assert answer.status == 401
    assert json.loads(answer.body)["error"]["code"] == "InvalidAuthenticationToken"
    assert answer.headers.get("WWW-Authenticate") == (
        'Bearer realm="",'
        ' authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize",'
        ' client_id="00000003-0000-0000-c000-000000000000"'
    )


async def test_any_bearer_token_will_do(sandbox: SandboxClient) -> None:
    answer = await sandbox.ask("GET", "/v1.0/me", headers={"Authorization": "bearer anything"})
    assert answer.status == 200


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1.0/groups", "Resource not found for the segment 'groups'."),
        ("/beta/deviceManagement/other/1", "Resource not found for the segment 'other'."),
        ("/beta/deviceManagement", "Resource not found for the segment 'deviceManagement'."),
        (f"{SETTINGS}/1/owner", "Resource not found for the segment 'owner'."),
        ("/v1.0/me/messages", "Resource not found for the segment 'messages'."),
        ("/v1.0/users/1/photo/large", "Resource not found for the segment 'large'."),
        ("/v1.0", "Resource not found for the segment ''."),
        ("/v3.0/me", "Invalid version: v3.0"),
        ("/", "Invalid version: "),
    ],
)
async def test_an_unknown_path_is_a_400(sandbox: SandboxClient, path: str, said: str) -> None:
    answer = await sandbox.ask("GET", path)
    assert (answer.status, answer.error["code"]) == (400, "BadRequest")
    assert answer.error["message"] == said


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"null", b"[" * 100_000])
async def test_a_body_that_is_no_json_object_is_a_400(sandbox: SandboxClient, data: bytes) -> None:
    for path in (f"{SETTINGS}/connect", SETTINGS, "/v1.0/users", "/v1.0/$batch"):
        answer = await sandbox.ask(
            "POST", path, data=data, headers={"Content-Type": "application/json"}
        )
        assert (answer.status, answer.error["code"]) == (400, "BadRequest")
        assert answer.error["message"].startswith("Unable to read JSON request payload.")


async def same_calls(tenant: Tenant) -> list[tuple[int, dict[str, str], bytes]]:
    async with serve(tenant) as sandbox:
        seen = [
            await sandbox.ask("GET", f"{SETTINGS}?$top=2"),
            await sandbox.ask("POST", f"{SETTINGS}/disconnect"),
            await sandbox.ask("POST", SETTINGS, payload={"onboardingStatus": "unknown"}),
            await sandbox.ask("GET", "/v1.0/users"),
            await sandbox.ask("GET", "/v1.0/none"),
        ]
    return [(answer.status, dict(answer.headers), answer.body) for answer in seen]


async def test_two_runs_with_the_same_calls_are_alike_to_the_byte() -> None:
    first = await same_calls(Tenant(now=lambda: NOON))
    assert first == await same_calls(Tenant(now=lambda: NOON))


async def test_another_seed_is_another_tenant() -> None:
    first = await same_calls(Tenant(now=lambda: NOON))
    other = await same_calls(Tenant(now=lambda: NOON, seed=1))
    assert json.loads(first[0][2])["value"][0]["id"] != json.loads(other[0][2])["value"][0]["id"]


async def test_links_point_at_the_cloud_the_tenant_plays() -> None:
    root = "https://graph.microsoft.us"
    async with serve(Tenant(now=lambda: NOON, root=f"{root}/")) as sandbox:
        listed = (await sandbox.ask("GET", "/v1.0/users?$top=1")).json
        created = await sandbox.ask("POST", SETTINGS, payload={})
    assert listed["@odata.context"].startswith(f"{root}/v1.0/")
    assert listed["@odata.nextLink"].startswith(f"{root}/v1.0/users?")
    assert created.headers["Location"] == root


async def test_without_a_clock_of_its_own_it_tells_the_time() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    async with serve(Tenant()) as sandbox:
        answer = await sandbox.ask("GET", "/v1.0/me")
    assert parsedate_to_datetime(answer.headers["Date"]) >= before
