"""Which documented failures of which calls ordinary runs have met, from their reports."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from graphtape.core.errors import UsageError
from graphtape.core.message import Headers, Request, Response
from graphtape.core.report.junit import Case, Suite, junit_text
from graphtape.explore.call import Exchange, calls_of
from graphtape.explore.documented import faults_of
from graphtape.explore.fault import LASTING, NAMES
from graphtape.explore.found.table import plain, rows
from graphtape.files import content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

FORMAT = 1
_GRAPH = "https://graph.microsoft.com"
_MET, _NOT_MET = ("x", "green"), (".", "red")
_SLOWED = {"delay": "slow"}
_WIDTH = 100
_SOME = Response(status=200, reason="OK", headers=Headers.of([]), body=b"{}")
"""A report doesn't say what was answered."""


class _Called(msgspec.Struct, frozen=True):
    method: str
    path: str
    failures: dict[str, int]


class _Session(msgspec.Struct, frozen=True):
    calls: list[_Called] | None = None


class _Report(_Session, frozen=True):
    sessions: list[_Session] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One call.

    Attributes:
        documented: Failures, in the order of the table: a status, or what happens to the
            connection. What tells the forms of one status apart isn't in a report.
        met: Those of them that a run met.
    """

    method: str
    path: str
    documented: tuple[str, ...]
    met: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What runs have met."""

    rows: tuple[Row, ...]

    @property
    def documented(self) -> int:
        """How many failures are documented, of all calls."""
        return sum(len(row.documented) for row in self.rows)

    @property
    def met(self) -> int:
        """How many of them were met."""
        return sum(len(row.met) for row in self.rows)

    @property
    def share(self) -> float:
        """The share that was met, 0 to 1."""
        return self.met / self.documented if self.documented else 0.0


def read(paths: Sequence[Path]) -> Coverage:
    """Read reports.

    Args:
        paths: Files, or patterns that no shell has written out.

    Raises:
        UsageError: There is none, or one is no report.
    """
    met: dict[tuple[str, str], Counter[str]] = {}
    for path in paths:
        names = [path] if path.exists() else _matching(path)
        if not names:
            raise UsageError(f"--coverage {path}: there is no such report; --report makes one")
        for name in names:
            for called in _calls(name):
                met.setdefault((called.method, called.path), Counter()).update(called.failures)
    if not met:
        raise UsageError("--coverage: the reports tell of no call")
    return Coverage(rows=tuple(_row(*call, met[call]) for call in sorted(met, key=_by_path)))


def _matching(pattern: Path) -> list[Path]:
    return sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))


def _by_path(call: tuple[str, str]) -> tuple[str, str]:
    return call[1], call[0]


def _calls(path: Path) -> Iterator[_Called]:
    try:
        report = msgspec.json.decode(content(path), type=_Report)
    except OSError as exc:
        raise UsageError(f"--coverage {path}: can't be read ({exc.strerror})") from exc
    except msgspec.DecodeError as exc:
        raise UsageError(f"--coverage {path}: is no JSON report of a run: {exc}") from exc
    if report.calls is None:
        raise UsageError(
            f"--coverage {path}: it tells of no calls; `graphtape replay --report` makes one that "
            "does"
        )
    for session in (report, *report.sessions):
        yield from session.calls or ()


def _row(method: str, path: str, failures: Counter[str]) -> Row:
    request = Request(method=method, url=_GRAPH + path, headers=Headers.of([]), body=b"")
    calls = calls_of([Exchange(request=request, response=_SOME)], str)
    kinds = (fault.name for call in calls for fault in faults_of(call))
    documented = tuple(
        dict.fromkeys(
            kind.partition("-")[0] if kind[:1].isdigit() else kind
            for kind in kinds
            if kind not in LASTING
        )
    )
    found = frozenset(_SLOWED.get(name, name) for name in failures)
    return Row(method=method, path=path, documented=documented, met=found & {*documented})


def as_text(
    covered: Coverage, *, width: int, paint: Callable[[str, str], str] = plain
) -> Iterator[str]:
    """Write the matrix and its sum, a line each."""
    columns = sorted({name for row in covered.rows for name in row.documented}, key=NAMES.index)
    cells = {
        (index, name): _MET if name in row.met else _NOT_MET
        for index, row in enumerate(covered.rows)
        for name in row.documented
    }
    names = [f"{row.method} {row.path}" for row in covered.rows]
    yield from rows(names, columns, cells, width=width, paint=paint)
    yield f"{_MET[0]} met, {_NOT_MET[0]} not met"
    yield ""
    share = f"{100 * covered.share:.0f} %"
    yield f"{covered.met} of {covered.documented} documented failures met ({share})"


def as_json(covered: Coverage) -> str:
    """Write it for programs."""
    calls = [
        {
            "index": index,
            "method": row.method,
            "path": row.path,
            "met": [name for name in row.documented if name in row.met],
            "not_met": [name for name in row.documented if name not in row.met],
        }
        for index, row in enumerate(covered.rows)
    ]
    tree = {
        "format": FORMAT,
        "calls": calls,
        "documented": covered.documented,
        "met": covered.met,
        "share": round(covered.share, 4),
    }
    return json.dumps(tree, ensure_ascii=False, indent=2) + "\n"


def as_markdown(covered: Coverage) -> str:
    """Write it for people."""
    lines = as_text(covered, width=_WIDTH)
    return "\n".join(["### Graphtape explore: coverage", "", "```text", *lines, "```", ""])


def as_junit(covered: Coverage) -> str:
    """Write a test case for each failure; one that wasn't met is skipped."""
    cases = [
        Case(
            group=f"{row.method} {row.path}",
            name=name,
            skipped="" if name in row.met else "no run met it",
        )
        for row in covered.rows
        for name in row.documented
    ]
    properties = {"documented": covered.documented, "met": covered.met}
    return junit_text([Suite(name="coverage", made=0.0, properties=properties, cases=cases)])


FORMATS: Mapping[str, Callable[[Coverage], str]] = {
    ".json": as_json,
    ".md": as_markdown,
    ".xml": as_junit,
}
