"""`python -m benchmarks`: see docs/performance.md."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import click

from benchmarks import (
    console,
    explore,
    kinds,
    memory,
    record,
    redact,
    replay,
    rival,
    scale,
    start,
    tape,
)
from benchmarks.load import WRK_MISSING, has_wrk
from benchmarks.options import Options
from benchmarks.process import Failed
from benchmarks.table import Results

_PARTS = {
    "replay": replay.run,
    "kinds": kinds.run,
    "record": record.run,
    "start": start.run,
    "memory": memory.run,
    "redact": redact.run,
    "console": console.run,
    "scale": scale.run,
    "explore": explore.run,
}
_NEED_NO_LOAD = frozenset({"start", "redact", "explore"})


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice([*_PARTS, "all"]))
@click.option("--seconds", default=3.0, show_default=True, help="Of each load, from 1.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option(
    "--only", multiple=True, metavar="NAME", help="Who has this in their name; repeatable."
)
@click.option(
    "--interactions",
    multiple=True,
    default=(1, 1000, 100_000),
    show_default=True,
    type=click.IntRange(1),
    help="Sizes of the tapes replayed; repeatable.",
)
@click.option(
    "--opened",
    default=50_000,
    show_default=True,
    type=click.IntRange(1),
    help="Interactions of the tape that is opened and opened again.",
)
@click.option("--connections", default=32, show_default=True, type=click.IntRange(1))
@click.option("--full", is_flag=True, help="Also a download of 1 GB, and 1,000,000 requests.")
@click.option("--install", is_flag=True, help="Fetch mitmproxy and WireMock into the cache first.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the results go as JSON; default benchmarks/.cache/results.json.",
)
def main(  # noqa: PLR0913 - an option each
    *,
    parts: tuple[str, ...],
    json_file: Path | None,
    seconds: float,
    rounds: int,
    only: tuple[str, ...],
    interactions: tuple[int, ...],
    opened: int,
    connections: int,
    full: bool,
    install: bool,
) -> None:
    """Measure all parts, or those that are named."""
    options = Options(
        seconds=seconds,
        rounds=rounds,
        only=only,
        interactions=tuple(sorted(set(interactions))),
        opened=opened,
        connections=connections,
        full=full,
    )
    wanted = [name for name in _PARTS if not parts or "all" in parts or name in parts]
    if not has_wrk() and set(wanted) - _NEED_NO_LOAD:
        raise click.UsageError(WRK_MISSING)
    results = Results()
    try:
        if install:
            rival.install()
        for name in wanted:
            _PARTS[name](options, results)
    except (Failed, subprocess.CalledProcessError) as exc:
        raise click.ClickException(str(exc)) from exc
    finally:
        _hand_over(results, json_file or tape.made_cache() / "results.json")


def _hand_over(results: Results, file: Path) -> None:
    """Print the tables and write the JSON: also what was measured before a run failed."""
    click.echo(results.as_text())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results.as_json(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
