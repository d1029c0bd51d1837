"""`python -m benchmarks record`: requests forwarded and recorded, beside a bare proxy."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.contestant import FREE, Contestant
from benchmarks.process import Failed, by_ready_file, folder, python
from benchmarks.rival import nginx
from benchmarks.table import Goal
from benchmarks.turns import measure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

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
