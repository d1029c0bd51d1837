"""Answers made ready once, to be written many times."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphtape.core.journal import Source
from graphtape.core.message import Headers, Request, Response
from graphtape.core.refresh import Timing
from graphtape.server.replay.rendered import Rendered
from graphtape.server.replay.reply import LARGEST, Now, Reply, asked_by_anyone

NOW_IS = Now(1_767_607_200)
DATE = b"Mon, 05 Jan 2026 10:00:00 GMT"
BASE = "http://graph.test"
OF_NOW = Timing()


def answer(
    *fields: tuple[str, str], status: int = 200, reason: str = "OK", body: bytes = b"{}"
) -> Response:
    return Response(status=status, reason=reason, headers=Headers.of(fields), body=body)


def prepared(
    response: Response,
    *,
    called: bool = False,
    timing: Timing = OF_NOW,
    base: str = BASE,
    method: str = "GET",
) -> Reply | None:
    fields = [("client-request-id", "whoever")] if called else []
    request = Request(
        method=method, url="https://graph.microsoft.com/v1.0/me", headers=Headers.of(fields)
    )
    made = Rendered(response=response, source=Source.REPLAYED, index=7)
    return Reply.of(made, asked_by_anyone(request), base=base, timing=timing, batch=False)


def written(
    response: Response,
    *,
    caller: bytes = b"",
    timing: Timing = OF_NOW,
    base: str = BASE,
    method: str = "GET",
) -> list[str]:
    ready = prepared(response, called=bool(caller), timing=timing, base=base, method=method)
    assert ready is not None
    return ready.written(NOW_IS, caller).decode().split("\r\n")


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
    ("response", "timing"),
    [
        pytest.param(answer(body=b"x" * (LARGEST + 1)), OF_NOW, id="a large body"),
        pytest.param(
            answer(("Retry-After", "Mon, 05 Jan 2026 10:00:05 GMT")), OF_NOW, id="a wait to a date"
        ),
    ],
)
def test_what_is_not_the_same_each_time_is_left_to_a_task(
    response: Response, timing: Timing
) -> None:
    assert prepared(response, timing=timing) is None


@pytest.mark.parametrize(
    ("response", "method", "lines"),
    [
        pytest.param(answer(status=204, body=b""), "GET", ["HTTP/1.1 204 OK"], id="no content"),
        pytest.param(answer(status=503), "GET", ["HTTP/1.1 503 OK"], id="an error of Graph's"),
        pytest.param(answer(("Retry-After", "1")), "POST", ["Retry-After: 1"], id="a wait"),
        pytest.param(answer(("X", "a\r\nb")), "GET", ["X: a  b"], id="a line break in a field"),
        pytest.param(answer(reason="a\x00b"), "GET", ["HTTP/1.1 200 a b"], id="a zero"),
    ],
)
def test_what_is_the_same_each_time_is_made_ready(
    response: Response, method: str, lines: list[str]
) -> None:
    got = written(response, method=method)
    assert set(lines) < set(got)
    assert (b"Content-Length: 2" in "\n".join(got).encode()) is bool(response.body)


def test_the_answer_to_a_head_has_no_body() -> None:
    assert written(answer(("Content-Length", "9")), method="HEAD")[-2:] == ["", ""]


def test_a_date_to_wait_for_stays_where_all_are_frozen() -> None:
    wait = ("Retry-After", "Mon, 05 Jan 2026 10:00:05 GMT")
    got = written(answer(wait, ("Date", "then")), timing=Timing(frozen=True))
    assert {": ".join(wait), "Date: then"} < set(got)


def test_without_a_recorded_date_it_is_of_now_even_where_dates_are_frozen() -> None:
    assert f"Date: {DATE.decode()}" in written(answer(), timing=Timing(frozen=True))


def test_links_point_at_the_base() -> None:
    location = ("Location", "https://graph.microsoft.com/v1.0/me")
    linked = prepared(answer(location))
    assert linked is not None
    assert linked.linked
    assert b"\r\nLocation: http://graph.test/v1.0/me\r\n" in linked.written(NOW_IS, b"")


_NAMES = st.sampled_from(
    [
        *("Date", "date", "client-request-id", "Content-Type", "Content-Length", "Retry-After"),
        *("Location", "Content-Encoding", "Connection", "Transfer-Encoding", "Vary", "X-100%"),
    ]
)
_VALUES = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["0", "5", "%s", "100 %", "a\r\nb", "\udcff", "https://graph.microsoft.com/v1.0/me", "gzip"]
)
_BODIES = st.sampled_from(
    [b"", b"{}", b'{"@odata.nextLink": "https://graph.microsoft.com/v1.0/me?$skip=1"}', b"100 %s"]
)


@given(
    fields=st.lists(st.tuples(_NAMES, _VALUES), max_size=6),
    status=st.sampled_from([200, 201, 202, 204, 304, 403, 503]),
    reason=st.sampled_from(["OK", "", "50 %", "a\nb"]),
    body=_BODIES,
    caller=st.sampled_from([b"", b"me"]),
    method=st.sampled_from(["GET", "HEAD", "POST"]),
    timing=st.sampled_from([Timing(), Timing(frozen=True), Timing(retry_after=1)]),
)
def test_a_head_from_a_template_is_the_one_that_is_written_field_by_field(
    *,
    fields: list[tuple[str, str]],
    status: int,
    reason: str,
    body: bytes,
    caller: bytes,
    method: str,
    timing: Timing,
) -> None:
    response = answer(*fields, status=status, reason=reason, body=body)

    def made() -> Reply | None:
        return prepared(response, called=bool(caller), timing=timing, method=method)

    ready = made()
    with patch.object(Reply, "_filled", return_value=None):
        plain = made()
    if ready is None or plain is None:
        assert ready is plain
        return
    assert ready.written(NOW_IS, caller) == plain.written(NOW_IS, caller)
    for name in ("around_date", "linked", "own", "length", "index", "judged", "seen", "teaches"):
        assert getattr(ready, name) == getattr(plain, name)


def test_most_recorded_answers_are_written_from_a_template() -> None:
    fields = ("Content-Type", "application/json"), ("request-id", "a"), ("Date", "then")
    fails = patch("graphtape.server.replay.reply.head_of", side_effect=AssertionError)
    with fails, pytest.raises(AssertionError):
        written(answer(*fields, ("x-new", "1")))
    written(answer(*fields, ("x-other", "1")))
    with fails:
        got = written(answer(*fields[:2], ("Date", "later"), ("x-other", "2"), body=b"[1]"))
    assert {"x-other: 2", "request-id: a", "Content-Length: 3", NOW} < set(got)
