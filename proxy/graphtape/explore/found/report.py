"""What an exploration found: as text, JSON, Markdown and JUnit."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core.report.junit import Case as JunitCase
from graphtape.core.report.junit import Suite, junit_text
from graphtape.core.report.wording import count
from graphtape.explore.fault import in_order
from graphtape.explore.found.baseline import key_of
from graphtape.explore.found.table import LETTERS, NOT_RUN, legend, plain, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from graphtape.explore.call import Call
    from graphtape.explore.exploration import Case
    from graphtape.explore.found.baseline import Key
    from graphtape.explore.judging.judgement import Result

FORMAT = 1
_MARKDOWN_WIDTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What an exploration found.

    Attributes:
        cases: In the order of the table; one without a judgement wasn't run.
        known: Findings of the baseline.
        made: Unix seconds.
        stopped: Why cases weren't run; '' where all were.
        scenarios: The file of each finding, by the name of its case.
        cassette: As it was given.
        words: The command.
    """

    calls: Sequence[Call]
    cases: Sequence[Case]
    known: Collection[Key]
    made: float
    stopped: str
    scenarios: dict[str, Path]
    cassette: Path
    words: tuple[str, ...]

    @property
    def findings(self) -> tuple[Case, ...]:
        """The cases that show something to mend."""
        return tuple(
            each
            for each in self.cases
            if each.judgement is not None and each.judgement.result.finding
        )

    @property
    def new(self) -> tuple[Case, ...]:
        """The findings that aren't in the baseline."""
        return tuple(each for each in self.findings if key_of(each) not in self.known)

    @property
    def not_run(self) -> int:
        """How many cases were left out."""
        return sum(each.judgement is None for each in self.cases)

    @property
    def counts(self) -> Counter[Result]:
        """How many runs there were, by what they showed."""
        return Counter(each.judgement.result for each in self.cases if each.judgement is not None)

    def command(self, case: Case) -> str:
        """Return the command that plays a finding again, or explores it where it has no file."""
        scenario = self.scenarios.get(case.name)
        if scenario is not None:
            words = ["graphtape", "replay", str(self.cassette), "--scenario", str(scenario)]
        else:
            call = case.fault.call
            words = ["graphtape", "explore", str(self.cassette), "--faults", case.fault.name]
            words += ["--calls", f"{call.method} {call.when.path}"]
        return shlex.join([*words, "--", *self.words])


def table(found: Found, *, width: int, paint: Callable[[str, str], str] = plain) -> Iterator[str]:
    """Write the table and its legend, a line each."""
    columns = in_order(case.fault for case in found.cases)
    cells: dict[tuple[int, str], tuple[str, str]] = {}
    for case in found.cases:
        cell = NOT_RUN if case.judgement is None else LETTERS[case.judgement.result]
        place = case.call.index, case.fault.name
        # Of several parts of a batch the gravest shows.
        if place not in cells or cells[place][0] in {"S", "T", "-", "?"}:
            cells[place] = cell
    yield from rows([call.name for call in found.calls], columns, cells, width=width, paint=paint)
    yield legend(list(found.counts), not_run=bool(found.not_run))


def summary(found: Found) -> str:
    """Count everything in a line."""
    runs = len(found.cases) - found.not_run
    said = [f"{count(runs, 'run')} of {count(len(found.calls), 'call')}"]
    said += [f"{number} {result.value}" for result, number in sorted(found.counts.items())]
    said.append(f"{count(len(found.findings), 'finding')}, {len(found.new)} new")
    if found.not_run:
        said.append(f"{found.not_run} not run: {found.stopped}")
    return "; ".join(said)


def as_text(found: Found, *, width: int, paint: Callable[[str, str], str] = plain) -> Iterator[str]:
    """Write all there is for a terminal, a line each."""
    yield from table(found, width=width, paint=paint)
    for case in found.findings:
        assert case.judgement is not None  # noqa: S101 - a finding has one
        known = " (known)" if key_of(case) in found.known else ""
        yield ""
        letter, colour = LETTERS[case.judgement.result]
        what = paint(f"{letter} {case.judgement.result.value}", colour)
        yield f"{what}{known}: {case.fault.name} at {case.fault.call.name}"
        yield f"  {case.judgement.why}"
        yield f"  {found.command(case)}"
    yield ""
    yield summary(found)


def as_json(found: Found) -> str:
    """Write it for programs; docs/explore.md has the keys."""
    cases = [
        {
            "call": case.call.index,
            "fault": case.fault.name,
            "outcome": None if case.judgement is None else case.judgement.result.value,
            "why": found.stopped if case.judgement is None else case.judgement.why,
            "milliseconds": case.milliseconds,
            "scenario": str(found.scenarios[case.name]) if case.name in found.scenarios else None,
        }
        for case in found.cases
    ]
    calls = [
        {"index": call.index, "method": call.method, "path": call.path} for call in found.calls
    ]
    tree = {
        "format": FORMAT,
        "calls": calls,
        "cases": cases,
        "findings": len(found.findings),
        "new": len(found.new),
        "not_run": found.not_run,
    }
    return json.dumps(tree, ensure_ascii=False, indent=2) + "\n"


def as_markdown(found: Found) -> str:
    """Write it for people."""
    mark = "❌" if found.new else "✅"
    lines = [f"### {mark} Graphtape explore: {summary(found)}", "", "```text"]
    lines += [*table(found, width=_MARKDOWN_WIDTH), "```", ""]
    for case in found.findings:
        assert case.judgement is not None  # noqa: S101 - a finding has one
        known = ", known" if key_of(case) in found.known else ""
        head = f"{case.judgement.result.value}{known}: {case.fault.name} at {case.fault.call.name}"
        lines += ["```text", head, case.judgement.why, found.command(case), "```", ""]
    return "\n".join(lines)


def as_junit(found: Found) -> str:
    """Write a test case for each run; a new finding is a failure, one not run is skipped."""
    new = {case.name for case in found.new}
    cases = []
    for case in found.cases:
        judgement = case.judgement
        failure = None
        if judgement is not None and case.name in new:
            text = f"{judgement.why}\n{found.command(case)}"
            failure = (judgement.why, judgement.result.value, text)
        cases.append(
            JunitCase(
                group=case.fault.call.name,
                name=case.fault.name,
                failure=failure,
                skipped=found.stopped if judgement is None else "",
                said="" if judgement is None else f"{judgement.result.value}: {judgement.why}",
                seconds=case.milliseconds / 1000,
            )
        )
    properties = {"findings": len(found.findings), "new": len(found.new), "not_run": found.not_run}
    said = "\n".join(table(found, width=_MARKDOWN_WIDTH))
    suite = Suite(name="explore", made=found.made, properties=properties, cases=cases, said=said)
    return junit_text([suite])
