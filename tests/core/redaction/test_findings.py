"""`find`: the scan's eye."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.core.redaction import Finding, Policy, Redactor, find

if TYPE_CHECKING:
    from collections.abc import Mapping

GRAPH = "https://graph.microsoft.com/v1.0/me"
OPAQUE = "q7Zr2Xv9Lk4Tn8Wb3Yc6Hd1Mf5Pj0Gs-Qa2We4Rt"


def interaction(
    body: object = None, *, url: str = GRAPH, headers: Mapping[str, str] | None = None
) -> Interaction:
    raw = b"" if body is None else json.dumps(body).encode()
    fields = Headers.of((headers or {}).items())
    return Interaction(
        request=Request(method="GET", url=url),
        response=Response(status=200, headers=fields, body=raw),
    )


def test_a_finding_names_place_and_rule_and_masks_what_it_found() -> None:
    asked = Request(
        method="GET",
        url="https://acct.blob.example.net/c?sig=fakefakefake",
        headers=Headers.of([("Authorization", "Bearer faketokenfaketoken")]),
    )
    answered = Response(status=200, body=b'{"value":[{"secretText":"fake-secret-value"}]}')
    found = list(find(Interaction(request=asked, response=answered), Policy()))
    assert found == [
        Finding(place="request.url.query.sig", rule="link", excerpt="fa… (12 characters)"),
        Finding(
            place="request.header.Authorization",
            rule="authorization",
            excerpt="fak… (18 characters)",
        ),
        Finding(
            place="response.body.value[0].secretText", rule="secret", excerpt="fa… (17 characters)"
        ),
    ]


def test_a_place_inside_a_json_string_is_named_through_it() -> None:
    body = {"error": {"message": json.dumps({"Detail": {"password": "fake"}})}}
    (found,) = find(interaction(body), Policy())
    assert found.place == "response.body.error.message.Detail.password"


def test_a_long_random_value_in_an_unknown_place_is_found_and_never_changed() -> None:
    body = {"ticketing": OPAQUE}
    raw = interaction(body, headers={"X-Custom": OPAQUE})
    assert [(found.place, found.rule) for found in find(raw, Policy())] == [
        ("response.header.X-Custom", "opaque"),
        ("response.body.ticketing", "opaque"),
    ]
    assert Redactor(salt="s").response(raw.response, url=GRAPH) == raw.response


@pytest.mark.parametrize(
    "body",
    [
        {"id": "a76fc728-0cba-45f0-a9eb-d45207e14513"},
        {"note": "50124056-8cca-4cf5-9f98-8e63bede0b6e683dbff1-c8ff-4996-91ae-85484de46cfc"},
        {"@odata.etag": 'W/"JzEtVXNlcjEyMzQ1Njc4OTBhYmNkZWYxMjM0NTY3ODkw"'},
        {"id": "AAMkAGVmMDEzMTM4LTZmYWUtNDdkNC1hMDZiLTU1OGY5OTZhYmY4OABGAAAAAAAiQ8W967B7"},
        {"thumbprint": "52310F51E3C1A9C7F3B1E3F4D0C1C4D9B2A1F0E9"},
        {"digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
        {"largeIcon": {"type": "image/png", "value": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAA"}},
        {"keyCredentials": [{"key": "MIIDBTCCAe2gAwIBAgIQHJ7yHxNEM7tBeqcRTAGxvzANBgkqhkiG"}]},
        {"@odata.nextLink": f"{GRAPH}?$skiptoken={OPAQUE}"},
        {"@odata.deltaLink": f"{GRAPH}/delta?$deltatoken={OPAQUE}"},
        {"userName": "[REDACTED]", "token": "REDACTED"},
        {"scriptContent": base64.b64encode(b"Write-Host 'All is well on this device'").decode()},
        {"description": "ThisIsALongCompoundNameWithoutAnyBlanksInItWhatsoever"},
        {"securityIdentifier": "S-1-12-1-1738993828-1098491354-3028434529-3032583835"},
        {"@odata.context": "https://graph.microsoft.com/beta/$metadata#deviceManagement/x('1')"},
    ],
)
def test_what_graph_answers_every_day_is_no_alarm(body: object) -> None:
    assert not list(find(interaction(body), Policy()))


def test_graphs_own_headers_are_no_alarm() -> None:
    headers = {
        "x-ms-ags-diagnostic": '{"ServerInfo":{"DataCenter":"South Central US","Slice":"E",'
        '"Ring":"3","ScaleUnit":"001","RoleInstance":"SN1PEPF00006455"}}',
        "request-id": "04783b67-4666-4015-80ed-6b20891b499e",
        "x-ms-ests-server": "2.1.11530.17 - NCUS ProdSlices",
        "ETag": '"q7Zr2Xv9Lk4Tn8Wb3Yc6Hd1Mf5Pj0Gs"',
        "WWW-Authenticate": 'Bearer realm="", authorization_uri='
        '"https://login.microsoftonline.com/common/oauth2/authorize", '
        'client_id="00000003-0000-0000-c000-000000000000"',
        "strict-transport-security": "max-age=31536000; includeSubDomains",
    }
    assert not list(find(interaction(headers=headers), Policy()))


def test_a_claims_challenge_stays_and_is_no_alarm() -> None:
    claims = "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZX19fQ=="
    value = f'Bearer realm="", error="insufficient_claims", claims="{claims}"'
    raw = interaction(headers={"WWW-Authenticate": value})
    assert Redactor(salt="s").response(raw.response, url=GRAPH) == raw.response
    assert not list(find(raw, Policy()))


def test_pseudonyms_of_any_salt_are_no_findings() -> None:
    body = {"tenantId": "a76fc728-0cba-45f0-a9eb-d45207e14513", "mail": "jane@acme.test"}
    for salt in ("a", "b"):
        clean = Redactor(salt=salt).response(interaction(body).response, url=GRAPH)
        taped = Interaction(request=Request(method="GET", url=GRAPH), response=clean)
        assert not list(find(taped, Policy()))


def test_identities_are_no_findings_where_they_may_stay() -> None:
    raw = interaction({"mail": "jane@acme.test", "password": "fake"})
    assert [found.rule for found in find(raw, Policy(keep_identities=True))] == ["secret"]


def test_an_allowed_value_is_no_finding() -> None:
    raw = interaction({"note": OPAQUE, "mail": "jane@acme.test"})
    assert not list(find(raw, Policy(allow_values=(OPAQUE, "jane@acme.test"))))
