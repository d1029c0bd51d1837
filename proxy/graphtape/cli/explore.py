"""`graphtape explore`."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphtape import runner
from graphtape.cli import serving, trailing
from graphtape.cli.options import FilePath, listed, option
from graphtape.cli.progress import Progress
from graphtape.core.errors import GraphtapeError, UsageError
from graphtape.core.tape.outcome import Mode
from graphtape.explore import baseline, coverage
from graphtape.explore.exploration import Exploration, Plan, scenario_text
from graphtape.explore.fault import Chosen
from graphtape.explore.pattern import Pattern
from graphtape.explore.report import Found, as_json, as_junit, as_markdown, as_text
from graphtape.explore.table import plain
from graphtape.runner.reporting import check_report_path, write_text
from graphtape.runner.serving import on_signals
from graphtape.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from graphtape.explore.baseline import Key

NEW = 5
INTERRUPTED = 128 + signal.SIGINT

_FORMATS: Mapping[str, Callable[[Found], str]] = {
    ".json": as_json,
    ".md": as_markdown,
    ".xml": as_junit,
}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)?", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_NARROWEST = 60
_WIDTH = 100
"""Characters, where stdout is no terminal."""


if TYPE_CHECKING:
    _Seconds = click.ParamType[float]
else:
    _Seconds = click.ParamType  # generic from click 8.4 on


class _Duration(_Seconds):
    """`90s`, `5m`, `1h`, or seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds, more than none."""
        if isinstance(value, float):
            return value
        found = _DURATION.fullmatch(str(value).strip())
        seconds = float(found[1]) * _SECONDS[found[2] or "s"] if found else 0.0
        if not seconds:
            self.fail(f"{value!r} is no duration; write 90s, 5m or 1h", param, ctx)
        return seconds


@click.command("explore", cls=trailing.TakesCommand)
@click.argument("cassettes", nargs=-1, metavar="CASSETTE", type=FilePath(path_type=Path))
@listed(
    "--faults",
    metavar="NAME",
    help="Only these, such as 429, 503, reset, status or part-404; all documented ones unless "
    "said.",
)
@listed(
    "--calls",
    metavar="PATTERN",
    help="Only at these calls: 'POST /**', '/users/{id}'; a path without version, after a method "
    "or alone.",
)
@option(
    "--jobs",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Runs at a time; default twice the processors. 1 where the command writes to what its "
    "runs share.",
)
@option("--budget", type=_Duration(), metavar="TIME", help="Stop after so long: 90s, 5m, 1h.")
@option(
    "--timeout",
    type=_Duration(),
    metavar="TIME",
    help="For each run; default ten times what the run without faults took, at least 30s.",
)
@option(
    "--tries",
    type=click.IntRange(1),
    metavar="N",
    help="Tries of one request that are no hammering; default 10.",
)
@option(
    "--oracle",
    metavar="stdout|exit|FILE",
    help="What the result of the command is: what it prints (the default), its exit code alone, or "
    "FILE that it writes.",
)
@option("--baseline", metavar="FILE", help="Findings that are known: only others fail.")
@option("--write-baseline", metavar="FILE", help="Write what is found as known.")
@option(
    "--out",
    metavar="FOLDER",
    help="Write there stdout and stderr of each run, and each finding as a scenario file.",
)
@listed(
    "--report",
    metavar="FILE",
    help="Write what was found: FILE.json, FILE.md or FILE.xml (JUnit); repeatable.",
)
@option(
    "--seed",
    type=int,
    metavar="N",
    help="For everything random; but for 0, the default, also of the order of the runs.",
)
@listed(
    "--coverage",
    metavar="FILE...",
    help="Run nothing: tell from reports of ordinary runs, as JSON, which documented failures of "
    "which calls they met.",
)
@option(
    "--min",
    "least",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="With --coverage: exit 5 where less of them was met, such as 0.6.",
)
@option("-q", "--quiet", is_flag=True, help="No progress.")
@option(
    "--config",
    metavar="FILE",
    help="Settings file; else graphtape.toml, else [tool.graphtape] in pyproject.toml.",
)
@click.pass_context
def command(ctx: click.Context, /, cassettes: tuple[Path, ...], **_: object) -> None:
    """Run COMMAND once for each documented failure of each of its calls.

    CASSETTE answers, as in `graphtape replay`; COMMAND finds the proxy's URL in GRAPH_BASE_URL. It
    runs without faults first: what it calls then is what fails in the runs that follow, one call
    and one failure each. What each run shows is told as a table, with a scenario for each finding.

    With --coverage it runs nothing.

    Exit codes: 0 nothing new found, 5 something new, 1 the run without faults failed, 2 usage, 130
    stopped by Ctrl-C.

    \b
    Examples:
      graphtape explore tape.yaml -- python app.py
      graphtape explore tape.yaml --faults 429,503,reset --calls 'POST /**' -- python app.py
      graphtape explore --coverage reports/*.json --min 0.6
      graphtape explore tape.yaml --baseline known.json --report explore.xml -- pytest -k disconnect
    """  # noqa: D301 - click's mark for lines to leave alone
    words = trailing.words_of(ctx)
    given = ctx.params
    for path in map(Path, given["report"] or ()):
        check_report_path(path)
    if given["coverage"]:
        if words:
            raise click.UsageError("--coverage reads reports, and runs no COMMAND", ctx)
        # A shell has made several arguments of the pattern: all but the first stand apart.
        ctx.exit(_covered(given, (*map(Path, given["coverage"]), *cassettes)))
    if given["least"] is not None:
        raise click.UsageError("--min goes with --coverage", ctx)
    if len(cassettes) != 1 or not words:
        raise click.UsageError("name one CASSETTE, and after -- the COMMAND to explore", ctx)
    serving.set_up_logging()
    ctx.exit(_explored(given, cassettes[0], words))


def _covered(given: Mapping[str, object], files: tuple[Path, ...]) -> int:
    covered = coverage.read(files)
    colours = _colours()
    for line in coverage.as_text(covered, width=_width(), paint=_painted if colours else plain):
        click.echo(line, color=colours)
    for name in _list(given, "report"):
        path = Path(str(name))
        write_text(path, coverage.FORMATS[path.suffix.lower()](covered))
    least = given.get("least")
    if not isinstance(least, float) or covered.share >= least:
        return 0
    serving.say(f"failed: {covered.share:.2f} of the documented failures is less than {least:g}")
    return NEW


def _explored(given: Mapping[str, object], cassette: Path, words: tuple[str, ...]) -> int:
    known: frozenset[Key] = frozenset()
    if given.get("baseline") is not None:
        known = baseline.read(Path(str(given["baseline"])))
    with ExitStack() as stack:
        out = _folder(given.get("out"), stack)
        plan = _plan(given, words, out)
        exploration, interrupted = runner.run(_run(plan, cassette, given))
        found = _found(exploration, cassette, words, known, out if given.get("out") else None)
    colours = _colours()
    for line in as_text(found, width=_width(), paint=_painted if colours else plain):
        click.echo(line, color=colours)
    for path in (Path(str(name)) for name in _list(given, "report")):
        write_text(path, _FORMATS[path.suffix.lower()](found))
    if given.get("write_baseline") is not None:
        baseline.write(Path(str(given["write_baseline"])), found.findings)
    if found.new:
        return NEW
    return INTERRUPTED if interrupted else 0


async def _run(plan: Plan, cassette: Path, given: Mapping[str, object]) -> tuple[Exploration, bool]:
    quiet = bool(given.get("quiet"))
    settings = load(
        {"listen": trailing.FREE, "control": trailing.FREE, "seed": plan.seed, "quiet": True},
        config=given.get("config"),  # type: ignore[arg-type] # click's option is a text
    )
    proxy = runner.Proxy(
        settings=settings,
        cassettes=(cassette,),
        mode=Mode.NONE,
        on_note=lambda _: None,
        tells_misses=False,
    )
    progress = Progress(quiet=quiet)
    exploration = Exploration(plan=plan, proxy=proxy, on_case=progress.tell)
    signals: list[int] = []

    def stopped(number: int) -> None:
        signals.append(number)
        exploration.stop("interrupted")
        base.cancel()

    numbers = [signal.SIGINT, signal.SIGTERM]
    async with proxy:
        with on_signals(numbers, stopped):
            base = asyncio.create_task(exploration.begin())
            try:
                await base
            except asyncio.CancelledError:
                raise GraphtapeError("interrupted in the run without faults") from None
            progress.begin(len(exploration.cases), plan.jobs)
            await exploration.explore()
            progress.end()
    return exploration, bool(signals)


def _plan(given: Mapping[str, object], words: tuple[str, ...], folder: Path) -> Plan:
    oracle = str(given.get("oracle") or "stdout")
    jobs = given.get("jobs") or (2 * (os.cpu_count() or 1))
    if oracle not in {"stdout", "exit"}:
        if (given.get("jobs") or 1) != 1:
            raise UsageError("--oracle FILE: all runs write the same file; leave --jobs at 1")
        jobs = 1
    return Plan(
        words=words,
        chosen=Chosen(tuple(map(str, _list(given, "faults")))),
        patterns=tuple(Pattern.parse(str(text)) for text in _list(given, "calls")),
        jobs=int(str(jobs)),
        budget=given.get("budget"),  # type: ignore[arg-type] # _Duration makes seconds
        timeout=given.get("timeout"),  # type: ignore[arg-type] # likewise
        tries=int(str(given.get("tries") or 10)),
        oracle=oracle,
        seed=int(str(given.get("seed") or 0)),
        folder=folder,
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
        for case in found.findings:
            assert case.judgement is not None  # noqa: S101 - a finding has one
            path = out / f"{case.name}.yaml"
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


def _list(given: Mapping[str, object], name: str) -> tuple[object, ...]:
    found = given.get(name) or ()
    assert isinstance(found, tuple)  # noqa: S101 - `listed` makes one
    return found


def _colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _width() -> int:
    if not sys.stdout.isatty():
        return _WIDTH
    return max(_NARROWEST, shutil.get_terminal_size().columns)


def _painted(text: str, colour: str) -> str:
    return click.style(text, fg=colour)
