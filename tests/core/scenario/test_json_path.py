from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphtape.core.json_text import NotJsonError
from graphtape.core.scenario.json_path import AppendValue, JsonPath, RemoveValue, SetValue

BODY = b'{ "a" : {"b":[1, {"x" :1.50e2}, 3]},\r\n "@odata.nextLink":"u\\u00e9", "x": null }'


def change(path: str, value: str = "7", *, add: bool = True, body: bytes = BODY) -> bytes:
    return SetValue(path=JsonPath.parse(path), json=value.encode()).edit(body, add=add)


def remove(path: str, body: bytes = BODY) -> bytes:
    return RemoveValue(path=JsonPath.parse(path)).edit(body, add=False)


def append(path: str, value: str, body: bytes = BODY) -> bytes:
    return AppendValue(path=JsonPath.parse(path), json=value.encode()).edit(body, add=False)


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        pytest.param("$.a.b[0]", b"[1,", b"[7,", id="item"),
        pytest.param("$.a.b[-1]", b" 3]", b" 7]", id="last item"),
        pytest.param("$.a.b[1]", b'{"x" :1.50e2}', b"7", id="object"),
        pytest.param("$['a']['b'][1].x", b"1.50e2", b"7", id="quoted names"),
        pytest.param("$.@odata.nextLink", b'"u\\u00e9"', b"7", id="annotation"),
        pytest.param("$.a.b", b'[1, {"x" :1.50e2}, 3]', b"7", id="list"),
    ],
)
def test_a_set_changes_the_value_and_no_other_byte(path: str, old: bytes, new: bytes) -> None:
    assert change(path) == BODY.replace(old, new)


def test_a_deep_path_sets_every_member_of_that_name() -> None:
    assert change("$..x") == BODY.replace(b"1.50e2", b"7").replace(b"null", b"7")


def test_a_wildcard_sets_every_item() -> None:
    assert change("$.a.b[*]") == BODY.replace(b'[1, {"x" :1.50e2}, 3]', b"[7, 7, 7]")


@pytest.mark.parametrize(
    ("path", "body", "changed"),
    [
        ("$.n", b'{"a": 1 }', b'{"a": 1,"n":7 }'),
        ("$.n", b"{ }", b'{"n":7 }'),
        ("$.value[*].n", b'{"value":[{"a":1},{"n":2}]}', b'{"value":[{"a":1,"n":7},{"n":7}]}'),
    ],
)
def test_a_last_name_that_is_missing_is_added(path: str, body: bytes, changed: bytes) -> None:
    assert change(path, body=body) == changed


def test_a_name_that_is_written_with_an_escape_is_found() -> None:
    assert change("$..x", body=b'{"\\u0078":1}') == b'{"\\u0078":7}'


@pytest.mark.parametrize("path", ["$..n", "$.missing.n", "$.a[9]"])
def test_nothing_else_that_is_missing_is_added(path: str) -> None:
    assert change(path) == BODY


@pytest.mark.parametrize(
    ("path", "body", "left"),
    [
        ("$.a", b'{"a":1, "b":2}', b'{"b":2}'),
        ("$.b", b'{"a":1, "b":2}', b'{"a":1}'),
        ("$.*", b'{"a":1, "b":2}', b"{}"),
        ("$.a", b'{ "a" : [1,2] }', b"{  }"),
        ("$[1]", b"[1, 2 ,3]", b"[1 ,3]"),
        ("$[*].x", b'[{"x":1},{"y":2,"x":3}]', b'[{},{"y":2}]'),
        ("$..x", b'{"x":{"x":1},"y":{"x":2,"z":3}}', b'{"y":{"z":3}}'),
        ("$.none", b"{ }", b"{ }"),
    ],
)
def test_a_removal_takes_name_and_comma_along(path: str, body: bytes, left: bytes) -> None:
    assert remove(path, body) == left


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        (b'{"v":[]}', b'{"v":[7]}'),
        (b'{"v":[1 ]}', b'{"v":[1,7 ]}'),
        (b'{"v":{}}', b'{"v":{}}'),
    ],
)
def test_an_append_adds_an_item_to_lists_alone(body: bytes, changed: bytes) -> None:
    assert append("$.v", "7", body) == changed


def test_a_byte_order_mark_and_stray_bytes_stay() -> None:
    body = b'\xef\xbb\xbf{"a":1,"b":"\xff\t"}'
    assert change("$.a", body=body) == b'\xef\xbb\xbf{"a":7,"b":"\xff\t"}'


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a":1', b"[" * 300 + b"]" * 300])
def test_what_is_no_json_or_nests_without_end_is_refused(body: bytes) -> None:
    with pytest.raises(NotJsonError):
        change("$.a", body=body)


@pytest.mark.parametrize("path", ["", "a", "$a", "$.", "$.a[", "$..", "$...a", "$.a.", "$[x]"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is no path"):
        JsonPath.parse(path)


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4)
    ),
    max_leaves=20,
)


def without_a(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_a(child) for key, child in value.items() if key != "a"}
    return [without_a(child) for child in value] if isinstance(value, list) else value


@given(DOCUMENTS)
def test_a_deep_removal_equals_that_on_parsed_values(value: object) -> None:
    body = json.dumps(value, indent=1).encode()
    assert json.loads(remove("$..a", body)) == without_a(value)
