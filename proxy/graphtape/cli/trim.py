"""`graphtape trim`."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

import click

from graphtape.cli.options import FilePath
from graphtape.cli.serving import note
from graphtape.cli.terminal.progress import working
from graphtape.cli.unused import read_unused
from graphtape.core.errors import CassetteError, UsageError
from graphtape.core.graph.actions import short
from graphtape.core.matching.key import MatchOptions
from graphtape.core.matching.mismatch import spelled_out
from graphtape.core.redaction import Redactor
from graphtape.core.tape.recording import Recording
from graphtape.core.tape.trim import Repeat, Taken, Trimmed, Unreached, Unused, trim
from graphtape.tape.lock import locked
from graphtape.tape.store import check_file, open_cassette, save_cassette

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from graphtape.tape.vcr_format import Cassette


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    path: Path
    cassette: Cassette
    trimmed: Trimmed


@click.command("trim")
@click.argument("cassettes", nargs=-1, required=True, type=FilePath(path_type=Path))
@click.option(
    "--unused",
    metavar="INDEX,…",
    default="",
    help="Take these interactions out of the one cassette named; they count from 0.",
)
@click.option(
    "--report",
    "reports",
    metavar="FILE.json",
    multiple=True,
    type=FilePath(path_type=Path),
    help="Take out what this report of a replay names unused; of several reports, what all name.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be taken out; change nothing.")
def command(
    cassettes: tuple[Path, ...], *, unused: str, reports: tuple[Path, ...], dry_run: bool
) -> None:
    """Take out of CASSETTES what replay doesn't need, in place.

    Polls that follow each other in one stretch between two writes, with the same answer, become
    one. Unused interactions go where --unused or --report names them, and with a write the reads
    that answer only after it. A report names cassettes as the replay was given them. After a trim
    the indices are others: a report serves once.

    Trimmed cassettes are for the order `position`: in `--order request`, and in vcrpy, each answer
    plays once.

    \b
    Example:
      graphtape replay t.yaml --report run.json -- pytest
      graphtape trim t.yaml --report run.json
    """  # noqa: D301 - click's mark for lines to leave alone
    paths = tuple(dict.fromkeys(cassettes))
    named = _named(paths, unused, reports)
    with ExitStack() as stack:
        if not dry_run:
            for path in paths:
                check_file(path)
                if path.exists():  # else it is said below; a lock would make its folder
                    _lock(stack, path)
        opened = [_open(path, named[path]) for path in paths]
        for one in opened:
            if one.trimmed.taken and not dry_run:
                _save(one)
            for line in _lines(one, dry_run=dry_run):
                click.echo(spelled_out(line))


def _named(
    paths: Sequence[Path], unused: str, reports: Sequence[Path]
) -> dict[Path, frozenset[int]]:
    """Return by cassette what is said to be unused."""
    listed = _indices(unused)
    if listed and len(paths) > 1:
        raise UsageError(
            f"--unused {unused!r}: which of {len(paths)} cassettes is meant? Trim one at a time, "
            "or name a --report"
        )
    read = [_reported(report, paths) for report in reports]
    # What one run leaves, another may play.
    return {
        path: listed | (frozenset.intersection(*(each[path] for each in read)) if read else set())
        for path in paths
    }


def _indices(text: str) -> frozenset[int]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(word.isascii() and word.isdigit() for word in words):
        raise UsageError(f"--unused {text!r}: give indices with commas between, such as 3,7")
    return frozenset(map(int, words))


def _reported(report: Path, paths: Sequence[Path]) -> dict[Path, frozenset[int]]:
    """Return what a report names unused of each cassette; nothing of one it doesn't name."""
    by_name = read_unused(report)
    if isinstance(by_name, frozenset):
        if len(paths) > 1:
            raise UsageError(
                f"--report {report}: its `unused` is one list, for one cassette; trim one at a time"
            )
        return {paths[0]: by_name}
    named = {Path(name).resolve(): indices for name, indices in by_name.items()}
    found = {path: named.get(path.resolve(), frozenset()) for path in paths}
    if named and not any(found.values()):
        # Not refused: of the cassettes that were replayed, these may be the ones used whole.
        given = ", ".join(by_name)
        note(f"--report {report}: has unused interactions of {given} alone")
    return found


def _lock(stack: ExitStack, path: Path) -> None:
    try:
        stack.enter_context(locked(path))
    except OSError as exc:
        raise CassetteError(
            f"{path}: can't be written ({exc.strerror}); check folder and rights"
        ) from exc


def _open(path: Path, unused: Collection[int]) -> _Opened:
    with working(f"opening {path}") as progress:
        cassette = open_cassette(path, progress=progress)
    size = len(cassette.interactions)
    beyond = sorted(index for index in unused if not 0 <= index < size)
    if beyond:
        raise UsageError(f"no interaction {beyond[0]}: {path} holds {size}, counted from 0")
    recording = Recording.of(
        cassette.interactions,
        name=str(path),
        redactor=Redactor(salt=_salt(cassette)),
        options=MatchOptions(),
    )
    trimmed = trim(recording.interactions, recording.index, unused=unused)
    return _Opened(path=path, cassette=cassette, trimmed=trimmed)


def _salt(cassette: Cassette) -> str:
    own = cassette.metadata.salt if cassette.metadata is not None else ""
    return os.environ.get("GRAPHTAPE_SALT") or own


def _lines(one: _Opened, *, dry_run: bool) -> Iterator[str]:
    taken = one.trimmed.taken
    if taken:
        verb = "would take" if dry_run else "took"
        size = len(one.cassette.interactions)
        yield f"{one.path}: {verb} {len(taken)} of {size} interactions out"
    else:
        yield f"{one.path}: nothing to take out"
    for each in taken:
        yield f"  {_title(one, each.index)}: {_reason(each)}"
    for index in one.trimmed.parting:
        yield f"  {_title(one, index)}: unused, but stays: it parts reads that are used"


def _title(one: _Opened, index: int) -> str:
    request = one.cassette.interactions[index].request
    return f"{index} {request.method} {short(request.url)}"


def _reason(taken: Taken) -> str:
    match taken:
        case Unused():
            return "unused"
        case Unreached(write=write):
            return f"answers only after {write}, which is unused"
        case Repeat(of=of):
            return f"the same answer as {of}"
        case _:
            assert_never(taken)


def _save(one: _Opened) -> None:
    gone = {taken.index for taken in one.trimmed.taken}
    interactions = one.cassette.interactions
    save_cassette(
        one.path,
        [each for index, each in enumerate(interactions) if index not in gone],
        metadata=one.cassette.metadata,
        other_metadata=one.cassette.other_metadata,
    )
