from __future__ import annotations

import base64
import json

import pytest

from graphtape.core.message import Headers, Request
from graphtape.core.signin.permission import lacking

SETTINGS = "https://graph.microsoft.com/beta/deviceManagement/chromeOSOnboardingSettings"
WRITE = "DeviceManagementConfiguration.ReadWrite.All"
READ = "DeviceManagementConfiguration.Read.All"


def token(claims: object) -> str:
    coded = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{coded}.ZmFrZQ"


def call(method: str, path: str, bearer: str, scheme: str = "Bearer") -> Request:
    headers = Headers.of([("Authorization", f"{scheme} {bearer}")])
    return Request(method=method, url=SETTINGS + path, headers=headers)


OPERATIONS = [
    pytest.param("GET", "", (READ, WRITE), id="list"),
    pytest.param("GET", "/0344255d-255d-0344-5d25-44035d254403", (READ, WRITE), id="get"),
    pytest.param("GET", "('1')?$select=id", (READ, WRITE), id="get-by-key"),
    pytest.param("POST", "", (WRITE,), id="create"),
    pytest.param("PATCH", "/0344255d-255d-0344-5d25-44035d254403", (WRITE,), id="update"),
    pytest.param("DELETE", "/0344255d-255d-0344-5d25-44035d254403", (WRITE,), id="delete"),
    pytest.param("POST", "/connect", (WRITE,), id="connect"),
    pytest.param("POST", "/disconnect", (WRITE,), id="disconnect"),
    pytest.param("POST", "/microsoft.graph.disconnect", (WRITE,), id="qualified"),
]


@pytest.mark.parametrize(("method", "path", "enough"), OPERATIONS)
def test_each_documented_permission_is_enough_and_another_is_not(
    method: str, path: str, enough: tuple[str, ...]
) -> None:
    for name in (READ, WRITE):
        for claims in ({"scp": f"User.Read {name}"}, {"roles": ["User.Read.All", name]}):
            said = lacking(call(method, path, token(claims)))
            assert (said is None) == (name in enough)
    assert lacking(call(method, path, token({"scp": "User.Read"}))) is not None


def test_the_text_names_what_is_missing_and_nothing_of_the_token() -> None:
    said = lacking(call("POST", "/disconnect", token({"scp": "Planted.Name", "roles": [WRITE]})))
    assert said == f"was sent with a token without the delegated permission {WRITE}"


def test_an_app_lacks_an_application_permission() -> None:
    said = lacking(call("GET", "", token({"roles": []})))
    assert said == f"was sent with a token without the application permission {READ} or {WRITE}"


@pytest.mark.parametrize(
    "bearer",
    [
        "opaque",
        "a.b.c",
        "e30.bnVsbA.x",
        token({"aud": "x"}),
        token([1]),
        "a.%%.b",
        "",
        "..",
        "é.é.é",
    ],
    ids=[
        "opaque",
        "no-json",
        "null",
        "no-claims",
        "list",
        "no-base64",
        "empty",
        "dots",
        "no-ascii",
    ],
)
def test_of_what_can_not_be_read_nothing_is_said(bearer: str) -> None:
    assert lacking(call("POST", "/disconnect", bearer)) is None


def test_of_another_scheme_and_another_operation_nothing_is_said() -> None:
    bearer = token({"scp": "User.Read"})
    assert lacking(call("POST", "/disconnect", bearer, scheme="Basic")) is None
    assert lacking(call("POST", "/unknown", bearer)) is None
    elsewhere = call("POST", "/disconnect", bearer)
    assert lacking(elsewhere.with_url("https://example.com/beta/" + SETTINGS[31:])) is None


def test_a_part_of_a_batch_has_the_batchs_token() -> None:
    part = Request(method="POST", url=f"{SETTINGS}/disconnect")
    batch = call("POST", "/../$batch", token({"scp": "User.Read"}))
    assert lacking(part) is None
    assert lacking(part, carrier=batch) is not None
