"""Rounds in which every contestant has its turn under load."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, TypeVar

from benchmarks import tape
from benchmarks.answer import check
from benchmarks.load import Load, put
from benchmarks.process import Failed, NotThere
from benchmarks.table import Loaded, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.contestant import Contestant
    from benchmarks.options import Options
    from benchmarks.process import Served
    from benchmarks.table import Results

T = TypeVar("T")


def say(text: str) -> None:
    """Tell how far a run is, beside its results."""
    print(text, file=sys.stderr, flush=True)


def rotated(contestants: Sequence[T], rounds: int) -> Iterator[tuple[int, T]]:
    """Give each its turn in each round; who comes first changes: who comes later is warmer."""
    for number in range(rounds):
        start = number % len(contestants) if contestants else 0
        for each in (*contestants[start:], *contestants[:start]):
            yield number + 1, each


def measure(
    part: str, contestants: Sequence[Contestant], options: Options, results: Results
) -> list[Loaded]:
    """Start all, load each in turn, and add the medians to the results.

    All run at once, since a large tape takes long to open; whoever isn't asked does nothing.

    Raises:
        Failed: A contestant didn't start, or answered otherwise than its tape.
    """
    measured: dict[int, tuple[list[Load], list[Load]]] = {}
    with ExitStack() as stack:
        served = dict(_start(part, contestants, options, results, stack))
        for number, index in rotated([*served], options.rounds):
            each = contestants[index]
            say(f"{part}: round {number}, {each.name}, {each.interactions:,}")
            many, one = _turn(each, served[index], options)
            loads = measured.setdefault(index, ([], []))
            loads[0].append(many)
            loads[1].append(one)
    loaded = [
        Loaded(
            part=part,
            name=contestants[index].name,
            interactions=contestants[index].interactions,
            many=Load.median(measured[index][0]),
            one=Load.median(measured[index][1]),
        )
        for index in sorted(measured)
    ]
    results.loaded += loaded
    return loaded


def _start(
    part: str,
    contestants: Sequence[Contestant],
    options: Options,
    results: Results,
    stack: ExitStack,
) -> Iterator[tuple[int, Served]]:
    for index, each in enumerate(contestants):
        if not options.wants(each.name):
            continue
        say(f"{part}: starting {each.name}, {each.interactions:,}")
        try:
            yield index, stack.enter_context(each.serve())
        except NotThere as exc:
            results.skipped.append(Skipped(part=part, name=each.name, why=str(exc)))


def _turn(each: Contestant, served: Served, options: Options) -> tuple[Load, Load]:
    paths = tape.request_paths(each.interactions, each.prefixes)
    try:
        check(served, each.interactions, prefixes=each.prefixes, fields=each.fields)
        many, _ = put(served, paths, connections=options.connections, seconds=options.seconds)
        one, _ = put(served, paths, connections=1, seconds=options.seconds)
        check(served, each.interactions, prefixes=each.prefixes, fields=each.fields)
    except (Failed, OSError) as exc:
        raise Failed(f"{each.name} over {each.interactions:,} interactions: {exc}") from exc
    return many, one
