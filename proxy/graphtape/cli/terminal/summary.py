"""What a run came to, as a table on a terminal: each item with the command that shows more."""

from __future__ import annotations

import re
import shlex
from itertools import groupby
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from graphtape.cli.terminal.live_line import SOURCE_STYLES
from graphtape.cli.terminal.screen import legible
from graphtape.core.journal import Source
from graphtape.core.matching.mismatch import spelled_out
from graphtape.core.report.others import Others
from graphtape.core.report.text import MOST_OTHERS, aged, redacted
from graphtape.core.report.wording import count, first_of
from graphtape.core.tape.outcome import Mode
from graphtape.scenarios import presets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from graphtape.core.report.report import Incident, Report
    from graphtape.core.report.usage import Unused

_MOST = 10
"""Lines of one item."""

_NAMES = len("cassettes")
_SCENARIO = re.compile(r"scenario '([^']+)'")
_BAD = "bold red"
_WARN = "yellow"


def summary(
    reports: Sequence[Report], *, failed: bool, saved: Sequence[str], recorded: str | None
) -> Table:
    """Draw reports as one table; which sessions are told is as in `as_text`.

    Args:
        reports: That of the default session first.
        failed: The command that was run failed by itself: what it left unused is counted alone.
        saved: What became of the cassettes that were recorded into.
        recorded: The default session's; None where it saved none.
    """
    chosen = Others.of(reports, most=MOST_OTHERS)
    summed = _Summed(recorded)
    summed.report(chosen.first, failed=failed)
    for each in chosen.told:
        summed.row("session", [spelled_out(each.session)], style="bold")
        summed.report(each, failed=failed)
    summed.row("sessions", chosen.rest)
    lines = [line.removeprefix("saved ") for text in saved for line in text.splitlines()]
    summed.row("saved", lines, more=_command("show", recorded) if recorded else "")
    return summed.table


class _Summed:
    """A table that grows by items: their names to the left, what is to be said to the right."""

    def __init__(self, recorded: str | None) -> None:
        self._recorded = recorded
        self.table = Table.grid(padding=(0, 2, 0, 0))
        self.table.add_column(no_wrap=True, min_width=_NAMES)
        self.table.add_column(overflow="fold")

    def row(
        self, name: str, lines: Iterable[str | Text], *, more: str = "", style: str = ""
    ) -> None:
        """Add an item, unless there is nothing to say.

        Args:
            name: Of the item.
            lines: Printable.
            more: The command that shows more.
            style: Of the name.
        """
        told = [Text(line) if isinstance(line, str) else line for line in lines]
        if not told:
            return
        if more:
            told.append(Text(f"more: {spelled_out(more)}", style="dim"))
        self.table.add_row(Text(name, style=style), Text("\n").join(told))

    def report(self, report: Report, *, failed: bool) -> None:
        """Add what one session came to."""
        tapes = [each.facts.name for each in report.cassettes]
        held = self._recorded or (tapes[0] if tapes else "")
        show = _command("show", held) if held else ""
        replayed = tapes if report.mode is Mode.NONE else [held]
        again = _command("replay", *replayed, "--report", "report.md") if held else ""
        requests = again if report.mode is Mode.NONE else show
        self.row("requests", [_counted(report)], more=requests if report.arrived else "")
        self.row("cassettes", first_of(aged(report), _MOST), more=show)
        self.row("misses", _missed(report), more=again, style=_BAD)
        for each in report.unused:
            self._unused(each, failed=failed)
        self.row("faults", _faults(report), more=_scenarios(report), style="magenta")
        self.row("verdicts", _verdicts(report), more=again, style=_WARN)
        self.row("cut off", _incidents(report.unfinished), more=again, style=_WARN)
        self.row("no effect", map(spelled_out, report.idle), more="graphtape scenarios")
        taping = report.taping
        dropped = [spelled_out(why) for why in taping.dropped]
        self.row("left off", first_of(dropped, _MOST), more=show, style=_BAD)
        self.row("failures", map(spelled_out, taping.failures), style=_BAD)
        masked = [line.removeprefix("redacted: ") for line in redacted(report)]
        self.row("masked", masked, more=f"{show} --verbose" if show else "")

    def _unused(self, unused: Unused, *, failed: bool) -> None:
        if not unused.count:
            return
        indices = [*_ranges(unused.indices)]
        told = [f"{count(unused.count, 'interaction')} of {spelled_out(unused.cassette)}"]
        if not failed:
            first = unused.requests[:_MOST]
            told += [
                f"{each.index} {spelled_out(each.method)} {legible(each.url)}" for each in first
            ]
            if unused.count > len(first):
                told.append(f"and {unused.count - len(first)} more")
        which = ("--index", ",".join(indices)) if len(indices) <= _MOST else ()
        self.row("unused", told, more=_command("show", unused.cassette, *which))


def _counted(report: Report) -> Text:
    told = Text(str(report.arrived))
    for number, (source, times) in enumerate((s, n) for s, n in report.counts.items() if n):
        told.append(", " if number else ": ").append(f"{times} {source}", SOURCE_STYLES[source])
    return told


def _missed(report: Report) -> Iterator[str | Text]:
    for number, each in enumerate(report.misses[:_MOST]):
        yield Text(_incident(each), style="bold")
        if not number:
            yield spelled_out(each.headline)
    more = report.counts[Source.MISSED] - sum(each.times for each in report.misses[:_MOST])
    if more:
        yield f"and {count(more, 'more missed request')}"


def _incidents(incidents: Iterable[Incident]) -> Iterator[str]:
    return first_of(
        [f"{_incident(each)}: {spelled_out(each.headline)}" for each in incidents], _MOST
    )


def _incident(incident: Incident) -> str:
    times = f"{incident.times} x " if incident.times > 1 else ""
    return times + _asked(incident.method, incident.url)


def _asked(method: str, url: str) -> str:
    return f"{spelled_out(method)} {legible(url)}"


def _faults(report: Report) -> Iterator[str]:
    return first_of(
        [
            f"{each.times} x {each.status or 'broken connection'}, {spelled_out(each.why)}"
            for each in report.injected
        ],
        _MOST,
    )


def _scenarios(report: Report) -> str:
    names = {name for each in report.injected for name in _SCENARIO.findall(each.why)}
    own = [name for name in presets() if name in names]
    return _command("scenarios", *own[:1])


def _verdicts(report: Report) -> Iterator[str]:
    first = {verdict.kind: verdict.text for verdict in reversed(report.verdicts)}
    for kind, times in report.judged.items():
        told = f"{kind}: {count(times, 'request')}"
        yield f"{told}, first {spelled_out(first[kind])}" if kind in first else told


def _ranges(indices: Sequence[int]) -> Iterator[str]:
    """Write rising indices as `--index` takes them: `3-5` where none between is missing."""
    for _, group in groupby(enumerate(indices), lambda pair: pair[1] - pair[0]):
        run = [index for _, index in group]
        yield str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}"


def _command(*words: str) -> str:
    return shlex.join(("graphtape", *words))
