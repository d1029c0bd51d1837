"""`python -m benchmarks replay`: answers from tape, beside who else gives them."""

from __future__ import annotations

import json
import subprocess
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.contestant import LISTENED, WATCHED, bare, middle, replaying
from benchmarks.process import Failed, environment, pinned, python
from benchmarks.rival import rivals
from benchmarks.table import Figure, Goal
from benchmarks.tape import ROOT
from benchmarks.turns import measure, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.options import Options
    from benchmarks.table import Loaded, Results

PART = "replay"
_VCRPY = "vcrpy in process"


def run(options: Options, results: Results) -> None:
    """Measure replay."""
    size = middle(options)
    contestants = [
        *replaying(options),
        *(bare(count) for count in options.interactions),
        *rivals(size),
    ]
    loaded = measure(PART, contestants, options, results)
    results.goals += _goals(loaded)
    if options.wants(_VCRPY):
        results.figures += _vcrpy(size, options)


def _goals(loaded: Sequence[Loaded]) -> Iterator[Goal]:
    ours = {each.interactions: each for each in loaded if each.name == "graphtape"}
    bares = {each.interactions: each for each in loaded if each.name == "bare handler"}
    for count in sorted(ours.keys() & bares.keys()):
        mine, its = ours[count], bares[count]
        tape = f"{count:,} interactions, beside the bare handler"
        yield Goal(
            part=PART,
            name=f"requests/s, {tape}",
            value=mine.many.requests / its.many.requests,
            goal=2.0,
            floor=1.2,
        )
        for name, value in (
            ("p50", mine.one.p50 / its.one.p50),
            ("p99", mine.one.p99 / its.one.p99),
        ):
            yield Goal(
                part=PART,
                name=f"{name} of one connection, {tape}",
                value=value,
                goal=1.3,
                more_is_better=False,
            )
    for each in loaded:
        if each.name == LISTENED and each.interactions in ours:
            yield Goal(
                part=PART,
                name="requests/s, 3 who follow the events, beside none",
                value=each.many.requests / ours[each.interactions].many.requests,
                goal=0.95,
            )
        if each.name == WATCHED and each.interactions in ours:
            yield Goal(
                part=PART,
                name="requests/s, with a connected console, beside none",
                value=each.many.requests / ours[each.interactions].many.requests,
                goal=0.97,
            )
    if len(ours) > 1:
        short, long = ours[min(ours)], ours[max(ours)]
        yield Goal(
            part=PART,
            name=f"CPU/request, {long.interactions:,} beside {short.interactions:,} interactions",
            value=long.many.cpu / short.many.cpu,
            goal=1.25,
            more_is_better=False,
        )


def _vcrpy(interactions: int, options: Options) -> Iterator[Figure]:
    """Measure stock vcrpy, which needs no server: its client and it share a core."""
    command = python("benchmarks.servers.vcrpy_play", "--interactions", str(interactions))
    runs: list[dict[str, float]] = []
    for number in range(options.rounds):
        say(f"{PART}: round {number + 1}, {_VCRPY}, {interactions:,}")
        done = subprocess.run(
            pinned([*command, "--seconds", str(options.seconds)], server=True),
            cwd=ROOT, env=environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise Failed(f"{_VCRPY}: {done.stderr.strip()[-500:]}")
        runs.append(json.loads(done.stdout))
    name = f"{_VCRPY}, {interactions:,} interactions"
    each = [
        ("requests/s", median(run["requests"] / run["seconds"] for run in runs), "1/s"),
        ("p50", median(run["p50"] for run in runs) * 1e3, "ms"),
        ("p99", median(run["p99"] for run in runs) * 1e3, "ms"),
        ("CPU/request", median(run["cpu"] / run["requests"] for run in runs) * 1e6, "µs"),
    ]
    for what, value, unit in each:
        yield Figure(part=PART, name=f"{name}: {what}", value=value, unit=unit)
