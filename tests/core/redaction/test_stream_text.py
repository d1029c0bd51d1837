"""Long texts: in windows, however they come, the same comes out as for the whole."""

from __future__ import annotations

import base64
import json
import os
import uuid
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphtape.core.message import Headers, Response
from graphtape.core.redaction import Policy, Redactor, bodies
from graphtape.core.redaction.gate import Gate
from graphtape.core.redaction.identities import Pseudonyms
from graphtape.core.redaction.places import rules_of
from graphtape.core.redaction.stream.choose import STREAMED, Form, form_of
from graphtape.core.redaction.stream.text_body import LONGEST_WINDOW, TextBody
from graphtape.core.redaction.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn

EXAMPLES = 5_000 if os.environ.get("GRAPHTAPE_FULL") else 100
WINDOW = 500
FAKE = "Fake-Canary-1"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIfake\nDEFfake\n-----END PRIVATE KEY-----"
TENANT = "0f0e0d0c-0b0a-4909-8807-060504030201"
PACKED = b"user=x password=Fake-Canary-9 and more words, so that it is longer\n"

words = st.sampled_from(
    [
        *("alpha", "report", "device", "tenant", "passed", "key", "login", "organization", "x"),
        *("directory", "curly", "user", "assigned", "value", "code", "12", "said", "=", "-", "'"),
    ]
)
secrets = st.sampled_from(
    [
        *(f"password={FAKE}", f"secret: '{FAKE}'", "Bearer fake-token-0123456789", "j.d@acme.test"),
        *(f"tenantId={TENANT}", f"tenant:\n{TENANT}", f"client_secret\n= {FAKE}", KEY, TENANT),
        *(f"password:\n  {FAKE}", f"token: |\n  {FAKE}\n  more", f"Cookie: {FAKE}=x"),
        *("eyJhbGciOiJSUzI1NiJ9.eyJ1cG4iOiJmYWtlIn0.c2lnbm", "ghp_" + "a1B2" * 9),
        *(
            f"ConvertTo-SecureString\n'{FAKE}'",
            f"net user jane\n{FAKE}-2",
            f"/v Password /d {FAKE}",
        ),
        *(base64.b64encode(PACKED).decode(), base64.encodebytes(PACKED * 6).decode()),
        "https://u:p@acme.test/x?sig=abcdefgh12345",
    ]
)
breaks = st.sampled_from(["\n", "\r\n"])


@st.composite
def logs(draw: DrawFn) -> tuple[str, bytes]:
    """Write lines of words, some of them indented, with secrets between."""
    line = st.lists(words, min_size=1, max_size=8).map(" ".join)
    ended = st.tuples(st.sampled_from(["", "", "  "]), line, st.sampled_from(["", ".", ":", "="]))
    lines = st.lists(ended.map("".join) | ended.map("".join) | secrets, min_size=30, max_size=90)
    return "text/plain", draw(breaks).join(draw(lines)).encode()


@st.composite
def tables(draw: DrawFn) -> tuple[str, bytes]:
    """Write CSV, with a secret column and cells of several lines or without."""
    note = draw(st.sampled_from(["Note", "Password", "Tenant Id"]))
    cell = words | st.sampled_from(["a1@acme.test", FAKE, '"two\nlines"', '"a ""b"" c"', TENANT])
    row = st.tuples(st.uuids().map(str), words, cell, cell).map(",".join)
    rows = draw(st.lists(row, min_size=20, max_size=60))
    return "text/csv", draw(breaks).join([f"Id,Name,{note},Mail", *rows]).encode()


@st.composite
def json_lines(draw: DrawFn) -> tuple[str, bytes]:
    """Write NDJSON."""
    names = st.sampled_from(["password", "secretText", "tenantId", "note", "mail", "deviceName"])
    row = st.dictionaries(names, words | secrets, max_size=4)
    rows = draw(st.lists(row.map(json.dumps), min_size=20, max_size=60))
    return "application/x-ndjson", "\n".join(['{"id": 1}', *rows]).encode()


@st.composite
def elements(draw: DrawFn) -> tuple[str, bytes]:
    """Write XML, in lines or on one."""
    leaf = st.sampled_from(
        [
            *("<name>password</name>", "<name>color</name>", f"<value>{FAKE}</value>", "<br/>"),
            *(f"<password>{FAKE}</password>", "<mail>b@acme.test</mail>", "<b>text</b>"),
            *(
                f"<![CDATA[<b>password={FAKE}</b><i>x</i>]]>",
                f"<key>pin</key><string>{FAKE}</string>",
            ),
            f"<setting name='password' value='{FAKE}'/>",
        ]
    )
    name = st.sampled_from(["item", "setting", "credentials"])
    item = st.tuples(name, st.lists(leaf, min_size=1, max_size=5)).map(
        lambda each: [f"<{each[0]} id='1'>", *each[1], f"</{each[0]}>"]
    )
    items = draw(st.lists(item, min_size=10, max_size=40))
    between = draw(st.sampled_from(["", "\n", "\r\n  "]))
    lines = ["<root>", *(line for item in items for line in item), "</root>"]
    return "application/xml", between.join(lines).encode()


def sweep() -> Sweep:
    names = Pseudonyms(salt="s", allow=frozenset(), lenient=False)
    return Sweep(rules_of(Policy()), names, answer=True, body=bodies.body)


def in_windows(body: bytes, content_type: str, cuts: list[int]) -> bytes:
    text = TextBody(sweep(), Gate(rules_of(Policy())), content_type, window=WINDOW)
    ends = [*sorted(min(cut, len(body)) for cut in cuts), len(body)]
    starts = [0, *ends]
    clean = [text.feed(body[start:end]) for start, end in zip(starts, ends, strict=False)]
    return b"".join((*clean, text.end()))


@pytest.mark.timeout(3600)
@settings(max_examples=EXAMPLES, deadline=None)
@given(logs() | tables() | json_lines() | elements(), st.lists(st.integers(0, 9000), max_size=9))
def test_a_text_in_windows_comes_out_as_the_whole(body: tuple[str, bytes], cuts: list[int]) -> None:
    content_type, text = body
    assert in_windows(text, content_type, cuts) == bodies.body(sweep(), text, content_type)


def csv(rows: int) -> bytes:
    return b"Id,Name,Mail\n" + b"".join(
        b"%d,Person %d,p%d@acme.test\n" % (n, n * 7919, n) for n in range(rows)
    )


def ndjson(rows: int) -> bytes:
    row = '{"id": "%s", "deviceName": "PC-%d", "password": "Fake-%d"}\n'
    return "".join(row % (uuid.UUID(int=n * 7919), n, n) for n in range(rows)).encode()


@pytest.mark.parametrize(
    ("make", "content_type"), [(csv, "text/csv"), (ndjson, "application/x-ndjson")]
)
def test_a_long_body_is_redacted_alike_in_pieces_and_in_one(
    make: Callable[[int], bytes], content_type: str
) -> None:
    body = make(12_000)
    assert len(body) > STREAMED
    pieces = Redactor(salt="s").in_pieces(body[: STREAMED + 1], content_type, answer=True)
    assert pieces is not None
    clean = b"".join(pieces.feed(body[at : at + 9999]) for at in range(0, len(body), 9999))
    answer = Response(status=200, headers=Headers.of([("Content-Type", content_type)]), body=body)
    whole = Redactor(salt="s").response(answer, url="https://graph.microsoft.com/v1.0/a").body
    assert clean + pieces.end() == whole
    assert b"acme.test" not in whole
    assert b"Fake-" not in whole


@pytest.mark.parametrize("size", [7, 50, 333])
def test_a_table_is_told_by_its_heading_however_small_the_pieces_are(size: int) -> None:
    heading = "Id,Note," + ",".join(f"Column {number}" for number in range(40)) + ",Password\n"
    note = '"' + "two lines\n" * 90 + '"'
    rows = (f"{n},{note},{'x,' * 40}{FAKE}-{n}\n" for n in range(30))
    body = (heading + "".join(rows)).encode()
    clean = in_windows(body, "text/csv", [*range(0, len(body), size)])
    assert clean == bodies.body(sweep(), body, "text/csv")
    assert FAKE.encode() not in clean


def test_redacting_a_long_text_twice_is_redacting_it_once() -> None:
    clean = Redactor(salt="s").content(csv(12_000), "text/csv", answer=False)[0]
    assert Redactor(salt="s").content(clean, "text/csv", answer=False)[0] == clean


def test_a_text_that_can_not_be_parted_well_is_not_held_without_end() -> None:
    text = TextBody(sweep(), Gate(rules_of(Policy())), "text/plain")
    out = sum(len(text.feed(b"tenant: " * 8000)) for _ in range(40))
    assert out > 40 * 64_000 - 2 * LONGEST_WINDOW


@pytest.mark.parametrize(
    ("begins", "content_type", "form"),
    [
        pytest.param(b"Id,Name\n1,x\n", "text/csv", Form.TEXT, id="csv"),
        pytest.param(b'{"a": 1}\n{"a": 2}\n', "application/x-ndjson", Form.TEXT, id="ndjson"),
        pytest.param(b"[INFO] started\n[INFO] x", "text/plain", Form.TEXT, id="log-in-brackets"),
        pytest.param(b"<a><b>x</b>", "application/xml", Form.TEXT, id="xml"),
        pytest.param(b"words, words", "", Form.TEXT, id="untyped"),
        pytest.param(b'{"a": [1, 2', "application/json", Form.JSON, id="json"),
        pytest.param(b'{"a": "' + b"x" * 999, "text/plain", Form.JSON, id="open-string"),
        pytest.param(b"a=1&b=2", "", Form.WHOLE, id="form"),
        pytest.param(b"a=1\nb=2", "", Form.TEXT, id="settings"),
        pytest.param(b"\x1f\x8b\x08\x00", "text/csv", Form.WHOLE, id="gzip"),
        pytest.param("a,b\n".encode("utf-16"), "text/csv", Form.WHOLE, id="utf-16"),
        pytest.param(b"\xff\x00\x01", "", Form.OPAQUE, id="binary"),
    ],
)
def test_the_form_of_a_body_shows_by_its_first_bytes(
    begins: bytes, content_type: str, form: Form
) -> None:
    assert form_of(begins, content_type) is form
