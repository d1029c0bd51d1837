"""A load on a contestant, made by wrk, and what came of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.process import Failed, pinned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.process import Served

_SCRIPT = Path(__file__).with_name("load.lua")
WRK_MISSING = "wrk makes the load and isn't installed; `apt-get install wrk` has it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of a load; of several, each value is a median.

    Attributes:
        requests: Per second.
        p50: Seconds.
        p99: Seconds.
        cpu: Of the server, seconds per request.
        client: Share of its core that the client used; near 1, it measured itself.
    """

    requests: float
    p50: float
    p99: float
    cpu: float
    client: float

    @classmethod
    def median(cls, loads: Sequence[Load]) -> Load:
        """Return the medians of several."""
        return cls(
            requests=median(load.requests for load in loads),
            p50=median(load.p50 for load in loads),
            p99=median(load.p99 for load in loads),
            cpu=median(load.cpu for load in loads),
            client=median(load.client for load in loads),
        )


def has_wrk() -> bool:
    """Tell whether a load can be made."""
    return shutil.which("wrk") is not None


def put(
    served: Served,
    paths: Path,
    *,
    connections: int,
    seconds: float,
    once: bool = False,
    errors: bool = False,
) -> tuple[Load, int]:
    """Put a load on a server; return what came of it, and how many requests were answered.

    Args:
        served: Who is asked.
        paths: The requests, as `load.lua` reads them.
        connections: At once.
        seconds: At most.
        once: Whether each request is sent once, and the load ends before the last of them.
        errors: Whether answers with a status of 400 and above are what is asked for.

    Raises:
        Failed: A request wasn't answered, or not with such a status.
    """
    before = served.cpu_seconds()
    mode = ["once"] if once else []
    said, used = _wrk(served, [str(paths), *mode], connections=connections, seconds=seconds)
    after = served.cpu_seconds()
    _, found, facts = said.partition("\nJSON ")
    if not found:
        raise Failed(f"wrk came to no end: {said.strip()[-500:]}")
    result: dict[str, int] = json.loads(facts)
    requests, took = result["requests"], result["microseconds"] / 1e6
    wrong = result["errors"] + (0 if errors else result["status"])
    if wrong or not requests:
        raise Failed(f"{wrong} of {requests} requests weren't answered as they must be")
    load = Load(
        requests=requests / took,
        p50=result["p50"] / 1e6,
        p99=result["p99"] / 1e6,
        cpu=(after - before) / requests,
        client=used / took,
    )
    return load, requests


def _wrk(
    served: Served, arguments: Sequence[str], *, connections: int, seconds: float
) -> tuple[str, float]:
    """Run wrk; return what it printed, and its CPU seconds."""
    # wrk takes whole seconds alone.
    whole = max(1, round(seconds))
    command = pinned(
        ["wrk", "-t1", f"-c{connections}", f"-d{whole}s", "--timeout", "10s", "-s", str(_SCRIPT)],
        server=False,
    )
    with subprocess.Popen(
        [*command, served.url, "--", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None  # noqa: S101 - asked for above
        output = process.stdout.read().decode("utf-8", "replace")
        # Not wait(): only wait4 says what this one child used.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failed(f"wrk ended with {process.returncode}: {output.strip()[-500:]}")
    return output, usage.ru_utime + usage.ru_stime
