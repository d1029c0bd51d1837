"""`python -m benchmarks record`: requests forwarded and recorded, beside a bare proxy."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import tape
from benchmarks.contestant import FREE, Contestant
from benchmarks.load import put
from benchmarks.process import Failed, by_ready_file, folder, python
from benchmarks.rival import nginx
from benchmarks.table import Goal
from benchmarks.turns import measure, rotated, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from benchmarks.options import Options
    from benchmarks.process import Served
    from benchmarks.table import Results

PART = "record"
_INTERACTIONS = 1000


def run(options: Options, results: Results) -> None:
    """Measure recording."""
    with _upstream() as upstream:
        ours = Contestant(
            name="graphtape record",
            interactions=_INTERACTIONS,
            serve=partial(record, upstream.url),
            fields={"Graphtape-Result": "recorded"},
        )
        forwarder = python("benchmarks.servers.forwarder", "--upstream", upstream.url)
        bare = Contestant(
            name="bare streaming proxy",
            interactions=_INTERACTIONS,
            serve=partial(by_ready_file, forwarder),
        )
        loaded = {each.name: each for each in measure(PART, [ours, bare], options, results)}
    if len(loaded) == 2:  # noqa: PLR2004 - both
        mine, its = loaded[ours.name], loaded[bare.name]
        results.goals.append(
            Goal(
                part=PART,
                name="requests/s, beside the bare streaming proxy",
                value=mine.many.requests / its.many.requests,
                goal=0.9,
                floor=0.8,
            )
        )
        results.goals.append(
            Goal(
                part=PART,
                name="p50 of one connection, beside the bare streaming proxy",
                value=mine.one.p50 / its.one.p50,
                goal=1.2,
                more_is_better=False,
            )
        )
    _run_kinds(options, results)


def _run_kinds(options: Options, results: Results) -> None:
    """Measure each kind of request beside the bare proxy, which takes its turn after each."""
    rows = [row for row in _kinds() if options.wants(row.name)]
    with ExitStack() as stack:
        if not rows:
            return
        command = python("benchmarks.servers.bare", "--interactions", str(_INTERACTIONS))
        upstream = stack.enter_context(by_ready_file(command, server=False))
        forwarder = python("benchmarks.servers.forwarder", "--upstream", upstream.url)
        bare = stack.enter_context(by_ready_file(forwarder))
        ratios: dict[str, list[float]] = {row.name: [] for row in rows}
        for number, row in rotated(rows, options.rounds):
            say(f"{PART}: round {number}, {row.name}")
            with record(upstream.url, *row.arguments) as served:
                loads = [
                    put(each, row.requests(), connections=options.connections, seconds=seconds)[0]
                    for each, seconds in (
                        (served, 1),
                        (served, options.seconds),
                        (bare, options.seconds),
                    )
                ]
            ratios[row.name].append(loads[1].requests / loads[2].requests)
    for row in rows:
        value = median(ratios[row.name])
        results.goals.append(Goal(part=PART, name=row.name, value=value, goal=row.goal))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One kind of request that is recorded.

    Attributes:
        name: Of its row.
        goal: Requests per second, as a multiple of the bare proxy's.
        requests: Writes a file of them, as `load.lua` reads it.
        arguments: Of `graphtape record` besides.
    """

    name: str
    goal: float
    requests: Callable[[], Path]
    arguments: tuple[str, ...] = ()


def _kinds() -> tuple[_Kind, ...]:
    get = partial(tape.request_paths, _INTERACTIONS, [""])
    return (
        _Kind(name="GET", goal=1.0, requests=get),
        _Kind(name="POST with JSON", goal=0.9, requests=_posts),
        _Kind(
            name="GET under --status failed",
            goal=0.9,
            requests=get,
            arguments=("--status", "failed"),
        ),
    )


def _posts() -> Path:
    body = json.dumps({"displayName": "A group", "description": "d" * 100, "mailEnabled": False})
    lines = [f"POST\t{tape.path(n)}\tapplication/json\t{body}\n" for n in range(_INTERACTIONS)]
    return tape.kept("requests-recorded", "txt", lines[0], lambda: lines)


def _upstream() -> AbstractContextManager[Served]:
    """Run what both forward to, on the clients' core: nginx, or the bare handler without it."""
    if shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin"):
        return nginx(_INTERACTIONS, server=False)
    command = python("benchmarks.servers.bare", "--interactions", str(_INTERACTIONS))
    return by_ready_file(command, server=False)


@contextmanager
def record(upstream: str, *arguments: str) -> Iterator[Served]:
    """Run `graphtape record` into a cassette that is gone when the block ends.

    Raises:
        Failed: Nothing was recorded.
    """
    with folder() as place:
        cassette = place / "tape.yaml"
        command = python("graphtape", "record", str(cassette), "--upstream", upstream, *FREE)
        with by_ready_file([*command, *arguments]) as served:
            yield served
        # It was killed: what it recorded lies in its append file.
        part = place / "tape.yaml.part"
        if not part.exists() or not part.stat().st_size:
            raise Failed(f"{part.name} holds nothing: it forwarded without recording")
