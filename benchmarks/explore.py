"""`python -m benchmarks explore`: runs a second, beside the same command run as often by itself."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import tape
from benchmarks.contestant import replay
from benchmarks.process import Failed, environment, python
from benchmarks.table import Figure, Goal
from benchmarks.turns import rotated, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.options import Options
    from benchmarks.table import Results

PART = "explore"
_CALLS, _JOBS = 10, 4
_FAULTS = "400,401,403,404,500,502,504,429-bare,reset,close"
_RUNS = _CALLS * len(_FAULTS.split(","))
_GOAL_SECONDS = 20.0
_GOAL_RATIO = 1.5

_PATHS = [tape.path(number) for number in range(_CALLS)]

# It goes on after a failure, so that all runs take as long: 0.1 s.
_COMMAND = f"""
import http.client, os, sys, time, urllib.parse
url = urllib.parse.urlsplit(os.environ["GRAPH_BASE_URL"])
graph = http.client.HTTPConnection(url.netloc, timeout=30)
failed = 0
for path in {_PATHS}:
    try:
        graph.request("GET", url.path + path)
        answer = graph.getresponse()
        answer.read()
        failed += answer.status != 200
    except OSError:
        graph.close()
        failed += 1
time.sleep(0.04)
sys.exit(failed)
"""


def run(options: Options, results: Results) -> None:
    """Measure 100 runs of a command, explored and by itself."""
    if not options.wants("graphtape explore"):
        return
    took: dict[str, list[float]] = {"graphtape explore": [], "the command by itself": []}
    for number, name in rotated([*took], options.rounds):
        say(f"{PART}: round {number}, {name}")
        took[name].append(_explored() if name == "graphtape explore" else _alone())
    for name, times in took.items():
        value = median(times)
        results.figures.append(
            Figure(part=PART, name=f"{_RUNS} runs, {name}", value=value, unit="s")
        )
    ours, alone = (median(times) for times in took.values())
    results.goals += [
        Goal(
            part=PART,
            name=f"{_RUNS} runs of a command that takes 0.1 s",
            value=ours,
            goal=_GOAL_SECONDS,
            unit="s",
            more_is_better=False,
        ),
        Goal(
            part=PART,
            name=f"{_RUNS} runs, beside the command by itself",
            value=ours / alone,
            goal=_GOAL_RATIO,
            more_is_better=False,
        ),
    ]


def _explored() -> float:
    options = ("-q", "--jobs", str(_JOBS), "--faults", _FAULTS)
    command = python("graphtape", "explore", str(tape.cassette(_CALLS)), *options)
    began = time.perf_counter()
    done = _run([*command, "--", sys.executable, "-c", _COMMAND], environment())
    took = time.perf_counter() - began
    if f"{_RUNS} runs of {_CALLS} calls" not in done.stdout:
        raise Failed(f"graphtape explore: {done.stdout}{done.stderr}")
    return took


def _alone() -> float:
    with replay(_CALLS) as served, ThreadPoolExecutor(_JOBS) as threads:
        env = environment(GRAPH_BASE_URL=served.url)
        began = time.perf_counter()
        command = partial(_run, [sys.executable, "-c", _COMMAND], env)
        for done in threads.map(lambda _: command(), range(_RUNS)):
            if done.returncode:
                raise Failed(f"the command by itself: {done.stderr}")
        return time.perf_counter() - began


def _run(command: list[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=tape.ROOT, env=env, capture_output=True, text=True, timeout=300, check=False
    )
