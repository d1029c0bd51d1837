"""Answers made ready once, to be written many times."""

from __future__ import annotations

import pytest

from graphtape.core.message import Headers, Response
from graphtape.core.refresh import Timing
from graphtape.server.prepared import LARGEST, Prepared

DATE = b"Mon, 05 Jan 2026 10:00:00 GMT"
BASE = "http://graph.test"
OF_NOW = Timing()


def answer(
    *fields: tuple[str, str], status: int = 200, reason: str = "OK", body: bytes = b"{}"
) -> Response:
    return Response(status=status, reason=reason, headers=Headers.of(fields), body=body)


def prepared(
    response: Response, *, called: bool = False, timing: Timing = OF_NOW, base: str = BASE
) -> Prepared | None:
    return Prepared.of(response, index=7, base=base, timing=timing, called=called)


def written(
    response: Response, *, caller: bytes = b"", timing: Timing = OF_NOW, base: str = BASE
) -> list[str]:
    ready = prepared(response, called=bool(caller), timing=timing, base=base)
    assert ready is not None
    return ready.written(DATE, caller).decode().split("\r\n")


OWN = ["Graphtape-Result: replayed", "Graphtape-Interaction: 7", "Content-Length: 2", "", "{}"]
NOW = f"Date: {DATE.decode()}"


@pytest.mark.parametrize(
    ("fields", "caller", "lines"),
    [
        pytest.param([], b"", [NOW], id="nothing recorded"),
        pytest.param([], b"me", ["client-request-id: me", NOW], id="an id is given back"),
        pytest.param(
            [("Date", "then"), ("X", "1")],
            b"me",
            [NOW, "X: 1", "client-request-id: me"],
            id="a date",
        ),
        pytest.param(
            [("Client-Request-Id", "its"), ("date", "then")],
            b"me",
            ["Client-Request-Id: me", NOW.replace("Date", "date")],
            id="both, by their recorded names",
        ),
        pytest.param(
            [("client-request-id", "its"), ("date", "then")],
            b"",
            ["client-request-id: its", NOW.replace("Date", "date")],
            id="the recorded id, where none is asked for",
        ),
        pytest.param(
            [("Date", "a"), ("Date", "b"), ("client-request-id", "a"), ("client-request-id", "b")],
            b"me",
            [NOW, "client-request-id: me"],
            id="each but once",
        ),
        pytest.param(
            [("Connection", "close"), ("Keep-Alive", "x"), ("Content-Length", "9")],
            b"",
            [NOW],
            id="the framing is its own",
        ),
    ],
)
def test_date_and_id_stand_where_the_pipeline_puts_them(
    fields: list[tuple[str, str]], caller: bytes, lines: list[str]
) -> None:
    assert written(answer(*fields), caller=caller) == ["HTTP/1.1 200 OK", *lines, *OWN]


def test_a_frozen_date_stays_as_recorded() -> None:
    frozen = Timing(frozen=True)
    lines = written(answer(("Date", "then")), timing=frozen)
    assert lines == ["HTTP/1.1 200 OK", "Date: then", *OWN]
    lines = written(answer(("Date", "then")), timing=frozen, caller=b"me")
    assert lines == ["HTTP/1.1 200 OK", "Date: then", "client-request-id: me", *OWN]


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(answer(status=204, body=b""), id="no content"),
        pytest.param(answer(status=304, body=b""), id="not modified"),
        pytest.param(answer(status=503), id="an error of Graph's"),
        pytest.param(answer(("Retry-After", "1")), id="a wait"),
        pytest.param(answer(body=b"x" * (LARGEST + 1)), id="a large body"),
        pytest.param(answer(("X", "a\r\nb")), id="a line break in a field"),
        pytest.param(answer(reason="a\x00b"), id="a zero in the reason"),
    ],
)
def test_what_is_not_the_same_each_time_is_left_to_the_pipeline(response: Response) -> None:
    assert prepared(response) is None


def test_without_a_recorded_date_a_frozen_one_is_left_to_the_pipeline() -> None:
    assert prepared(answer(), timing=Timing(frozen=True)) is None


def test_links_point_at_the_base() -> None:
    location = ("Location", "https://graph.microsoft.com/v1.0/me")
    linked = prepared(answer(location))
    assert linked is not None
    assert linked.linked
    assert b"\r\nLocation: http://graph.test/v1.0/me\r\n" in linked.written(DATE, b"")


@pytest.mark.parametrize(
    ("response", "telling"),
    [
        (answer(), False),
        (answer(body=b""), True),
        (answer(("Content-Encoding", "gzip")), True),
        (answer(("Location", "/relative")), True),
        (answer(body=b'{"@odata.nextLink": "/relative"}'), True),
    ],
)
def test_it_tells_whether_somebody_may_learn_from_it(response: Response, *, telling: bool) -> None:
    ready = prepared(response)
    assert ready is not None
    assert ready.telling is telling
