from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphtape.core.errors import UsageError
from graphtape.core.matching.key import (
    MatchOptions,
    key_of,
    writes,
)
from graphtape.core.matching.mismatch import Mismatch, Near, differences, nearest
from graphtape.core.message import Headers, Request
from graphtape.core.tape.index import Index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphtape.core.matching.body import Json

GRAPH = "https://graph.microsoft.com"
FORM = "application/x-www-form-urlencoded"
ETAG = ("If-None-Match", 'W/"1"')


def get(url: str, *fields: tuple[str, str]) -> Request:
    return Request(method="GET", url=url if "://" in url else GRAPH + url, headers=Headers(fields))


def post(body: bytes, media: str | None = "application/json", url: str = "/beta/me") -> Request:
    fields = () if media is None else (("Content-Type", media),)
    return Request(method="POST", url=GRAPH + url, headers=Headers(fields), body=body)


def patch(body: bytes) -> Request:
    return replace(post(body), method="PATCH")


def multipart(boundary: str, *parts: bytes, quoted: bool = False) -> Request:
    delimiter = b"--" + boundary.encode()
    body = b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts) + delimiter + b"--\r\n"
    parameter = f'"{boundary}"' if quoted else boundary
    return post(body, f"multipart/form-data; boundary={parameter}")


NAME = b'Content-Disposition: form-data; name="name"\r\nContent-Type: text/plain\r\n\r\nAdele'
SWAPPED = b'Content-Type: text/plain\r\nContent-Disposition: form-data; name="name"\r\n\r\nAdele'
PHOTO = b'Content-Disposition: form-data; name="photo"\r\n\r\n\x89PNG\r\n\x00'


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(get("/v1.0/users/a%40b.c"), get("/v1.0/users/a@b.c"), id="at-sign"),
        pytest.param(get("/v1.0/%75sers"), get("/v1.0/users"), id="escaped-letter"),
        pytest.param(get("/v1.0/x%c3%a9"), get("/v1.0/x%C3%A9"), id="escape-in-lower-case"),
        pytest.param(get("/beta/x/microsoft.graph.y"), get("/beta/x/y"), id="namespace"),
        pytest.param(get(""), get("/"), id="empty-path"),
        pytest.param(get("?$top=1"), get("/?$top=1"), id="empty-path-with-query"),
        pytest.param(get("/me?$top=1&a=2"), get("/me?a=2&$top=1"), id="query-order"),
        pytest.param(get("/me?$filter=x"), get("/me?%24filter=x"), id="dollar"),
        pytest.param(get("/me?a=b+c"), get("/me?a=b%20c"), id="plus"),
        pytest.param(get("/me?a=%27x%27,y"), get("/me?a='x'%2Cy"), id="quotes-and-commas"),
        pytest.param(get("/me?a="), get("/me?a"), id="blank-values"),
        pytest.param(get("/me?"), get("/me"), id="empty-query"),
        pytest.param(get("/me?a&&b"), get("/me?a&b"), id="empty-pair"),
        pytest.param(get("/me#x"), get("/me"), id="fragment"),
        pytest.param(get("/me"), get("https://graph.microsoft.us/me"), id="usgov"),
        pytest.param(get("/me"), get("https://dod-graph.microsoft.us/me"), id="usgov-dod"),
        pytest.param(get("/me"), get("https://microsoftgraph.chinacloudapi.cn/me"), id="china"),
        pytest.param(
            get("/me"), get("HTTPS://Graph.Microsoft.com:443/me"), id="host-case-and-port"
        ),
        pytest.param(get("http://x.example/a"), get("https://X.example/a"), id="scheme-off-graph"),
        pytest.param(get("/me"), get("/me", ("Accept", "*/*"), ("SdkVersion", "1")), id="headers"),
        pytest.param(
            get("/x", ("Range", "bytes=0-9, 20-29")),
            get("/x", ("range", "Bytes=0-9,20-29")),
            id="range-spelling",
        ),
        pytest.param(post(b"", None), post(b"", "application/json"), id="empty-json"),
        pytest.param(post(b"", None), post(b"", FORM), id="empty-form"),
        pytest.param(post(b"", None), post(b"{}"), id="empty-object"),
        pytest.param(post(b" { }\r\n", None), post(b"null"), id="null"),
        pytest.param(post(b"{}", FORM), post(b"\r\n"), id="blank"),
        pytest.param(post(b'{"a":1,"b":[2]}'), post(b'{ "b": [2],\r\n "a": 1 }'), id="json"),
        pytest.param(post(b'{"a":"\\u00e9"}'), post('{"a":"é"}'.encode()), id="json-escapes"),
        pytest.param(post(b'{"a":1}'), post(b'\xef\xbb\xbf{"a":1}'), id="json-bom"),
        pytest.param(post(b'{"a":1}'), post(b' {"a": 1}', None), id="json-untyped"),
        pytest.param(post(b'{"a":1}'), post(b'{"a": 1}', FORM), id="json-under-a-wrong-type"),
        pytest.param(
            post(b'{"a":1}'), post(b'{"a": 1}', "application/merge-patch+json"), id="json-suffix"
        ),
        pytest.param(post(b'{"a":1,"a":2}'), post(b'{"a":2}'), id="json-repeated-name"),
        pytest.param(post(b"[" * 9000 + b"]" * 9000), post(b"[" * 9000 + b"]" * 9000), id="deep"),
        pytest.param(
            post(b'{"a":%b}' % (b"9" * 9000)), post(b'{"a":%b}' % (b"9" * 9000)), id="big"
        ),
        pytest.param(post(b"a=1&b=%C3%A9", FORM), post("b=é&a=1".encode(), FORM), id="form"),
        pytest.param(
            post(b"a=x+y", FORM), post(b"a=x%20y", f"{FORM};charset=utf-8"), id="form-plus"
        ),
        pytest.param(
            multipart("one", NAME, PHOTO), multipart("two", NAME, PHOTO, quoted=True), id="boundary"
        ),
        pytest.param(multipart("one", NAME), multipart("one", SWAPPED), id="part-header-order"),
        pytest.param(post(b"a\0b", None), post(b"a\0b", "text/plain"), id="raw-with-nul"),
    ],
)
def test_makes_no_difference(one: Request, other: Request) -> None:
    assert key_of(one) == key_of(other)
    assert hash(key_of(one)) == hash(key_of(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(get("/me"), replace(get("/me"), method="HEAD"), id="method"),
        pytest.param(get("/beta/me"), get("/v1.0/me"), id="version"),
        pytest.param(get("/a%2Fb"), get("/a/b"), id="escaped-slash"),
        pytest.param(get("/a%2Fb"), get("/a%252Fb"), id="doubly-escaped-slash"),
        pytest.param(get("/a/../b"), get("/b"), id="dots"),
        pytest.param(get("/a/"), get("/a"), id="trailing-slash"),
        pytest.param(get("/a//b"), get("/a/b"), id="double-slash"),
        pytest.param(get("/a+b"), get("/a%20b"), id="plus-in-path"),
        pytest.param(get("/users"), get("/Users"), id="letter-case"),
        pytest.param(get("/me?a="), get("/me"), id="blank-value"),
        pytest.param(get("/me?a=1"), get("/me?a=1&a=1"), id="repeated-name"),
        pytest.param(get("/me?a=1%262"), get("/me?a=1&2"), id="escaped-ampersand"),
        pytest.param(get("/me?a=b%2Bc"), get("/me?a=b+c"), id="escaped-plus"),
        pytest.param(get("/a"), get("https://x.example/a"), id="host"),
        pytest.param(get("/a"), get("https://graph/a"), id="host-called-graph"),
        pytest.param(get("https://x.example/a"), get("https://x.example:8443/a"), id="port"),
        pytest.param(get("https://[::1]:1/a"), get("https://[::1]:2/a"), id="ipv6-port"),
        pytest.param(
            get("https://x.example/microsoft.graph.y"), get("https://x.example/y"), id="off-graph"
        ),
        pytest.param(get("/x"), get("/x", ("Range", "bytes=0-9")), id="range"),
        pytest.param(get("/x", ETAG), get("/x", ("If-None-Match", 'W/"2"')), id="etag"),
        pytest.param(post(b'{"a":1}'), post(b'{"a":2}'), id="json-value"),
        pytest.param(post(b'{"a":1}'), post(b'{"a":"1"}'), id="json-type"),
        pytest.param(post(b'{"a":[1,2]}'), post(b'{"a":[2,1]}'), id="json-array-order"),
        pytest.param(post(b'{"a":null}'), post(b"{}"), id="json-null"),
        pytest.param(patch(b"{}"), patch(b""), id="empty-object-of-a-patch"),
        pytest.param(patch(b"null"), patch(b"{}"), id="null-of-a-patch"),
        pytest.param(post(b"[]"), post(b""), id="empty-list"),
        pytest.param(post(b'""'), post(b""), id="empty-text"),
        pytest.param(post(b'"\\ud800"'), post(b'"\\ud801"'), id="json-lone-surrogate"),
        pytest.param(post(b"[" * 9000), post(b"[" * 9001), id="deep"),
        pytest.param(post(b"\xff\0a", None), post(b"\xff\0b", None), id="binary"),
        pytest.param(post(b"x" * 5000, None), post(b"x" * 4999 + b"y", None), id="long"),
        pytest.param(post(b"a=1", FORM), post(b"a=1&a=1", FORM), id="form-repeated-name"),
        pytest.param(post(b"a=", FORM), post(b"", FORM), id="form-blank"),
        pytest.param(multipart("one", NAME, PHOTO), multipart("one", PHOTO, NAME), id="part-order"),
        pytest.param(multipart("one", NAME), multipart("one", NAME + b" "), id="part-content"),
    ],
)
def test_makes_a_difference_and_is_named(one: Request, other: Request) -> None:
    assert key_of(one) != key_of(other)
    assert differences(key_of(one), key_of(other))


def test_keeps_keys_small_however_large_the_body() -> None:
    assert len(key_of(post(b"\0" * 1_000_000, None)).body) < 100


SEGMENTS = st.text(min_size=1).filter(lambda text: not text.startswith("microsoft.graph."))
SAFE = st.sampled_from(["", "@", "@:,'", "$'()*,:;@!"])
TEXT = st.text(max_size=8)
JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def escaped(text: str, safe: str) -> str:
    return quote(text, safe=safe, errors="surrogatepass")


def reordered(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: reordered(value[name]) for name in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


@given(
    segments=st.lists(SEGMENTS, min_size=1, max_size=4),
    query=st.lists(st.tuples(st.text(min_size=1, max_size=8), TEXT), max_size=4),
    body=st.lists(JSON, max_size=3) | st.dictionaries(TEXT, JSON, max_size=3),
    safe=st.tuples(SAFE, SAFE),
)
def test_a_request_written_in_two_ways_has_one_key(
    segments: list[str],
    query: list[tuple[str, str]],
    body: Json,
    safe: tuple[str, str],
) -> None:
    def written(safe: str, pairs: Sequence[tuple[str, str]], text: str, space: str) -> Request:
        path = "".join("/" + escaped(segment, safe) for segment in segments)
        fields = [f"{escaped(a, safe)}={escaped(b, safe)}" for a, b in pairs]
        asked = "&".join(fields).replace("%20", space).replace(";", "%3B")
        return post(text.encode(), url=f"{path}?{asked}")

    one = written(safe[0], query, json.dumps(body), "+")
    other = written(
        safe[1], query[::-1], json.dumps(reordered(body), indent=2, ensure_ascii=False), "%20"
    )
    assert key_of(one) == key_of(other)


@given(
    one=st.lists(SEGMENTS, min_size=1, max_size=3), other=st.lists(SEGMENTS, min_size=1, max_size=3)
)
def test_different_segments_are_different_paths(one: list[str], other: list[str]) -> None:
    def key(segments: list[str]) -> str:
        return key_of(get("".join("/" + escaped(segment, "") for segment in segments))).path

    assert (key(one) == key(other)) == (one == other)


@given(body=st.binary(max_size=200), media=st.sampled_from([None, "application/json", FORM]))
def test_any_bytes_make_a_key(body: bytes, media: str | None) -> None:
    assert key_of(post(body, media)) == key_of(post(body, media))


@pytest.mark.parametrize(
    ("ignore", "one", "other"),
    [
        pytest.param("displayName", b'{"a":[{"displayName":1}]}', b'{"a":[{}]}', id="any-depth"),
        pytest.param("$..id", b'{"a":{"id":1}}', b'{"a":{"id":2}}', id="descendant"),
        pytest.param("$.id", b'{"id":1,"a":2}', b'{"a":2}', id="root"),
        pytest.param("a.id", b'{"a":{"id":1}}', b'{"a":{"id":2}}', id="without-dollar"),
        pytest.param("s[*].n", b'{"s":[{"n":1},{"n":2}]}', b'{"s":[{"n":3},{}]}', id="every-item"),
        pytest.param("s[1].n", b'{"s":[{"n":1},{"n":2}]}', b'{"s":[{"n":1},{}]}', id="one-item"),
        pytest.param("$['a b'].c", b'{"a b":{"c":1}}', b'{"a b":{}}', id="quoted"),
        pytest.param("$.*.c", b'{"x":{"c":1}}', b'{"x":{"c":2}}', id="every-member"),
        pytest.param("@odata.etag", b'{"a":{"@odata.etag":1}}', b'{"a":{}}', id="annotation"),
        pytest.param("m@odata.bind", b'{"m@odata.bind":["x"]}', b"{}", id="property-annotation"),
        pytest.param("$.a.@odata.id", b'{"a":{"@odata.id":1}}', b'{"a":{}}', id="annotation-path"),
    ],
)
def test_ignored_fields_take_no_part(ignore: str, one: bytes, other: bytes) -> None:
    options = MatchOptions(ignore_body=(ignore,))
    assert key_of(post(one)) != key_of(post(other))
    assert key_of(post(one), options) == key_of(post(other), options)


@pytest.mark.parametrize(
    ("ignore", "one", "other"),
    [
        pytest.param("$.id", b'{"a":{"id":1}}', b'{"a":{"id":2}}', id="root-only"),
        pytest.param("s[0].n", b'{"s":[1,{"n":1}]}', b'{"s":[1,{"n":2}]}', id="other-item"),
        pytest.param("a.id", b'{"id":1}', b'{"id":2}', id="deeper-only"),
    ],
)
def test_fields_beside_the_ignored_ones_take_part(ignore: str, one: bytes, other: bytes) -> None:
    options = MatchOptions(ignore_body=(ignore,))
    assert key_of(post(one), options) != key_of(post(other), options)


def test_ignored_fields_take_no_part_in_forms_and_multipart() -> None:
    options = MatchOptions(ignore_body=("name",))
    assert key_of(post(b"name=1&b=2", FORM), options) == key_of(post(b"b=2", FORM), options)
    assert key_of(multipart("x", NAME, PHOTO), options) == key_of(multipart("y", PHOTO), options)


def test_ignored_query_names_take_no_part() -> None:
    options = MatchOptions(ignore_query=("$skiptoken",))
    assert key_of(get("/me?%24skiptoken=a&b=1"), options) == key_of(get("/me?b=1"), options)


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        pytest.param("method", get("/a"), post(b"", url="/a"), id="method"),
        pytest.param("scheme", get("http://x.example"), get("https://x.example"), id="scheme"),
        pytest.param("host", get("https://x.example"), get("https://y.example"), id="host"),
        pytest.param("port", get("https://x.example"), get("https://x.example:1"), id="port"),
        pytest.param("path", get("/a"), get("/b"), id="path"),
        pytest.param("query", get("/a?b"), get("/a?c"), id="query"),
        pytest.param("uri", get("/a?%24top=1"), get("/a?$top=1"), id="uri"),
        pytest.param(
            "headers", get("/a", ("Prefer", "x")), get("/a", ("Prefer", "y")), id="headers"
        ),
        pytest.param("body", post(b"[1]"), post(b"[2]"), id="body"),
        pytest.param("raw_body", post(b"[1]"), post(b"[ 1]"), id="raw-body"),
    ],
)
def test_each_aspect_takes_part_only_where_asked(name: str, one: Request, other: Request) -> None:
    only = MatchOptions().matching_on([name])
    something_else = MatchOptions(match_on=("headers" if name == "scheme" else "scheme",))
    assert key_of(one, only) != key_of(other, only)
    assert key_of(one, something_else) == key_of(other, something_else)


def test_telemetry_never_takes_part_even_where_headers_do() -> None:
    options = MatchOptions(match_on=("headers",))
    noise = ("client-request-id", "Retry-Attempt", "Authorization", "CommandName", "traceparent")
    noisy = get("/a", ("Prefer", "x"), *((name, "1") for name in noise))
    assert key_of(noisy, options) == key_of(get("/a", ("prefer", "x")), options)


def test_a_boundary_takes_no_part_even_where_headers_do() -> None:
    options = MatchOptions(match_on=("headers", "body"))
    assert key_of(multipart("a", NAME), options) == key_of(multipart("b", NAME), options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"match_on": ("verb",)}, "'verb'.*valid are method, scheme, host", id="name"),
        pytest.param({"match_on": ()}, "nothing to match on", id="empty"),
        pytest.param({"ignore_body": ("a[",)}, r"'a\['", id="path"),
        pytest.param({"ignore_body": ("$",)}, r"'\$'", id="root-itself"),
        pytest.param({"match_on": ("raw_body",), "ignore_body": ("a",)}, "raw_body", id="raw-body"),
        pytest.param({"match_on": ("uri",), "ignore_query": ("a",)}, "'uri'", id="uri"),
    ],
)
def test_refuses_options_it_cannot_follow(
    options: dict[str, tuple[str, ...]], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        MatchOptions(**options)  # type: ignore[arg-type] # the table's values are of those types


def batch(*parts: object) -> Request:
    return post(json.dumps({"requests": parts}).encode(), url="/v1.0/$batch")


READING_PART = {"id": "1", "method": "GET", "url": "/me"}
WRITING_PART = {"id": "2", "method": "PATCH", "url": "/me", "body": {}}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(get("/me"), False, id="get"),
        pytest.param(post(b"", url="/me/getMemberGroups"), False, id="reading-post"),
        pytest.param(post(b"", url="/me/sendMail"), True, id="writing-post"),
        pytest.param(batch(READING_PART, READING_PART), False, id="reading-batch"),
        pytest.param(batch(READING_PART, WRITING_PART), True, id="writing-batch"),
        pytest.param(batch(READING_PART, {"id": "2"}), True, id="batch-part-without-a-method"),
        pytest.param(batch({"method": "POST", "url": "//["}), True, id="batch-part-without-a-host"),
        pytest.param(batch({"method": "POST", "url": "/$batch"}), True, id="batch-in-a-batch"),
        pytest.param(post(b"{", url="/v1.0/%24batch"), True, id="broken-batch"),
        pytest.param(post(b"[]", url="/v1.0/$batch"), True, id="batch-without-requests"),
    ],
)
def test_knows_what_writes(request_: Request, *, expected: bool) -> None:
    assert writes(request_) is expected


def test_posts_read_where_the_user_says_so() -> None:
    options = MatchOptions(reads=("list*", "peek"))
    assert not writes(post(b"", url="/me/listThings"), options)
    assert not writes(post(b"", url="/me/microsoft.graph.peek"), options)
    assert not writes(batch({"method": "POST", "url": "/me/peek"}), options)
    assert writes(post(b"", url="/me/peekaboo"), options)
    assert writes(replace(get("/me/peek"), method="DELETE"), options)


def test_an_index_holds_each_keys_places_and_the_writes() -> None:
    one, two = key_of(get("/a")), key_of(post(b"", url="/b"))
    index = Index.of([one, two, one], [False, True, False])
    assert index.answers == {one: (0, 2), two: (1,)}
    assert index.writes == (1,)
    assert index.size == 3


@pytest.mark.parametrize(
    ("mismatch", "text"),
    [
        (
            Mismatch(place="query.$top", recorded="5", asked="10"),
            "query.$top: recorded '5', asked '10'",
        ),
        (Mismatch(place="body", recorded=None, asked="x"), "body: recorded nothing, asked 'x'"),
        (Mismatch(place="body", recorded="\n", asked=None), "body: recorded '\\n', asked nothing"),
    ],
    ids=["both", "recorded-nothing", "asked-nothing"],
)
def test_a_mismatch_reads_as_a_line(mismatch: Mismatch, text: str) -> None:
    assert str(mismatch) == text


def found(asked: Request, *tape: Request, options: MatchOptions | None = None) -> list[Near]:
    options = options or MatchOptions()
    index = Index.of([key_of(request, options) for request in tape], [False] * len(tape))
    return [*nearest(asked, index.answers, tape.__getitem__, options)]


def lines(asked: Request, recorded: Request, options: MatchOptions | None = None) -> list[str]:
    [near] = found(asked, recorded, options=options)
    return [str(mismatch) for mismatch in near.mismatches]


DEVICE = (
    b'{"name":"a","settings":[{"name":"x","on":true}],"count":5}',
    b'{"count":"5","settings":[{"name":"y","on":true},{"name":"z"}],"more":{"b":1}}',
)


@pytest.mark.parametrize(
    ("asked", "recorded", "expected"),
    [
        pytest.param(
            get("/me?$top=10"),
            get("/me?$top=5&a"),
            ["query.$top: recorded '5', asked '10'", "query.a: recorded '', asked nothing"],
            id="query",
        ),
        pytest.param(
            get("/beta/me"),
            replace(get("https://x.example/v1.0/me"), method="HEAD"),
            [
                "method: recorded 'HEAD', asked 'GET'",
                "host: recorded 'x.example', asked 'Graph'",
                "path: recorded '/v1.0/me', asked '/beta/me'",
            ],
            id="method-host-path",
        ),
        pytest.param(
            get("/me", ("range", "bytes=0-1")),
            get("/me", ETAG),
            [
                "header.If-None-Match: recorded 'W/\"1\"', asked nothing",
                "header.Range: recorded nothing, asked 'bytes=0-1'",
            ],
            id="headers",
        ),
        pytest.param(
            post(DEVICE[1]),
            post(DEVICE[0]),
            [
                "body.name: recorded 'a', asked nothing",
                "body.settings[0].name: recorded 'x', asked 'y'",
                'body.settings[1]: recorded nothing, asked \'{"name": "z"}\'',
                "body.count: recorded '5', asked '\"5\"'",
                "body.more: recorded nothing, asked '{\"b\": 1}'",
            ],
            id="json",
        ),
        pytest.param(
            post(b'{"a":[1]}'), post(b'{"a":2}'), ["body.a: recorded '2', asked '[1]'"], id="kinds"
        ),
        pytest.param(
            post(b"a=1&b=2", FORM),
            post(b"a=1&b=3", FORM),
            ["body.b: recorded '3', asked '2'"],
            id="form",
        ),
        pytest.param(
            patch(b""), patch(b"{}"), ["body: recorded '{}', asked nothing"], id="empty-body"
        ),
        pytest.param(
            post(b"hello", None),
            post(b"\xff\0", None),
            ["body: recorded '2 bytes, blake2b 8be98a3d14d420eb', asked 'hello'"],
            id="binary",
        ),
    ],
)
def test_names_each_difference_by_its_place(
    asked: Request, recorded: Request, expected: list[str]
) -> None:
    assert lines(asked, recorded) == expected


def test_names_no_ignored_field() -> None:
    options = MatchOptions(ignore_body=("name", "more"))
    places = [line.split(":")[0] for line in lines(post(DEVICE[1]), post(DEVICE[0]), options)]
    assert places == ["body.settings[1]", "body.count"]


def test_tells_fields_apart_in_a_body_too_long_for_its_key() -> None:
    one, other = (json.dumps({"pad": "x" * 5000, "n": n}).encode() for n in (1, 2))
    assert lines(post(one), post(other)) == ["body.n: recorded '2', asked '1'"]


def test_shortens_long_values_around_the_difference() -> None:
    one, other = ("x" * 5000 + tail + "y" * 5000 for tail in ("1", "2"))
    [near] = found(get(f"/me?a={one}"), get(f"/me?a={other}"))
    [mismatch] = near.mismatches
    assert mismatch.recorded is not None
    assert mismatch.recorded.startswith("…xxx")
    assert "x2y" in mismatch.recorded
    assert len(mismatch.recorded) <= 80


def test_ranks_method_and_path_before_similar_paths_before_the_rest() -> None:
    ranked = found(
        get("/beta/users/1/photo?a=1"),
        get("/other"),
        get("/beta/users/1/photo?a=2&b=1&c=1"),
        post(b"", url="/beta/users/1/photo"),
        get("/beta/users/2/photo?a=1"),
        get("/beta/users/1/photo?a=2"),
    )
    assert [near.index for near in ranked] == [4, 1, 2]


def test_names_the_first_of_several_alike_once() -> None:
    ranked = found(get("/b"), get("/a"), get("/a"), get("/c"))
    assert [near.index for near in ranked] == [0, 2]


def test_has_no_mismatch_where_the_key_is_recorded() -> None:
    assert found(get("/a"), get("/a")) == [Near(index=0, mismatches=())]


def test_has_nothing_near_on_an_empty_tape() -> None:
    assert found(get("/a")) == []


def test_compares_few_requests_however_long_the_tape() -> None:
    tape = [post(b'{"n":%d}' % n, url="/beta/users") for n in range(5000)]
    tape.append(get("/beta/users/last?a"))
    index = Index.of([key_of(request) for request in tape], [False] * len(tape))
    fetched: list[int] = []

    def request_at(at: int) -> Request:
        fetched.append(at)
        return tape[at]

    [best, *_] = nearest(get("/beta/users/last"), index.answers, request_at)
    assert best.index == 5000
    assert len(fetched) <= 20
