"""What the short cut keeps, and how much work it does: both bounded."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import pytest
from aiohttp import HttpVersion11
from aiohttp.http_parser import RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from graphtape.core.message import Headers, Request
from graphtape.core.tape.outcome import Replay
from graphtape.server.replay import memory, responder
from graphtape.server.replay.reply import Now, Reply
from proxies import replaying
from short_cuts import HOST, TOKEN, Wire, asking, counted, expressed, get
from tapes import GRAPH, exchanged, taped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType


ME = "/v1.0/me"


def ask_all(wire: Wire, heads: list[bytes]) -> None:
    """Ask without waiting for each, a few at a time."""
    for start in range(0, len(heads), 16):
        few = heads[start : start + 16]
        wire.send(b"".join(few))
        for _ in few:
            assert wire.answer().startswith(b"HTTP/1.1 200 ")


def test_heads_that_never_come_again_are_not_kept(tmp_path: Path) -> None:
    link = '{"@odata.nextLink": "https://graph.microsoft.com/v1.0/users?$skiptoken=a"}'
    tape = taped(tmp_path, exchanged("GET", ME), exchanged("GET", "/v1.0/users", link))
    heads = [
        get(path, ("traceparent", f"00-{number:032x}-{number:016x}-01"), ("X-Trace", f"{number}"))
        for number, path in enumerate((ME, "/v1.0/users") * 1000)
    ]
    with expressed(tape) as (proxy, kept), counted() as count, Wire(proxy.url) as wire:
        for head in heads[:2]:
            wire.ask(head)
        held = kept.held
        for head in heads[2:]:  # alone, as a client sends them that waits
            wire.ask(head)
        assert kept.held == held
    assert (count.first, count.again) == (2000, 0)


def test_what_is_kept_is_bounded_and_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MOST", 100_000)
    monkeypatch.setattr(memory, "_ANEW", 0.0)
    tape = taped(
        tmp_path, *(exchanged("GET", f"/v1.0/users/{n}", f'{{"id": {n}}}') for n in range(50))
    )
    with expressed(tape) as (proxy, kept), counted() as count, Wire(proxy.url) as wire:
        most = 0
        for turn in range(400):
            number = turn % 50
            head = get(f"/v1.0/users/{number}", ("X-Turn", str(turn)))
            for _ in range(3):
                assert wire.ask(head).endswith(f'{{"id": {number}}}'.encode())
            most = max(most, kept.held)
    assert 50_000 < most <= 100_000
    assert 350 < count.again <= 400  # what was forgotten is met anew


def test_going_round_in_more_than_is_kept_still_meets_what_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MOST", 40_000)
    tape = taped(
        tmp_path, *(exchanged("GET", f"/v1.0/users/{n}", f'{{"id": {n}}}') for n in range(100))
    )
    with expressed(tape) as (proxy, kept), counted() as count, Wire(proxy.url) as wire:
        for turn in range(4):
            for number in range(100):
                answer = wire.ask(get(f"/v1.0/users/{number}"))
                assert answer.endswith(f'{{"id": {number}}}'.encode()), turn
        assert kept.held <= 40_000
    assert count.first + count.again == 400
    assert count.again > 200


def test_the_journal_keeps_no_answers(tmp_path: Path) -> None:
    body = "x" * 50_000
    tape = taped(tmp_path, exchanged("GET", ME, body))
    with expressed(tape) as (proxy, kept), Wire(proxy.url) as wire:
        for number in range(100):
            head = asking(ME, TOKEN, host=f"host-{number}")
            for _ in range(3):
                wire.ask(head)
        # One answer, however many are asked for, and 100 heads.
        assert kept.held < 50_000 + 101 * 2_000
        statuses = [each.status for each in proxy.proxy.outcome.session.journal.entries]
    assert statuses == [200] * 300


def test_answers_are_made_ready_ahead(tmp_path: Path) -> None:
    tape = taped(
        tmp_path, *(exchanged("GET", f"/v1.0/users/{n}", f'{{"id": {n}}}') for n in range(300))
    )
    made: list[int] = []
    of = Reply.of

    def counted_of(*given: object, **named: object) -> Reply | None:
        made.append(1)
        return of(*given, **named)  # type: ignore[arg-type] # whatever it is made of

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reply, "of", counted_of)
        with replaying(tape) as proxy, Wire(proxy.url) as wire:
            while len(made) < 300:
                time.sleep(0.01)  # noqa: TID251 - waits for another thread
            for number in (0, 299):
                assert wire.ask(get(f"/v1.0/users/{number}")).startswith(b"HTTP/1.1 200 ")
    assert len(made) == 300


# Work is counted in the bytecode that runs, not in time.


def work(run: Callable[[], object]) -> int:
    """Count the instructions that a call runs."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> object:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type] # it returns itself
    try:
        run()
    finally:
        sys.settrace(before)
    return count


def long_tape(folder: Path, length: int) -> Path:
    """Write a tape of reads that come once, one that comes over and over, and writes between."""
    interactions = []
    for number in range(length // 10):
        interactions += [
            exchanged("GET", f"/v1.0/users/{number}-{each}", f'{{"id": {each}}}')
            for each in range(6)
        ]
        interactions += [exchanged("GET", ME, f'{{"n": {number}}}') for _ in range(3)]
        interactions.append(exchanged("PATCH", f"/v1.0/users/{number}", "{}"))
    path = folder / f"long-{length}.json"
    path.write_text(json.dumps({"interactions": interactions, "version": 1}))
    return path


def parsed(target: str, head: bytes) -> RawRequestMessage:
    pairs = tuple(
        (name, value)
        for name, _, value in (line.partition(b": ") for line in head.split(b"\r\n")[1:-2])
    )
    empty: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
    return RawRequestMessage(
        method="GET",
        path=target,
        version=HttpVersion11,
        headers=empty,
        raw_headers=pairs,
        should_close=False,
        compression=None,
        upgrade=False,
        chunked=False,
        url=URL(target),
    )


def work_of(tape: Path) -> list[int]:
    """Count what each request of a few costs: at first, known, and in the pipeline."""
    costs: list[int] = []
    with expressed(tape) as (proxy, kept):
        live = proxy.proxy.sessions.default
        play = live.play

        def cost(run: Callable[[], object], target: str) -> None:
            live.clean.url(GRAPH + target)  # which knows those it saw last, of however many
            costs.append(work(run))

        def shortened(target: str) -> None:
            head = get(target)
            message = parsed(target, head)
            for _ in range(3):
                cost(lambda: kept.first(message, b"", head, "http"), target)
            for _ in range(3):
                cost(lambda: kept.again(head), target)
            assert kept.again(head) is not None

        def planned(method: str, target: str) -> None:
            fields = Headers.of([("Host", HOST), TOKEN])
            request = Request(method=method, url=GRAPH + target, headers=fields)
            plans: list[object] = []
            cost(lambda: plans.append(play.decide(play.compile(request))), target)
            plan = plans[0]
            assert isinstance(plan, Replay)
            cost(lambda: play.played(plan), target)

        for target in (ME, "/v1.0/users/0-1", "/v1.0/users/5-2"):
            shortened(target)
        planned("GET", ME)
        planned("PATCH", "/v1.0/users/7")
        shortened(ME)
        planned("GET", "/v1.0/users/7-3")
        planned("GET", ME)
    return costs


def test_the_work_of_a_request_does_not_grow_with_the_tape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    always = Now(1_767_607_200)
    monkeypatch.setattr(responder, "Now", lambda _: always)  # else each second costs once more
    # The first of three does what is done but once in a process.
    _, short, long = (work_of(long_tape(tmp_path, length)) for length in (100, 100, 10_000))
    assert long == short
