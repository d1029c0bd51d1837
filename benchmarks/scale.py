"""`python -m benchmarks scale`: sessions divided among workers, beside one process."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks import tape
from benchmarks.answer import check
from benchmarks.contestant import middle, replay
from benchmarks.load import put
from benchmarks.process import Failed, environment, folder, pinned, python, started
from benchmarks.table import Figure, Goal, Skipped
from benchmarks.tape import ROOT
from benchmarks.turns import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.options import Options
    from benchmarks.process import Served
    from benchmarks.table import Results

PART = "scale"
WORKERS = 2


def run(options: Options, results: Results) -> None:
    """Measure the CPU that a request takes in one process, and in two that share the sessions.

    By CPU: the load takes a core of its own, so that two workers have no two cores here.
    """
    size = middle(options)
    alone: list[float] = []
    divided: list[float] = []
    with (
        replay(size) as one,
        replay(size, "--workers", str(WORKERS)) as several,
    ):
        workers = [_opened(several) for _ in range(WORKERS)]
        if len({served.pid for served, _ in workers}) != WORKERS:
            raise Failed("two sessions in turn went to one worker")
        for number in range(options.rounds):
            say(f"{PART}: round {number + 1}")
            alone.append(_loaded([(one, "")], options, size))
            divided.append(_loaded(workers, options, size))
    one_cpu, each_cpu = median(alone), median(divided)
    results.figures += [
        Figure(part=PART, name="CPU/request, one process", value=one_cpu * 1e6, unit="µs"),
        Figure(part=PART, name=f"CPU/request, {WORKERS} workers", value=each_cpu * 1e6, unit="µs"),
    ]
    results.goals.append(
        Goal(
            part=PART,
            name=f"requests/s by CPU, {WORKERS} workers beside one process",
            value=WORKERS * one_cpu / each_cpu,
            goal=1.7,
        )
    )
    _steps(options, results)


def _steps(options: Options, results: Results) -> None:
    """Measure the steps of a shared session, with a real redis-server on the other core."""
    redis = shutil.which("redis-server")
    if redis is None:
        why = "no redis-server: apt-get install redis-server"
        results.skipped.append(Skipped(part=PART, name="steps", why=why))
        return
    with folder() as place:
        path = place / "redis.sock"
        command = [
            redis,
            "--port",
            "0",
            "--unixsocket",
            str(path),
            "--save",
            "",
            "--dir",
            str(place),
        ]
        with started(command, place=place, server=False):
            deadline = time.monotonic() + 20
            while not path.exists():
                if time.monotonic() > deadline:
                    raise Failed("redis-server isn't up")
                time.sleep(0.02)  # noqa: TID251 - waits for another process
            runs = [_stepped(f"unix://{path}", options) for _ in range(options.rounds)]
            results.goals.append(_one_answer(f"unix://{path}", options))
    own, plain, in_redis, p99 = (
        median(run[name] for run in runs) for name in ("own", "plain", "redis", "p99")
    )
    for name, value, goal, unit in (
        ("a step, CPU of the replica beyond the decision", (own - plain) * 1e6, 5.0, "µs"),
        ("a step, CPU of Redis", in_redis * 1e6, 5.0, "µs"),
        ("a step, p99 at 20,000/s", p99 * 1e3, 1.0, "ms"),
    ):
        results.goals.append(
            Goal(part=PART, name=name, value=value, goal=goal, unit=unit, more_is_better=False)
        )


def _one_answer(url: str, options: Options) -> Goal:
    """Compare reads whose keys have one answer each with and without a shared state, by CPU."""
    size = middle(options)
    plain: list[float] = []
    shared: list[float] = []
    with replay(size) as one, replay(size, "--state", url) as other:
        for number in range(options.rounds):
            say(f"{PART}: round {number + 1}, --state")
            plain.append(_loaded([(one, "")], options, size))
            shared.append(_loaded([(other, "")], options, size))
    return Goal(
        part=PART,
        name="CPU/request, reads of one answer with --state, beside none",
        value=median(shared) / median(plain),
        goal=1.05,
        more_is_better=False,
    )


def _stepped(url: str, options: Options) -> dict[str, float]:
    say(f"{PART}: steps")
    done = subprocess.run(
        pinned([*python("benchmarks.servers.steps"), url, str(options.seconds)], server=True),
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Failed(f"steps: {done.stderr.strip()[-500:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _opened(served: Served) -> tuple[Served, str]:
    """Open a session; return its worker, and the prefix of its paths."""
    assert served.control is not None  # noqa: S101 - Graphtape's
    connection = http.client.HTTPConnection(urlsplit(served.control).netloc, timeout=10)
    try:
        connection.request("POST", "/sessions", "{}", {"Content-Type": "application/json"})
        told = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    root, _, session = told["base_url"].partition("/_session/")
    port = urlsplit(root).port
    return replace(served, url=root, pid=_listening(served.pid, int(port or 0))), (
        f"/_session/{session}"
    )


def _listening(parent: int, port: int) -> int:
    """Return which child of a process listens on a port."""
    import psutil  # noqa: PLC0415 - of the product's own dependencies

    for child in psutil.Process(parent).children():
        if any(each.laddr.port == port for each in child.net_connections("tcp")):
            return int(child.pid)
    raise Failed(f"no worker listens on port {port}")


def _loaded(workers: Sequence[tuple[Served, str]], options: Options, size: int) -> float:
    """Load all at once; return the CPU seconds that a request took."""

    def load(served: Served, prefix: str) -> tuple[float, int]:
        paths = tape.request_paths(size, [prefix])
        check(served, size, prefixes=[prefix], fields={"Graphtape-Result": "replayed"})
        found, requests = put(
            served, paths, connections=options.connections, seconds=options.seconds
        )
        return found.cpu * requests, requests

    with ThreadPoolExecutor(len(workers)) as pool:
        done = list(pool.map(lambda each: load(*each), workers))
    return sum(cpu for cpu, _ in done) / sum(requests for _, requests in done)
