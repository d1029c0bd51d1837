"""`python -m benchmarks memory`: what a recorder grows by over one long body of each kind."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from benchmarks.answer import connect
from benchmarks.contestant import FREE
from benchmarks.process import Failed, by_ready_file, folder, python
from benchmarks.servers.long_body import KINDS
from benchmarks.table import Figure, Goal
from benchmarks.turns import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.options import Options
    from benchmarks.process import Served
    from benchmarks.table import Results

PART = "memory"
_MB = 1_000_000
_SIZES, _ALL_SIZES = (50,), (50, 500)
_READ = 1 << 16
_MOST_RECORDING, _MOST_SAVING = 16, 32
_PATIENCE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class _Growth:
    """By how many megabytes a process grew, at its widest, and how fast the body went through."""

    recording: float
    saving: float
    per_second: float


def run(options: Options, results: Results) -> None:
    """Record one body of each kind and size, and save it."""
    for name, size, target in _bodies(_ALL_SIZES if options.full else _SIZES):
        if not options.wants(f"long body: {name}"):
            continue
        say(f"{PART}: {name}")
        grown = _recorded(size, target)
        results.goals += [
            Goal(
                part=PART,
                name=f"growth while {name} {word}",
                value=value,
                goal=most,
                unit="MB",
                more_is_better=False,
            )
            for word, value, most in (
                ("are recorded", grown.recording, _MOST_RECORDING),
                ("are saved", grown.saving, _MOST_SAVING),
            )
        ]
        results.figures.append(
            Figure(part=PART, name=f"{name}, recorded", value=grown.per_second, unit="MB/s")
        )


def _bodies(sizes: tuple[int, ...]) -> Iterator[tuple[str, int, str]]:
    for size in sizes:
        for kind in KINDS:
            for coding in ("", "/gzip"):
                name = f"{size} MB of {kind}{', gzip' if coding else ''}"
                yield name, size, f"/v1.0/body/{quote(kind)}/{size}{coding}"


def _recorded(size: int, target: str) -> _Growth:
    with (
        by_ready_file(python("benchmarks.servers.long_body"), server=False) as source,
        folder() as place,
        by_ready_file(
            python(
                *("graphtape", "record", str(place / "tape.yaml"), "--upstream", source.url),
                *FREE,
            )
        ) as served,
    ):
        # What any first body loads isn't this one's.
        _fetch(served.url, "/v1.0/body/CSV/1")
        before = served.resident()
        _forget_peak(served)
        began = time.monotonic()
        _fetch(served.url, target)
        took = time.monotonic() - began
        recording = served.peak()
        _forget_peak(served)
        saving = _stopped(served)
        if not (place / "tape.yaml").exists():
            raise Failed(f"{target}: nothing was saved")
    return _Growth(
        recording=(recording - before) / _MB,
        saving=(saving - before) / _MB,
        per_second=size / took,
    )


def _forget_peak(served: Served) -> None:
    Path(f"/proc/{served.pid}/clear_refs").write_text("5", encoding="ascii")


def _stopped(served: Served) -> int:
    """Stop a recorder as a user does; return the most bytes it held until it was gone."""
    os.kill(served.pid, signal.SIGINT)
    most, deadline = 0, time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            most = max(most, served.peak())
        except (Failed, OSError):  # it is gone, or a zombie
            return most
        time.sleep(0.005)  # noqa: TID251 - looks at another process
    raise Failed(f"it is still saving after {_PATIENCE} s")


def _fetch(url: str, target: str) -> None:
    connection = connect(url)
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        while answer.read(_READ):
            pass
    finally:
        connection.close()
    if answer.status != 200:  # noqa: PLR2004 - what upstream sends
        raise Failed(f"{target}: status {answer.status}")
