"""A report as JUnit XML, read by others."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

from graphtape.core.report.junit import as_junit
from graphtape.core.report.report import Taping
from graphtape.core.tape.outcome import Mode
from graphtape.core.verdict.verdict import Kind, Verdict
from reports import WHY, eventful, fine, miss, session, tape, tell, used

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.report.report import Report

    Golden = Callable[[str, str], None]


def suites(*reports: Report) -> list[TestSuite]:
    return list(JUnitXml.fromstring(as_junit(reports).encode()))


def cases(report: Report) -> dict[str, TestCase]:
    (suite,) = suites(report)
    found = {str(case.name): case for case in suite}
    assert len(found) == suite.tests
    return found


def results(case: TestCase) -> list[tuple[type, str]]:
    return [(type(each), each.message) for each in case.result]


def test_junit_tells_everything(golden: Golden) -> None:
    golden("report.xml", as_junit([eventful()]))


def test_the_counts_are_those_of_the_cases() -> None:
    (suite,) = suites(eventful())
    kinds = [type(result) for case in suite for result in case.result]
    assert (suite.tests, suite.errors) == (len(list(suite)), 0) == (5, 0)
    assert suite.failures == kinds.count(Failure) == 2
    assert suite.skipped == kinds.count(Skipped) == 2


def test_each_different_miss_fails_once_with_its_reason() -> None:
    (result,) = cases(eventful())["GET /v1.0/you"].result
    assert isinstance(result, Failure)
    assert result.type == "GraphtapeMiss"
    assert result.message == "3 times: " + WHY.partition("\n")[0]
    assert result.text == WHY


def test_unused_is_skipped_unless_it_fails_the_run() -> None:
    name = "tape.yaml: 2 GET /v1.0/users?$top=5"
    assert results(cases(tell(session(used())))[name]) == [(Skipped, "unused")]
    failing = tell(session(used()), fail_on_unused=True)
    assert results(cases(failing)[name]) == [(Failure, "unused")]


def test_a_verdict_passes_unless_it_fails_the_run() -> None:
    early = Verdict(kind=Kind.EARLY_RETRY, number=1, text="request 1 came back")
    case = cases(tell(session(), early))["early-retry"]
    assert case.is_passed
    assert case.system_out == "request 1 came back"
    failing = tell(session(), early, fail_on=(Kind.EARLY_RETRY,))
    assert results(cases(failing)["early-retry"]) == [(Failure, "request 1 came back")]


def test_a_run_that_is_fine_has_a_passing_case() -> None:
    assert [case.is_passed for case in cases(fine()).values()] == [True]


@pytest.mark.parametrize("taping", [Taping(dropped=("too large",)), Taping(failures=("full",))])
def test_a_recording_that_lost_something_fails(taping: Taping) -> None:
    (suite,) = suites(tell(session(mode=Mode.ALL), taping=taping))
    assert suite.failures == 1


def test_a_session_is_a_suite() -> None:
    names = [each.name for each in suites(fine(), tell(session(name="b")))]
    assert names == ["graphtape.default", "graphtape.b"]


def test_a_suite_says_when_and_how() -> None:
    (suite,) = suites(fine())
    assert suite.timestamp == "2026-11-23T12:00:00"
    root = ET.fromstring(as_junit([fine()]))  # noqa: S314 - our own
    replayed = root.find(".//property[@name='replayed']")
    assert replayed is not None
    assert replayed.get("value") == "1"
    assert root.findtext(".//system-out") == "1 request: 1 replayed"


def test_misses_of_one_request_have_names_of_their_own() -> None:
    told = session()
    miss(told, note="one")
    miss(told, note="other")
    assert {"GET /v1.0/you", "GET /v1.0/you (2)"} <= set(cases(tell(told)))


def test_what_xml_forbids_is_left_out() -> None:
    name = "t\x00\x0b\ufffe\udc80ü<&\"'.yaml"
    told = session(tape("GET /v1.0/me", name=name))
    miss(told, note="a ]]> b \x00 c")
    text = as_junit([tell(told)])
    root = ET.fromstring(text)  # noqa: S314 - our own
    assert any("tü<&\"'.yaml: 0 GET" in each.get("name", "") for each in root.iter("testcase"))
    text.encode()


def test_too_many_unused_are_one_case_more() -> None:
    found = cases(tell(session(tape(*(f"GET /v1.0/{n}" for n in range(150))))))
    assert len(found) == 1 + 100 + 1
    assert results(found["tape.yaml: more"]) == [(Skipped, "50 more interactions unused")]
