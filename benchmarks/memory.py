"""`python -m benchmarks memory`: what a process holds, after long answers, many, and long tapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import long_bodies, tape
from benchmarks.answer import check, connect
from benchmarks.contestant import replay
from benchmarks.load import put
from benchmarks.process import Failed, by_ready_file, python
from benchmarks.record import record
from benchmarks.table import Figure, Goal
from benchmarks.turns import say

if TYPE_CHECKING:
    from benchmarks.options import Options
    from benchmarks.table import Results

PART = "memory"
_MB = 1_000_000
_DOWNLOADS = (50,)
_LONG_DOWNLOADS = (50, 1000)
_READ = 1 << 16
_BATCH = 10
"""Seconds after which the requests so far are counted."""


def run(options: Options, results: Results) -> None:
    """Measure memory."""
    if options.wants("download"):
        for megabytes in _LONG_DOWNLOADS if options.full else _DOWNLOADS:
            _download(megabytes, results)
    long_bodies.run(options, results)
    if options.wants("replayed requests"):
        _requests(options, results)
    if options.wants("interactions"):
        _tape(options.interactions[-1], results)


def _download(megabytes: int, results: Results) -> None:
    """Record a download, and see by how much the process grew at its widest."""
    name = f"growth while {megabytes:,} MB are recorded"
    say(f"{PART}: {name}")
    upstream = by_ready_file(python("benchmarks.servers.download"), server=False)
    with upstream as source, record(source.url) as served:
        # What any first request loads isn't the download's.
        _fetch(served.url, 1000)
        before = served.resident()
        _fetch(served.url, megabytes * _MB)
        growth = (served.peak() - before) / _MB
    if megabytes == _DOWNLOADS[0]:
        results.goals.append(
            Goal(part=PART, name=name, value=growth, goal=8, unit="MB", more_is_better=False)
        )
    else:
        results.figures.append(Figure(part=PART, name=name, value=growth, unit="MB"))


def _fetch(url: str, size: int) -> None:
    connection = connect(url)
    try:
        connection.request("GET", f"/v1.0/download/{size}")
        answer = connection.getresponse()
        got = 0
        while chunk := answer.read(_READ):
            got += len(chunk)
    finally:
        connection.close()
    if answer.status != 200 or got != size:  # noqa: PLR2004 - what upstream sends
        raise Failed(f"a download of {size} bytes: status {answer.status}, {got} bytes")


def _requests(options: Options, results: Results) -> None:
    """Replay many requests: the journal is what may grow."""
    target = 1_000_000 if options.full else 100_000
    interactions = options.interactions[0]
    paths = tape.request_paths(interactions, [""])
    with replay(interactions) as served:
        check(served, interactions, prefixes=[""], fields={"Graphtape-Result": "replayed"})
        before, done = served.resident(), 0
        while done < target:
            say(f"{PART}: {done:,} of {target:,} replayed requests")
            _, requests = put(served, paths, connections=options.connections, seconds=_BATCH)
            done += requests
        check(served, interactions, prefixes=[""], fields={"Graphtape-Result": "replayed"})
        growth = served.resident() - before
    results.figures += [
        Figure(
            part=PART,
            name=f"growth over {done:,} replayed requests",
            value=growth / _MB,
            unit="MB",
        ),
        Figure(part=PART, name="growth per replayed request", value=growth / done, unit="bytes"),
    ]


def _tape(interactions: int, results: Results) -> None:
    """Hold a long tape, and compare it with the bytes of its file."""
    say(f"{PART}: a tape of {interactions:,} interactions")
    size = tape.cassette(interactions).stat().st_size - tape.cassette(1).stat().st_size
    fields = {"Graphtape-Result": "replayed"}
    with replay(1) as short:
        check(short, 1, prefixes=[""], fields=fields)
        least = short.resident()
    with replay(interactions) as long:
        check(long, interactions, prefixes=[""], fields=fields)
        held, peak = long.resident() - least, long.peak() - least
    tape_name = f"{interactions:,} interactions"
    results.figures += [
        Figure(part=PART, name="RSS with one interaction", value=least / _MB, unit="MB"),
        Figure(part=PART, name=f"RSS of {tape_name}", value=held / _MB, unit="MB"),
        Figure(part=PART, name=f"at its widest, opening {tape_name}", value=peak / _MB, unit="MB"),
        Figure(part=PART, name=f"file of {tape_name}", value=size / _MB, unit="MB"),
    ]
    if size > 0:
        results.goals.append(
            Goal(
                part=PART,
                name=f"RSS of {tape_name}, beside their bytes in the file",
                value=held / size,
                goal=3,
                more_is_better=False,
            )
        )
