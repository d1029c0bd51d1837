from __future__ import annotations

import json
import time
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphtape.core.json_text import (
    PATH_LIMIT,
    NotJsonError,
    Scalar,
    quote,
    scalars,
    splice,
    text,
)

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Path: TypeAlias = "tuple[str | int, ...]"

_TEXT = st.text(st.one_of(st.characters(), st.characters(categories=["Cs"])), max_size=8)
_JSON: st.SearchStrategy[Json] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=25,
)


def _leaves(value: Json, path: Path = ()) -> list[tuple[Path, bool | int | float | str | None]]:
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in _leaves(inner, (*path, key))]
    if isinstance(value, list):
        return [leaf for at, inner in enumerate(value) for leaf in _leaves(inner, (*path, at))]
    return [(path, value)]


def _dump(value: Json, *, ascii_only: bool, indent: int | None) -> bytes:
    written = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    return written.encode("utf-8", "backslashreplace")


@given(_JSON, st.booleans(), st.sampled_from([None, 0, 2]))
def test_scalars_are_those_the_json_module_reads(
    value: Json,
    ascii_only: bool,  # noqa: FBT001 -- hypothesis draws it
    indent: int | None,
) -> None:
    body = _dump(value, ascii_only=ascii_only, indent=indent)
    # Adjacent lone surrogates become one character in any JSON text: compare what it says.
    expected = _leaves(json.loads(body))

    found = list(scalars(body))

    assert [scalar.path for scalar in found] == [path for path, _ in expected]
    for scalar, (_, leaf) in zip(found, expected, strict=True):
        assert scalar.string is isinstance(leaf, str)
        written = text(body, scalar)
        assert written == leaf if scalar.string else repr(json.loads(written)) == repr(leaf)


def test_spans_of_strings_include_their_quotes_and_keys_are_no_scalars() -> None:
    body = b'{"a": "x", "b": [1, {"c": null}]}'

    assert list(scalars(body)) == [
        Scalar(("a",), 6, 9, string=True),
        Scalar(("b", 0), 17, 18, string=False),
        Scalar(("b", 1, "c"), 26, 30, string=False),
    ]


def test_a_byte_order_mark_is_passed_over_and_counted() -> None:
    body = b"\xef\xbb\xbf[7]"

    assert list(scalars(body)) == [Scalar((0,), 4, 5, string=False)]


def test_repeated_keys_are_all_found() -> None:
    assert [scalar.path for scalar in scalars(b'{"a":1,"a":2,"":3}')] == [("a",), ("a",), ("",)]


@pytest.mark.parametrize("body", [b"{}", b"[]", b" [ { } , [ ] ] \r\n"])
def test_empty_containers_hold_no_scalars(body: bytes) -> None:
    assert list(scalars(body)) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"\xef\xbb\xbf",
        b"<html>",
        b"a=b&c=d",
        b"tru",
        b"truefalse",
        b"01",
        b"1.",
        b"-",
        b"1 2",
        b"1,2",
        b",1",
        b"[1,]",
        b"[,1]",
        b"[1 2]",
        b"[1",
        b"1]",
        b"[1}",
        b'{"a":1]',
        b"]",
        b'{"a"}',
        b'{"a":}',
        b'{"a":1,}',
        b'{"a" 1}',
        b"{a:1}",
        b"{1:1}",
        b'{"a":1 "b":2}',
        b'["a":1]',
        b'"a":1',
        b'"open',
        b'"\\x"',
        b'"\\u12g4"',
        b'"end\\"',
        b'{"a":1}{',
        b'{"a":1} trailing',
        b"['a']",
        b"[1] // why",
        '{"a": 1}'.encode("utf-16"),
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(NotJsonError, match="at byte"):
        list(scalars(body))


@given(st.binary(max_size=40), st.lists(st.sampled_from(b'[]{},:"\\ 1eu0tn'), max_size=12))
def test_text_the_json_module_takes_is_never_refused(noise: bytes, marks: list[int]) -> None:
    for body in (noise, bytes(marks)):
        try:
            value: Json = json.loads(body.decode())
        except ValueError:
            continue
        assert [scalar.path for scalar in scalars(body)] == [p for p, _ in _leaves(value)] or (
            "{" in body.decode()  # repeated keys: json.loads keeps the last
        )


@given(st.lists(st.sampled_from(b'[]{},:"\\ 1a'), max_size=12))
def test_text_the_json_module_refuses_is_refused(marks: list[int]) -> None:
    body = bytes(marks)
    try:
        json.loads(body)
    except ValueError:
        with pytest.raises(NotJsonError):
            list(scalars(body))


def test_sloppy_strings_are_read() -> None:
    body = b'["tab\there\n", "caf\xe9"]'

    assert [text(body, scalar) for scalar in scalars(body)] == ["tab\there\n", "caf\udce9"]


def test_text_reads_escapes_pairs_and_lone_surrogates() -> None:
    body = rb'["\"\\\/\b\f\n\r\t", "\u00e9\ud83d\ude00", "\ud800x"]'

    assert [text(body, scalar) for scalar in scalars(body)] == [
        '"\\/\b\f\n\r\t',
        "é😀",
        "\ud800x",
    ]


def test_numbers_are_read_as_written() -> None:
    body = b"[-0, 1.50, 1E+2, 12345678901234567890, true, null]"

    assert [text(body, scalar) for scalar in scalars(body)] == [
        "-0",
        "1.50",
        "1E+2",
        "12345678901234567890",
        "true",
        "null",
    ]


@given(st.text())
def test_quoted_text_reads_back_as_it_was(value: str) -> None:
    body = quote(value)

    assert [text(body, scalar) for scalar in scalars(body)] == [value]


def test_quote_leaves_non_ascii_and_escapes_lone_surrogates() -> None:
    assert quote('é/"\n\ud800') == '"é/\\"\\n\\ud800"'.encode()


def test_splice_changes_spans_and_nothing_else() -> None:
    body = b'{"a" : "old",  "b":[ 1 ]}'
    first, second = scalars(body)

    assert (
        splice(body, [(first.start, first.end, quote("new")), (second.start, second.end, b"22")])
        == b'{"a" : "new",  "b":[ 22 ]}'
    )
    assert splice(body, []) is body


@given(_JSON, st.sampled_from([None, 2]))
def test_splicing_every_scalar_by_itself_keeps_the_bytes(value: Json, indent: int | None) -> None:
    body = _dump(value, ascii_only=True, indent=indent)

    edits = [(found.start, found.end, body[found.start : found.end]) for found in scalars(body)]

    assert splice(body, edits) == body


def test_nesting_without_end_takes_no_stack_and_paths_keep_their_innermost_steps() -> None:
    depth = 200_000
    body = b"[" * depth + b'{"secret":[1]}' + b"]" * depth

    (found,) = scalars(body)

    assert found.path == (*(0,) * (PATH_LIMIT - 2), "secret", 0)


def test_a_scalar_on_every_level_takes_no_quadratic_memory() -> None:
    depth = 20_000
    body = b'[1,{"a":' * depth + b"0" + b"}]" * depth

    found = list(scalars(body))

    assert len(found) == depth + 1
    assert max(len(scalar.path) for scalar in found) == PATH_LIMIT


@pytest.mark.parametrize(
    "unit", [b'"\\"', b'"\\" ', b'"', b"\\", b"[", b'{"a":', b"1", b" ", b'"a" ', b",", b'"\\u']
)
def test_broken_text_is_refused_in_linear_time(unit: bytes) -> None:
    body = b"[" + unit * (600_000 // len(unit))

    started = time.process_time()
    with pytest.raises(NotJsonError):
        list(scalars(body))

    assert time.process_time() - started < 5  # quadratic would be hours
