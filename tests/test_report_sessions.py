"""What a report tells of many sessions: what happened in them, and not that they were there."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from graphtape.cli.outcome import unused_count
from graphtape.core.graph.batch import recorded_parts
from graphtape.core.matching.key import MatchOptions
from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.core.redaction import Redactor
from graphtape.core.report.accounting import account
from graphtape.core.report.flat_json import as_json
from graphtape.core.report.junit import as_junit
from graphtape.core.report.markdown import as_markdown
from graphtape.core.report.report import Taping
from graphtape.core.report.text import as_text
from graphtape.core.report.unused import unused_by_all
from graphtape.core.report.usage import Usage
from graphtape.core.tape.recording import Recording
from graphtape.core.verdict.tally import Tally
from reports import NOW, ROOT, fine, miss, play, session, tape, tell, used
from unused import left_unused

if TYPE_CHECKING:
    from graphtape.core.report.report import Report


def quiet(name: str) -> Report:
    """Return the report of a session in which nothing went wrong; it leaves two of three unused."""
    told = session(used(), name=name)
    play(told, "/v1.0/me")
    return tell(told, cassettes=())


def missing(name: str) -> Report:
    """Return the report of a session with a miss."""
    told = session(used(), name=name)
    miss(told)
    return tell(told, cassettes=())


def test_sessions_with_nothing_to_tell_are_counted_in_one_line() -> None:
    lines = as_text([fine(), *(quiet(f"s{n}") for n in range(500))])
    assert lines[-1] == "and 500 more sessions: 500 requests, nothing to tell"
    assert len(lines) < 10


def test_a_session_to_which_something_happened_is_told_among_quiet_ones() -> None:
    dropped = tell(session(name="lossy"), cassettes=(), taping=Taping(dropped=("GET /x: why",)))
    lines = as_text([fine(), quiet("a"), missing("b"), quiet("c"), dropped])
    assert [line for line in lines if line.startswith("session ")] == [
        "session b:",
        "session lossy:",
    ]
    assert lines[-1] == "and 2 more sessions: 2 requests, nothing to tell"


def test_of_many_sessions_with_misses_the_first_twenty_are_told() -> None:
    lines = as_text([fine(), *(missing(f"s{n}") for n in range(50))])
    assert sum(line.startswith("session ") for line in lines) == 20
    assert lines[-1] == "and 30 more sessions: 30 requests, 30 misses; --report FILE tells of each"


def test_what_no_session_used_is_told_once() -> None:
    first, second = session(used()), session(used(), name="b")
    play(first, "/v1.0/me")
    play(second, "/v1.0/users?$top=5")
    miss(second)
    reports = [tell(first, cassettes=()), tell(second, cassettes=())]
    lines = as_text(reports)
    assert [line for line in lines if "unused" in line] == ["unused in tape.yaml: 1"]
    assert unused_by_all(reports) == {"tape.yaml": [1]}
    assert unused_count(reports) == 1
    assert as_markdown(reports).count("Unused in") == 1


def test_json_keeps_every_session_and_cuts_what_those_beyond_a_hundred_list() -> None:
    reports = [fine(), *(quiet(f"s{n}") for n in range(150))]
    sessions = json.loads(as_json(reports))["sessions"]
    assert len(sessions) == 150
    assert all(each.keys() == sessions[0].keys() for each in sessions)
    assert (sessions[99]["unused"], sessions[99]["unused_cut"]) == ({"tape.yaml": [1, 2]}, 0)
    assert (sessions[100]["unused"], sessions[100]["unused_cut"]) == ({}, 2)


def test_json_counts_the_misses_it_cuts() -> None:
    told = session(used(), name="last")
    for number in range(10):
        miss(told, f"/v1.0/{number}", f"Nothing recorded answers {number}.")
    reports = [fine(), *(quiet(f"s{n}") for n in range(100)), tell(told)]
    last = json.loads(as_json(reports))["sessions"][-1]
    assert (last["missed"], len(last["misses"]), last["misses_cut"]) == (10, 3, 7)
    assert last["wrong"] == ["10 misses"]


def test_junit_counts_what_it_cuts_as_one_case() -> None:
    reports = [fine(), *(quiet(f"s{n}") for n in range(101))]
    *_, full, cut = ET.fromstring(as_junit(reports)).findall("testsuite")  # noqa: S314 - our own
    assert len(full.findall("testcase/skipped")) == 2
    (skipped,) = cut.findall("testcase/skipped")
    assert skipped.get("message") == "2 interactions unused"


def test_the_length_of_a_tape_does_not_show_in_the_reports_of_many_sessions() -> None:
    def told(interactions: int) -> tuple[float, list[str]]:
        long = tape(*(f"GET /v1.0/users/{n}" for n in range(interactions)))
        sessions = [session(long, name=f"s{n}") for n in range(2000)]
        for number, each in enumerate(sessions):
            play(each, f"/v1.0/users/{number % 150}")
        began, usage = time.process_time(), Usage()
        reports = [account(each, Tally(), now=NOW, usage=usage) for each in sessions]
        lines = [*as_text(reports)]
        return time.process_time() - began, lines

    # With the tape gone through for each session, as it once was, this is 8 and more.
    assert any(told(4000)[0] < max(0.3, 4 * told(500)[0]) for _ in range(3))
    _, lines = told(4000)
    assert any(line.startswith("unused in tape.yaml: 150, 151") for line in lines)
    assert len(lines) < 20


BATCH = json.dumps(
    {
        "requests": [
            {"id": "1", "method": "GET", "url": "/me"},
            {"id": "2", "method": "GET", "url": "/users"},
        ]
    }
).encode()
ANSWERS = json.dumps(
    {"responses": [{"id": "1", "status": 200}, {"id": "2", "status": 200}]}
).encode()
AS_JSON = Headers.of([("Content-Type", "application/json")])


def batched() -> Recording:
    batch = Interaction(
        request=Request(method="POST", url=f"{ROOT}/v1.0/$batch", headers=AS_JSON, body=BATCH),
        response=Response(status=200, headers=AS_JSON, body=ANSWERS),
    )
    assert len(list(recorded_parts(batch))) == 2
    alone = Interaction(
        request=Request(method="GET", url=f"{ROOT}/v1.0/groups"), response=Response(status=200)
    )
    return Recording.of(
        [batch, alone, batch],
        name="tape.yaml",
        redactor=Redactor(salt="s"),
        options=MatchOptions(),
    )


@pytest.mark.parametrize(
    "asked",
    [(), ("/v1.0/me",), ("/v1.0/me", "/v1.0/users"), ("/v1.0/groups",)],
    ids=["nothing", "a-part", "all-parts", "beside"],
)
def test_a_report_leaves_unused_what_the_session_does(asked: tuple[str, ...]) -> None:
    told = session(batched())
    for path in asked:
        play(told, path)
    (unused,) = tell(told, cassettes=()).unused
    assert unused.indices == left_unused(told).get("tape.yaml", ())
    assert unused.count == len(unused.indices)


def test_a_report_stays_what_it_was_while_its_session_plays_on() -> None:
    told = session(used())
    report = tell(told, cassettes=())
    play(told, "/v1.0/me")
    assert report.unused_count == 3
    assert tell(told, cassettes=()).unused_count == 2
