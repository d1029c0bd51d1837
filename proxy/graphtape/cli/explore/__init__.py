"""`graphtape explore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphtape.cli import options, serving, trailing
from graphtape.cli.explore import printing
from graphtape.cli.explore.duration import Duration
from graphtape.cli.explore.exploring import NEW, explored, listed_in
from graphtape.cli.options import FilePath, listed, option
from graphtape.explore.found import coverage
from graphtape.runner.reporting import check_report_path, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping


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
@option("--budget", type=Duration(), metavar="TIME", help="Stop after so long: 90s, 5m, 1h.")
@option(
    "--timeout",
    type=Duration(),
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
@options.matching
@options.config
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
    for path in map(Path, listed_in(given, "report")):
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
    ctx.exit(explored(ctx, cassettes[0], words))


def _covered(given: Mapping[str, object], files: tuple[Path, ...]) -> int:
    covered = coverage.read(files)
    printing.show(coverage.as_text(covered, width=printing.width(), paint=printing.paint()))
    for path in map(Path, listed_in(given, "report")):
        write_text(path, coverage.FORMATS[path.suffix.lower()](covered))
    least = given["least"]
    if not isinstance(least, float) or covered.share >= least:
        return 0
    serving.say(f"failed: {covered.share:.2f} of the documented failures is less than {least:g}")
    return NEW
