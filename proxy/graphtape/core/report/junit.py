"""A report as JUnit XML, for what shows test results."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from graphtape.core.graph.actions import short
from graphtape.core.journal import Source
from graphtape.core.report.others import abridged
from graphtape.core.report.text import as_text
from graphtape.core.report.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from graphtape.core.report.report import Report
    from graphtape.core.report.usage import Unused

# XML 1.0, production 2: what it leaves out can't be written at all, not even as a reference.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One testcase.

    Attributes:
        group: The last part of its class name.
        failure: Why it failed: a line, what kind of failure, and all there is to say.
        skipped: Why it doesn't count.
        said: What it printed.
        seconds: It took.
    """

    group: str
    name: str
    failure: tuple[str, str, str] | None = None
    skipped: str = ""
    said: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One testsuite.

    Attributes:
        name: Goes into the class name of each case.
        made: Unix seconds.
        properties: Names and values.
        said: What it printed.
    """

    name: str
    made: float
    properties: Mapping[str, object]
    cases: Sequence[Case]
    said: str = ""


def as_junit(reports: Sequence[Report]) -> str:
    """Write reports, a test suite each."""
    return junit_text(_suite_of(report) for report in abridged(reports))


def junit_text(suites: Iterable[Suite]) -> str:
    """Write test suites as JUnit XML."""
    root = ET.Element("testsuites", name="graphtape")
    written = [_suite(root, suite) for suite in suites]
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in written)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in written):.3f}")
    ET.indent(root)
    # The declaration by hand: ElementTree writes none without a codec, or one of its own liking.
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite_of(report: Report) -> Suite:
    sources = {source.value: number for source, number in report.counts.items()}
    return Suite(
        name=report.session,
        made=report.now,
        properties={"mode": report.mode, "requests": report.arrived, **sources},
        cases=list(_cases(report)),
        said="\n".join(as_text([report])),
    )


def _suite(root: ET.Element, written: Suite) -> ET.Element:
    cases = written.cases
    # JUnit's schema wants a time without a zone; it is UTC.
    made = datetime.fromtimestamp(written.made, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    suite = _element(
        root,
        "testsuite",
        name=f"graphtape.{written.name}",
        tests=len(cases),
        failures=sum(case.failure is not None for case in cases),
        errors=0,
        skipped=sum(bool(case.skipped) for case in cases),
        time=f"{sum(case.seconds for case in cases):.3f}",
        timestamp=made,
    )
    properties = _element(suite, "properties")
    for name, value in written.properties.items():
        _element(properties, "property", name=name, value=value)
    names: Counter[tuple[str, str]] = Counter()
    for case in cases:
        names[case.group, case.name] += 1
        again = names[case.group, case.name]
        _add(suite, written.name, case, f" ({again})" if again > 1 else "")
    _element(suite, "system-out", written.said)
    return suite


def _add(suite: ET.Element, session: str, case: Case, again: str) -> None:
    element = _element(
        suite,
        "testcase",
        classname=f"graphtape.{session}.{case.group}",
        name=case.name + again,
        time=f"{case.seconds:.3f}",
    )
    if case.failure is not None:
        message, kind, text = case.failure
        _element(element, "failure", text, message=message, type=kind)
    elif case.skipped:
        _element(element, "skipped", message=case.skipped)
    if case.said:
        _element(element, "system-out", case.said)


def _cases(report: Report) -> Iterator[Case]:
    yield from _missed(report)
    yield from _taped(report)
    for unused in report.unused:
        yield from _unused(unused, fails=report.fail_on_unused)
    if report.unused_cut:
        more = f"{count(report.unused_cut, 'interaction')} unused"
        yield _unused_case("more", more, fails=report.fail_on_unused)
    for kind, times in report.judged.items():
        lines = [verdict.text for verdict in report.verdicts if verdict.kind is kind]
        if times > len(lines):
            lines.append(f"and {times - len(lines)} more")
        text = "\n".join(lines)
        if kind in report.fail_on:
            failure = (lines[0], "GraphtapeVerdict", text)
            yield Case(group="verdicts", name=kind, failure=failure)
        else:
            yield Case(group="verdicts", name=kind, said=text)


def _missed(report: Report) -> Iterator[Case]:
    if not report.counts[Source.MISSED]:
        yield Case(group="requests", name="every request is answered")
    for each in report.misses:
        times = f"{each.times} times: " if each.times > 1 else ""
        failure = (times + each.headline, "GraphtapeMiss", each.reason)
        name = f"{each.method} {short(each.url)}"
        yield Case(group="requests", name=name, failure=failure)
    if report.misses_cut:
        more = f"{report.misses_cut} more misses"
        yield Case(group="requests", name="more", failure=(more, "GraphtapeMiss", more))


def _taped(report: Report) -> Iterator[Case]:
    if report.reached_nobody:
        why = "every request was refused"
        text = "\n".join(each.headline for each in report.refused)
        failure = (why, "GraphtapeRefused", text)
        yield Case(group="recording", name="upstream is reached", failure=failure)
    for name, told in (
        ("nothing is left off the tape", report.taping.dropped),
        ("nothing else goes wrong", report.taping.failures),
    ):
        if told:
            failure = (told[0], "GraphtapeRecording", "\n".join(told))
            yield Case(group="recording", name=name, failure=failure)


def _unused(unused: Unused, *, fails: bool) -> Iterator[Case]:
    left = [(f"{each.index} {each.method} {short(each.url)}", "unused") for each in unused.requests]
    more = unused.count - len(left)
    if more:
        left.append(("more", f"{count(more, 'more interaction')} unused"))
    for name, why in left:
        yield _unused_case(f"{unused.cassette}: {name}", why, fails=fails)


def _unused_case(name: str, why: str, *, fails: bool) -> Case:
    return Case(
        group="unused",
        name=name,
        failure=(why, "GraphtapeUnused", why) if fails else None,
        skipped="" if fails else why,
    )


def _element(
    parent: ET.Element, tag: str, text: str | None = None, **attributes: object
) -> ET.Element:
    element = ET.SubElement(parent, tag)
    for name, value in attributes.items():
        element.set(name, _FORBIDDEN.sub("", str(value)))
    if text:
        element.text = _FORBIDDEN.sub("", text)
    return element
