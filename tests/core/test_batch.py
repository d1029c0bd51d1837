from __future__ import annotations

import json
from base64 import b64encode

import pytest

from graphtape.core.errors import RequestError
from graphtape.core.graph.batch import (
    Part,
    answers_of,
    in_order,
    joined,
    parts_of,
    recorded_parts,
)
from graphtape.core.message import Headers, Interaction, Request, Response

BETA = "https://graph.microsoft.com/beta"
JSON = {"Content-Type": "application/json"}


def batch(*parts: object, url: str = f"{BETA}/$batch") -> Request:
    body = json.dumps({"requests": parts}).encode()
    return Request(method="POST", url=url, headers=Headers.of(JSON.items()), body=body)


def get(number: str, url: str = "/me", **more: object) -> dict[str, object]:
    return {"id": number, "method": "GET", "url": url, **more}


def only(request: Request) -> Request:
    [part] = parts_of(request)
    return part.request


def answer(*responses: object) -> Response:
    return Response(status=200, body=json.dumps({"responses": responses}).encode())


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        pytest.param("/me?$top=1", f"{BETA}/me?$top=1", id="relative"),
        pytest.param("me", f"{BETA}/me", id="without-a-slash"),
        pytest.param("/beta/me", f"{BETA}/me", id="version-left-in"),
        pytest.param("/v1.0/me", "https://graph.microsoft.com/v1.0/me", id="another-version"),
        pytest.param("/beta/beta/me", f"{BETA}/me", id="version-twice"),
        pytest.param("/betas", f"{BETA}/betas", id="no-version"),
        pytest.param(f"{BETA}/me", f"{BETA}/me", id="absolute"),
        pytest.param("https://graph.microsoft.us/v1.0/me", BETA[:-4] + "v1.0/me", id="other-cloud"),
        pytest.param(
            "https://contoso.example/beta/me", "https://contoso.example/beta/me", id="off"
        ),
    ],
)
def test_a_part_is_asked_below_its_batchs_root_and_version(url: str, asked: str) -> None:
    assert only(batch(get("1", url))).url == asked


@pytest.mark.parametrize(
    ("headers", "body", "wire"),
    [
        pytest.param(JSON, {"a": "é", "b": [1, 2.5]}, '{"a":"é","b":[1,2.5]}'.encode(), id="json"),
        pytest.param(JSON, [], b"[]", id="empty-list"),
        pytest.param(JSON, "text", b'"text"', id="json-string"),
        pytest.param(JSON, b64encode(b'[{"a": 1}]').decode(), b'[{"a": 1}]', id="json-in-base64"),
        pytest.param({"Content-Type": "image/png"}, "iVBORw==", b"\x89PNG", id="base64"),
        pytest.param({"Content-Type": "image/png"}, "_-8", b"\xff\xef", id="base64url-unpadded"),
        pytest.param({"Content-Type": "text/plain"}, "no base64!", b"no base64!", id="text"),
        pytest.param({}, None, b"", id="none"),
    ],
)
def test_a_part_has_its_body_as_it_would_be_sent_alone(
    headers: dict[str, str], body: object, wire: bytes
) -> None:
    request = only(batch({**get("1"), "method": "post", "headers": headers, "body": body}))
    assert (request.method, request.body) == ("POST", wire)
    response = answer({"id": "1", "status": 200, "headers": headers, "body": body})
    assert answers_of(response)["1"].body == wire


def test_a_json_body_without_a_type_gets_one() -> None:
    assert only(batch(get("1", body={}))).headers.get("Content-Type") == "application/json"


@pytest.mark.parametrize("name", ["dependsOn", "depends_on"])
def test_a_part_says_what_it_depends_on_in_either_spelling(name: str) -> None:
    _, second = parts_of(batch(get("1"), {**get("2"), name: ["1"]}))
    assert second.after == ("1",)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        pytest.param(Request(method="POST", url=BETA, body=b"{"), "no JSON", id="no-json"),
        pytest.param(Request(method="POST", url=BETA, body=b"[]"), "no list", id="no-object"),
        pytest.param(batch(), "no list", id="no-parts"),
        pytest.param(batch("x"), r"requests\[0\] is no object", id="part-is-no-object"),
        pytest.param(batch(*(get(str(n)) for n in range(21))), "exceeds .* 20", id="21-parts"),
        pytest.param(batch(get("1"), get("1")), "Id 1 has to be unique", id="same-id"),
        pytest.param(batch({"method": "GET", "url": "/me"}), "no 'id'", id="no-id"),
        pytest.param(batch({"id": "1", "url": "/me"}), "no 'method'", id="no-method"),
        pytest.param(batch({"id": "1", "method": "GET"}), "no 'url'", id="no-url"),
        pytest.param(batch(get("1", dependsOn="0")), "no list of ids", id="dependency-is-no-list"),
        pytest.param(batch(get("1", dependsOn=["0"])), "'0', which is missing", id="unknown"),
        pytest.param(batch(get("1", dependsOn=["1"])), "depends on itself", id="itself"),
        pytest.param(
            batch(get("1", dependsOn=["2"]), get("2", dependsOn=["1"])), "on itself", id="circle"
        ),
    ],
)
def test_a_batch_that_graph_refuses_is_refused(request_: Request, said: str) -> None:
    with pytest.raises(RequestError, match=said) as refused:
        parts_of(request_)
    assert refused.value.status == 400


def test_twenty_parts_are_taken() -> None:
    assert len(parts_of(batch(*(get(str(n)) for n in range(20))))) == 20


@pytest.mark.parametrize(
    ("listed", "ordered"),
    [
        pytest.param("a b c", "a b c", id="as-listed"),
        pytest.param("a:c b c", "c a b", id="after-what-it-needs"),
        pytest.param("a:b,c b:c c", "c b a", id="chain"),
        pytest.param("w s:w v", "w s v", id="no-later-than-listed"),
    ],
)
def test_parts_run_in_listed_order_but_after_what_they_need(listed: str, ordered: str) -> None:
    parts = []
    for word in listed.split():
        number, _, after = word.partition(":")
        request = Request(method="GET", url=f"{BETA}/{number}")
        needed = tuple(after.split(",")) if after else ()
        parts.append(Part(id=number, request=request, after=needed))
    assert " ".join(part.id for part in in_order(parts)) == ordered


def test_answers_are_joined_in_the_order_asked_with_json_as_it_stands() -> None:
    parts = parts_of(batch(get("a"), get("b"), get("c"), get("d")))
    number = b'{\r\n "n": 1.10, "e": 12345678901234567890.5 }'
    answers = {
        "d": Response(
            status=200, headers=Headers.of([("Content-Type", "image/png")]), body=b"\x89"
        ),
        "c": Response(status=204),
        "b": Response(
            status=200,
            headers=Headers.of(
                [
                    ("content-type", "application/json;charset=utf-8"),
                    ("Retry-After", "3"),
                    ("Content-Length", "9"),
                    ("Date", "today"),
                    ("Warning", "1"),
                    ("warning", "2"),
                ]
            ),
            body=b"\xef\xbb\xbf" + number,
        ),
        "a": Response(status=404, headers=Headers.of(JSON.items()), body=b"{not json"),
    }
    got = joined(parts, answers)
    written = json.loads(got.body)["responses"]
    assert [item["id"] for item in written] == ["a", "b", "c", "d"]
    assert [item["status"] for item in written] == [404, 200, 204, 200]
    assert number in got.body
    assert written[1]["headers"] == {
        "content-type": "application/json;charset=utf-8",
        "Retry-After": "3",
        "Warning": "1, 2",
    }
    assert "body" not in written[2]
    assert written[3]["body"] == b64encode(b"\x89").decode()
    assert written[0]["body"] == b64encode(b"{not json").decode()


def test_what_is_joined_comes_apart_again() -> None:
    parts = parts_of(batch(get("a"), get("b")))
    answers = {
        "a": Response(
            status=200, reason="OK", headers=Headers.of(JSON.items()), body=b'{"a":"\\ud800"}'
        ),
        "b": Response(
            status=429, reason="Too Many Requests", headers=Headers.of([("Retry-After", "1")])
        ),
    }
    assert answers_of(joined(parts, answers)) == answers


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"responses": 1}', b'{"responses": [1, {"id": 1}, {"id": "1", "status": 9}]}'],
)
def test_what_is_no_answer_to_a_batch_holds_none(body: bytes) -> None:
    assert answers_of(Response(status=200, body=body)) == {}


def test_a_recorded_part_that_did_not_run_answers_nothing() -> None:
    interaction = Interaction(
        request=batch(get("1"), get("2", dependsOn=["1"]), get("3"), get("4")),
        response=answer(
            {"id": "3", "status": 424}, {"id": "2", "status": 424}, {"id": "1", "status": 404}
        ),
    )
    got = [(part.id, response.status) for part, response in recorded_parts(interaction)]
    assert got == [("1", 404), ("3", 424)]


def test_a_recorded_request_that_is_no_batch_has_no_parts() -> None:
    asked = batch(get("1"), url=f"{BETA}/me")
    response = answer({"id": "1", "status": 200})
    assert recorded_parts(Interaction(request=asked, response=response)) == ()
