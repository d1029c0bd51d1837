"""Long JSON bodies: in windows, however they come, the same comes out as for the whole."""

from __future__ import annotations

import base64
import json
import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphtape.core.redaction import Policy, Redactor, bodies
from graphtape.core.redaction.gate import Gate
from graphtape.core.redaction.identities import Pseudonyms
from graphtape.core.redaction.places import rules_of
from graphtape.core.redaction.stream.json_body import JsonBody
from graphtape.core.redaction.stream.json_windows import (
    MARK,
    STAND_IN,
    JsonWindows,
    StringPiece,
    Window,
)
from graphtape.core.redaction.stream.string_body import StringBody
from graphtape.core.redaction.stream.text_body import TextBody
from graphtape.core.redaction.sweep import Change, Sweep

EXAMPLES = 5_000 if os.environ.get("GRAPHTAPE_FULL") else 100
WINDOW = 1000
FAKE = "Fake-Canary-1"
TENANT = "0f0e0d0c-0b0a-4909-8807-060504030201"
CONTEXT = "https://graph.microsoft.com/v1.0/$metadata#"
TABLE = "Id,Name,Mail\n" + "".join(f"{n},P{n},p{n}@acme.test\n" for n in range(40_000))

names = st.sampled_from(
    [
        *("id", "mail", "password", "tenantId", "secretText", "displayName", "value", "name"),
        *("settings", "children", "values", "@odata.type", "@odata.context", "j.d@acme.test"),
    ]
)
texts = st.sampled_from(
    [
        *(f"password={FAKE}", "Bearer fake-token-0123456789", "j.d@acme.test", TENANT, FAKE),
        *("plain words", 'x"y\\z', "é€", "a,b]}", f'{{"password":"{FAKE}"}}', "password", ""),
        *(CONTEXT + "organization", CONTEXT + "users", "[{", "\n", "https://x.test/?sig=ab12cd34"),
    ]
)
values = st.recursive(
    texts | texts | st.integers(-9, 10**9) | st.none() | st.booleans() | st.just(-1.5e3),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.lists(st.tuples(names, inner), max_size=4).map(
            # What tells of a value comes first, as Graph writes it.
            lambda pairs: dict(sorted(pairs, key=lambda pair: pair[0] != "name"))
        )
    ),
    max_leaves=12,
)
items = st.lists(values, min_size=5, max_size=40)
documents = st.one_of(
    items,
    st.tuples(st.sampled_from(["users", "organization"]), items).map(
        lambda each: {
            "@odata.context": CONTEXT + each[0],
            "value": each[1],
            "@odata.nextLink": "https://graph.microsoft.com/v1.0/x?$skiptoken=abc",
        }
    ),
    items.map(lambda each: {"a": {"b": each}, "c": each[:3], "password": FAKE}),
    items.map(lambda each: {f"k{n}": value for n, value in enumerate(each)}),
)
written = st.tuples(
    documents, st.sampled_from([None, 1]), st.booleans(), st.sampled_from([None, (",", ":")])
).map(
    lambda each: json.dumps(
        each[0], indent=each[1], ensure_ascii=each[2], separators=each[3]
    ).encode()
)


def sweep() -> Sweep:
    pseudonyms = Pseudonyms(salt="s", allow=frozenset(), lenient=False)
    return Sweep(rules_of(Policy()), pseudonyms, answer=True, body=bodies.body)


def pieces_of(body: bytes, cuts: list[int]) -> list[bytes]:
    ends = [*sorted(min(cut, len(body)) for cut in cuts), len(body)]
    return [body[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def in_windows(body: bytes, cuts: list[int]) -> tuple[bytes, list[Change]]:
    one, gate = sweep(), Gate(rules_of(Policy()))
    windows = JsonBody(
        one,
        lambda swept, text: bodies.body(swept, text, "application/json"),
        text=lambda: TextBody(one, gate, ""),
        string=lambda: StringBody(one, gate, lambda _: TextBody(one, gate, "")),
        window=WINDOW,
    )
    clean = b"".join(map(windows.feed, pieces_of(body, cuts))) + windows.end()
    return clean, one.changes


def whole(body: bytes) -> tuple[bytes, list[Change]]:
    one = sweep()
    return bodies.body(one, body, "application/json"), one.changes


@pytest.mark.timeout(3600)
@settings(max_examples=EXAMPLES, deadline=None)
@given(written, st.lists(st.integers(0, 9000), max_size=9))
def test_json_in_windows_comes_out_as_the_whole(body: bytes, cuts: list[int]) -> None:
    clean, changes = in_windows(body, cuts)
    expected, noted = whole(body)
    assert clean == expected
    assert len(changes) == len(noted)


@pytest.mark.timeout(3600)
@settings(max_examples=EXAMPLES, deadline=None)
@given(written, st.lists(st.integers(0, 9000), max_size=9))
def test_each_window_is_json_and_all_of_them_are_the_text(body: bytes, cuts: list[int]) -> None:
    windows = JsonWindows(window=WINDOW)
    events = [event for piece in pieces_of(body, cuts) for event in windows.feed(piece)]
    events += windows.end()
    parts = []
    for event in events:
        assert isinstance(event, Window)
        json.loads(event.text)
        parts.append(event.own(event.text))
        assert len(event.before) < WINDOW * 10
    assert b"".join(parts) == body
    assert events == [*JsonWindows(window=WINDOW).feed(body), *windows_end(body)]


def windows_end(body: bytes) -> list[object]:
    windows = JsonWindows(window=WINDOW)
    list(windows.feed(body))
    return [*windows.end()]


STRINGS = {
    "bytes": base64.b64encode(random.Random(1).randbytes(600_000)).decode(),
    "base64 of a table": base64.b64encode(TABLE.encode()).decode(),
    "base64 without padding": base64.b64encode(TABLE[:100_001].encode()).decode().rstrip("="),
    "a table": TABLE,
    "html": '<p class="x">j.d@acme.test</p>\n' * 9000,
    "a key": "MIIEvQIBADAN" + "A" * 90_000,
    "JSON": json.dumps({"password": FAKE, "a": ["b" * 100] * 900}),
}


@pytest.mark.parametrize("kind", STRINGS)
@pytest.mark.parametrize("name", ["contentBytes", "secretText"])
def test_a_long_string_comes_out_as_in_the_whole(kind: str, name: str) -> None:
    items = [{"id": 1, name: STRINGS[kind]}, {"password": FAKE, "mail": "j.d@acme.test"}]
    body = json.dumps({"@odata.context": CONTEXT + "x", "value": items}).encode()
    rng = random.Random(2)
    for _ in range(2):
        clean, _ = in_windows(body, [rng.randrange(len(body)) for _ in range(30)])
        assert clean == whole(body)[0]
    assert b"acme.test" not in clean
    assert FAKE.encode() not in clean


@pytest.mark.parametrize("unit", ['"', "\\", "\n:", "\u00e9", "\U0001f600", "\\n", "\x01", 'a"\\'])
def test_a_string_of_escapes_is_parted_between_them(unit: str) -> None:
    for shift in range(3):
        text = "x" * shift + unit * (700_000 // len(json.dumps(unit))) + " j.d@acme.test"
        body = json.dumps({"a": text, "b": 1}).encode()
        clean, _ = in_windows(body, [])
        expected = json.loads(whole(body)[0])
        assert json.loads(clean) == expected


def test_a_long_string_is_given_in_pieces() -> None:
    body = json.dumps({"a": "x" * 20_000, "b": 1}).encode()
    windows = JsonWindows(window=WINDOW)
    events = [*windows.feed(body), *windows.end()]
    first = events[0]
    assert isinstance(first, Window)
    assert json.loads(first.text) == {"a": STAND_IN.decode()}
    strings = [event for event in events if isinstance(event, StringPiece)]
    assert b"".join(event.data for event in strings) == b"x" * 20_000
    assert [event.ends for event in strings] == [False] * (len(strings) - 1) + [True]
    assert max(len(event.data) for event in strings) <= 4 * WINDOW


@pytest.mark.parametrize(
    "cut", [b'{"a": [1, 2]}{', b'{"a": [1, 2,,', b'{"a": 1 "b": 2', b"[1, 2}", b'{"a": [1}']
)
def test_what_breaks_off_is_redacted_as_a_text_is(cut: bytes) -> None:
    body = b"%b\npassword=%b\n%b" % (cut, FAKE.encode(), b"words, words\n" * 900)
    clean, _ = in_windows(body, [])
    assert FAKE.encode() not in clean
    assert clean.count(b"words") == 1800


def test_a_body_that_holds_our_mark_comes_out_as_the_whole() -> None:
    items = [{"id": n, "x": [["", None]], "mail": f"p{n}@acme.test"} for n in range(300)]
    body = json.dumps({"value": items}, separators=(",", ":")).encode()
    assert MARK in body
    assert in_windows(body, [])[0] == whole(body)[0]


def test_a_long_list_is_redacted_alike_in_pieces_and_in_one() -> None:
    rows = [{"id": n, "mail": f"p{n}@acme.test", "password": f"Fake-{n}"} for n in range(9000)]
    body = json.dumps({"@odata.context": CONTEXT + "users", "value": rows}).encode()
    kind = "application/json"
    one = Redactor(salt="s")
    pieces = one.in_pieces(body[:300_000], kind, answer=True)
    assert pieces is not None
    parts = [pieces.feed(body[at : at + 7777]) for at in range(0, len(body), 7777)]
    clean = b"".join((*parts, pieces.end()))
    other = Redactor(salt="s")
    other_clean, changes = other.content(body, kind, answer=True)
    assert clean == other_clean
    assert one.counts["secrets"] + one.counts["identities"] == len(changes) == 18_000
    assert b"acme.test" not in clean


def test_an_answer_that_is_secret_by_what_was_asked_is_redacted_whole() -> None:
    begins = b'{"value": "' + b"x" * 300_000
    url = "https://graph.microsoft.com/v1.0/deviceManagement/x/1/getFileVaultKey"
    redactor = Redactor(salt="s")
    assert redactor.in_pieces(begins, "application/json", answer=True, url=url) is None
