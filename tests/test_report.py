"""What a report tells of a session, as text and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from graphtape.cli.outcome import exit_code
from graphtape.cli.unused import read_unused
from graphtape.core.journal import Source
from graphtape.core.report.flat_json import as_json
from graphtape.core.report.report import CassetteFacts, Taping
from graphtape.core.report.text import as_text
from graphtape.core.tape.outcome import Mode
from graphtape.core.verdict.verdict import Kind, Verdict
from plays import playing
from reports import NOW, SETTINGS, eventful, fine, journal, miss, play, session, tape, tell, used

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from graphtape.core.tape.session import Session

    Golden = Callable[[str, str], None]

DAY = 86_400


def text(*args: object, **kwargs: object) -> str:
    return "\n".join(as_text(*args, **kwargs)) + "\n"  # type: ignore[arg-type]


def test_text_tells_everything(golden: Golden) -> None:
    golden("report.txt", text([eventful()]))


def test_json_tells_everything(golden: Golden) -> None:
    golden("report.json", as_json([eventful()]))


def test_json_is_the_same_each_time() -> None:
    assert as_json([eventful()]) == as_json([eventful()])


def test_the_same_miss_is_told_once_with_its_count() -> None:
    first, second = eventful().misses
    assert (first.number, first.times) == (2, 3)
    assert second.times == 1


def test_many_misses_are_cut_and_counted() -> None:
    told = session(used())
    for number in range(250):
        miss(told, f"/v1.0/{number}", f"Nothing recorded answers {number}.")
    report = tell(told)
    assert len(report.misses) == 200
    assert report.misses_cut == 50
    assert "  and 240 more" in as_text([report])
    assert json.loads(as_json([report]))["misses_cut"] == 50


def test_a_long_reason_is_cut() -> None:
    told = session(used())
    miss(told, note="x" * 100_000)
    assert len(tell(told).misses[0].reason) == 8_001


def test_what_steers_a_terminal_is_spelled_out() -> None:
    told = session(used())
    miss(told, "/v1.0/\x1b[2J", "first\x1b[2J\nsecond\udc80")
    (incident,) = tell(told).misses
    assert incident.url.endswith("/v1.0/\\x1b[2J")
    assert incident.reason == "first\\x1b[2J\nsecond\\udc80"


def test_secrets_in_the_url_of_an_unused_interaction_stay_out() -> None:
    told = session(tape("GET /v1.0/me?access_token=not-a-real-token-1234567890"))
    report = tell(told)
    for written in (text([report]), as_json([report])):
        assert "/v1.0/me" in written
        assert "not-a-real-token" not in written


@pytest.mark.parametrize(
    ("recorded_at", "after", "says"),
    [
        pytest.param("2026-11-23T12:00:00Z", 0, "recorded today", id="now"),
        pytest.param("2026-11-22T12:00:00Z", 0, "recorded 1 day ago", id="one-day"),
        pytest.param("2026-07-03T12:00:00Z", 0, "recorded 143 days ago", id="143-days"),
        pytest.param("2026-11-22T12:00:00", 0, "recorded 1 day ago", id="no-zone-is-utc"),
        pytest.param("2026-11-23T12:00:00Z", -DAY, "recorded today", id="ahead-of-our-clock"),
        pytest.param("yesterday", 0, None, id="no-date"),
        pytest.param(None, 0, None, id="unknown"),
        pytest.param("", 0, None, id="empty"),
    ],
)
def test_the_age_of_a_cassette(recorded_at: str | None, after: float, says: str | None) -> None:
    facts = CassetteFacts(name="t.yaml", interactions=2, recorded_at=recorded_at)
    report = tell(session(used()), cassettes=(facts,), now=NOW + after)
    line = f"t.yaml: 2 interactions, {says}"
    assert (line in as_text([report])) == (says is not None)


def test_an_edited_cassette_is_said() -> None:
    facts = CassetteFacts(name="t.yaml", interactions=1, edited=True)
    report = tell(session(used()), cassettes=(facts,))
    assert "t.yaml: 1 interaction, edited since it was recorded" in as_text([report])


def test_a_command_that_failed_is_not_buried_under_what_it_left_unused() -> None:
    lines = as_text([tell(session(used()))], failed=True)
    assert [line for line in lines if "unused" in line] == ["unused: 3 interactions"]
    assert not [line for line in lines if "disconnect" in line]


@pytest.mark.parametrize("mode", [Mode.ALL, Mode.ONCE], ids=str)
def test_a_recording_names_nothing_unused(mode: Mode) -> None:
    report = tell(session(mode=mode), fail_on_unused=True)
    assert "unused" not in text([report])
    assert report.wrong() == ()


def test_a_rule_without_effect_is_named() -> None:
    script = playing("  - when: {path: /nowhere}\n    answer: {status: 500}\n")
    report = tell(session(used(), script=script))
    assert any(line.startswith("no effect: scenario 'mine', rule 1") for line in as_text([report]))


def test_what_was_recorded_is_told_as_ever() -> None:
    taping = Taping(
        saved=2,
        recorded=2,
        dropped=("GET /big: too large",),
        failures=("the disk is full",),
        redacted={"secrets": 1, "identities": 2, "personal": 3},
    )
    lines = as_text([tell(session(mode=Mode.ALL), cassettes=(), taping=taping)])
    assert lines == [
        "0 requests",
        "left off the tape: GET /big: too large",
        "the disk is full",
        "redacted: 1 secret masked, 2 identities replaced by pseudonyms",
        (
            "kept as they are: 3 names, phones, devices or serials; [redaction] "
            "personal = true replaces them"
        ),
    ]


def test_long_lists_are_cut_in_text_alone() -> None:
    report = tell(session(tape(*(f"GET /v1.0/{n}" for n in range(300)))))
    lines = as_text([report])
    assert any(line.endswith("98, 99, and 200 more") for line in lines)
    assert "  9 GET /v1.0/9" in lines
    assert "  and 290 more" in lines
    assert json.loads(as_json([report]))["unused"] == {"tape.yaml": list(range(300))}


def test_trim_reads_what_the_report_names_unused(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(as_json([eventful()]), encoding="utf-8")
    assert read_unused(path) == {"tape.yaml": frozenset({1, 2})}


def test_of_several_sessions_what_all_left_is_unused() -> None:
    one, other, elsewhere = (
        session(used()),
        session(used(), name="b"),
        session(tape("GET /v1.0/me", name="c.yaml"), name="c"),
    )
    play(one, "/v1.0/me")
    play(other, "/v1.0/users?$top=5")
    tree = json.loads(as_json([tell(one), tell(other), tell(elsewhere)]))
    assert tree["unused"] == {"tape.yaml": [1], "c.yaml": [0]}
    assert [each["session"] for each in tree["sessions"]] == ["b", "c"]
    assert tree["sessions"][0]["unused"] == {"tape.yaml": [0, 1]}


def test_a_cassette_one_session_used_whole_is_not_named() -> None:
    one, other = session(tape("GET /v1.0/me")), session(tape("GET /v1.0/me"), name="b")
    play(other, "/v1.0/me")
    assert json.loads(as_json([tell(one), tell(other)]))["unused"] == {}


def test_a_miss_in_another_session_is_wrong_for_the_run() -> None:
    other = session(used(), name="b")
    miss(other)
    tree = json.loads(as_json([fine(), tell(other)]))
    assert tree["ok"] is False
    assert tree["wrong"] == ["session b: 1 miss"]


def test_the_text_of_another_session_stands_under_its_name() -> None:
    other = session(used(), name="b")
    miss(other)
    lines = as_text([fine(), tell(other)])
    assert lines[:2] == ["1 request: 1 replayed", "session b:"]
    assert "  1 request: 1 missed" in lines


def test_a_name_that_is_not_utf_8_survives_json() -> None:
    name = "t\udc80ü.yaml"
    data = as_json([tell(session(tape("GET /v1.0/me", name=name)))])
    assert json.loads(data.encode("utf-8", "backslashreplace"))["unused"] == {name: [0]}


def missed() -> Session:
    told = session(used())
    miss(told)
    return told


def refused() -> Session:
    told = session(mode=Mode.ALL)
    journal(told, "/v1.0/me", Source.REFUSED, status=502)
    return told


@pytest.mark.parametrize("taping", [Taping(), Taping(dropped=("x",)), Taping(failures=("x",))])
@pytest.mark.parametrize("fail_on", [(), (Kind.NO_TOKEN,), (Kind.EARLY_RETRY,)])
@pytest.mark.parametrize("fail_on_unused", [False, True])
@pytest.mark.parametrize("told", [missed(), refused(), session(used())])
def test_a_report_is_wrong_where_the_exit_code_says_so(
    told: Session, *, fail_on_unused: bool, fail_on: tuple[Kind, ...], taping: Taping
) -> None:
    early = Verdict(kind=Kind.EARLY_RETRY, number=1, text="request 1 came back")
    report = tell(told, early, taping=taping, fail_on_unused=fail_on_unused, fail_on=fail_on)
    assert bool(report.wrong()) == bool(exit_code([report]))


def test_a_verdict_beyond_those_kept_is_counted() -> None:
    many = [
        Verdict(kind=Kind.NO_TOKEN, number=n, text=f"request {n} (GET {SETTINGS})")
        for n in range(25)
    ]
    lines = as_text([tell(session(used()), *many)])
    assert sum(line.startswith("verdict: no-token: request") for line in lines) == 20
    assert "verdict: no-token: and 5 more" in lines


def test_ok_is_ok() -> None:
    tree = json.loads(as_json([fine()]))
    assert (tree["format"], tree["ok"], tree["wrong"]) == (1, True, [])
    assert replace(fine(), fail_on_unused=True).wrong() == ()
