"""`python -m benchmarks start`: to the first answer, of small tapes and large; opening sessions."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import tape
from benchmarks.answer import connect
from benchmarks.contestant import post_session, replay
from benchmarks.process import (
    Failed,
    NotThere,
    answers,
    environment,
    folder,
    free_port,
    pinned,
    python,
    said,
    started,
)
from benchmarks.table import Figure, Goal, Skipped
from benchmarks.turns import rotated, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.options import Options
    from benchmarks.table import Results

PART = "start"
_SESSIONS = 200
_PATIENCE = 900
_SESSION_GOAL = 0.2
"""Milliseconds to open a session."""


def run(options: Options, results: Results) -> None:
    """Measure what comes before the first answer."""
    _small(options, results)
    _large(options, results)
    _sessions(options, results)


def _small(options: Options, results: Results) -> None:
    names = ("graphtape replay", "bare handler")
    took: dict[str, list[float]] = {name: [] for name in names if options.wants(name)}
    file = tape.cassette(1)
    for number, name in rotated([*took], options.rounds):
        say(f"{PART}: round {number}, {name}")
        took[name].append(_ours(file, None) if name == names[0] else _bare())
    for name, times in took.items():
        results.figures.append(
            Figure(part=PART, name=f"exec to first answer, {name}", value=median(times), unit="s")
        )
    if len(took) == len(names):
        ours, bare = (median(took[name]) for name in names)
        results.goals.append(
            Goal(
                part=PART,
                name="exec to first answer, beside the bare handler",
                value=ours / bare,
                goal=2.0,
                more_is_better=False,
            )
        )


def _large(options: Options, results: Results) -> None:
    """Open a tape that was never opened, open it again, and have vcrpy read it."""
    if not options.wants("graphtape replay"):
        return
    count = f"{options.opened:,} interactions"
    with folder() as place:
        # A copy, and a cache folder of its own: the first time is to be the first.
        file = place / "tape.yaml"
        shutil.copyfile(tape.cassette(options.opened), file)
        say(f"{PART}: opening {count}, which takes its time")
        first = _ours(file, place)
        again = median(_ours(file, place) for _ in range(options.rounds))
        say(f"{PART}: vcrpy reads {count}")
        vcrpy = _vcrpy(file, options.opened)
    for name, value in (("first", first), ("again", again), ("read by vcrpy", vcrpy)):
        results.figures.append(Figure(part=PART, name=f"{count}, {name}", value=value, unit="s"))
    results.goals += [
        Goal(part=PART, name=f"{count} again, faster than vcrpy", value=vcrpy / again, goal=50),
        Goal(part=PART, name=f"{count} first, faster than vcrpy", value=vcrpy / first, goal=1),
    ]


def _ours(file: Path, cache: Path | None) -> float:
    port = free_port()
    ports = ("--listen", f"127.0.0.1:{port}", "--control", "127.0.0.1:0", "--quiet")
    command = python("graphtape", "replay", str(file), *ports)
    return _first_answer(command, port, {"XDG_CACHE_HOME": str(cache)} if cache else {})


def _bare() -> float:
    port = free_port()
    return _first_answer(python("benchmarks.servers.bare", "--port", str(port)), port, {})


def _first_answer(command: Sequence[str], port: int, env: dict[str, str]) -> float:
    """Return the seconds from exec to an answer.

    Raises:
        Failed: It ended before.
    """
    with folder() as place:
        began = time.perf_counter()
        with started(command, place=place, cwd=tape.ROOT, env=env) as process:
            while not answers(port, tape.path(0)):
                if process.poll() is not None or time.perf_counter() - began > _PATIENCE:
                    raise Failed(f"{command!r} doesn't answer: {said(place)}")
                time.sleep(0.001)  # noqa: TID251 - waits for another process
            return time.perf_counter() - began


def _output(*command: str) -> str:
    done = subprocess.run(
        pinned(command, server=True),
        cwd=tape.ROOT, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Failed(f"{command!r}: {done.stderr.strip()[-500:]}")
    return done.stdout


def _vcrpy(file: Path, interactions: int) -> float:
    began = time.perf_counter()
    held = _output(*python("benchmarks.servers.vcrpy_load", str(file)))
    took = time.perf_counter() - began
    if int(held) != interactions:
        raise Failed(f"vcrpy reads {held.strip()} interactions, not {interactions}")
    return took


def _sessions(options: Options, results: Results) -> None:
    interactions = options.interactions[-1]
    over = f"over {interactions:,} interactions"
    inside = f"session opened in process, {over}"
    if options.wants(inside):
        say(f"{PART}: {inside}")
        facts = _output(*python("benchmarks.servers.session_open", str(interactions)))
        _session_time(inside, json.loads(facts)["seconds"], results)
    control = f"session opened by POST /sessions, {over}"
    if options.wants(control):
        say(f"{PART}: {control}")
        try:
            _session_time(control, _by_control(interactions), results)
        except NotThere as exc:
            results.skipped.append(Skipped(part=PART, name=control, why=str(exc)))


def _session_time(name: str, seconds: float, results: Results) -> None:
    results.goals.append(
        Goal(
            part=PART,
            name=name,
            value=seconds * 1e3,
            goal=_SESSION_GOAL,
            unit="ms",
            more_is_better=False,
        )
    )


def _by_control(interactions: int) -> float:
    with replay(interactions) as served:
        assert served.control is not None  # noqa: S101 - Graphtape's
        connection = connect(served.control)
        try:
            took: list[float] = []
            for number in range(_SESSIONS):
                began = time.perf_counter()
                post_session(connection, f"s{number}", interactions)
                took.append(time.perf_counter() - began)
            return median(took)
        finally:
            connection.close()
