"""Steps of a shared session, one after the other and many at once; prints what they took."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING

import uvloop

from benchmarks import tape
from graphtape.core.matching.key import DEFAULT
from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.core.redaction import Redactor
from graphtape.core.tape.outcome import Mode, Replay
from graphtape.core.tape.position import Order
from graphtape.core.tape.recording import Recording
from graphtape.core.tape.session import Session
from graphtape.core.tape.steps import Steps
from graphtape.server.state.bus import Bus
from graphtape.server.state.link import Link
from graphtape.server.state.shared import Shared
from graphtape.server.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphtape.core.tape.question import Question

AT_ONCE = 32
PACE = 20_000
"""Steps a second, where their time is measured."""

KEYS = 100


def session() -> Session:
    """Return a session over a tape in which each request has several answers."""
    answer = Response(status=200, reason="OK", headers=Headers.of(()), body=tape.body(0))
    interactions = [
        Interaction(request=request(number % KEYS), response=answer) for number in range(KEYS * 3)
    ]
    recording = Recording.of(
        interactions, name="tape", redactor=Redactor(salt="salt"), options=DEFAULT
    )
    return Session.over([recording], mode=Mode.NONE, order=Order.POSITION)


def request(number: int) -> Request:
    """Return one of the requests on the tape."""
    url = f"https://graph.microsoft.com/v1.0/users/{number}"
    return Request(method="GET", url=url, headers=Headers.of(()))


async def main(url: str, seconds: float) -> dict[str, float]:
    """Take steps for some seconds.

    Returns:
        CPU seconds a step here (`own`, and `plain` without Redis) and in Redis, steps a second,
        and the p99 of a step in seconds.
    """
    store = Store(link=Link(url))

    async def nothing(*_: str) -> None:
        return None

    bus = Bus(run="bench", name=store.name, out=store.link, hears=store.link, answer=nothing)
    one = session()
    shared = Shared(
        store=store,
        bus=bus,
        key="bench",
        steps=Steps(session=one, on_direct=lambda _: None, on_rewind=one.rewind),
        epoch=await store.join("bench", b"bench"),
        order=Order.POSITION,
        on_failure=print,
    )
    questions = [one.compile(request(number)) for number in range(KEYS)]
    over = time.perf_counter() + seconds
    done = 0

    async def ask(first: int) -> None:
        nonlocal done
        number = first
        while time.perf_counter() < over:
            await shared.decide(questions[number % KEYS])
            number += 1
            done += 1

    before, redis_before = time.process_time(), await _cpu(store.link)
    began = time.perf_counter()
    await asyncio.gather(*(ask(number) for number in range(AT_ONCE)))
    took = time.perf_counter() - began
    own = (time.process_time() - before) / done
    redis = (await _cpu(store.link) - redis_before) / done
    plain = _plain(seconds)
    times = await _paced(shared, questions, seconds)
    await store.leave("bench")
    store.link.close()
    return {
        "own": own,
        "plain": plain,
        "redis": redis,
        "rate": done / took,
        "p99": times[int(len(times) * 0.99)],
    }


def _plain(seconds: float) -> float:
    """Return the CPU seconds that a decision takes where one process serves the session."""
    one = session()
    questions = [one.compile(request(number)) for number in range(KEYS)]
    over, done, before = time.perf_counter() + seconds, 0, time.process_time()
    while time.perf_counter() < over:
        outcome = one.decide(questions[done % KEYS])
        assert isinstance(outcome, Replay)  # noqa: S101 - each is on the tape
        one.played(outcome)
        done += 1
    return (time.process_time() - before) / done


async def _paced(shared: Shared, questions: Sequence[Question], seconds: float) -> list[float]:
    times: list[float] = []

    async def ask(number: int) -> None:
        began = time.perf_counter()
        await shared.decide(questions[number % KEYS])
        times.append(time.perf_counter() - began)

    began = time.perf_counter()
    asked = 0
    tasks: set[asyncio.Task[None]] = set()
    while (now := time.perf_counter() - began) < seconds:
        while asked < now * PACE:
            task = asyncio.create_task(ask(asked))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            asked += 1
        await asyncio.sleep(0.0005)
    await asyncio.gather(*tasks)
    return sorted(times)


async def _cpu(link: Link) -> float:
    told = await link.call("INFO", "cpu")
    assert isinstance(told, bytes)  # noqa: S101 - as INFO answers
    lines = dict(line.split(":") for line in told.decode().split() if ":" in line)
    return float(lines["used_cpu_user"]) + float(lines["used_cpu_sys"])


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main(sys.argv[1], float(sys.argv[2])))))
