"""What the quick looks let by holds nothing that the rules would find."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphtape.core.redaction import bodies
from graphtape.core.redaction.graph_names import NAMES
from graphtape.core.redaction.identities import Pseudonyms
from graphtape.core.redaction.places import rules_of
from graphtape.core.redaction.policy import Policy
from graphtape.core.redaction.redactor import Redactor
from graphtape.core.redaction.sweep import Sweep
from graphtape.core.redaction.vocabulary import (
    DOMAIN_FIELDS,
    FORM_SECRETS,
    QUERY_SECRETS,
    SECRET_ENDINGS,
    SECRET_FIELDS,
    TENANT_FIELDS,
)
from redacted import redacted_body

FULL = bool(os.environ.get("GRAPHTAPE_FULL"))
EXAMPLES = 50_000 if FULL else 1_000
FAKE = "Fake-Canary-1"
GUID = "0f0e0d0c-0b0a-4909-8807-060504030201"
NAMED = sorted(
    {*NAMES, *SECRET_FIELDS, *SECRET_ENDINGS, *FORM_SECRETS, *QUERY_SECRETS, *DOMAIN_FIELDS}
    | TENANT_FIELDS
)
# By index: what Hypothesis says of a list of a thousand names is a page long.
named = st.integers(0, len(NAMED) - 1).map(NAMED.__getitem__)
names = st.one_of(
    named,
    st.sampled_from(["id", "name", "key", "value", "displayName", "omaUri", "@odata.type", "mail"]),
    st.sampled_from(["@odata.context", "headers", "body", "url", "requests", "settingName", "k"]),
    st.text(max_size=6),
)
pieces = st.one_of(
    named,
    st.sampled_from(
        [
            *("=", ": ", " ", '"', "'", "\\", "<", ">", "</", "/", "&", "%", ",", "\n", "--", "$"),
            *("jane.doe@acme.test", "j1@x-y.acme.onmicrosoft.com", "x@contoso.com", "a@b.c"),
            *(FAKE, GUID, "a@acme.test", "jane_acme.test#EXT#@x.onmicrosoft.com", "Bearer "),
            *("https://login.microsoftonline.com/", "https://acme.sharepoint.com/sites/x?sig="),
            *("111111-222222-333333-444444-555555-666666-777777-888888", "tenant", "tid", "/v2/"),
            *("realm", "directory: ", "directoryId="),
            *(
                "xoxb-0000000000-fake",
                "AKIA" + "FAKE" * 4,
                "eyJhbGciOiJub25lIn0.eyJmIjoxfQ.fakefake",
            ),
            *(
                "cGFzc3dvcmQ9RmFrZS1DYW5hcnktMQ==",
                "password",
                "ConvertTo-SecureString",
                "|",
                "CDATA",
            ),
            *("#microsoft.graph.organization", "$metadata#domains", "Password", "%70assword"),
            *("password: |\n  x\n", "a,Password\n1,fake\n", "=?utf-8?Q?password=3Dx1y?="),
        ]
    ),
    st.text(max_size=8),
)
texts = st.lists(pieces, max_size=6).map("".join)
values = st.recursive(
    st.one_of(texts, texts.map(lambda text: json.dumps({"a": text})), st.integers(), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=4)),
    max_leaves=8,
)
written = st.one_of(
    st.dictionaries(names, values, max_size=5).map(json.dumps),
    st.dictionaries(names, values, max_size=5).map(
        lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    ),
    texts,
)


def fully(body: bytes) -> bytes:
    """Redact without any quick look."""
    sweep = Sweep(
        rules_of(Policy()),
        Pseudonyms(salt="s", allow=frozenset(), lenient=False),
        answer=True,
        body=bodies.body,
    )
    return bodies.body(sweep, body, "")


@pytest.mark.timeout(3600)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=not FULL)
@given(written)
def test_the_quick_looks_agree_with_the_rules(text: str) -> None:
    body = text.encode("utf-8", "surrogatepass")
    assert redacted_body(Redactor(salt="s"), body, "") == fully(body)


addresses = st.one_of(
    st.emails(),
    st.sampled_from(
        ["eyjane@acme.test", "redacted@acme.test", "a@login.acme.test", "b@acme.co.uk"]
    ),
    st.from_regex(r"[a-z0-9._-]{1,20}@([a-z0-9-]{1,12}\.){1,3}[a-z]{1,5}", fullmatch=True),
)


@settings(max_examples=EXAMPLES, deadline=None, derandomize=not FULL)
@pytest.mark.timeout(3600)
@given(st.lists(st.dictionaries(st.sampled_from(["mail", "userPrincipalName"]), addresses)))
def test_a_list_of_addresses_is_redacted_as_any_body_is(people: list[object]) -> None:
    body = json.dumps({"@odata.context": "c", "value": people}).encode()
    assert redacted_body(Redactor(salt="s"), body, "") == fully(body)


@pytest.mark.timeout(3600)
@settings(max_examples=EXAMPLES // 50, deadline=None, derandomize=not FULL)
@given(st.lists(st.dictionaries(names, values, max_size=5), min_size=1, max_size=5))
def test_a_long_list_is_redacted_as_a_whole_one_is(items: list[object]) -> None:
    filler = [{"id": GUID, "displayName": "x" * 100} for _ in range(500)]
    body = json.dumps({"@odata.context": "c", "value": [*filler, *items, *filler]}).encode()
    assert redacted_body(Redactor(salt="s"), body, "") == fully(body)
