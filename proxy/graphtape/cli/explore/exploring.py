"""An exploration as the command line wants it: its proxy, its progress, and what it writes."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from graphtape import runner
from graphtape.cli import serving, trailing
from graphtape.cli.explore import printing
from graphtape.cli.explore.progress import Progress
from graphtape.core.errors import GraphtapeError, UsageError
from graphtape.core.tape.outcome import Mode
from graphtape.explore.exploration import Exploration, Plan, scenario_text
from graphtape.explore.fault import Chosen
from graphtape.explore.found import baseline
from graphtape.explore.found.report import Found, as_json, as_junit, as_markdown, as_text
from graphtape.explore.pattern import Pattern
from graphtape.explore.running import EXIT, STDOUT, Runner
from graphtape.runner.reporting import write_text
from graphtape.runner.serving import on_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import click

    from graphtape.explore.found.baseline import Key

NEW = 5
INTERRUPTED = 128 + signal.SIGINT

_FORMATS: Mapping[str, Callable[[Found], str]] = {
    ".json": as_json,
    ".md": as_markdown,
    ".xml": as_junit,
}


def explored(ctx: click.Context, cassette: Path, words: tuple[str, ...]) -> int:
    """Explore a command as the command line says; print and write what is found.

    Returns:
        The exit code.

    Raises:
        GraphtapeError: The run without faults failed.
        UsageError: Something on the command line is wrong.
    """
    given = ctx.params
    known = frozenset() if given["baseline"] is None else baseline.read(Path(given["baseline"]))
    plan = _plan(given)
    with ExitStack() as stack:
        out = _folder(given["out"], stack)
        exploration, interrupted = runner.run(_run(ctx, plan, cassette, words, out))
        found = _found(exploration, cassette, words, known, out if given["out"] else None)
    printing.show(as_text(found, width=printing.width(), paint=printing.paint()))
    for path in map(Path, listed_in(given, "report")):
        write_text(path, _FORMATS[path.suffix.lower()](found))
    if given["write_baseline"] is not None:
        baseline.write(Path(given["write_baseline"]), found.findings)
    if found.new:
        return NEW
    return INTERRUPTED if interrupted else 0


async def _run(
    ctx: click.Context, plan: Plan, cassette: Path, words: tuple[str, ...], folder: Path
) -> tuple[Exploration, bool]:
    settings = msgspec.structs.replace(
        trailing.settings_of(ctx), status=(), retry_after="keep", fast=False
    )
    proxy = runner.Proxy(
        settings=settings,
        cassettes=(cassette,),
        mode=Mode.NONE,
        on_note=lambda _: None,
        tells_misses=False,
    )
    oracle = str(ctx.params["oracle"] or STDOUT)
    runs = Runner(proxy=proxy, words=words, oracle=oracle, folder=folder)
    progress = Progress(quiet=bool(ctx.params["quiet"]))
    exploration = Exploration(plan=plan, runner=runs, on_case=progress.tell)
    signals: list[int] = []

    def stopped(number: int) -> None:
        serving.end_line_of_keys(number)
        signals.append(number)
        exploration.stop("interrupted")
        base.cancel()

    numbers = [signal.SIGINT, signal.SIGTERM]
    async with proxy:
        with on_signals(numbers, stopped):
            progress.prepare()
            base = asyncio.create_task(exploration.begin())
            try:
                await base
            except asyncio.CancelledError:
                raise GraphtapeError("interrupted in the run without faults") from None
            progress.begin(len(exploration.cases), plan.jobs)
            try:
                await exploration.explore()
            finally:
                progress.end()
    return exploration, bool(signals)


def _plan(given: Mapping[str, Any]) -> Plan:
    """Read what is to be run; a file for the result is written by one run at a time."""
    jobs = given["jobs"]
    if (given["oracle"] or STDOUT) not in {STDOUT, EXIT}:
        if (jobs or 1) != 1:
            raise UsageError("--oracle FILE: all runs write the same file; leave --jobs at 1")
        jobs = 1
    return Plan(
        chosen=Chosen(listed_in(given, "faults")),
        patterns=tuple(map(Pattern.parse, listed_in(given, "calls"))),
        jobs=jobs or 2 * (os.cpu_count() or 1),
        budget=given["budget"],
        timeout=given["timeout"],
        tries=given["tries"] or 10,
        seed=given["seed"] or 0,
    )


def _found(
    exploration: Exploration,
    cassette: Path,
    words: tuple[str, ...],
    known: frozenset[Key],
    out: Path | None,
) -> Found:
    """Tell what was found, with a scenario file for each finding where there is a folder."""
    found = Found(
        calls=exploration.calls,
        cases=exploration.cases,
        known=known,
        made=time.time(),
        stopped=exploration.stopped,
        scenarios={},
        cassette=cassette,
        words=words,
    )
    if out is not None:
        for case in exploration.cases:
            path = out / f"{case.name}.yaml"
            if case.judgement is None or not case.judgement.result.finding:
                path.unlink(missing_ok=True)  # of an earlier exploration
                continue
            path.write_text(scenario_text(case.fault, case.judgement.why), encoding="utf-8")
            found.scenarios[case.name] = path
    return found


def _folder(given: object, stack: ExitStack) -> Path:
    if given is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="graphtape-")))
    path = Path(str(given))
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise UsageError(f"--out {path}: can't be made ({exc.strerror}); name a folder") from exc
    return path


def listed_in(given: Mapping[str, object], name: str) -> tuple[str, ...]:
    """Return the values of an option that may be repeated."""
    found = given[name]
    return tuple(map(str, found)) if isinstance(found, tuple) else ()
