"""The short cut on real connections, byte by byte."""

from __future__ import annotations

import gc
import json
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
import requests

from graphtape.server import aiohttp_private
from graphtape.server.http.at_once import AtOnce, AtOnceServer
from graphtape.server.http.connection import Standing
from graphtape.server.replay.responder import Responder
from proxies import AUTH, Running, replaying
from short_cuts import TOKEN, Wire, asking, counted, get, normal_way
from tapes import exchanged, taped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aiohttp.web import RequestHandler

ME, USERS, NOBODY = "/v1.0/me", "/v1.0/users", "/v1.0/nobody"
DISCONNECT = "/beta/deviceManagement/chromeOSOnboardingSettings/disconnect"


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return taped(
        tmp_path,
        exchanged("GET", ME, '{"me": 1}'),
        exchanged("GET", USERS, '{"users": 1}'),
        exchanged("POST", DISCONNECT, '{"value": "inprogress"}'),
        exchanged("GET", ME, '{"me": 2}'),
        exchanged("GET", "/v1.0/big", "x" * 60_000),
    )


@pytest.fixture
def proxy(tape: Path) -> Iterator[Running]:
    with replaying(tape) as running:
        yield running


def body(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_pipelined_requests_are_answered_in_order(proxy: Running) -> None:
    with counted() as count, Wire(proxy.url) as wire:
        wire.send(b"".join(map(get, [ME, USERS, ME, USERS])))
        bodies = [body(wire.answer()) for _ in range(4)]
    assert bodies == [b'{"me": 1}', b'{"users": 1}'] * 2
    assert count.first == 4


def test_a_hundred_requests_in_one_segment_are_answered_in_order(proxy: Running) -> None:
    targets = [ME, USERS, NOBODY] * 33 + [ME]
    with Wire(proxy.url) as wire:
        wire.send(b"".join(map(get, targets)))
        answers = [wire.answer() for _ in targets]
        assert [status(each) for each in answers] == [200, 200, 599] * 33 + [200]
        assert status(wire.ask(get(USERS))) == 200
    assert [each.url.rpartition("/")[2] for each in proxy.entries] == [
        target.rpartition("/")[2] for target in [*targets, USERS]
    ]


def test_hit_miss_hit_come_in_order(proxy: Running) -> None:
    with Wire(proxy.url) as wire:
        wire.send(get(ME) + get(NOBODY) + get(USERS))
        answers = [wire.answer() for _ in range(3)]
    assert [status(each) for each in answers] == [200, 599, 200]
    assert body(answers[2]) == b'{"users": 1}'


def test_hits_and_misses_that_are_sent_without_waiting_come_in_order(proxy: Running) -> None:
    with Wire(proxy.url) as wire:
        for target in [ME, NOBODY, USERS] * 20:
            wire.send(get(target))
        answers = [wire.answer() for _ in range(60)]
    assert [status(each) for each in answers] == [200, 599, 200] * 20
    assert [body(each) for each in answers[2::3]] == [b'{"users": 1}'] * 20


def test_a_head_may_come_in_any_two_segments(proxy: Running) -> None:
    head = get(ME)
    with Wire(proxy.url) as wire:
        for at in range(1, len(head), 7):
            wire.send(head[:at])
            time.sleep(0.002)  # noqa: TID251 - so that it is a segment of its own
            wire.send(head[at:])
            assert body(wire.answer()) == b'{"me": 1}'


def test_the_rest_of_a_head_with_another_request_behind_it(proxy: Running) -> None:
    with Wire(proxy.url) as wire:
        for at in (3, 40, len(get(ME)) - 1):
            wire.ask(get(USERS))
            wire.send(get(ME)[:at])
            time.sleep(0.01)  # noqa: TID251 - so that it is a segment of its own
            wire.send(get(ME)[at:] + get(USERS))
            assert [body(wire.answer()), body(wire.answer())] == [b'{"me": 1}', b'{"users": 1}']


@pytest.mark.parametrize("stray", [b"\r\n", b"\n", b"\r\n\r\n", b"\r\n\r\n\r\n"])
def test_line_breaks_between_two_heads_make_no_difference(proxy: Running, stray: bytes) -> None:
    with Wire(proxy.url) as wire:
        for _ in range(4):
            wire.send(get(ME) + stray + get(USERS))
            assert [body(wire.answer()), body(wire.answer())] == [b'{"me": 1}', b'{"users": 1}']
            wire.send(get(ME) + stray)
            assert body(wire.answer()) == b'{"me": 1}'
            wire.send(stray + get(USERS))
            assert body(wire.answer()) == b'{"users": 1}'


def test_what_is_known_is_no_request_while_it_is_a_body(tmp_path: Path) -> None:
    known = get(ME)
    write = asking(DISCONNECT, TOKEN, method="POST", body=known)
    text = known.decode()
    tape = taped(
        tmp_path, exchanged("GET", ME), exchanged("POST", DISCONNECT, '{"w": 1}', body=text)
    )
    with replaying(tape) as proxy, Wire(proxy.url) as wire:
        for _ in range(3):
            wire.ask(known)
        wire.send(write[: -len(known)])
        time.sleep(0.05)  # noqa: TID251 - so that it is a segment of its own
        wire.send(known)
        assert body(wire.answer()) == b'{"w": 1}'
        with counted() as count:
            assert [body(wire.ask(known)) for _ in range(3)] == [b"{}"] * 3
    assert (count.first, count.again) == (1, 2)
    assert [each.method for each in proxy.entries] == ["GET"] * 3 + ["POST"] + ["GET"] * 3


def test_a_body_in_chunks_is_no_request_either(proxy: Running) -> None:
    known = get(ME)
    head = asking(DISCONNECT, TOKEN, ("Transfer-Encoding", "chunked"), method="POST")
    with Wire(proxy.url) as wire:
        for _ in range(3):
            wire.ask(known)
        for piece in (head, b"%x\r\n" % len(known), known, b"\r\n", b"0\r\n\r\n"):
            wire.send(piece)
            time.sleep(0.02)  # noqa: TID251 - so that it is a segment of its own
        assert status(wire.answer()) == 599  # recorded without a body
        assert body(wire.ask(known)) == b'{"me": 1}'
        assert status(wire.ask(asking(DISCONNECT, TOKEN, method="POST"))) == 200
        assert [body(wire.ask(known)) for _ in range(4)] == [b'{"me": 2}'] * 4


def test_a_connection_that_is_to_be_closed_is_closed(proxy: Running) -> None:
    for _ in range(3):
        with Wire(proxy.url) as wire:
            wire.ask(get(ME))
            answer = wire.ask(get(ME, ("Connection", "close")))
            assert b"\r\nConnection: close\r\n" in answer
            assert wire.closed()


def test_nothing_is_answered_behind_the_last_request(tape: Path) -> None:
    def seen() -> tuple[int, int]:
        with replaying(tape) as proxy, Wire(proxy.url) as wire:
            for _ in range(3):
                wire.ask(get(ME))
            wire.send(get(USERS, ("Connection", "close")) + get(ME))
            answer = wire.answer()
            assert wire.closed()
            return status(answer), len(proxy.entries)

    shortened = seen()
    with normal_way():
        assert shortened == seen()


def test_a_client_of_http_1_0_gets_what_it_understands(proxy: Running) -> None:
    old = get(ME).replace(b"HTTP/1.1", b"HTTP/1.0")
    with Wire(proxy.url) as wire:
        answer = wire.ask(old)
        assert b"\r\nConnection: close\r\n" in answer
        assert wire.closed()
    with Wire(proxy.url) as wire:
        kept = old.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n")
        assert [b"\r\nConnection: keep-alive\r\n" in wire.ask(kept) for _ in range(3)] == [True] * 3


@pytest.mark.parametrize(
    "garbage",
    [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02"],
)
def test_garbage_behind_hits_is_refused(proxy: Running, garbage: bytes) -> None:
    with Wire(proxy.url) as wire:
        for _ in range(4):
            wire.ask(get(ME))
        answer = wire.ask(garbage + b"\r\n\r\n")
        assert status(answer) == 400
        assert b"GraphtapeBadRequest" in answer
        assert wire.closed()


def test_an_upgrade_is_left_to_the_normal_way(proxy: Running) -> None:
    asked = get(ME, ("Connection", "Upgrade"), ("Upgrade", "websocket"))
    with counted() as count, Wire(proxy.url) as wire:
        assert body(wire.ask(asked)) == b'{"me": 1}'
        assert body(wire.ask(get(ME))) == b'{"me": 1}'
    assert count.first <= 1


def test_a_head_of_many_kilobytes_is_answered(proxy: Running) -> None:
    with Wire(proxy.url) as wire:
        large = get(ME, ("X-Large", "x" * 30_000))
        assert [body(wire.ask(large)) for _ in range(4)] == [b'{"me": 1}'] * 4


def test_a_client_that_never_reads_is_not_answered_for_ever(tape: Path) -> None:
    big = get("/v1.0/big")
    with replaying(tape) as proxy, Wire(proxy.url) as wire:
        for _ in range(3):
            wire.ask(big)
        wire.socket.settimeout(2)
        with pytest.raises(TimeoutError):
            wire.send(big * 100_000)
        answered = len(proxy.entries)
        # What the sockets hold, one write beyond it, and a queue.
        assert answered * 60_000 < 40_000_000
        wire.socket.settimeout(20)
        for _ in range(answered):
            assert len(body(wire.answer())) == 60_000


def test_a_reader_who_is_slow_misses_nothing(tape: Path) -> None:
    with replaying(tape) as proxy, Wire(proxy.url) as wire:
        number = 200
        sender = threading.Thread(target=wire.send, args=(get("/v1.0/big") * number,))
        sender.start()
        for turn in range(number):
            if turn % 20 == 0:
                time.sleep(0.02)  # noqa: TID251 - the reader is slow
            assert len(body(wire.answer())) == 60_000
        sender.join()
        assert body(wire.ask(get(ME))) == b'{"me": 1}'


@pytest.mark.parametrize("targets", [[ME] * 8, [ME, NOBODY] * 4], ids=["hits", "hits and misses"])
def test_an_idle_connection_is_kept_as_long_as_it_should_be(
    tape: Path, targets: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make = AtOnceServer.__call__

    def impatient(self: AtOnceServer) -> RequestHandler:
        made = make(self)
        monkeypatch.setattr(made, "_keepalive_timeout", 0.6)
        return made

    monkeypatch.setattr(AtOnceServer, "__call__", impatient)
    with replaying(tape) as proxy, Wire(proxy.url) as wire:
        for target in targets:
            assert wire.ask(get(target))
            time.sleep(0.15)  # noqa: TID251 - so that all of it takes longer than 0.6 s
        began = time.monotonic()
        assert wire.closed()
        assert 0.2 < time.monotonic() - began < 3


def test_a_stop_while_requests_come_ends_each_connection(tape: Path) -> None:
    stop = threading.Event()
    seen: list[int] = []

    def ask(url: str) -> None:
        with Wire(url) as wire:
            while not stop.is_set():
                try:
                    answer = wire.ask(get(ME))
                except ConnectionError:
                    return
                if not answer:
                    return
                seen.append(status(answer))

    with replaying(tape) as proxy:
        threads = [threading.Thread(target=ask, args=(proxy.url,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        while len(seen) < 200:
            time.sleep(0.01)  # noqa: TID251 - the threads ask
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    stop.set()
    assert set(seen) <= {200, 503}
    counts = proxy.proxy.outcome.session.journal.counts
    assert sum(counts.values()) >= len(seen)


def test_a_scenario_that_is_set_holds_for_what_is_known(proxy: Running) -> None:
    scenario = f"{proxy.control}/sessions/default/scenario"
    with Wire(proxy.url) as wire:
        for _ in range(4):
            assert status(wire.ask(get(ME))) == 200
        put = requests.put(scenario, json={"scenario": ["throttled"]}, timeout=5)
        assert put.ok, put.text
        seen = [status(wire.ask(get(ME))) for _ in range(3)]
        assert 429 in seen
        assert requests.delete(scenario, timeout=5).ok


def test_a_rewind_holds_for_what_is_known(proxy: Running) -> None:
    write = asking(DISCONNECT, TOKEN, method="POST")
    with counted() as count, Wire(proxy.url) as wire:
        for _ in range(4):
            assert body(wire.ask(get(ME))) == b'{"me": 1}'
        wire.ask(write)
        assert body(wire.ask(get(ME))) == b'{"me": 2}'
        rewound = requests.post(f"{proxy.control}/sessions/default/rewind", json={}, timeout=5)
        assert rewound.ok, rewound.text
        assert body(wire.ask(get(ME))) == b'{"me": 1}'
    assert count.again >= 4


def opened(proxy: Running, session: str, *cassettes: str) -> None:
    wish = {"id": session, "cassettes": list(cassettes)}
    answer = requests.post(f"{proxy.control}/sessions", json=wish, timeout=5)
    assert answer.status_code == 201, answer.text


def test_a_session_that_is_closed_answers_nothing_more_and_opens_anew(
    proxy: Running,
) -> None:
    asked, write = get(f"/_session/a{ME}"), asking(f"/_session/a{DISCONNECT}", TOKEN, method="POST")
    opened(proxy, "a")
    with Wire(proxy.url) as wire:
        for _ in range(4):
            assert status(wire.ask(asked)) == 200
        wire.ask(write)
        assert body(wire.ask(asked)) == b'{"me": 2}'
        assert requests.delete(f"{proxy.control}/sessions/a", timeout=5).ok
        assert status(wire.ask(asked)) == 404
        opened(proxy, "a")
        assert body(wire.ask(asked)) == b'{"me": 1}'


def test_a_session_that_is_closing_answers_nothing_more(proxy: Running) -> None:
    opened(proxy, "a")
    slow = asking(f"/_session/a{DISCONNECT}", TOKEN, ("Content-Length", "5"), method="POST")
    asked = get(f"/_session/a{ME}")
    with Wire(proxy.url) as wire, Wire(proxy.url) as late:
        for _ in range(4):
            assert status(wire.ask(asked)) == 200
        late.send(slow)  # its body keeps the session from being settled
        deadline = time.monotonic() + 5
        while proxy.proxy.sessions.identify("a").play.journal.arrived < 5:
            assert time.monotonic() < deadline
            time.sleep(0.01)  # noqa: TID251 - the request arrives
        url = f"{proxy.control}/sessions/a"
        closing = threading.Thread(target=requests.delete, args=(url,), kwargs={"timeout": 15})
        closing.start()
        while "a" in {live.play.id for live in proxy.proxy.sessions}:
            assert time.monotonic() < deadline
            time.sleep(0.01)  # noqa: TID251 - another thread closes it
        assert status(wire.ask(asked)) == 404
        late.send(b"12345")
        closing.join()


def test_two_sessions_over_one_cassette_keep_their_own_places(proxy: Running) -> None:
    opened(proxy, "a")
    opened(proxy, "b")
    with counted() as count, Wire(proxy.url) as wire:

        def seen(session: str) -> list[bytes]:
            return [body(wire.ask(get(f"/_session/{session}{ME}"))) for _ in range(4)]

        assert seen("a") + seen("b") == [b'{"me": 1}'] * 8
        wire.ask(asking(f"/_session/a{DISCONNECT}", TOKEN, method="POST"))
        assert seen("b") + seen("a") == [b'{"me": 1}'] * 4 + [b'{"me": 2}'] * 4
    assert count.again >= 8


def test_links_keep_the_session_and_the_host_that_were_asked(tmp_path: Path) -> None:
    link = json.dumps({"@odata.nextLink": f"https://graph.microsoft.com{USERS}?$skiptoken=a"})
    tape = taped(tmp_path, exchanged("GET", USERS, link))
    with replaying(tape) as proxy, Wire(proxy.url) as wire:
        opened(proxy, "a")
        for _ in range(4):
            for host, prefix in (("one", ""), ("two:80", ""), ("one", "/_session/a")):
                answer = wire.ask(asking(prefix + USERS, TOKEN, host=host))
                at = json.loads(body(answer))["@odata.nextLink"]
                assert at == f"http://{host}{prefix}{USERS}?$skiptoken=a"


def test_on_asyncio_s_own_loop_it_is_the_same(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with replaying(tape) as proxy, counted() as count, Wire(proxy.url) as wire:
        assert [body(wire.ask(get(ME))) for _ in range(6)] == [b'{"me": 1}'] * 6
        wire.send(get(ME) * 20 + get(NOBODY) + get(USERS))
        assert [status(wire.answer()) for _ in range(22)] == [200] * 20 + [599, 200]
    assert count.again == 4


def test_an_aiohttp_it_does_not_fit_is_served_the_normal_way(tape: Path) -> None:
    with normal_way(), replaying(tape) as proxy, counted() as count, Wire(proxy.url) as wire:
        assert [body(wire.ask(get(ME))) for _ in range(4)] == [b'{"me": 1}'] * 4
    assert count.first + count.again == 0


def test_this_aiohttp_fits() -> None:
    assert aiohttp_private.FITS


@pytest.mark.parametrize("failing", ["first", "again"])
def test_a_fault_of_the_short_cut_leaves_the_normal_way(
    tape: Path,
    failing: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(*_: object) -> bytes | None:
        raise LookupError("made to fail")

    monkeypatch.setattr(Responder, failing, fails)
    with replaying(tape) as proxy, Wire(proxy.url) as wire:
        assert [body(wire.ask(get(ME))) for _ in range(3)] == [b'{"me": 1}'] * 3
    assert "made to fail" in caplog.text


def test_connections_that_are_gone_are_forgotten(proxy: Running) -> None:
    def left() -> int:
        gc.collect()
        return sum(isinstance(each, AtOnce) for each in gc.get_objects())

    before = left()
    for _ in range(20):
        with Wire(proxy.url) as wire:
            wire.ask(get(ME))
            wire.ask(get(NOBODY))
    deadline = time.monotonic() + 10
    while left() > before + 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)  # noqa: TID251 - the loop learns that they are gone


def test_over_tls_links_are_https(tape: Path, tmp_path: Path) -> None:
    link = json.dumps({"@odata.nextLink": f"https://graph.microsoft.com{USERS}?$skiptoken=a"})
    linked = taped(tmp_path, exchanged("GET", USERS, link))
    del tape
    with counted() as count, replaying(linked, tls=True) as proxy, requests.Session() as client:
        assert proxy.proxy.addresses.ca is not None
        client.trust_env = False
        client.verify = proxy.proxy.addresses.ca
        client.headers.update(AUTH)
        for _ in range(4):
            at = client.get(proxy.url + USERS, timeout=5).json()["@odata.nextLink"]
            assert at == f"{proxy.url}{USERS}?$skiptoken=a"
    assert at.startswith("https://")
    assert count.again == 2


def test_a_connection_that_stands_for_a_host_goes_the_normal_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = json.dumps({"@odata.nextLink": f"https://graph.microsoft.com{USERS}?$skiptoken=a"})
    tape = taped(tmp_path, exchanged("GET", USERS, link))
    with replaying(tape) as proxy, counted() as count:
        with Wire(proxy.url) as wire:
            for _ in range(4):
                wire.ask(get(USERS))
        standing = Standing(host="graph.microsoft.com")
        monkeypatch.setattr(AtOnceServer, "__call__", lambda self: self.connection(standing))
        with Wire(proxy.url) as wire:
            for _ in range(4):
                assert body(wire.ask(get(USERS))) == link.encode()
    assert count.first + count.again == 4
