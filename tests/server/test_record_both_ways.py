"""Read as its bytes arrive or by a task, a request is recorded and answered the same."""

from __future__ import annotations

import gzip
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphtape.core.tape.outcome import Mode
from graphtape.settings import Redaction
from graphtape.tape.store import open_cassette
from proxies import AUTH, OK, RawServer, proxied, recording
from recorded_twice import both, recorded
from short_cuts import TOKEN, Wire, asking, get

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ME = "/v1.0/me"
JSON = ("Content-Type", "application/json")
TEXT = ("Content-Type", "text/plain")
LENGTH = "length"  # in place of a body's framing
CHUNKED = "chunked"
CLOSED = "closed"
NEXT = "https://graph.microsoft.com/v1.0/users?$skiptoken=abc"
SECRET = "eyJ0eXAiOiJKV1QifQ.eyJhdWQiOiJ4In0.c2lnbmF0dXJl"

BODIES: tuple[bytes, ...] = (
    b"{}",
    b"",
    b'{"id": "1", "displayName": "x"}',
    b'{"value": [], "@odata.nextLink": "%b"}' % NEXT.encode(),
    b'{"value": [], "@odata.nextLink": "UPSTREAM/v1.0/users?$skiptoken=abc"}',
    b'{"uploadUrl": "https://up.invalid/x?tempauth=secret"}',
    b'{"mail": "alex@acme-real.com", "clientSecret": "not-a-real-secret"}',
    b'{"webUrl": "https://graph.microsoft.com/v1.0/me"}',
    b"no json at all",
    b"\x00\xff" * 40,
    b'{"value": "%b"}' % (b"x" * 70_000),
)
ANSWER_FIELDS: tuple[tuple[str, str], ...] = (
    ("Date", "Mon, 05 Jan 2026 10:00:00 GMT"),
    ("date", "Mon, 05 Jan 2026 10:00:00 GMT"),
    ("request-id", "b1d9b4a2-0000-4000-8000-000000000001"),
    ("client-request-id", "alex@acme-real.com"),
    ("Retry-After", "7"),
    ("Location", NEXT),
    ("Set-Cookie", "a=not-a-real-cookie; path=/"),
    ("WWW-Authenticate", f"Bearer {SECRET}"),
    ("ETag", 'W/"1"'),
    ("Connection", "keep-alive"),
    ("Connection", "X-Odd"),
    ("Keep-Alive", "timeout=5"),
    ("X-Odd", "a\tb\u00e9"),
    ("x-ms-resource-unit", "1"),
)
FIELDS: tuple[tuple[str, str], ...] = (
    ("Accept", "application/json"),
    ("client-request-id", "b1d9b4a2-0000-4000-8000-000000000001"),
    ("client-request-id", "b1d9b4a2-0000-4000-8000-000000000002"),
    ("client-request-id", "alex@acme-real.com"),
    ("Cookie", "a=not-a-real-cookie"),
    ("Range", "bytes=0-1"),
    ("X-Odd", "a\tb\u00e9\udcff"),
    ("X-User", "alex@acme-real.com"),
    ("Connection", "keep-alive"),
    ("Connection", "close"),
    ("Connection", "X-User"),
    ("Graphtape-Scenario", "throttled"),
    ("Graphtape-Scenario", "status=failed"),
    ("Expect", "100-continue"),
    ("Content-Length", "0"),
    ("Upgrade", "websocket"),
    ("TE", "trailers"),
    ("Origin", "https://page.test"),
)
TARGETS = (
    ME,
    "/v1.0/users?$top=2",
    "/v1.0/users?$skiptoken=abc",
    "/v1.0/users/alex@acme-real.com",
    "/v1.0/users('a%20b')",
    "/beta/me",
    "/beta/deviceManagement/chromeOSOnboardingSettings",
    "/v1.0/x/getRecoveryKey",
    "/common/oauth2/v2.0/token",
    "/_session/default/v1.0/me",
    "/_session/unknown/v1.0/me",
    "/_session/default",
    "/_origin/elsewhere.test/x",
    "/v1.0/me#part",
    "https://graph.microsoft.com/v1.0/me",
)
HOSTS = ("graph.test:8080", "no host")
OPTIONS: tuple[dict[str, object], ...] = (
    {},
    {},
    {},
    {"status": ("failed",)},
    {"scenario": ("throttled",)},
    {"fsync": True},
    {"max_body": 20},
    {"keep_identities": True},
    {"redaction": Redaction(headers=("x-odd",), fields=("displayName",), personal=True)},
    {"redaction": Redaction(patterns=("b1d9b4a2-[0-9a-f-]*2",))},
)


def answered(
    body: bytes,
    *fields: tuple[str, str],
    status: str = "200 OK",
    framing: str = LENGTH,
    coding: str = "",
) -> bytes:
    """Write an answer."""
    if coding == "gzip":
        body = gzip.compress(body, mtime=0)
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields)]
    if coding:
        lines.append(f"Content-Encoding: {coding}")
    if framing == LENGTH:
        lines.append(f"Content-Length: {len(body)}")
    elif framing == CHUNKED:
        lines.append("Transfer-Encoding: chunked")
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


@st.composite
def _answers(draw: st.DrawFn) -> bytes:
    status = draw(
        st.sampled_from(["200 OK"] * 8 + ["201 Created", "404 Not Found", "429 ", "503 Busy"])
    )
    bare = draw(st.sampled_from([False] * 9 + [True]))
    if bare:
        return b"HTTP/1.1 204 No Content\r\n\r\n"
    fields = draw(st.lists(st.sampled_from(ANSWER_FIELDS), max_size=4, unique_by=lambda f: f[0]))
    return answered(
        draw(st.sampled_from(BODIES[:-1])),
        *draw(st.sampled_from([[JSON]] * 5 + [[TEXT], [], [("content-type", "x; a")]])),
        *fields,
        status=status,
        framing=draw(st.sampled_from([LENGTH, LENGTH, CHUNKED])),
        coding=draw(st.sampled_from([""] * 4 + ["gzip", "gzip", "identity", "unheard"])),
    )


@st.composite
def _requests(draw: st.DrawFn) -> bytes:
    token = draw(st.sampled_from([[TOKEN]] * 5 + [[], [("authorization", "x")]]))
    return asking(
        draw(st.sampled_from([*TARGETS[:8]] * 3 + [*TARGETS])),
        *token,
        *draw(st.lists(st.sampled_from(FIELDS), max_size=2)),
        method=draw(st.sampled_from(["GET"] * 8 + ["HEAD", "POST", "OPTIONS"])),
        host=draw(st.sampled_from([HOSTS[0]] * 6 + [*HOSTS])),
    )


def _in_turn(answers: Sequence[bytes]) -> Callable[[bytes], bytes]:
    """Answer by what is asked, so that order says nothing."""

    def answer(request: bytes) -> bytes:
        line = request.partition(b"\r\n")[0]
        found = answers[sum(line) % len(answers)]
        if line.startswith(b"HEAD"):
            return found.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        return found

    return answer


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(
    answers=st.lists(_answers(), min_size=1, max_size=5),
    few=st.lists(_requests(), min_size=1, max_size=6),
    options=st.sampled_from(OPTIONS),
)
def test_any_sequence_comes_to_the_same_both_ways(
    answers: Sequence[bytes], few: Sequence[bytes], options: dict[str, object]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        at_once, by_task = both(Path(folder), [*few, *few], _in_turn(answers), **options)
    assert at_once == by_task


EXCHANGES = [
    pytest.param(get(ME), answered(b'{"id": "1"}', JSON), {}, id="JSON"),
    pytest.param(get(ME), answered(b'{"id": "1"}', JSON, framing=CHUNKED), {}, id="in chunks"),
    pytest.param(get(ME), answered(b'{"id": "1"}', JSON, coding="gzip"), {}, id="gzip"),
    pytest.param(get(ME), answered(BODIES[3], JSON), {}, id="a link"),
    pytest.param(get(ME), answered(BODIES[3], JSON, coding="gzip"), {}, id="a link in gzip"),
    pytest.param(get(ME), answered(BODIES[5], JSON), {}, id="a host off Graph"),
    pytest.param(get(ME), answered(BODIES[6], JSON), {}, id="secrets"),
    pytest.param(get(ME), answered(b"text", TEXT), {}, id="text"),
    pytest.param(get(ME), answered(b"{}", JSON, status="404 Not Found"), {}, id="an error"),
    pytest.param(
        get(ME), answered(b"{}", JSON, ("Connection", "close")), {}, id="a connection that ends"
    ),
    pytest.param(get(ME), answered(b"{}", JSON, ("Retry-After", "1")), {}, id="Retry-After"),
    pytest.param(get(ME), answered(b"{}", JSON, ("Location", NEXT)), {}, id="a link in a field"),
    pytest.param(get(ME), answered(BODIES[-1], JSON), {}, id="large"),
    pytest.param(get(ME), answered(b"x", JSON, coding="unheard"), {}, id="an unknown coding"),
    pytest.param(get(ME), answered(b"x", TEXT, framing=CHUNKED), {}, id="text in chunks"),
    pytest.param(get(ME), b"HTTP/1.1 304 Not Modified\r\n\r\n", {}, id="304"),
    pytest.param(get(ME), answered(BODIES[4], JSON), {}, id="the upstream's own address"),
    pytest.param(get(ME, ("Connection", "close")), OK, {}, id="a client that leaves"),
    pytest.param(get(ME, ("Graphtape-Scenario", "status=failed")), OK, {}, id="an override"),
    pytest.param(get(ME), OK, {"status": ("failed",)}, id="a rule"),
    pytest.param(get(ME), OK, {"fsync": True}, id="a disk that is waited for"),
    pytest.param(
        asking(ME, TOKEN, JSON, method="PATCH", body=b'{"mail": "alex@acme-real.com"}'),
        answered(BODIES[6], JSON),
        {},
        id="a body with secrets",
    ),
    pytest.param(
        asking(ME, TOKEN, JSON, method="POST", body=b'{"link": "http://graph.test:8080/v1.0/me"}'),
        OK,
        {},
        id="a body with a link to the proxy",
    ),
    pytest.param(asking(ME, TOKEN, method="POST"), OK, {}, id="a write"),
    pytest.param(asking(ME, TOKEN, method="HEAD"), OK[:-2], {}, id="HEAD"),
    pytest.param(
        get("/beta/deviceManagement/chromeOSOnboardingSettings"),
        answered(b'{"value": [{"onboardingStatus": "connected"}]}', JSON),
        {"status": ("failed",)},
        id="a rule that bends",
    ),
]


@pytest.mark.parametrize(("request_", "answer", "options"), EXCHANGES)
def test_every_kind_is_recorded_the_same_both_ways(
    tmp_path: Path, request_: bytes, answer: bytes, options: dict[str, object]
) -> None:
    def of(upstream: bytes) -> bytes:
        host = upstream.partition(b"Host: ")[2].partition(b"\r\n")[0]
        own = b"http://" + host
        # Of the same length, so that the framing stays right.
        body = answer.replace(b"UPSTREAM/v1.0/users?$skiptoken=abc", own.ljust(34, b"/"))
        return body if b"UPSTREAM" in answer else answer

    at_once, by_task = both(tmp_path, [request_] * 3, of, **options)
    assert at_once == by_task
    assert len(at_once.tape) == len(at_once.asked) > 0


def test_a_field_that_is_another_one_each_time_is_clean_each_time(tmp_path: Path) -> None:
    ids = [f"b1d9b4a2-0000-4000-8000-{number:012}" for number in range(5)]
    mixed = [*ids, "alex@acme-real.com", SECRET, ids[0]]
    asked = [get(ME, ("client-request-id", each), ("X-User", f"u{each}")) for each in mixed]

    def answer(request: bytes) -> bytes:
        own = request.partition(b"client-request-id: ")[2].partition(b"\r\n")[0].decode()
        return answered(b"{}", JSON, ("request-id", own), ("client-request-id", own))

    at_once, by_task = both(tmp_path, asked, answer)
    assert at_once == by_task
    text = (tmp_path / "at_once.yaml").read_text()
    assert ids[4] in text
    assert "acme-real" not in text
    assert SECRET not in text


def test_an_answer_in_two_pieces_is_passed_on_whole(tmp_path: Path) -> None:
    whole = answered(b'{"value": "%b"}' % (b"x" * 3000), JSON)

    def halves(connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            connection.sendall(whole[:200])
            time.sleep(0.1)  # noqa: TID251 - a slow upstream, in a thread of its own
            connection.sendall(whole[200:])

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: halves(server.accept()[0]))
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with recording(tmp_path / "t.yaml", upstream=url) as proxy, Wire(proxy.url) as wire:
            answer = wire.ask(get(ME))
        thread.join(10)
    assert answer.endswith(b'xxx"}')
    assert (
        open_cassette(tmp_path / "t.yaml").interactions[0].response.body
        == whole.partition(b"\r\n\r\n")[2]
    )


def test_a_connection_is_used_again_and_one_that_upstream_has_closed_is_not(
    tmp_path: Path,
) -> None:
    with (
        RawServer() as graph,
        recording(tmp_path / "t.yaml", upstream=graph.url) as proxy,
        Wire(proxy.url) as wire,
    ):
        for _ in range(5):
            assert wire.ask(get(ME)).startswith(b"HTTP/1.1 200")
        assert graph.connections == 1
        graph.close_after = True  # after the next answer, without a word
        for _ in range(4):
            assert wire.ask(get(ME)).startswith(b"HTTP/1.1 200")
    assert len(open_cassette(tmp_path / "t.yaml").interactions) == 9


def test_an_answer_that_upstream_cuts_short_is_an_error_and_not_on_the_tape(
    tmp_path: Path,
) -> None:
    tape, head = tmp_path / "t.yaml", b"HTTP/1.1 200 OK\r\nContent-Length: 9"
    with (
        RawServer(lambda _: head, close_after=True) as graph,
        recording(tape, upstream=graph.url) as proxy,
        Wire(proxy.url) as wire,
    ):
        assert b"GraphtapeUpstreamLost" in wire.ask(get(ME))
    assert proxy.entries[0].source == "refused"
    assert not tape.exists()


def test_places_on_tape_are_those_of_arrival(tmp_path: Path) -> None:
    go = threading.Event()

    def answer(request: bytes) -> bytes:
        if request.startswith(b"GET /v1.0/slow"):
            assert go.wait(10)
        return answered(b"{}", JSON)

    tape = tmp_path / "t.yaml"
    with (
        RawServer(answer) as graph,
        recording(tape, upstream=graph.url) as proxy,
        Wire(proxy.url) as slow,
        Wire(proxy.url) as fast,
    ):
        slow.send(get("/v1.0/slow"))
        while not graph.requests:
            pass
        answers = fast.ask(get("/v1.0/fast"))
        go.set()
        answers += slow.answer()
    assert [each.request.url[-4:] for each in open_cassette(tape).interactions] == ["slow", "fast"]
    assert answers.index(b"Graphtape-Interaction: 1") < answers.index(b"Graphtape-Interaction: 0")


def test_requests_at_once_are_answered_in_their_order(tmp_path: Path) -> None:
    def answer(request: bytes) -> bytes:
        return answered(b'{"id": "%b"}' % request.split(b" ")[1], JSON)

    tape = tmp_path / "t.yaml"
    with (
        RawServer(answer) as graph,
        recording(tape, upstream=graph.url) as proxy,
        Wire(proxy.url) as wire,
    ):
        wire.send(b"".join(get(f"/v1.0/{number}") for number in range(20)))
        answers = [wire.answer() for _ in range(20)]
    for number, each in enumerate(answers):
        assert b'{"id": "/v1.0/%d"}' % number in each
    assert len(open_cassette(tape).interactions) == 20


def test_a_client_that_leaves_has_its_answer_on_the_tape(tmp_path: Path) -> None:
    go, asked = threading.Event(), threading.Event()

    def answer(_: bytes) -> bytes:
        asked.set()
        assert go.wait(10)
        return OK

    tape = tmp_path / "t.yaml"
    with RawServer(answer) as graph, recording(tape, upstream=graph.url) as proxy:
        with Wire(proxy.url) as wire:
            wire.send(get(ME))
            assert asked.wait(10)
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline and not go.wait(0.2):
            go.set()
        while not proxy.entries:
            pass
    assert "the client left" in proxy.entries[0].note
    assert len(open_cassette(tape).interactions) == 1


def test_a_stop_waits_for_a_read_in_flight(tmp_path: Path) -> None:
    asked = threading.Event()

    def answer(_: bytes) -> bytes:
        asked.set()
        threading.Event().wait(0.5)
        return OK

    tape = tmp_path / "t.yaml"
    with RawServer(answer) as graph:
        with recording(tape, upstream=graph.url) as proxy:
            wire = Wire(proxy.url)
            wire.send(get(ME))
            assert asked.wait(10)
        assert wire.answer().startswith(b"HTTP/1.1 200")
        wire.socket.close()
    assert len(open_cassette(tape).interactions) == 1


def test_a_rule_that_is_set_while_upstream_is_asked_bends_the_answer(tmp_path: Path) -> None:
    asked, go = threading.Event(), threading.Event()
    body = b'{"onboardingStatus": "connected"}'

    def answer(_: bytes) -> bytes:
        asked.set()
        assert go.wait(10)
        return answered(body, JSON)

    with (
        RawServer(answer) as graph,
        recording(tmp_path / "t.yaml", upstream=graph.url) as proxy,
        Wire(proxy.url) as wire,
    ):
        wire.send(get("/beta/deviceManagement/chromeOSOnboardingSettings/1"))
        assert asked.wait(10)
        url = f"{proxy.control}/sessions/default/scenario"
        requests.put(url, json={"status": "failed"}, timeout=10).raise_for_status()
        go.set()
        assert b'"failed"' in wire.answer()
    assert open_cassette(tmp_path / "t.yaml").interactions[0].response.body == body


def test_sessions_record_into_their_own_tapes(tmp_path: Path) -> None:
    with (
        RawServer() as graph,
        proxied(tmp_path / "t.yaml", mode=Mode.ALL, upstream=graph.url) as proxy,
        Wire(proxy.url) as wire,
    ):
        proxy.proxy.sessions.folder = None
        wish = {"id": "a", "cassettes": str(tmp_path / "a.yaml"), "mode": "all"}
        requests.post(f"{proxy.control}/sessions", json=wish, timeout=10).raise_for_status()
        wire.ask(get(ME))
        wire.ask(get(f"/_session/a{ME}"))
        requests.delete(f"{proxy.control}/sessions/a", timeout=10).raise_for_status()
        assert b"GraphtapeUnknownSession" in wire.ask(get(f"/_session/a{ME}"))
    for name in ("t", "a"):
        assert len(open_cassette(tmp_path / f"{name}.yaml").interactions) == 1


def test_what_cannot_be_written_is_answered_and_lost_loudly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graphtape.tape.part import Part  # noqa: PLC0415

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with RawServer() as graph, recording(tmp_path / "t.yaml", upstream=graph.url) as proxy:
        monkeypatch.setattr(Part, "write", full)
        with Wire(proxy.url) as wire:
            assert wire.ask(get(ME)).startswith(b"HTTP/1.1 200")
            assert wire.ask(get(ME)).startswith(b"HTTP/1.1 200")
        monkeypatch.undo()
    assert [entry.source for entry in proxy.entries] == ["passed", "passed"]
    assert all("No space left" in entry.note for entry in proxy.entries)
    assert len(proxy.proxy.outcome.dropped) == 2


def test_a_session_of_the_requests_library_is_recorded(tmp_path: Path) -> None:
    with (
        RawServer() as graph,
        recording(tmp_path / "t.yaml", upstream=graph.url) as proxy,
        requests.Session() as session,
    ):
        for number in range(3):
            got = session.get(f"{proxy.url}/v1.0/{number}", headers=AUTH, timeout=10)
            assert got.json() == {}


def test_recording_twice_gives_the_same(tmp_path: Path) -> None:
    first = recorded(tmp_path / "1.yaml", [get(ME)] * 3, lambda _: OK)
    assert first == recorded(tmp_path / "2.yaml", [get(ME)] * 3, lambda _: OK)


def test_a_secret_in_the_reason_phrase_is_not_on_the_tape(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 200 password=Fake-Canary-9 it is\r\nContent-Length: 2\r\n\r\n{}"
    tape = tmp_path / "t.yaml"
    with RawServer(answer=lambda _: answer) as graph, recording(tape, upstream=graph.url) as proxy:
        assert requests.get(f"{proxy.url}/v1.0/me", headers=AUTH, timeout=30).reason.endswith("is")
    assert "Fake-Canary-9" not in tape.read_text()
    assert open_cassette(tape).interactions[0].response.reason == "password=REDACTED it is"


def test_fields_that_stay_are_counted_once_where_a_secret_of_the_request_is_masked(
    tmp_path: Path,
) -> None:
    body = b'{"displayName": "x", "password": "Hunter-2-fake"}'
    asked = asking(ME, TOKEN, JSON, method="POST", body=body)
    answer = answered(b'{"displayName": "y"}', JSON)
    at_once, by_task = both(tmp_path, [asked], lambda _: answer)
    assert at_once.redacted["personal"] == by_task.redacted["personal"] == 2
    assert at_once.redacted["secrets"] == by_task.redacted["secrets"] > 0
