"""What holds for any message."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.core.redaction import Policy, Redactor, Rule, find
from graphtape.core.redaction.gate import Gate
from graphtape.core.redaction.places import rules_of

GRAPH = "https://graph.microsoft.com/v1.0/me"
TENANT = "a76fc728-0cba-45f0-a9eb-d45207e14513"
POLICIES = (
    Policy(),
    Policy(keep_identities=True),
    Policy(personal=True),
    Policy(patterns=(r"[A-Z]{4}", r"\d{3}")),
)

# Pieces that rules look for, whole and broken, so that they meet in ways nobody thought of.
PIECES = st.sampled_from(
    [
        *("jane@acme.test", "a_b.test#EXT#@acme.onmicrosoft.com", "@", "%40", "#EXT#", "'", "''"),
        *("eyJhbGciOiJSUzI1NiJ9.eyJ1cG4iOiJmYWtlIn0.c2ln", "eyJ", ".", "REDACTED", "facade00-"),
        *("password=", "secret: ", '"secretText": "x"', "Bearer ", "sig=", "&", "?", "=", ";"),
        *("https://acme.sharepoint.com/personal/jane_acme_test/x?tempauth=abc", "https://", "/"),
        *(TENANT, "tenantId=", "/v2/", "/oauth2/", "login.microsoftonline.com/", "directory "),
        *("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "\\", '"', "{", "}", "["),
        *("cookie: a=b", "Authorization: Bearer abc", "<password>", "</", "\n", " ", "é", "%", "+"),
        *("user-aaaaaaaa@bbbbbbbb.example", "%2540", "%27", "%C3%A9", "\ud800", "\udc80"),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=5), max_size=8).map("".join)
NAMES = st.sampled_from(
    [
        *("id", "mail", "password", "tenantId", "secretText", "uploadUrl", "displayName", "value"),
        *("headers", "Authorization", "code", "key", "name", "body", "url", "@odata.context"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99999) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES | TEXTS, inner, max_size=4)
        | inner.map(json.dumps)
    ),
    max_leaves=8,
)
BODIES = JSON.map(lambda value: json.dumps(value).encode()) | JSON.map(
    lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
)
RAW = (
    BODIES | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=60)
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("Authorization", "Cookie", "Set-Cookie", "Location", "X-Api-Key"),
                *("X-Tenant-Id", "WWW-Authenticate", "Content-Type", "User-Agent"),
            ]
        ),
        TEXTS,
    ),
    max_size=3,
).map(Headers.of)
URLS = st.sampled_from(["https://graph.microsoft.com/v1.0/", "https://up.acme.test/", "/"])
INTERACTIONS = st.builds(
    lambda root, rest, fields, asked, answered: Interaction(
        request=Request(method="POST", url=root + rest, headers=fields, body=asked),
        response=Response(status=200, headers=fields, body=answered),
    ),
    URLS,
    TEXTS,
    HEADERS,
    RAW,
    RAW,
)


def redacted(interaction: Interaction, redactor: Redactor) -> Interaction:
    return Interaction(
        request=redactor.request(interaction.request).request,
        response=redactor.response(interaction.response, url=interaction.request.url),
    )


@pytest.mark.parametrize("policy", POLICIES, ids=["default", "kept", "personal", "patterns"])
@settings(max_examples=200, deadline=None)
@given(raw=INTERACTIONS)
def test_redaction_is_idempotent(policy: Policy, raw: Interaction) -> None:
    redactor = Redactor(salt="s", policy=policy)
    clean = redacted(raw, redactor)
    assert redacted(clean, redactor) == clean
    assert redacted(clean, Redactor(salt="s", policy=policy)) == clean


@settings(max_examples=200, deadline=None)
@given(body=BODIES)
def test_json_stays_json(body: bytes) -> None:
    redactor = Redactor(salt="s")
    for clean in (
        redactor.response(Response(status=200, body=body), url=GRAPH).body,
        redactor.request(Request(method="POST", url=GRAPH, body=body)).request.body,
    ):
        json.loads(clean.decode("utf-8", "surrogatepass"))


@settings(max_examples=200, deadline=None)
@given(raw=INTERACTIONS)
def test_nothing_is_found_in_what_was_redacted(raw: Interaction) -> None:
    clean = redacted(raw, Redactor(salt="s"))
    # What can't be looked into is left as it is, and off the tape.
    known = {Rule.OPAQUE, Rule.UNOPENED}
    assert [found for found in find(clean, Policy()) if found.rule not in known] == []


@settings(max_examples=200, deadline=None)
@given(body=RAW)
def test_the_gate_lets_nothing_by_that_a_rule_would_change(body: bytes) -> None:
    if not Gate(rules_of(Policy())).lets_by(body):
        return
    interaction = Interaction(
        request=Request(method="GET", url=GRAPH), response=Response(status=200, body=body)
    )
    known = {Rule.OPAQUE, Rule.UNOPENED}
    assert [found for found in find(interaction, Policy()) if found.rule not in known] == []


@settings(max_examples=200, deadline=None)
@given(before=TEXTS, after=TEXTS)
def test_an_address_gets_one_pseudonym_whatever_stands_around_it(before: str, after: str) -> None:
    redactor = Redactor(salt="s")
    alone = redactor.text("jane@acme.test")
    if "eyJ" in before + after or "=" in before or ":" in before:
        return  # part of a secret then, and masked with it
    text = redactor.text(f"({before} <jane@acme.test> {after})")
    assert "<jane@acme.test>" not in text
    assert f"<{alone}>" in text or "REDACTED" in text


@settings(max_examples=200, deadline=None)
@given(before=TEXTS, after=TEXTS)
def test_what_was_sent_comes_back(before: str, after: str) -> None:
    del after
    redactor = Redactor(salt="s")
    request = Request(
        method="POST", url=GRAPH, body=json.dumps({"mail": "jane@acme.test", "n": before}).encode()
    )
    redaction = redactor.request(request)
    taped = json.dumps({"mail": redactor.text("jane@acme.test")}).encode()
    assert json.loads(redactor.restore(taped, redaction.sent)) == {"mail": "jane@acme.test"}
