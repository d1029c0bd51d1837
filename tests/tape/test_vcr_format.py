from __future__ import annotations

import gzip
import json
import time
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from graphtape.core.errors import CassetteError
from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.tape.digest import digest
from graphtape.tape.vcr_format import Metadata, load
from tapes import written_out

if TYPE_CHECKING:
    from collections.abc import Callable

URL = "https://graph.microsoft.com/beta/deviceManagement/chromeOSOnboardingSettings/disconnect"
METADATA = Metadata(
    graphtape="0.1.0", upstream="global", recorded_at="2026-11-23T12:00:00Z", salt="c2FsdA=="
)


def interaction(
    *,
    method: str = "POST",
    sent: bytes = b"",
    asked: list[tuple[str, str]] | None = None,
    status: int = 200,
    answered: list[tuple[str, str]] | None = None,
    body: bytes = b'{"value": "inprogress"}',
) -> Interaction:
    return Interaction(
        request=Request(method=method, url=URL, headers=Headers.of(asked or []), body=sent),
        response=Response(
            status=status, reason="OK", headers=Headers.of(answered or []), body=body
        ),
    )


def there_and_back(*interactions: Interaction) -> tuple[Interaction, ...]:
    return load(written_out(interactions, metadata=METADATA), name="a.yaml").interactions


# What is written


AWKWARD_BODIES = {
    "empty": b"",
    "json": b'{"value": "inprogress"}',
    "documentation-example": b'{\r\n  "value": "inprogress"\r\n}',
    "pretty-json": b'{\n  "a": 1,\n  "b": "it\'s"\n}\n',
    "nul": b"a\0b",
    "bom": b"\xef\xbb\xbf{}",
    "line-separator": "a\u2028b\u2029c".encode(),
    "next-line": "a\x85b".encode(),
    "carriage-return": b"a\rb\r",
    "tabs-and-trailing-blanks": b"\t a \n  b \n\n",
    "yes": b"yes",
    "one": b"1",
    "null": b"null",
    "tilde": b"~",
    "date": b"2026-11-23",
    "merge-key": b"<<",
    "comment": b"# not a comment",
    "document-mark": b"---\nabc\n...\n",
    "accents": "Zoë Müller".encode(),
    "emoji": "😀".encode(),
    "noncharacters": "\ufffe\uffff".encode(),
    "latin-1": "Zoë".encode("latin-1"),
    "photo": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "gzip": gzip.compress(b"{}", mtime=0),
    "surrogate": b"\xed\xa0\x80",
    "long-line": b"word " * 5000,
}


@pytest.mark.parametrize("body", AWKWARD_BODIES.values(), ids=AWKWARD_BODIES.keys())
def test_a_body_survives_byte_for_byte(body: bytes) -> None:
    one = interaction(sent=body, body=body)
    assert there_and_back(one) == (one,)


def test_text_is_readable_in_the_file() -> None:
    written = written_out([interaction(body='{"displayName": "Zoë"}'.encode())], metadata=None)
    assert 'string: \'{"displayName": "Zoë"}\'' in written.decode()


def test_every_body_and_header_stands_on_one_line() -> None:
    body = b'{"value": "' + b"word " * 200 + b'"}'
    written = written_out(
        [interaction(body=body, answered=[("Vary", "a, b " * 100)])], metadata=None
    )
    assert body in written
    assert b"a, b " * 99 in written


def test_the_layout_is_vcrpys_with_version_last() -> None:
    one = interaction(asked=[("Accept", "application/json")], answered=[("Date", "now")])
    assert written_out([one], metadata=METADATA).decode() == (
        "interactions:\n"
        "- request:\n"
        "    body: null\n"
        "    headers:\n"
        "      Accept:\n"
        "      - application/json\n"
        "    method: POST\n"
        f"    uri: {URL}\n"
        "  response:\n"
        "    body:\n"
        '      string: \'{"value": "inprogress"}\'\n'
        "    headers:\n"
        "      Date:\n"
        "      - now\n"
        "    status:\n"
        "      code: 200\n"
        "      message: OK\n"
        "metadata:\n"
        "  graphtape:\n"
        "    format: 1\n"
        "    graphtape: 0.1.0\n"
        "    upstream: global\n"
        "    recorded_at: '2026-11-23T12:00:00Z'\n"
        "    interactions: 1\n"
        f"    digest: {digest([one])}\n"
        "    salt: c2FsdA==\n"
        "version: 1\n"
    )


def test_an_empty_response_body_is_an_empty_string() -> None:
    written = written_out([interaction(body=b"", status=204)], metadata=None)
    assert "string: ''\n" in written.decode()


def test_repeated_headers_keep_their_values_in_order() -> None:
    one = interaction(
        asked=[("Prefer", "b"), ("Prefer", "a")],
        answered=[("Set-Cookie", "b=2"), ("Set-Cookie", "a=1")],
    )
    assert there_and_back(one) == (one,)


def test_repeated_headers_spelled_differently_become_one_field() -> None:
    (back,) = there_and_back(
        interaction(answered=[("Set-Cookie", "b"), ("Date", "d"), ("set-cookie", "a")])
    )
    assert back.response.headers == Headers.of(
        [("Date", "d"), ("Set-Cookie", "b"), ("Set-Cookie", "a")]
    )


@pytest.mark.parametrize("value", ["caf\udce9", "é \udce9", "\udc85\udcff", "é", "日本 \udce9"])
def test_bytes_of_headers_come_back_as_they_were(value: str) -> None:
    one = interaction(asked=[("X-Odd", value)], answered=[("X-Even", "é"), ("X-Odd", value)])
    assert there_and_back(one) == (one,)


def test_stock_vcrpy_reads_header_bytes_as_clients_do() -> None:
    from vcr.serialize import deserialize  # noqa: PLC0415 - it patches nothing, and is slow
    from vcr.serializers import yamlserializer  # noqa: PLC0415 - likewise

    one = interaction(answered=[("X-Odd", "caf\udce9"), ("X-Even", "é")])
    requests, responses = deserialize(written_out([one], metadata=None).decode(), yamlserializer)[
        :2
    ]
    assert len(requests) == 1
    headers = responses[0]["headers"]
    assert (headers["X-Odd"], headers["X-Even"]) == (["café"], ["Ã©"])


def test_a_text_edited_by_hand_beside_header_bytes_stays() -> None:
    one = interaction(answered=[("X-Odd", "caf\udce9")])
    edited = written_out([one], metadata=None).decode().replace("café", "日本")
    (back,) = load(edited.encode(), name="t.yaml").interactions
    assert back.response.headers.all("X-Odd") == ("日本",)


def test_a_header_that_is_latin_1_in_an_older_cassette_stays_text() -> None:
    older = written_out([interaction(answered=[("X-Odd", "cafe")])], metadata=None)
    older = older.replace(b"cafe", "café".encode())
    (back,) = load(older, name="t.yaml").interactions
    assert back.response.headers.all("X-Odd") == ("café",)


@pytest.mark.parametrize(
    ("method", "status", "body", "expected"),
    [
        pytest.param("GET", 200, b"{}", "2", id="recomputed"),
        pytest.param("GET", 204, b"", "0", id="no-content"),
        pytest.param("HEAD", 200, b"", "999", id="head-keeps"),
        pytest.param("GET", 304, b"", "999", id="not-modified-keeps"),
    ],
)
def test_content_length_tells_the_written_body(
    method: str, status: int, body: bytes, expected: str
) -> None:
    one = interaction(method=method, status=status, body=body, answered=[("content-length", "999")])
    (back,) = there_and_back(one)
    assert back.response.headers.all("Content-Length") == (expected,)


def test_content_length_is_never_added() -> None:
    (back,) = there_and_back(interaction())
    assert "Content-Length" not in back.response.headers


def test_a_body_still_in_its_coding_is_written_decoded() -> None:
    packed = gzip.compress(b"{}")
    fields = [("Content-Encoding", "gzip"), ("Content-Length", str(len(packed)))]
    (back,) = there_and_back(interaction(body=packed, answered=fields))
    assert (back.response.body, back.response.headers.pairs) == (b"{}", (("Content-Length", "2"),))


def test_the_users_own_metadata_is_kept() -> None:
    written = written_out(
        [], metadata=METADATA, other_metadata={"ticket": 7, "a": {"b": [1, None]}}
    )
    cassette = load(written, name="a.yaml")
    assert cassette.other_metadata == {"ticket": 7, "a": {"b": [1, None]}}
    assert cassette.metadata is not None
    assert written_out([], metadata=METADATA, other_metadata=cassette.other_metadata) == written


def test_metadata_comes_back_with_count_and_digest() -> None:
    one = interaction()
    ours = load(written_out([one, one], metadata=METADATA), name="a.yaml").metadata
    assert ours is not None
    assert (ours.interactions, ours.digest) == (2, digest([one, one]))
    assert (ours.upstream, ours.recorded_at, ours.salt) == (
        "global", "2026-11-23T12:00:00Z", "c2FsdA==",
    )  # fmt: skip


def test_a_salt_kept_elsewhere_is_not_written() -> None:
    without = Metadata(graphtape="0.1.0", upstream="sandbox", recorded_at="2026-11-23T12:00:00Z")
    assert b"salt" not in written_out([], metadata=without)


# Edited or not


def test_a_cassette_as_written_is_not_edited() -> None:
    assert not load(written_out([interaction()], metadata=METADATA), name="a.yaml").edited


def test_a_cassette_without_our_metadata_is_not_edited() -> None:
    assert not load(written_out([interaction()], metadata=None), name="a.yaml").edited


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda text: text.replace("inprogress", "failed"), id="body"),
        pytest.param(lambda text: text.replace("code: 200", "code: 500"), id="status"),
        pytest.param(lambda text: text.replace("interactions: 1", "interactions: 2"), id="count"),
    ],
)
def test_a_cassette_changed_by_hand_is_edited(edit: Callable[[str], str]) -> None:
    text = written_out([interaction()], metadata=METADATA).decode()
    assert load(edit(text).encode(), name="a.yaml").edited


def test_another_layout_of_the_same_is_no_edit() -> None:
    one = interaction(sent=b"{}", answered=[("Date", "d"), ("Age", "1")])
    tree = yaml.safe_load(written_out([one], metadata=METADATA))
    assert not load(yaml.safe_dump(tree).encode(), name="a.yaml").edited
    assert not load(json.dumps(tree).encode(), name="a.json", json=True).edited


# What is read


def cassette_text(*, request: str = "", response: str = "", version: str = "1") -> bytes:
    return (
        "interactions:\n"
        "- request:\n"
        f"    {request or f'{{body: null, headers: {{}}, method: GET, uri: {URL!r}}}'}\n"
        "  response:\n"
        f"    {response or '{body: {string: ok}, headers: {}, status: {code: 200, message: OK}}'}\n"
        f"version: {version}\n"
    ).encode()


def asked(body: str, *, headers: str = "{}", uri: str = URL) -> Interaction:
    request = f"{{method: POST, uri: {uri!r}, headers: {headers}, body: {body}}}"
    (one,) = load(cassette_text(request=request), name="a.yaml").interactions
    return one


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("null", b"", id="null"),
        pytest.param("''", b"", id="empty"),
        pytest.param("'{}'", b"{}", id="text"),
        pytest.param("!!binary /w==", b"\xff", id="binary"),
        pytest.param("!!python/unicode 'é'", "é".encode(), id="python-2-unicode"),
        pytest.param("!!python/str abc", b"abc", id="python-2-str"),
        pytest.param(
            "!!python/object/new:_io.BytesIO {state: !!python/tuple [!!binary eHk=, 0, null]}",
            b"xy",
            id="file",
        ),
        pytest.param(
            "!!python/object/apply:builtins.iter {args: [[!!binary eA==, y]], state: 0}",
            b"xy",
            id="iterator",
        ),
        pytest.param("[!!binary eA==, !!binary eQ==]", b"xy", id="chunks"),
        pytest.param("{base64_string: eHk=}", b"xy", id="base64"),
        pytest.param("{a: [1, null]}", b'{"a": [1, null]}', id="aiohttp-json"),
    ],
)
def test_every_spelling_of_a_request_body_is_read(body: str, expected: bytes) -> None:
    assert asked(body).request.body == expected


@pytest.mark.parametrize(
    ("headers", "uri"),
    [
        pytest.param("{Content-Type: [application/x-www-form-urlencoded]}", URL, id="by-type"),
        pytest.param("{}", "https://login.microsoftonline.com/t/oauth2/v2.0/token", id="sign-in"),
    ],
)
def test_fields_given_to_aiohttp_become_the_form_it_sent(headers: str, uri: str) -> None:
    assert asked("{a: b c, d: é}", headers=headers, uri=uri).request.body == b"a=b+c&d=%C3%A9"


@pytest.mark.parametrize("module", ["", "_multidict.", "_multidict_py."])
def test_header_names_recorded_as_multidict_objects_are_read(module: str) -> None:
    tag = f"!!python/object/apply:multidict.{module}istr"
    request = (
        f"{{method: GET, uri: {URL!r}, body: null, headers: "
        f"{{? {tag} [Content-Type] : [text/plain], Accept: ['*/*']}}}}"
    )
    (one,) = load(cassette_text(request=request), name="a.yaml").interactions
    assert one.request.headers.pairs == (("Content-Type", "text/plain"), ("Accept", "*/*"))


def test_header_values_may_be_lists_tuples_or_plain_text() -> None:
    headers = "{A: [x, y], B: z, C: !!python/tuple [v, w]}"
    pairs = asked("null", headers=headers).request.headers.pairs
    assert pairs == (("A", "x"), ("A", "y"), ("B", "z"), ("C", "v"), ("C", "w"))


@pytest.mark.parametrize(
    "body",
    ["{}", "null", "''", "{string: null}", "{string: ''}", "{base64_string: ''}"],
)
def test_every_spelling_of_an_empty_response_body_is_read(body: str) -> None:
    response = f"{{body: {body}, headers: {{}}, status: {{code: 204, message: null}}}}"
    (one,) = load(cassette_text(response=response), name="a.yaml").interactions
    assert one.response == Response(status=204)


def test_the_old_httpx_layout_is_read() -> None:
    response = "{content: 'é', headers: {Vary: a}, http_version: HTTP/1.1, status_code: 404}"
    (one,) = load(cassette_text(response=response), name="a.yaml").interactions
    assert one.response == Response(
        status=404, headers=Headers.of([("Vary", "a")]), body="é".encode()
    )


PACKED = "!!binary H4sIAAAAAAACA6uuBQBDv6ajAgAAAA=="  # gzip of {}


@pytest.mark.parametrize(
    ("coding", "body", "expected", "kept"),
    [
        pytest.param("gzip", PACKED, b"{}", (), id="decoded"),
        pytest.param("gzip", "'{}'", b"{}", (), id="decoded-by-the-recorder"),
        pytest.param("gzip", "''", b"", (), id="empty"),
        pytest.param("br", "!!binary //7/", b"\xff\xfe\xff", ("br",), id="neither"),
    ],
)
def test_bodies_are_read_without_their_coding(
    coding: str, body: str, expected: bytes, kept: tuple[str, ...]
) -> None:
    headers = f"{{content-encoding: [{coding}]}}"
    response = f"{{body: {{string: {body}}}, headers: {headers}, status: {{code: 200}}}}"
    (one,) = load(cassette_text(response=response), name="a.yaml").interactions
    both = (one.response, asked(body, headers=headers).request)
    for message in both:
        assert message.body == expected
        assert message.headers.all("Content-Encoding") == kept


def test_a_json_cassette_is_read() -> None:
    tree = yaml.safe_load(cassette_text())
    cassette = load(json.dumps(tree).encode(), name="a.json", json=True)
    assert cassette.interactions[0].response.body == b"ok"


def test_a_byte_order_mark_in_front_is_read_over() -> None:
    assert len(load(b"\xef\xbb\xbf" + cassette_text(), name="a.yaml").interactions) == 1


def test_aliases_of_modest_size_are_read() -> None:
    text = cassette_text(request=f"{{method: GET, uri: {URL}, headers: &h {{A: [b]}}, body: *h}}")
    assert load(text, name="a.yaml").interactions[0].request.body == b'{"A": ["b"]}'


# What is refused


REFUSED = {
    "empty": (b"", "the file is empty; delete it and record it again"),
    "blank": (b" \n\t\n", "the file is empty"),
    "bad-utf-8": (b"interactions: \xff", "found byte 0xff at offset 14, which isn't UTF-8"),
    "utf-16": (cassette_text().decode().encode("utf-16"), "which isn't UTF-8; save it as UTF-8"),
    "not-yaml": (b"interactions: [", ": not YAML ("),
    "binary": (b"interactions: \0", ": not YAML ("),
    "scalar": (b"hello", "not a cassette, which is a mapping with `interactions`"),
    "only-comments": (b"# hello\n", "not a cassette"),
    "no-interactions": (b"version: 1\n", "not a cassette"),
    "two-documents": (b"a: 1\n---\nb: 2\n", ": not YAML ("),
    "old-layout": (b"- request: !!python/object:vcr.request.Request {}", "before version 1.0"),
    "cut-short": (b"interactions: []\n", "the file is cut short: it has no `version`"),
    "cut-in-version": (b"interactions: []\nversion:", "the file is cut short"),
    "unknown-version": (cassette_text(version="2"), "version: found 2, expected 1;"),
    "version-as-text": (cassette_text(version="'1'"), "version: found '1', expected 1;"),
    "version-as-true": (cassette_text(version="true"), "version: found True, expected 1;"),
    "object-tag": (
        b"interactions: !!python/object/apply:os.system [echo]\nversion: 1",
        "line 1: found the object tag '!!python/object/apply:os.system'",
    ),
    "own-tag": (b"interactions: !mine []\nversion: 1", "found the object tag '!mine'"),
    "set": (b"interactions: !!set {a}\nversion: 1", "found the object tag '!!set'"),
    "merge-key": (b"a: &a {b: 1}\ninteractions:\n- <<: *a", "line 3: found a merge key (<<)"),
    "deep": (
        b"interactions: " + b"[" * 200 + b"]" * 200,
        "line 1: found more than 100 levels of nesting",
    ),
    # Some parsers refuse this by themselves, others would crash.
    "deep-without-end": (b"interactions: " + b"[" * 200_000, "line 1: "),
    "alias-in-itself": (b"interactions: &a [*a]\nversion: 1", "the alias *a inside itself"),
    "undefined-alias": (b"interactions: *a\nversion: 1", "line 1: not YAML ("),
    "impossible-date": (b"interactions: 2020-13-01\nversion: 1", "put it in quotes"),
    "endless-integer": (b"interactions: " + b"1" * 9999, "put it in quotes"),
    "interactions-mapping": (b"interactions: {}\nversion: 1", "interactions: found a mapping"),
    "interactions-null": (b"interactions:\nversion: 1", "interactions: found empty or missing"),
    "interaction-list": (
        b"interactions: [[]]\nversion: 1",
        "interaction 0: found a list, expected a mapping",
    ),
    "no-request": (
        b"interactions: [{response: {}}]\nversion: 1",
        "interaction 0, request: found empty or missing, expected a mapping",
    ),
    "metadata-list": (b"interactions: []\nmetadata: []\nversion: 1", "metadata: found a list"),
    "metadata-format": (
        b"interactions: []\nmetadata: {graphtape: {format: 2}}\nversion: 1",
        "metadata.graphtape.format: found 2, this Graphtape reads 1; update Graphtape",
    ),
    "metadata-field": (
        b"interactions: []\nmetadata: {graphtape: {format: 1, graphtape: 1.0}}\nversion: 1",
        "metadata.graphtape.graphtape: found 1.0, expected text (put it in quotes)",
    ),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_file_that_is_no_cassette_is_refused_in_one_clear_line(data: bytes, message: str) -> None:
    with pytest.raises(CassetteError) as caught:
        load(data, name="tapes/a.yaml")
    assert str(caught.value).startswith("tapes/a.yaml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


REFUSED_JSON = {
    "not-json": (b'{"interactions": [', "line 1: not JSON (Expecting value)"),
    "yaml": (cassette_text(), "line 1: not JSON"),
    "old-layout": (b'[{"request": {}}]', "before version 1.0"),
    "deep": (b"[" * 200_000, "recursion"),
    "endless-integer": (b"1" * 9999, "correct it"),
    "half-a-character": (
        json.dumps(yaml.safe_load(cassette_text())).replace('"ok"', '"\\ud800"').encode(),
        "interaction 0, response.body.string: found \\ud800, half of a character",
    ),
}


@pytest.mark.parametrize(("data", "message"), REFUSED_JSON.values(), ids=REFUSED_JSON.keys())
def test_a_json_file_that_is_no_cassette_is_refused_in_one_clear_line(
    data: bytes, message: str
) -> None:
    with pytest.raises(CassetteError) as caught:
        load(data, name="a.json", json=True)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


WRONG_REQUESTS = {
    "list": ("[]", "request: found a list, expected a mapping"),
    "unknown-field": (f"{{method: GET, uri: {URL}, bdy: x}}", "request: unknown field 'bdy'"),
    "no-method": (f"{{uri: {URL}}}", "request.method: found empty or missing, expected text"),
    "method-true": (f"{{uri: {URL}, method: yes}}", "request.method: found True, expected text"),
    "relative": ("{method: GET, uri: /me}", "request.uri: found '/me', expected an absolute URL"),
    "uri-list": ("{method: GET, uri: [a]}", "request.uri: found a list, expected text"),
    "headers-list": (
        f"{{method: GET, uri: {URL}, headers: [a]}}",
        "request.headers: found a list, expected a mapping",
    ),
    "header-number": (
        f"{{method: GET, uri: {URL}, headers: {{Age: [5]}}}}",
        "request.headers['Age']: found 5, expected text (put it in quotes)",
    ),
    "header-nested": (
        f"{{method: GET, uri: {URL}, headers: {{Age: [[a]]}}}}",
        "request.headers['Age']: found a list, expected text",
    ),
    "header-name": (
        f"{{method: GET, uri: {URL}, headers: {{on: [a]}}}}",
        "request.headers, a name: found True, expected text",
    ),
    "body-date": (
        f"{{method: GET, uri: {URL}, body: 2026-11-23}}",
        "request.body: found a date, expected text, !!binary or {string: …}",
    ),
    "body-unsendable": (
        f"{{method: GET, uri: {URL}, body: {{a: 2026-11-23}}}}",
        "request.body: found what can't be sent",
    ),
}
WRONG_RESPONSES = {
    "list": ("[]", "response: found a list, expected a mapping"),
    "no-status": ("{body: {string: ''}}", "response.status: found empty or missing"),
    "status-number": ("{status: 200}", "response.status: found 200, expected a mapping"),
    "code-text": ("{status: {code: '200'}}", "response.status.code: found '200', expected an int"),
    "code-true": ("{status: {code: true}}", "response.status.code: found True, expected an int"),
    "code-range": (
        "{status: {code: 7000}}",
        "response.status.code: found 7000, expected 100 to 999",
    ),
    "code-huge": (f"{{status: {{code: 0x{'f' * 9999}}}}}", "code: found a huge integer"),
    "message-list": ("{status: {code: 200, message: []}}", "response.status.message: found a list"),
    "old-code": ("{status_code: x, content: ''}", "response.status_code: found 'x', expected an"),
    "old-content": ("{status_code: 200, content: []}", "response.content: found a list"),
    "string-mapping": (
        "{status: {code: 200}, body: {string: {a: 1}}}",
        "response.body.string: found a mapping, expected text or !!binary",
    ),
    "body-mapping": ("{status: {code: 200}, body: {a: 1}}", "response.body: found a mapping"),
    "base64": (
        "{status: {code: 200}, body: {base64_string: '#'}}",
        "response.body.base64_string is not base64",
    ),
}


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        pytest.param(field, text, message, id=f"{field}-{key}")
        for field, table in (("request", WRONG_REQUESTS), ("response", WRONG_RESPONSES))
        for key, (text, message) in table.items()
    ],
)
def test_a_wrong_type_is_refused_by_interaction_and_field(
    field: str, text: str, message: str
) -> None:
    data = cassette_text(**{field: text})
    with pytest.raises(CassetteError) as caught:
        load(data, name="a.yaml")
    assert str(caught.value).startswith("a.yaml, interaction 0, ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def bomb(levels: int = 12, width: int = 9) -> str:
    lines = ["x0: &x0 [a]"]
    lines += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * width)}]" for n in range(1, levels + 1)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "where",
    [
        pytest.param("interactions: *x12\nversion: 1", id="interactions"),
        pytest.param(
            f"interactions: [{{request: {{method: POST, uri: {URL}, body: *x12}}}}]\nversion: 1",
            id="body",
        ),
        pytest.param("interactions: []\nmetadata: {mine: *x12}\nversion: 1", id="metadata"),
        pytest.param("interactions: []\n? !!python/tuple [*x12]\n: 1\nversion: 1", id="key"),
    ],
)
def test_an_alias_bomb_is_refused_at_once(where: str) -> None:
    started = time.process_time()
    with pytest.raises(CassetteError, match="its aliases stand for more than"):
        load(f"{bomb()}\n{where}".encode(), name="a.yaml")
    assert time.process_time() - started < 5


def test_a_thousandfold_alias_bomb_is_refused_at_once() -> None:
    started = time.process_time()
    with pytest.raises(CassetteError, match="its aliases stand for more than"):
        load(f"{bomb(levels=2000)}\nversion: 1".encode(), name="a.yaml")
    assert time.process_time() - started < 5


def test_a_cassette_cut_anywhere_is_refused() -> None:
    one = interaction(sent=b'{"a": 1}', asked=[("Accept", "*/*")], answered=[("Date", "d")])
    whole = written_out([one, one], metadata=METADATA)
    for cut in range(len(whole) - len(b": 1\n")):
        with pytest.raises(CassetteError):
            load(whole[:cut], name="a.yaml")


# Properties


header_names = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,12}", fullmatch=True)
texts = st.one_of(
    st.text(max_size=20),
    st.binary(max_size=8).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
)
headers = st.lists(st.tuples(header_names, texts), max_size=4)
bodies = st.one_of(st.binary(max_size=40), st.text(max_size=40).map(str.encode))
interactions = st.builds(
    interaction,
    method=st.sampled_from(["GET", "POST", "PATCH", "HEAD"]),
    sent=bodies,
    asked=headers,
    status=st.integers(100, 599),
    answered=headers,
    body=bodies,
)


@given(interactions)
def test_what_was_dumped_is_loaded_up_to_the_order_of_fields(one: Interaction) -> None:
    (back,) = there_and_back(one)

    def plain(message: Headers) -> list[tuple[str, tuple[str, ...]]]:
        names = {name.lower() for name, _ in message}
        return sorted((latin(name), (*map(latin, message.all(name)),)) for name in names)

    def latin(text: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:
            return text.encode("utf-8", "surrogateescape").decode("latin-1")
        return text

    assert (back.request.method, back.request.url) == (one.request.method, one.request.url)
    assert (back.request.body, back.response.body) == (one.request.body, one.response.body)
    assert (back.response.status, back.response.reason) == (one.response.status, "OK")
    assert plain(back.request.headers) == plain(one.request.headers)
    assert plain(back.response.headers) == plain(one.response.headers)


@given(st.lists(interactions, max_size=3))
def test_a_loaded_cassette_dumps_the_same_bytes(tape: list[Interaction]) -> None:
    written = written_out(tape, metadata=METADATA)
    cassette = load(written, name="a.yaml")
    assert not cassette.edited
    assert written_out(cassette.interactions, metadata=cassette.metadata) == written
