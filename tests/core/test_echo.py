"""Values that a client makes up come back to it."""

from __future__ import annotations

import json
import time
from urllib.parse import unquote

import pytest

from graphtape.core.matching.echo import echoed
from graphtape.core.message import Headers, Request, Response

ROOT = "https://graph.microsoft.com"
JSON = Headers((("Content-Type", "application/json"),))
FORM = Headers((("Content-Type", "application/x-www-form-urlencoded"),))
GUID, OTHER = "1b4e28ba-2fa1-41d2-883f-0016d3cca427", "6fa459ea-ee8a-4ca4-894e-db77e160355e"


def post(body: object, url: str = "/v1.0/x") -> Request:
    return Request(method="POST", url=ROOT + url, headers=JSON, body=json.dumps(body).encode())


def answer(body: object, *headers: tuple[str, str]) -> Response:
    return Response(status=201, headers=Headers(headers), body=json.dumps(body).encode())


def body_of(response: Response) -> object:
    value: object = json.loads(response.body)
    return value


@pytest.mark.parametrize(
    ("recorded", "asked", "answered", "expected"),
    [
        pytest.param(
            {"n": "a"},
            {"n": "b"},
            {"n": "a"},
            {"n": "b"},
            id="same-place-however-short",
        ),
        pytest.param({"n": 1}, {"n": 2}, {"n": 1, "m": 1}, {"n": 2, "m": 1}, id="number"),
        pytest.param({"n": 1}, {"n": "2"}, {"n": 1}, {"n": "2"}, id="another-kind"),
        pytest.param({"n": ""}, {"n": "x"}, {"n": "", "m": ""}, {"n": "x", "m": ""}, id="empty"),
        pytest.param(
            {"n": "alpha"},
            {"n": "beta"},
            {"value": [{"n": "alpha"}]},
            {"value": [{"n": "beta"}]},
            id="same-name",
        ),
        pytest.param(
            {"n": "abc"},
            {"n": "xyz"},
            {"value": [{"n": "abc"}]},
            {"value": [{"n": "abc"}]},
            id="same-name-but-short",
        ),
        pytest.param({"n": GUID}, {"n": OTHER}, {"id": GUID}, {"id": OTHER}, id="anywhere"),
        pytest.param(
            {"n": "onboarded"},
            {"n": "failed"},
            {"was": "onboarded"},
            {"was": "onboarded"},
            id="a-word-at-another-name-stays",
        ),
        pytest.param(
            {"n": "test-12"},
            {"n": "x"},
            {"was": "test-12"},
            {"was": "test-12"},
            id="a-short-one-at-another-name-stays",
        ),
        pytest.param(
            {"n": GUID},
            {"n": OTHER},
            {"text": f"made {GUID}"},
            {"text": f"made {GUID}"},
            id="part-of-a-text-stays",
        ),
        pytest.param(
            {"n": 12345678}, {"n": 9}, {"m": 12345678}, {"m": 12345678}, id="number-elsewhere-stays"
        ),
        pytest.param({"n": 1}, {"n": 2}, {"n": "1"}, {"n": "1"}, id="a-string-is-no-number"),
        pytest.param({"n": True}, {"n": False}, {"n": True}, {"n": True}, id="true-stays"),
        pytest.param(
            {"n": "aaaa"}, {"n": None}, {"n": "aaaa"}, {"n": "aaaa"}, id="null-is-no-value"
        ),
        pytest.param({"n": "aaaa"}, {}, {"n": "aaaa"}, {"n": "aaaa"}, id="not-sent"),
        pytest.param({}, {"n": "aaaa"}, {"n": "bbbb"}, {"n": "bbbb"}, id="not-recorded"),
        pytest.param(
            {"n": "REDACTED"},
            {"n": "hunter2"},
            {"n": "REDACTED"},
            {"n": "REDACTED"},
            id="masked-secret-stays",
        ),
        pytest.param(
            {"n": 'né"\\'}, {"n": 'ü\n"\\'}, {"n": 'né"\\'}, {"n": 'ü\n"\\'}, id="escapes"
        ),
        pytest.param(
            {"n": GUID, "kept": GUID},
            {"n": OTHER, "kept": GUID},
            {"n": GUID, "kept": GUID, "id": GUID},
            {"n": OTHER, "kept": GUID, "id": GUID},
            id="held-by-a-field-that-is-matched",
        ),
        pytest.param(
            {"n": [GUID, GUID]},
            {"n": [OTHER, "x"]},
            {"n": [GUID, GUID], "id": GUID},
            {"n": [OTHER, "x"], "id": GUID},
            id="sent-anew-in-two-ways",
        ),
        pytest.param(
            {"n": ["test-0001", "test-0002"]},
            {"n": ["test-0002", "test-0001"]},
            {"one": "test-0001", "two": "test-0002"},
            {"one": "test-0002", "two": "test-0001"},
            id="swapped",
        ),
        pytest.param(
            {"n": {"deep": [{"x": GUID}]}},
            {"n": {"deep": [{"x": OTHER}]}},
            {"id": GUID},
            {"id": OTHER},
            id="below-an-ignored-field",
        ),
    ],
)
def test_an_ignored_field_comes_back_as_it_was_sent(
    recorded: object, asked: object, answered: object, expected: object
) -> None:
    got = echoed(post(recorded), post(asked), answer(answered), ("n",))
    assert body_of(got) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(f"{ROOT}/v1.0/a/{GUID}/b", f"{ROOT}/v1.0/a/{OTHER}/b", id="segment"),
        pytest.param(
            f"{ROOT}/v1.0/a/{GUID}?x={GUID}", f"{ROOT}/v1.0/a/{OTHER}?x={GUID}", id="query"
        ),
        pytest.param(f"{ROOT}/v1.0/a('{GUID}')/b", f"{ROOT}/v1.0/a('{OTHER}')/b", id="key"),
        pytest.param(
            f"{ROOT}/v1.0/a(id=%27{GUID}%27)", f"{ROOT}/v1.0/a(id=%27{OTHER}%27)", id="named-key"
        ),
        pytest.param(f"{ROOT}/v1.0/a/x{GUID}", f"{ROOT}/v1.0/a/x{GUID}", id="part-of-a-segment"),
    ],
)
def test_links_lead_to_what_was_sent(url: str, expected: str) -> None:
    got = echoed(
        post({"n": GUID}), post({"n": OTHER}), answer({"@odata.id": url}, ("location", url)), ("n",)
    )
    assert body_of(got) == {"@odata.id": expected}
    assert got.headers.get("Location") == expected


@pytest.mark.parametrize("sent", ["a/b c%é'\r\nX-Evil: 1", "å?#&"])
def test_a_link_holds_what_was_sent_percent_encoded(sent: str) -> None:
    location = ("Location", f"/v1.0/a/{GUID}/b")
    got = echoed(post({"n": GUID}), post({"n": sent}), answer({}, location), ("n",))
    [path] = got.headers.all("Location")
    assert path.isascii()
    assert path.isprintable()
    assert [unquote(each) for each in path.split("/")[3:]] == [sent, "b"]


@pytest.mark.parametrize("sent", ["", ".", ".."])
def test_a_link_never_leads_elsewhere(sent: str) -> None:
    location = ("Location", f"/v1.0/a/{GUID}/b")
    got = echoed(post({"n": GUID}), post({"n": sent}), answer({}, location), ("n",))
    assert got.headers.get("Location") == location[1]


def test_only_links_among_the_headers_change() -> None:
    kept = answer({}, ("ETag", GUID), ("request-id", GUID))
    assert echoed(post({"n": GUID}), post({"n": OTHER}), kept, ("n",)) == kept


def test_what_the_url_holds_stays() -> None:
    url = f"/v1.0/groups/{GUID}/members"
    got = echoed(post({"n": GUID}, url), post({"n": OTHER}, url), answer({"id": GUID}), ("n",))
    assert body_of(got) == {"id": GUID}


def test_a_field_that_is_matched_is_left_to_matching() -> None:
    kept = answer({"n": GUID})
    assert echoed(post({"n": GUID}), post({"n": OTHER}), kept, ("m", "$.x.n")) == kept


@pytest.mark.parametrize("path", ["n", "$.a[0].n", "a[*].n", "$..n", "a", "$.a[0]"])
def test_fields_are_named_as_for_matching(path: str) -> None:
    recorded, asked = ({"a": [{"n": value}]} for value in (GUID, OTHER))
    got = echoed(post(recorded), post(asked), answer({"id": GUID}), (path,))
    assert body_of(got) == {"id": OTHER}


def test_forms_have_fields_too() -> None:
    recorded, asked = (
        Request(method="POST", url=ROOT, headers=FORM, body=f"n={value}&m=1".encode())
        for value in ("a%20b-00001", "c+d")
    )
    assert body_of(echoed(recorded, asked, answer({"x": "a b-00001"}), ("n",))) == {"x": "c d"}


def test_the_rest_of_the_answer_stays_to_the_byte() -> None:
    body = b'\xef\xbb\xbf{ "n" :"aaaa",\r\n\t"f": 1.0E5, "u": "\\u00e9\\/", "n2":"aaaa" }'
    got = echoed(post({"n": "aaaa"}), post({"n": "b"}), Response(status=200, body=body), ("n",))
    assert got.body == body.replace(b'"n" :"aaaa"', b'"n" :"b"')


@pytest.mark.parametrize("body", [b"", b"aaaa", b'{"n": "aaaa"', b"\xff\xd8\xff"])
def test_an_answer_that_is_no_json_stays(body: bytes) -> None:
    kept = Response(status=200, body=body)
    assert echoed(post({"n": "aaaa"}), post({"n": "b"}), kept, ("n",)) == kept


def test_the_same_answer_is_returned_where_nothing_differs() -> None:
    kept = answer({"n": "aaaa"})
    assert echoed(post({"n": "aaaa"}), post({"n": "aaaa"}), kept, ("n",)) is kept
    assert echoed(post({"n": "aaaa"}), post({"n": "b"}), kept, ()) is kept


def seconds(size: int) -> float:
    recorded, asked = (
        post({"n": [f"{letter}-{number:08}" for number in range(size)]}) for letter in "ab"
    )
    url = ROOT + "/a('1')" * size
    kept = answer({"v": [f"a-{number:08}" for number in range(size)], "u": url, "k": "('" * size})
    began = time.process_time()
    got = echoed(recorded, asked, kept, ("n",))
    assert got.body.count(b"b-0") == size
    return time.process_time() - began


def test_takes_linear_time() -> None:
    assert seconds(8_000) < 10  # quadratic would be minutes
