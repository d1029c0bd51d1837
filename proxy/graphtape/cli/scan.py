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
from graphtape.cli.terminal.progress import working
from graphtape.core.errors import CassetteError
from graphtape.core.redaction import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from graphtape.core.redaction import Policy
    from graphtape.tape.baseline import Accepted, Baseline
    from graphtape.tape.file_scan import FileScan, LocatedFinding

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
        _say(f"{write_baseline}: accepted {_count(len(scan.found), 'finding')}")
        ctx.exit(COULD_NOT_LOOK if scan.failed else 0)
    new = _new(scan, known) if known else scan.found
    _print(new, Form(form or Form.TEXT))
    _say(_summary(scan, new))
    if scan.failed:
        ctx.exit(COULD_NOT_LOOK)
    ctx.exit(FOUND if new else 0)


def _scanned(paths: Sequence[Path], policy: Policy, scan: _Scan) -> Iterator[tuple[Path, FileScan]]:
    """Look through each file; say of which it could not be done."""
    from graphtape.tape.baseline import is_baseline  # noqa: PLC0415 - as above
    from graphtape.tape.file_scan import scan_file  # noqa: PLC0415 - as above
    from graphtape.tape.folder import UNSAVED, cassettes_among, is_part, parts_among  # noqa: PLC0415 - as above

    try:
        for path in parts_among(paths):
            _say(f"{path}: {UNSAVED}")
        for path in cassettes_among(paths):
            if is_baseline(path):
                continue  # a hook names every file of a folder
            if is_part(path):
                scan.failed += 1
                _say(f"could not look: {path}: {UNSAVED}")
                continue
            try:
                with working(f"scanning {path}") as progress:
                    found = scan_file(path, policy, progress=progress)
            except Exception as exc:  # noqa: BLE001 - our own mistake; exit 1 would say "found"
                scan.failed += 1
                _say(f"could not look: {path}: {type(exc).__name__} while looking through it")
                continue
            scan.files.append(path)
            for reason in found.unseen:
                _say(f"{path}: searched for tokens and keys alone: {reason}")
            if found.failure is None:
                scan.looked += 1
            else:
                scan.failed += 1
                _say(f"could not look: {found.failure}")
            yield path, found
    except CassetteError as exc:
        scan.failed += 1
        _say(f"could not look: {exc}")


def _new(scan: _Scan, known: Baseline) -> list[tuple[Path, LocatedFinding]]:
    """Leave out what was accepted; say which of that is gone."""
    entries = [known.entry(path, located) for path, located in scan.found]
    names = {known.name(path) for path in scan.files}
    gone: set[Accepted] = {each for each in known.accepted if each.file in names}
    gone.difference_update(entries)
    if gone:
        _say(f"{known.path}: {_count(len(gone), 'accepted finding')} found no more")
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
        click.echo(f"{path}{where}, {finding.place}: {finding.excerpt} [{finding.rule}]")


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


def _say(line: str) -> None:
    click.echo(line, err=True)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun if number == 1 else noun + 's'}"
