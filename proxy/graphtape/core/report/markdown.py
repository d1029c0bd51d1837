"""A report as Markdown, fit for the summary of a GitHub step."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from graphtape.core.graph.actions import short
from graphtape.core.matching.mismatch import spelled_out
from graphtape.core.report.others import Others
from graphtape.core.report.text import judgements, redacted
from graphtape.core.report.wording import ago, count, first_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from graphtape.core.report.report import Aged, Incident, Report
    from graphtape.core.report.usage import Unused

_MOST = 50
_CUT = "*Cut here: the rest is too long. `--report FILE.md` writes it whole.*\n"


def as_markdown(reports: Sequence[Report], *, limit: int | None = None) -> str:
    """Write reports, one under the other; of sessions and what they left unused as `as_text`.

    Args:
        reports: That of the default session first.
        limit: UTF-8 bytes; cut between two blocks, and said, where it would take more. Empty where
            not even that fits.
    """
    chosen = Others.of(reports, most=_MOST)
    blocks = [block for report in (chosen.first, *chosen.told) for block in _blocks(report)]
    blocks += [f"{line[:1].upper()}{line[1:]}.\n" for line in chosen.rest]
    if limit is None:
        return "\n".join(blocks)
    sizes = [len(block.encode("utf-8", "backslashreplace")) + 1 for block in blocks]
    if sum(sizes) - 1 <= limit:
        return "\n".join(blocks)
    room = limit - len(_CUT)
    kept = 0
    while room >= sizes[kept]:  # ends: they don't all fit
        room -= sizes[kept]
        kept += 1
    return "\n".join([*blocks[:kept], _CUT]) if kept else ""


def _blocks(report: Report) -> Iterator[str]:
    """Yield blocks that stand for themselves, each ending in a newline."""
    wrong = report.wrong()
    name = "" if report.session == "default" else f" session {_code(report.session)}"
    yield f"### {'❌' if wrong else '✅'} Graphtape{name}: {', '.join(wrong) or 'ok'}\n"
    sources = [source.value for source in report.counts]
    numbers = list(map(str, report.counts.values()))
    yield _table(["requests", *sources], [[str(report.arrived), *numbers]])
    if report.cassettes:
        head = ["cassette", "interactions", "recorded", "from", "edited"]
        yield _table(head, map(_of_cassette, report.cassettes))
    yield from _missed(report)
    for each in report.unused:
        if each.count:
            yield from _unused(each)
    yield from _injected(report)
    taping = report.taping
    yield from _listed("Requests cut off", _told(report.unfinished))
    yield from _listed("Refused", _told(report.refused))
    yield from _listed("Verdicts", judgements(report))
    yield from _listed("Rules without effect", report.idle)
    yield from _listed("Left off the tape", taping.dropped)
    yield from _listed("Failures", taping.failures)
    yield from _listed("Redaction", tuple(redacted(report)))


def _missed(report: Report) -> Iterator[str]:
    for each in report.misses:
        times = f", {each.times} times" if each.times > 1 else ""
        title = f"**Missed:** {_code(f'{each.method} {short(each.url)}')}{times}"
        yield f"{title}\n\n{_fenced(each.reason)}"
    if report.misses_cut:
        yield f"And {count(report.misses_cut, 'more missed request')}.\n"


def _unused(unused: Unused) -> Iterator[str]:
    total = unused.count
    yield f"**Unused in {_code(unused.cassette)}:** {count(total, 'interaction')}\n"
    rows = [
        [str(each.index), _cell(each.method), _cell(short(each.url))]
        for each in unused.requests[:_MOST]
    ]
    yield _table(["index", "method", "URL"], rows)
    if total > len(rows):
        yield f"And {total - len(rows)} more.\n"


def _injected(report: Report) -> Iterator[str]:
    if report.injected:
        rows = [
            [str(each.times), str(each.status or "broken"), _cell(each.why)]
            for each in report.injected[:_MOST]
        ]
        yield _table(["injected", "status", "why"], rows)
        if len(report.injected) > _MOST:
            yield f"And {len(report.injected) - _MOST} more.\n"


def _of_cassette(cassette: Aged) -> list[str]:
    facts = cassette.facts
    return [
        _cell(facts.name),
        str(facts.interactions),
        "" if cassette.days is None else ago(cassette.days),
        _cell(facts.upstream or ""),
        "yes" if facts.edited else "no",
    ]


def _told(incidents: Iterable[Incident]) -> tuple[str, ...]:
    return tuple(
        f"{each.times} x {each.method} {short(each.url)}: {each.headline}" for each in incidents
    )


def _listed(title: str, lines: Sequence[str]) -> Iterator[str]:
    # In a fence: whatever stands in a line, it can be no Markdown.
    if lines:
        yield f"**{title}:**\n\n{_fenced(chr(10).join(first_of(lines, _MOST)))}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(text: str) -> str:
    """Write as code in a table, where a bar would end the cell (GFM, "Tables (extension)")."""
    if r"\|" in text:  # readers differ on whether the bar of `\\|` is escaped
        return f"<code>{''.join(f'&#{ord(char)};' for char in spelled_out(text))}</code>"
    return _code(text).replace("|", r"\|")


def _code(text: str) -> str:
    """Write as code, with more backticks around it than stand in it (CommonMark 6.1)."""
    text = spelled_out(text)
    if not text.strip():
        return ""
    ticks = "`" * (_longest_run(text) + 1)
    space = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def _fenced(text: str) -> str:
    fence = "`" * max(3, _longest_run(text) + 1)
    lines = "\n".join(map(spelled_out, text.splitlines()))
    return f"{fence}text\n{lines}\n{fence}\n"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
