"""Redaction takes time in proportion to the message, and almost none where nothing is hidden."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from graphtape.core.message import Request, Response
from graphtape.core.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable

GRAPH = "https://graph.microsoft.com/v1.0/groups"
MEBIBYTE = 1 << 20
UNITS = [
    *("a", "@", "eyJ", "a.", "a@", "@a.", "a'", "eyJ.", "eyJaaaaaaaaaa.", "a_b.com#EXT#", "#EXT#"),
    *("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "%40", "a%40", "%", "=", "a="),
    *("password=", 'password="', "password='", 'password=\\"', "Bearer ", "<password>", "&a="),
    *("https://", "://a:", "a-", "facade00-", "tenant ", "123456-", "MIG", "MII", "/v2/", "x@y.z "),
    *("cookie:", "a.onmicrosoft.com ", "login.", "sharepoint.", "\\", '"', "{", "[", '{"a":', "é"),
    *("--a\r\ncontent-type:x\r\n\r\n", '"a@b.cc":', " ", "\t=", "organization/", '"key":"', "sts."),
]


def seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def took(work: Callable[[], object]) -> float:
    """Return the least time of a few rounds."""
    return min(seconds(lambda: [work() for _ in range(100)]) for _ in range(5))


def filled(unit: str, size: int) -> str:
    return (unit * (size // len(unit) + 1))[:size]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_hostile_body_takes_linear_time(unit: str, form: str) -> None:
    def took(size: int) -> float:
        text = filled(unit, size)
        body = (json.dumps({"a": text}) if form == "json" else text).encode()
        return seconds(
            lambda: Redactor(salt="s").response(Response(status=200, body=body), url=GRAPH)
        )

    # A busy machine may disturb one measurement, but not each of them.
    assert any(took(MEBIBYTE) < max(0.3, 6 * took(MEBIBYTE // 2)) for _ in range(3))


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("place", ["log", "foreign", "query"])
def test_a_hostile_url_and_log_line_take_linear_time(unit: str, place: str) -> None:
    def took(size: int) -> float:
        text, redactor = filled(unit, size), Redactor(salt="s")
        match place:
            case "log":
                return seconds(lambda: redactor.text(f"GET https://x.example/{text}"))
            case "foreign":
                return seconds(lambda: redactor.url(f"https://x.example/{text}"))
            case _:
                return seconds(lambda: redactor.url(f"{GRAPH}?$filter={text}"))

    size = MEBIBYTE // 4
    assert any(took(size) < max(0.3, 6 * took(size // 2)) for _ in range(3))


def test_an_answer_with_nothing_to_hide_is_let_by_untouched_and_fast() -> None:
    entities = [
        {"id": f"67d6e84a-a1dc-4179-a17d-579b4b2fa9b{n}", "displayName": f"All devices {n}"}
        for n in range(6)
    ]
    body = json.dumps({"@odata.context": f"{GRAPH}#groups", "value": entities}).encode()
    redactor, answer = Redactor(salt="s"), Response(status=200, body=body)
    assert redactor.response(answer, url=GRAPH).body is body
    hidden = Response(status=200, body=body.replace(b"All devices", b"jane@acme.test "))
    assert any(
        took(lambda: redactor.response(answer, url=GRAPH))
        < took(lambda: redactor.response(hidden, url=GRAPH))
        for _ in range(3)
    )


def test_a_request_seen_before_costs_next_to_nothing() -> None:
    redactor = Redactor(salt="s")
    request = Request(method="GET", url=f"{GRAPH}/jane%40acme.test?$select=id")
    redactor.request(request)
    assert any(
        5 * took(lambda: redactor.request(request))
        < took(lambda: Redactor(salt="s").request(request))
        for _ in range(3)
    )


def test_what_is_remembered_stays_bounded() -> None:
    redactor = Redactor(salt="s")
    for n in range(10_000):
        redactor.request(Request(method="GET", url=f"{GRAPH}/{n}?password={n}"))
    remembered = sum(
        len(value) for value in vars(redactor).values() if isinstance(value, (dict, set))
    )
    assert remembered < 10_000
