"""Recordings of other tools, as their own sources lay them out."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from graphtape.core.errors import CassetteError
from graphtape.tape.formats.registry import read
from graphtape.tape.formats.source import Source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from graphtape.core.message import Interaction
    from graphtape.tape.formats.exchange import Found

ROOT = "https://graph.microsoft.com"
Tree = dict[str, object]


def found(content: str | bytes | object, folder: Path) -> Found:
    if not isinstance(content, str | bytes):
        content = json.dumps(content)
    data = content.encode() if isinstance(content, str) else content
    return read(Source(name="t", path=folder / "t", data=data))


def one(content: str | bytes | object, folder: Path) -> Interaction:
    (interaction,) = found(content, folder).interactions
    return interaction


def go_vcr(version: int = 2, **changes: object) -> Tree:
    request = {
        "proto": "HTTP/1.1",
        "content_length": 8,
        "host": "graph.microsoft.com",
        "headers": {"Content-Type": ["application/json"], "Prefer": ["a", "b"]},
        "url": f"{ROOT}/v1.0/groups",
        "method": "POST",
        "body": '{"a": 1}',
    }
    response = {
        "uncompressed": True,
        "body": '{"id": "é"}',
        "headers": {"Date": ["Fri, 21 Mar 2025 18:54:10 GMT"], "Content-Encoding": ["gzip"]},
        "status": "201 Created",
        "code": 201,
        "duration": "83.984896ms",
    }
    for key, value in changes.items():
        side, _, name = key.partition("_")
        {"request": request, "response": response}[side][name] = value
    return {
        "version": version,
        "interactions": [{"id": 0, "request": request, "response": response}],
    }


@pytest.mark.parametrize("version", [1, 2])
def test_go_vcr_in_both_of_its_versions(version: int, tmp_path: Path) -> None:
    log = found(yaml.safe_dump(go_vcr(version), allow_unicode=True), tmp_path)
    (got,) = log.interactions
    assert (got.request.method, got.request.url) == ("POST", f"{ROOT}/v1.0/groups")
    assert (got.request.body, got.request.headers.all("prefer")) == (b'{"a": 1}', ("a", "b"))
    assert (got.response.status, got.response.reason) == (201, "Created")
    assert got.response.body == '{"id": "é"}'.encode()
    assert "Content-Encoding" not in got.response.headers
    assert log.started_at is not None
    assert log.started_at.isoformat() == "2025-03-21T18:54:10+00:00"


def test_go_vcr_writes_bytes_forms_and_gets_without_method_in_its_own_way(tmp_path: Path) -> None:
    packed = gzip.compress(b'{"id": "1"}')
    changes: dict[str, Any] = {
        "request_method": "",
        "response_body": packed,
        "request_body": "",
    }
    got = one(yaml.safe_dump(go_vcr(**changes)), tmp_path)
    assert (got.request.method, got.response.body) == ("GET", b'{"id": "1"}')
    form = {"grant_type": ["client_credentials"], "scope": ["a b"]}
    got = one(yaml.safe_dump(go_vcr(request_form=form, request_body="")), tmp_path)
    assert got.request.body == b"grant_type=client_credentials&scope=a+b"
    got = one(yaml.safe_dump(go_vcr(request_url="/v1.0/me")), tmp_path)
    assert got.request.url == f"{ROOT}/v1.0/me"


RUBY = """\
---
http_interactions:
- request:
    method: get
    uri: https://graph.microsoft.com/v1.0/me?$select=id
    body:
      encoding: US-ASCII
      string: ''
    headers:
      Accept-Encoding:
      - gzip;q=1.0
  response:
    status:
      code: 200
      message: OK
    headers:
      Content-Type:
      - application/json
    body:
      encoding: UTF-8
      string: '{"id":"ü"}'
    http_version:
  recorded_at: Thu, 18 Nov 2021 12:35:49 GMT
- request:
    method: :put
    uri: https://graph.microsoft.com/v1.0/me/photo/$value
    body:
      encoding: ASCII-8BIT
      string: !binary |-
        //79
    headers: {}
  response:
    status:
      code: '200'
      message:
    headers: {}
    body:
      encoding: ASCII-8BIT
      base64_string: AAEC
recorded_with: VCR 6.2.0
"""


def test_ruby_vcr_with_its_binary_tag(tmp_path: Path) -> None:
    log = found(RUBY, tmp_path)
    got, sent = log.interactions
    assert (got.request.method, got.request.url) == ("GET", f"{ROOT}/v1.0/me?$select=id")
    assert got.response.body == '{"id":"ü"}'.encode()
    assert (sent.request.method, sent.request.body) == ("PUT", b"\xff\xfe\xfd")
    assert (sent.response.status, sent.response.body) == (200, b"\x00\x01\x02")
    assert log.started_at is not None
    assert log.started_at.year == 2021


def test_ruby_vcr_keeps_the_encoding_a_text_came_in(tmp_path: Path) -> None:
    text = RUBY.partition("- request:\n    method: :put")[0]
    latin = text.replace("encoding: UTF-8", "encoding: ISO-8859-1")
    assert one(latin, tmp_path).response.body == b'{"id":"\xfc"}'
    as_json = json.dumps(yaml.safe_load(text))
    assert one(as_json, tmp_path).response.body == '{"id":"ü"}'.encode()


def azure(**changes: object) -> Tree:
    entry: Tree = {
        "RequestUri": f"{ROOT}/v1.0/$batch",
        "RequestMethod": "POST",
        "RequestHeaders": {"Authorization": "Sanitized", "Content-Type": "application/json"},
        "RequestBody": {"requests": [{"id": "1"}]},
        "StatusCode": 200,
        "ResponseHeaders": {
            "Content-Type": "application/json; odata.metadata=minimal",
            "Server": ["A/1.0", "B/2.0"],
            "Transfer-Encoding": "chunked",
        },
        "ResponseBody": {"responses": []},
        **changes,
    }
    return {"Entries": [entry], "Variables": {"name": "n-1", "seed": 7}}


def test_the_azure_test_proxy_and_its_variables(tmp_path: Path) -> None:
    log = found(azure(), tmp_path)
    (got,) = log.interactions
    assert json.loads(got.request.body) == {"requests": [{"id": "1"}]}
    assert json.loads(got.response.body) == {"responses": []}
    assert got.response.headers.all("server") == ("A/1.0", "B/2.0")
    assert "Transfer-Encoding" not in got.response.headers
    assert log.variables == {"name": "n-1", "seed": "7"}


@pytest.mark.parametrize(
    ("media", "body", "expected"),
    [
        ("application/json", '[{"a": 1}]', b'[{"a": 1}]'),
        ("text/plain", ["one\r\n", "two"], b"one\r\ntwo"),
        ("text/plain; charset=iso-8859-1", "é", b"\xe9"),
        ("application/octet-stream", "Y29udGVudA==", b"content"),
        ("application/octet-stream", "Sanitized!", b"Sanitized!"),
        ("image/png", [], b""),
        ("application/json", None, b""),
    ],
)
def test_the_azure_test_proxy_writes_a_body_by_its_type(
    media: str, body: object, expected: bytes, tmp_path: Path
) -> None:
    headers = {"Content-Type": media}
    got = one(azure(ResponseHeaders=headers, ResponseBody=body), tmp_path)
    assert got.response.body == expected


def collection(*items: Mapping[str, object], **more: object) -> Tree:
    schema = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
    return {"info": {"name": "c", "schema": schema}, "item": list(items), **more}


def example(request: object, **changes: object) -> Tree:
    header = [{"key": "Content-Type", "value": "application/json"}]
    answer = {"name": "ok", "status": "OK", "code": 200, "header": header, "body": '{"id":"1"}'}
    return {**answer, "originalRequest": request, **changes}


def test_a_postman_collection_has_examples_in_folders(tmp_path: Path) -> None:
    asked = {
        "method": "GET",
        "header": [{"key": "X", "value": "{{no}}"}, {"key": "Y", "value": "1", "disabled": True}],
        "url": {
            "raw": "{{root}}/v1.0/users/:id?$top=1",
            "variable": [{"key": "id", "value": "7"}],
        },
    }
    folder = {"name": "f", "item": [{"name": "r", "request": asked, "response": [example(asked)]}]}
    bare = {"name": "without", "request": "https://graph.microsoft.com/v1.0/me"}
    variables = [
        {"key": "root", "value": "{{scheme}}graph.microsoft.com"},
        {"key": "scheme", "value": "https://"},
    ]
    log = found(collection(folder, bare, variable=variables), tmp_path)
    (got,) = log.interactions
    assert got.request.url == f"{ROOT}/v1.0/users/7?$top=1"
    assert got.request.headers.pairs == (("X", "{{no}}"),)
    assert (got.response.status, got.response.body) == (200, b'{"id":"1"}')
    assert log.skipped == ("a request (GET graph.microsoft.com): it has no saved example",)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"mode": "raw", "raw": '{"a": 1}', "options": {"raw": {"language": "json"}}},
         (b'{"a": 1}', "application/json")),
        ({"mode": "urlencoded", "urlencoded": [{"key": "a", "value": "b c"}]},
         (b"a=b+c", "application/x-www-form-urlencoded")),
        ({"mode": "graphql", "graphql": {"query": "q"}},
         (b'{"query":"q","variables":null}', "application/json")),
    ],
    ids=["raw", "form", "graphql"],
)  # fmt: skip
def test_a_postman_body_has_the_type_its_mode_says(
    body: object, expected: tuple[bytes, str], tmp_path: Path
) -> None:
    asked = {"method": "POST", "url": f"{ROOT}/v1.0/x", "body": body}
    item = {"name": "r", "request": asked, "response": [example(None)]}
    got = one(collection(item), tmp_path).request
    assert (got.body, got.headers.get("Content-Type")) == expected


def test_what_a_postman_example_lacks_is_said(tmp_path: Path) -> None:
    unset = {"method": "GET", "url": "{{host}}/v1.0/me"}
    files = {
        "method": "POST",
        "url": ROOT,
        "body": {"mode": "formdata", "formdata": [{"key": "a"}]},
    }
    items = [{"request": r, "response": [example(r)]} for r in (unset, files)]
    log = found(collection(*items), tmp_path)
    lost = "the files of its body aren't in the collection"
    assert log.interactions == ()
    assert log.skipped == (
        "a request (GET ?), example 0: its URL has {{host}}, which the collection gives no value",
        f"a request (POST graph.microsoft.com), example 0: {lost}",
    )


def test_polly_keeps_recordings_by_name(tmp_path: Path) -> None:
    entry = {
        "startedDateTime": "2026-01-02T03:04:05Z",
        "request": {"method": "GET", "url": f"{ROOT}/v1.0/me", "headers": []},
        "response": {"status": 200, "headers": [], "content": {"text": "{}"}},
    }
    log = {"log": {"_recordingName": "x", "entries": [entry]}}
    assert len(found({"x_1": log, "y_2": log}, tmp_path).interactions) == 2


def test_a_cassette_of_vcrpys_is_one_as_json_too(tmp_path: Path) -> None:
    tree = {
        "version": 1,
        "interactions": [
            {
                "request": {"method": "GET", "uri": f"{ROOT}/v1.0/me", "body": None, "headers": {}},
                "response": {
                    "status": {"code": 200, "message": "OK"},
                    "headers": {},
                    "body": {"string": "{}"},
                },
            }
        ],
    }
    for text in (json.dumps(tree), yaml.safe_dump(tree)):
        assert one(text, tmp_path).request.url == f"{ROOT}/v1.0/me"


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        (azure(StatusCode=0), "status 0: the call was blocked or cancelled"),
        (azure(StatusCode=None), "it has no status: the call was blocked or cancelled"),
        (azure(StatusCode=101), "status 101 is none of an answer"),
        (azure(RequestUri="wss://example.com/a"), "it is no call over HTTP"),
        (azure(RequestMethod="CONNECT"), "it is no call over HTTP"),
        (azure(RequestMethod="GE T"), "its method is none"),
        (go_vcr(response_code=0), "status 0: the call was blocked or cancelled"),
        (go_vcr(response_code=99999), "status 99999 is none of an answer"),
    ],
)
def test_what_holds_no_answer_is_left_out_and_said(
    tree: object, reason: str, tmp_path: Path
) -> None:
    log = found(tree, tmp_path)
    assert log.interactions == ()
    (line,) = log.skipped
    assert line.startswith("entry 0 (")
    assert line.endswith(f"): {reason}")


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_an_answer_without_a_body_has_none(method: str, tmp_path: Path) -> None:
    status = 200 if method == "HEAD" else 304
    got = one(azure(RequestMethod=method, StatusCode=status), tmp_path)
    assert got.response.body == b""


HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the file is empty"),
    "blank": (b" \n\t\n", "the file is empty"),
    "not UTF-8": (b"{\xff\xfe", "isn't UTF-8"),
    "cut JSON": (json.dumps(azure()).encode()[:-9], "not JSON"),
    "cut YAML": (b'interactions:\n- request: {"a": [', "not YAML"),
    "deep JSON": (b"[" * 100_000, "t: "),
    "a number": (b"7", "none of the formats"),
    "an object": (b'{"a": 1}', "none of the formats"),
    "a list": (b"[1, 2]", "none of the formats"),
    "go-vcr 3": (json.dumps(go_vcr(3)).encode(), "version: found 3, expected 1 or 2"),
    "relative URL": (json.dumps(azure(RequestUri="/v1.0/me")).encode(), "expected an absolute URL"),
    "status of text": (json.dumps(azure(StatusCode="ok")).encode(), "expected an integer"),
    "headers of text": (json.dumps(azure(RequestHeaders="a: b")).encode(), "expected a mapping"),
    "method of number": (json.dumps(azure(RequestMethod=1)).encode(), "expected text"),
    "entry of text": (b'{"Entries": ["x"]}', "expected a mapping"),
    "bad base64": (
        RUBY.replace("AAEC", "A*").encode(), "base64_string is not base64"
    ),
    "half a character": (b'{"Entries": [{"RequestUri": "https://a/\\ud800"}]}', "expected text"),
    "cut flows": (b"1746:9:websocket;0:~8:response;31", "t: "),
    "a body that is a list": (json.dumps(go_vcr(response_body=[1])).encode(), "expected text"),
    "deep folders": (
        json.dumps(collection(json.loads('{"item":[' * 60 + "]}" * 60))).encode(), "folders deep"
    ),
    "Ruby's objects": (b"http_interactions:\n- !ruby/object:Object {request: 1}\n", "ruby"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "said"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_broken_is_refused_with_one_line(data: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(CassetteError) as error:
        found(data, tmp_path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_bytes_survive_in_every_format(tmp_path: Path) -> None:
    body = bytes(range(256))
    packed = base64.b64encode(body).decode()
    octets = {"Content-Type": "application/octet-stream"}
    trees: list[object] = [
        yaml.safe_dump(go_vcr(response_body=body, response_headers={})),
        azure(ResponseHeaders=octets, ResponseBody=packed),
        RUBY.replace("AAEC", packed),
    ]
    for tree in trees:
        assert found(tree, tmp_path).interactions[-1].response.body == body
