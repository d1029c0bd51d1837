from __future__ import annotations

import base64
import gzip
import json
import logging
from typing import TYPE_CHECKING

import pytest
import requests

from graphtape.core.errors import CassetteError
from graphtape.core.graph.cloud import cloud_of
from graphtape.core.message import Headers
from graphtape.tape.formats.har import load, read
from graphtape.tape.store import open_cassette, open_har, save_cassette
from proxies import SHARED, needs_recordings, replaying

if TYPE_CHECKING:
    from pathlib import Path

    from graphtape.core.message import Interaction

ROOT = "https://graph.microsoft.com"
Tree = dict[str, object]


def entry(
    request: Tree | None = None,
    response: Tree | None = None,
    content: Tree | None = None,
    **fields: object,
) -> Tree:
    return {
        "startedDateTime": "2026-01-02T03:04:05.678Z",
        "request": {"method": "GET", "url": f"{ROOT}/v1.0/me", "headers": [], **(request or {})},
        "response": {
            "status": 200,
            "statusText": "OK",
            "headers": [],
            "content": {"size": 2, "mimeType": "application/json", "text": "{}", **(content or {})},
            **(response or {}),
        },
        **fields,
    }


def har(*entries: Tree) -> bytes:
    return json.dumps({"log": {"version": "1.2", "entries": list(entries)}}).encode()


def one(tree: Tree) -> Interaction:
    (interaction,) = read(har(tree), name="t.har").interactions
    return interaction


def fields(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def test_an_entry_is_an_interaction() -> None:
    posted = {"mimeType": "application/json", "text": '{"é": 1}'}
    asked: Tree = {"method": "post", "url": f"{ROOT}/beta/a?b=%20c#part", "postData": posted}
    got = one(entry(asked, {"status": 201, "statusText": "Created"}, {"text": '{"ü": 2}'}))
    assert (got.request.method, got.request.url) == ("POST", f"{ROOT}/beta/a?b=%20c")
    assert got.request.body == '{"é": 1}'.encode()
    assert (got.response.status, got.response.reason) == (201, "Created")
    assert got.response.body == '{"ü": 2}'.encode()
    json_typed = Headers((("Content-Type", "application/json"),))
    assert got.request.headers == got.response.headers == json_typed


def test_requests_stand_in_the_order_they_started() -> None:
    times = (
        "2026-01-01T00:00:03Z",
        "2026-01-01T01:00:01+01:00",
        None,
        "2026-01-01T00:00:02.5000000Z",
        "2026-01-01T00:00:01",
    )
    tree = har(
        *(
            entry({"url": f"{ROOT}/{number}"}, startedDateTime=time)
            for number, time in enumerate(times)
        )
    )
    log = read(tree, name="t.har")
    assert [each.request.url[-1] for each in log.interactions] == ["1", "2", "4", "3", "0"]
    assert log.started_at is not None
    assert log.started_at.isoformat() == "2026-01-01T00:00:01+00:00"


def test_without_times_the_order_of_the_file_holds() -> None:
    tree = har(*(entry({"url": f"{ROOT}/{n}"}, startedDateTime="soon") for n in range(3)))
    log = read(tree, name="t.har")
    assert [each.request.url[-1] for each in log.interactions] == ["0", "1", "2"]
    assert log.started_at is None


def test_headers_keep_repeats_and_lose_what_was_of_the_connection() -> None:
    asked = fields((":authority", "graph.microsoft.com"), (":method", "GET"), ("x-a", "1"))
    answered = fields(
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("X-Lines", "one\ntwo"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "keep-alive"),
        ("Content-Encoding", "gzip"),
        ("Content-Type", "application/json;charset=utf-8"),
    )
    cookies = [{"name": "c", "value": "3"}]
    got = one(entry({"headers": asked}, {"headers": answered, "cookies": cookies}))
    assert got.request.headers.pairs == (("x-a", "1"),)
    assert got.response.headers.pairs == (
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("X-Lines", "one"),
        ("X-Lines", "two"),
        ("Content-Type", "application/json;charset=utf-8"),
    )
    assert got.response.body == b"{}"


PNG = b"\x89PNG\r\n"


@pytest.mark.parametrize(
    ("content", "coding", "body"),
    [
        pytest.param({"text": "ü"}, "", "ü".encode(), id="text is UTF-8"),
        pytest.param(
            {"text": "ü", "mimeType": "text/plain; charset=iso-8859-1"},
            "",
            b"\xfc",
            id="or its charset",
        ),
        pytest.param(
            {"text": "ü", "mimeType": "text/plain; charset=klingon"},
            "",
            "ü".encode(),
            id="an unknown charset",
        ),
        pytest.param(
            {"text": base64.b64encode(PNG).decode(), "encoding": "base64"}, "", PNG, id="base64"
        ),
        pytest.param(
            {"text": base64.b64encode(PNG).decode(), "encoding": "base64"},
            "gzip",
            PNG,
            id="decoded base64",
        ),
        pytest.param(
            {"text": base64.b64encode(gzip.compress(PNG)).decode(), "encoding": "base64"},
            "gzip",
            PNG,
            id="base64 as it came",
        ),
        pytest.param({"text": None, "size": 0}, "", b"", id="no body"),
        pytest.param({"text": None, "size": -1}, "", b"", id="no body known"),
    ],
)
def test_bodies_come_out_decoded(content: Tree, coding: str, body: bytes) -> None:
    headers = fields(("Content-Encoding", coding)) if coding else []
    got = one(entry(response={"headers": headers}, content=content))
    assert got.response.body == body
    assert "Content-Encoding" not in got.response.headers


@pytest.mark.parametrize(
    ("posted", "body"),
    [
        pytest.param(
            {"text": "a=1+2", "params": fields(("a", "1 2"))}, b"a=1+2", id="text before params"
        ),
        pytest.param({"params": fields(("a", "1 2"), ("b", "ü"))}, b"a=1+2&b=%C3%BC", id="params"),
        pytest.param({"text": "", "params": []}, b"", id="nothing"),
        pytest.param({"text": "AAE=", "encoding": "base64"}, b"\x00\x01", id="base64"),
    ],
)
def test_posted_data_is_the_body(posted: Tree, body: bytes) -> None:
    form = {"mimeType": "application/x-www-form-urlencoded", **posted}
    got = one(entry({"method": "POST", "postData": form}))
    assert got.request.body == body


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        pytest.param(
            entry(response={"status": 0}),
            "entry 0 (GET graph.microsoft.com): status 0: the call was blocked or cancelled",
            id="status 0",
        ),
        pytest.param(entry(response={"status": None}), "it has no status", id="no status"),
        pytest.param(entry(response={"status": 101}), "status 101", id="switched protocols"),
        pytest.param({**entry(), "response": None}, "it has no response", id="no response"),
        pytest.param(entry({"url": "wss://a.example/s"}), "no call over HTTP", id="websocket"),
        pytest.param(entry({"url": "data:text/plain,a"}), "(GET data:): it is no", id="data"),
        pytest.param(entry({"method": "CONNECT"}), "no call over HTTP", id="connect"),
        pytest.param(
            entry(content={"text": None, "size": 9}), "9 bytes of its body weren't", id="body"
        ),
        pytest.param(
            entry({"method": "POST", "bodySize": 7}), "7 bytes of its request body", id="posted"
        ),
        pytest.param(
            entry({"method": "POST", "postData": {"mimeType": "multipart/x", "params": [1]}}),
            "its multipart body wasn't saved",
            id="multipart",
        ),
        pytest.param(entry(content={"encoding": "rot13"}), "'rot13'", id="encoding"),
    ],
)
def test_what_is_no_whole_interaction_is_left_out_and_said(tree: Tree, reason: str) -> None:
    log = read(har(tree, entry()), name="t.har")
    assert len(log.interactions) == 1
    assert len(log.skipped) == 1
    assert reason in log.skipped[0]


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_is_whole_without(status: int) -> None:
    got = one(entry(response={"status": status}, content={"text": None, "size": 9}))
    assert (got.response.status, got.response.body) == (status, b"")


def test_loading_warns_of_what_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    broken = entry(response={"status": 0})
    with caplog.at_level(logging.WARNING):
        cassette = load(har(broken, entry(), broken), name="t.har")
    assert len(cassette.interactions) == 1
    assert cassette.metadata is None
    (record,) = caplog.records
    assert record.getMessage() == (
        "t.har: left out entry 0 (GET graph.microsoft.com): status 0: "
        "the call was blocked or cancelled, and 1 more"
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "t.har: not HAR, which is JSON with a list `log.entries`", id="empty"),
        pytest.param(b"interactions: []\nversion: 1\n", "t.har: not HAR", id="a cassette"),
        pytest.param(b"\xff\xfe{}", "t.har: not HAR", id="not UTF-8"),
        pytest.param(b"[" * 100_000, "t.har: not HAR", id="nested without end"),
        pytest.param(b'{"log": {"entries": {}}}', "t.har: not HAR", id="no list"),
        pytest.param(har({}), "t.har, entry 0, request: found empty or missing", id="no request"),
        pytest.param(
            har(entry({"url": "/v1.0/me"})), "entry 0, request.url: found '/v1.0/me'", id="url"
        ),
        pytest.param(
            har(entry(response={"status": "200"})), "response.status: found '200'", id="status"
        ),
        pytest.param(
            har(entry(content={"text": "%", "encoding": "base64"})),
            "response.content.text is not base64",
            id="base64",
        ),
        pytest.param(
            har(entry({"headers": [{"value": "x"}]})), "request.headers[0].name", id="header"
        ),
        pytest.param(
            har(entry(content={"text": "\ud800"})), "found \\ud800, half of a character", id="half"
        ),
    ],
)
def test_what_is_no_har_is_refused_in_one_line(data: bytes, message: str) -> None:
    with pytest.raises(CassetteError) as caught:
        load(data, name="t.har")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_cloud_is_the_one_that_all_calls_but_sign_in_went_to() -> None:
    def of(*urls: str) -> str:
        return cloud_of([one(entry({"url": url})) for url in urls])

    login = "https://login.microsoftonline.us/t/oauth2/v2.0/token"
    assert of(f"{ROOT}/v1.0/me") == "global"
    assert of("https://dod-graph.microsoft.us/v1.0/me", login) == "usgov-dod"
    assert of("https://graph.microsoft.us/v1.0/me", login) == "usgov"
    assert of(login) == "custom"
    assert of(f"{ROOT}/v1.0/me", "https://cdn.example/a.js") == "custom"
    assert of() == "custom"


def test_the_suffix_opens_a_har_and_nothing_writes_one(tmp_path: Path) -> None:
    path = tmp_path / "t.HAR"
    path.write_bytes(b"\xef\xbb\xbf" + har(entry()))
    tape = open_cassette(path).interactions
    assert tape == open_har(path).interactions
    with pytest.raises(CassetteError, match="HAR files are read, not written"):
        save_cassette(path, tape, metadata=None)
    with pytest.raises(CassetteError, match="no such file; check the path"):
        open_cassette(tmp_path / "none.har")


RECORDINGS = sorted((SHARED / "har").glob("*.har"))


def ask(base: str, i: Interaction) -> requests.Response:
    url = i.request.url
    local = url.removeprefix(ROOT) if url.startswith(ROOT) else "/_origin/" + url[len("https://") :]
    own = {"host", "content-length", "accept-encoding"}
    return requests.request(
        i.request.method,
        base + local,
        data=i.request.body,
        headers={n: v for n, v in i.request.headers if n.lower() not in own},
        allow_redirects=False,
        timeout=10,
    )


@needs_recordings
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_real_recording_plays_as_it_is(path: Path) -> None:
    tape = open_cassette(path).interactions
    entries = json.loads(path.read_bytes())["log"]["entries"]
    assert len(tape) == len(entries)
    with replaying(path) as proxy:
        for i, recorded in zip(tape, entries, strict=True):
            got = ask(proxy.url, i)
            assert got.status_code == recorded["response"]["status"], got.text
            body = got.content.replace(proxy.url.encode(), ROOT.encode())
            assert body == recorded["response"]["content"]["text"].encode()
