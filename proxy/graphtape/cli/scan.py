"""`graphtape scan`."""

from __future__ import annotations

import enum
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphtape.cli.options import FilePath, config, option, settings_of
from graphtape.cli.serving import say
from graphtape.cli.terminal.progress import working
from graphtape.core.errors import CassetteError
from graphtape.core.matching.mismatch import spelled_out
from graphtape.core.redaction import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from graphtape.core.redaction import Policy
    from graphtape.tape.baseline import Accepted, Baseline
    from graphtape.tape.file_scan import FileScan, LocatedFinding
    from graphtape.tape.progress import Progress

FOUND = 1
COULD_NOT_LOOK = 2

_OPAQUE = Rule.OPAQUE.value


class Form(enum.StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    """For code scanning."""


@dataclass(slots=True, kw_only=True)
class _Scan:
    """What was found so far.

    Attributes:
        looked: How many cassettes were read.
        failed: How many could not be.
    """

    found: list[tuple[Path, LocatedFinding]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    looked: int = 0
    failed: int = 0


@click.command("scan")
@click.argument("paths", nargs=-1, required=True, type=FilePath(path_type=Path))
@option(
    "--format",
    "form",
    type=click.Choice(list(Form), case_sensitive=False),
    help="How findings are printed; default text.",
)
@option(
    "--baseline",
    metavar="FILE",
    type=FilePath(path_type=Path),
    help="Findings accepted before, which don't count.",
)
@option(
    "--write-baseline",
    metavar="FILE",
    type=FilePath(path_type=Path),
    help="Accept what is found now: write it to FILE and exit 0.",
)
@option("--keep-identities", is_flag=True, help="Mail addresses, tenant ids and domains are fine.")
@config
@click.pass_context
def command(
    ctx: click.Context,
    /,
    paths: tuple[Path, ...],
    form: Form | None,
    baseline: Path | None,
    write_baseline: Path | None,
    **_: object,
) -> None:
    """Find secrets and identities left in cassettes: Graphtape's, vcrpy's and HAR files.

    A PATH is a file, or a folder whose *.yaml, *.yml, *.json and *.har are looked through.

    Exit codes: 0 nothing found, 1 something found, 2 something could not be looked at.

    \b
    Example:
      graphtape scan cassettes/ --baseline accepted.json
      graphtape scan cassettes/ --format sarif > graphtape.sarif
    """  # noqa: D301 - click's mark for lines to leave alone
    policy = settings_of(ctx).policy()
    # Not before: PyYAML and vcrpy take longer to import than most files to scan.
    from graphtape.tape.baseline import Baseline  # noqa: PLC0415

    known = Baseline.load(baseline) if baseline else None
    writes = Baseline.begin(write_baseline) if write_baseline else None
    scan = _Scan()
    for path, seen in _scanned(paths, policy, scan):
        scan.found += [(path, located) for located in seen.findings]
    if writes:
        writes.write(writes.entry(path, located) for path, located in scan.found)
        say(f"{write_baseline}: accepted {_count(len(scan.found), 'finding')}")
        ctx.exit(COULD_NOT_LOOK if scan.failed else 0)
    new = _new(scan, known) if known else scan.found
    _print(new, Form(form or Form.TEXT))
    say(_summary(scan, new))
    if scan.failed:
        ctx.exit(COULD_NOT_LOOK)
    ctx.exit(FOUND if new else 0)


def _scanned(paths: Sequence[Path], policy: Policy, scan: _Scan) -> Iterator[tuple[Path, FileScan]]:
    """Look through each file; say of which it could not be done."""
    from graphtape.tape.folder import UNSAVED, parts_among  # noqa: PLC0415 - as above
    from graphtape.tape.progress import step  # noqa: PLC0415 - as above

    try:
        for path in parts_among(paths):
            say(f"{path}: {UNSAVED}")
        files = _listed(paths, scan)
        what = str(files[0]) if len(files) == 1 else f"{len(files)} files"
        with working(f"scanning {what}") as progress:
            for number, path in enumerate(files):
                part = step(progress, number, len(files))
                if part is not None:
                    part(0, 1)
                if (seen := _looked_through(path, policy, scan, part)) is not None:
                    yield path, seen
    except CassetteError as exc:
        scan.failed += 1
        say(f"could not look: {exc}")


def _listed(paths: Sequence[Path], scan: _Scan) -> list[Path]:
    """List the files to look through; those before a folder that can't be listed, too."""
    from graphtape.tape.baseline import is_baseline  # noqa: PLC0415 - as above
    from graphtape.tape.folder import cassettes_among  # noqa: PLC0415 - as above

    files: list[Path] = []
    try:
        for path in cassettes_among(paths):
            if not is_baseline(path):  # a hook names every file of a folder
                files.append(path)  # noqa: PERF401 - what was listed before a failure stays
    except CassetteError as exc:
        scan.failed += 1
        say(f"could not look: {exc}")
    return files


def _looked_through(
    path: Path, policy: Policy, scan: _Scan, progress: Progress | None
) -> FileScan | None:
    """Look through a file and count it; None where it could not be done at all."""
    from graphtape.tape.file_scan import scan_file  # noqa: PLC0415 - as above
    from graphtape.tape.folder import UNSAVED, is_part  # noqa: PLC0415 - as above

    if is_part(path):
        scan.failed += 1
        say(f"could not look: {path}: {UNSAVED}")
        return None
    try:
        found = scan_file(path, policy, progress=progress)
    except Exception as exc:  # noqa: BLE001 - our own mistake; exit 1 would say "found"
        scan.failed += 1
        say(f"could not look: {path}: {type(exc).__name__} while looking through it")
        return None
    scan.files.append(path)
    for reason in found.unseen:
        say(f"{path}: searched for tokens and keys alone: {reason}")
    if found.failure is None:
        scan.looked += 1
    else:
        scan.failed += 1
        say(f"could not look: {found.failure}")
    return found


def _new(scan: _Scan, known: Baseline) -> list[tuple[Path, LocatedFinding]]:
    """Leave out what was accepted; say which of that is gone."""
    entries = [known.entry(path, located) for path, located in scan.found]
    names = {known.name(path) for path in scan.files}
    gone: set[Accepted] = {each for each in known.accepted if each.file in names}
    gone.difference_update(entries)
    if gone:
        say(f"{known.path}: {_count(len(gone), 'accepted finding')} found no more")
    return [
        found
        for found, entry in zip(scan.found, entries, strict=True)
        if entry not in known.accepted
    ]


def _print(found: Sequence[tuple[Path, LocatedFinding]], form: Form) -> None:
    if form is Form.JSON:
        click.echo(json.dumps([_fields(path, each) for path, each in found], indent=2))
        return
    if form is Form.SARIF:
        from graphtape.cli.sarif import sarif  # noqa: PLC0415 - few runs print it

        click.echo(sarif(found))
        return
    for path, each in found:
        where = "" if each.interaction is None else f", interaction {each.interaction}"
        finding = each.finding
        line = f"{path}{where}, {finding.place}: {finding.excerpt} [{finding.rule}]"
        click.echo(spelled_out(line))


def _fields(path: Path, located: LocatedFinding) -> dict[str, object]:
    finding = located.finding
    return {
        "file": str(path),
        "interaction": located.interaction,
        "place": finding.place,
        "excerpt": finding.excerpt,
        "rule": finding.rule,
    }


def _summary(scan: _Scan, new: Sequence[tuple[Path, LocatedFinding]]) -> str:
    rules = Counter(located.finding.rule for _, located in new)
    listed = ", ".join(f"{number} {rule}" for rule, number in sorted(rules.items()))
    accepted = len(scan.found) - len(new)
    parts: Iterable[str] = (
        f"{_count(scan.looked, 'cassette')}: {_count(len(new), 'finding')}",
        f" ({listed})" if listed else "",
        f", {accepted} accepted" if accepted else "",
        f"; {_count(scan.failed, 'file')} could not be looked at" if scan.failed else "",
        *_advice(new),
    )
    return "".join(parts)


def _advice(new: Sequence[tuple[Path, LocatedFinding]]) -> Iterator[str]:
    """Say what to do: each remedy where there is something that it helps with."""
    known = [path for path, located in new if located.finding.rule != _OPAQUE]
    if any(path.suffix.lower() != ".har" for path in known):
        yield "; clean them with `graphtape redact`"
    if any(path.suffix.lower() == ".har" for path in known):
        yield "; make a clean cassette of a HAR file with `graphtape convert`"
    if known:
        yield "; allow a value that is fine under allow-values, or accept it by --write-baseline"
    if len(known) < len(new):
        yield (
            f"; of {_OPAQUE} values, name the field under [redaction] fields, "
            "or allow the value under allow-values"
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun if number == 1 else noun + 's'}"
