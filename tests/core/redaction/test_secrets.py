"""What stands in a secret's place keeps what a client needs."""

from __future__ import annotations

import base64
import json
import re

import pytest

from graphtape.core.errors import UsageError
from graphtape.core.message import Headers, Request, Response
from graphtape.core.redaction import Policy, Redactor

GRAPH = "https://graph.microsoft.com/v1.0/me"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJ1cG4iOiJmYWtlIn0.c2lnbmF0dXJl"
UPLOAD = (
    "https://tenant.example.net/_api/v2.0/drives/items/uploadSession"
    "?guid='1'&overwrite=True&tempauth=v1.fake.token"
)


def header(name: str, value: str, policy: Policy | None = None) -> str:
    redactor = Redactor(salt="s", policy=policy or Policy())
    request = Request(method="GET", url=GRAPH, headers=Headers.of([(name, value)]))
    return redactor.request(request).request.headers.pairs[0][1]


def answer(body: bytes | str, *, policy: Policy | None = None, url: str = GRAPH) -> str:
    raw = body.encode() if isinstance(body, str) else body
    redactor = Redactor(salt="s", policy=policy or Policy())
    return redactor.response(Response(status=200, body=raw), url=url).body.decode()


def ask(body: str, *, policy: Policy | None = None) -> str:
    redactor = Redactor(salt="s", policy=policy or Policy())
    request = Request(method="POST", url=GRAPH, body=body.encode())
    return redactor.request(request).request.body.decode()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Authorization", "Bearer abc", "Bearer REDACTED"),
        ("authorization", f"Bearer {JWT}", "Bearer REDACTED"),
        ("Authorization", "[REDACTED]", "REDACTED"),
        ("Authorization", "", ""),
        ("Cookie", "a=1; b=2", "a=REDACTED; b=REDACTED"),
        ("X-Api-Key", "k", "REDACTED"),
        ("Accept", "application/json", "application/json"),
        ("User-Agent", "python-requests/2.32", "python-requests/2.32"),
    ],
)
def test_a_header_keeps_its_form(name: str, value: str, expected: str) -> None:
    assert header(name, value) == expected


def test_a_set_cookie_keeps_name_and_attributes() -> None:
    fields = Headers.of([("Set-Cookie", "fpc=secret; expires=Wed, 01 Jan 2031; path=/; HttpOnly")])
    response = Redactor(salt="s").response(Response(status=200, headers=fields), url=GRAPH)
    assert response.headers.get("set-cookie") == (
        "fpc=REDACTED; expires=Wed, 01 Jan 2031; path=/; HttpOnly"
    )


def test_a_token_answered_stays_one_that_clients_can_look_into() -> None:
    token = json.loads(answer(json.dumps({"access_token": JWT})))["access_token"]
    head, payload, _ = token.split(".")
    assert json.loads(base64.urlsafe_b64decode(head + "==")) == {"typ": "JWT", "alg": "none"}
    assert json.loads(base64.urlsafe_b64decode(payload + "==")) == {"redacted": True}


@pytest.mark.parametrize(
    "value",
    ["opaque", "REDACTED", "Summer2026!", "correct horse battery staple", "CorrectHorseBattery"],
)
def test_a_secret_that_can_be_guessed_is_the_same_mask_whatever_it_was(value: str) -> None:
    assert ask(json.dumps({"ownerAccessToken": value})) == '{"ownerAccessToken": "REDACTED"}'


@pytest.mark.parametrize(
    "value",
    [
        JWT,
        "not-real-Xk29fQ0zLw8vR4tYb7Nm3Hs6",
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        "9f86d081884c7d659a2feaa0c55ad015",
    ],
)
def test_a_secret_that_can_not_be_guessed_gets_a_mask_of_its_own(value: str) -> None:
    masked = json.loads(ask(json.dumps({"ownerAccessToken": value})))["ownerAccessToken"]
    assert re.fullmatch("REDACTED[0-9a-f]{20}", masked)
    assert ask(json.dumps({"ownerAccessToken": masked})) == json.dumps({"ownerAccessToken": masked})
    other = json.loads(ask(json.dumps({"ownerAccessToken": value[:-1] + "4"})))
    assert other["ownerAccessToken"] != masked


@pytest.mark.parametrize(
    "body",
    [
        '{"error":{"code":"InvalidAuthenticationToken","message":"Access token is empty."}}',
        '{"passwordProfile":null,"password":"","secretText":null,"isSecret":true}',
        '{"passwordCredentials":[{"keyId":"1","hint":"abc","displayName":"password"}]}',
        '{"@odata.nextLink":"https://graph.microsoft.com/v1.0/users?$skiptoken=RFNwdAIAAQ-x_y"}',
        '{"@odata.deltaLink":"https://graph.microsoft.com/v1.0/users/delta?$deltatoken=aB3-xY"}',
        '{"forceChangePasswordNextSignIn":false,"passwordPolicies":"DisablePasswordExpiration"}',
        '{"value":"inprogress"}',
        "code and tokens are just words here; a password is, too",
    ],
)
def test_what_is_no_secret_stays_to_the_byte(body: str) -> None:
    assert answer(body) == body


def test_a_body_keeps_its_formatting() -> None:
    body = '{\r\n  "b" : [ 1.50, "\\u00e9" ],\r\n  "secretText" : "x",\r\n  "a": 1e3\r\n}\r\n'
    assert answer(body) == body.replace('"x"', '"REDACTED"')


def test_a_url_that_is_followed_gets_the_same_fake_in_the_answer_and_in_the_request() -> None:
    redactor = Redactor(salt="s")
    link = json.loads(answer(json.dumps({"uploadUrl": UPLOAD})))["uploadUrl"]
    located = Response(status=302, headers=Headers.of([("Location", UPLOAD)]))
    asked = redactor.request(Request(method="PUT", url=UPLOAD)).request.url
    assert link == asked == redactor.response(located, url=GRAPH).headers.get("location")
    assert redactor.request(Request(method="PUT", url=link)).request.url == link
    assert "overwrite=True" in link
    assert "v1.fake.token" not in link


def test_two_urls_that_differ_in_the_secret_alone_stay_two() -> None:
    redactor = Redactor(salt="s")
    assert redactor.url(f"{UPLOAD}1") != redactor.url(f"{UPLOAD}2")


def test_a_users_own_names_and_patterns_are_secret_too() -> None:
    policy = Policy(
        headers=("X-Tenant-Pin",), fields=("badge_no", "card.number"), patterns=(r"EMP-\d+",)
    )
    body = '{"badgeNo":"1","number":"2","card":{"number":"3"},"note":"by EMP-77"}'
    assert ask(body, policy=policy) == (
        '{"badgeNo":"REDACTED","number":"2","card":{"number":"REDACTED"},"note":"by REDACTED"}'
    )
    assert header("x-tenant-pin", "1234", policy) == "REDACTED"


def test_a_users_own_query_name_is_secret() -> None:
    redactor = Redactor(salt="s", policy=Policy(queries=("ticket",)))
    assert redactor.url(f"{GRAPH}?ticket=1&x=2") == f"{GRAPH}?ticket=REDACTED&x=2"


def test_what_is_allowed_is_left_alone() -> None:
    policy = Policy(
        allow_headers=("X-Api-Key",),
        allow_fields=("password",),
        allow_queries=("code",),
        allow_values=("test-secret",),
    )
    assert header("x-api-key", "k", policy) == "k"
    assert ask('{"password":"p","clientSecret":"test-secret"}', policy=policy) == (
        '{"password":"p","clientSecret":"test-secret"}'
    )
    assert Redactor(salt="s", policy=policy).url(f"{GRAPH}?code=1") == f"{GRAPH}?code=1"


@pytest.mark.parametrize("pattern", ["[", "x*"])
def test_a_pattern_that_cannot_be_used_is_named(pattern: str) -> None:
    with pytest.raises(UsageError, match=r"redaction\.patterns: '") as caught:
        Policy(patterns=(pattern,))
    assert repr(pattern) in str(caught.value)


def test_binary_without_a_secret_stays_to_the_byte() -> None:
    image = bytes(range(256)) * 40
    response = Response(status=200, headers=Headers.of([("Content-Type", "image/png")]), body=image)
    assert Redactor(salt="s").response(response, url=GRAPH).body == image


def test_a_lone_surrogate_beside_a_secret_survives() -> None:
    assert answer('{"a":"\\ud800","password":"x"}') == '{"a":"\\ud800","password":"REDACTED"}'


def test_replacements_are_counted_and_personal_fields_that_were_kept() -> None:
    redactor = Redactor(salt="s")
    body = b'{"displayName":"A","mail":"a@acme.test","secretText":"x","mobilePhone":null}'
    redactor.response(Response(status=200, body=body), url=GRAPH)
    assert dict(redactor.counts) == {"secrets": 1, "identities": 1, "personal": 1}


def test_a_log_line_is_redacted_like_the_message_it_quotes() -> None:
    redactor = Redactor(salt="s")
    line = f"PUT {UPLOAD} as jane@acme.test with Authorization: Bearer abc"
    written = redactor.text(line)
    assert redactor.url(UPLOAD) in written
    assert "jane" not in written
    assert "abc" not in written
