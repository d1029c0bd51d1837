"""Reports in files, and on GitHub's pages."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
import requests

from graphtape.core.errors import GraphtapeError, UsageError
from graphtape.core.report.markdown import as_markdown
from graphtape.core.tape.outcome import Mode
from graphtape.runner.reporting import (
    STEP_SUMMARY_LIMIT,
    annotate,
    check_report_path,
    write_report,
)
from proxies import AUTH, SHARED, needs_recordings, proxied
from reports import eventful, fine, miss, session, tell
from tapes import exchanged, taped

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["run.txt", "run", "run.yaml", ".json"])
def test_another_suffix_is_refused_and_the_three_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"\.json, \.md or \.xml"):
        check_report_path(tmp_path / name)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.json").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        check_report_path(tmp_path / "r.json")


def test_the_suffix_chooses_the_format_whatever_its_case(tmp_path: Path) -> None:
    for name in ("a/r.JSON", "a/r.md", "a/r.xml"):
        write_report(tmp_path / name, [eventful()])
    assert json.loads((tmp_path / "a/r.JSON").read_bytes())["missed"] == 4
    assert (tmp_path / "a/r.md").read_text("utf-8").startswith("### ❌ Graphtape: 4 misses")
    assert ET.parse(tmp_path / "a/r.xml").getroot().get("failures") == "2"  # noqa: S314 - our own


def test_a_report_takes_the_place_of_the_last_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    write_report(path, [eventful()])
    write_report(path, [fine()])
    assert json.loads(path.read_bytes())["ok"] is True
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GraphtapeError, match=r"--report .*r\.md: can't be written") as caught:
        write_report(tmp_path / "file" / "r.md", [fine()])
    assert not isinstance(caught.value, UsageError)


class Page:
    """What GitHub would be told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.notes: list[str] = []

    def tell(self, *reports: object, **env: str) -> None:
        annotate(reports, env, say=self.lines.append, note=self.notes.append)  # type: ignore[arg-type]


def test_nothing_is_said_outside_github() -> None:
    page = Page()
    page.tell(eventful())
    assert (page.lines, page.notes) == ([], [])


def test_a_miss_is_an_error_of_one_line_with_its_escapes() -> None:
    told = session()
    miss(told, "/v1.0/a,b:c%20", "100%\nsecond")
    page = Page()
    page.tell(tell(told), GITHUB_ACTIONS="true")
    assert page.lines == [
        "::error title=Graphtape missed GET /v1.0/a%2Cb%3Ac%2520::100%25%0Asecond"
    ]


@pytest.mark.parametrize(
    ("different", "lines", "last"),
    [(10, 10, "9::why 9"), (11, 10, "and 2 more misses"), (500, 10, "and 491 more misses")],
)
def test_no_more_errors_than_github_shows(different: int, lines: int, last: str) -> None:
    told = session()
    for number in range(different):
        miss(told, f"/v1.0/{number}", f"why {number}")
    page = Page()
    page.tell(tell(told), GITHUB_ACTIONS="true")
    assert len(page.lines) == lines
    assert page.lines[-1].endswith(last)


def test_the_summary_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("mine, without a newline")
    page = Page()
    page.tell(fine(), GITHUB_STEP_SUMMARY=str(path))
    page.tell(fine(), GITHUB_STEP_SUMMARY=str(path))
    one = as_markdown([fine()])
    assert path.read_text("utf-8") == f"mine, without a newline\n\n{one}\n{one}"
    assert page.notes == []


def test_a_summary_stays_below_what_github_takes(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_bytes(b"x" * (STEP_SUMMARY_LIMIT - 3_000) + b"\n")
    told = session()
    for number in range(20):
        miss(told, f"/v1.0/{number}", "ü" * 500)
    page = Page()
    page.tell(tell(told), GITHUB_STEP_SUMMARY=str(path))
    assert path.stat().st_size <= STEP_SUMMARY_LIMIT
    assert "Cut here" in path.read_text("utf-8")
    path.write_bytes(b"x" * STEP_SUMMARY_LIMIT)
    page.tell(tell(told), GITHUB_STEP_SUMMARY=str(path))
    assert path.stat().st_size == STEP_SUMMARY_LIMIT
    assert "holds 1 MiB" in page.notes[0]


def test_a_summary_that_cannot_be_written_is_a_note(tmp_path: Path) -> None:
    page = Page()
    page.tell(fine(), GITHUB_STEP_SUMMARY=str(tmp_path))
    assert "can't be written" in page.notes[0]


def test_the_facts_of_a_cassette_of_vcrpys_own(tmp_path: Path) -> None:
    path = taped(tmp_path, exchanged("GET", "/v1.0/me"))
    with proxied(path, mode=Mode.NONE) as running:
        (loaded,) = running.proxy.outcome.played
    facts = loaded.facts
    assert (facts.interactions, facts.recorded_at, facts.edited) == (1, None, False)


def test_a_real_run_is_told(tmp_path: Path) -> None:
    path = taped(tmp_path, exchanged("GET", "/v1.0/me"), exchanged("GET", "/v1.0/users"))
    with proxied(path, mode=Mode.NONE) as running:
        requests.get(f"{running.url}/v1.0/me", headers=AUTH, timeout=5)
        for _ in range(2):
            requests.get(f"{running.url}/v1.0/you", headers=AUTH, timeout=5)
    write_report(tmp_path / "run.json", running.proxy.reports())
    tree = json.loads((tmp_path / "run.json").read_bytes())
    assert (tree["replayed"], tree["missed"]) == (1, 2)
    assert [(each["times"], each["status"]) for each in tree["misses"]] == [(2, 599)]
    assert tree["unused"] == {str(path): [1]}
    assert tree["wrong"] == ["2 misses"]


@needs_recordings
def test_every_real_recording_can_be_reported_unused(tmp_path: Path) -> None:
    paths = sorted(SHARED.rglob("*.yaml"))
    assert paths
    for path in paths[:5]:
        with proxied(path, mode=Mode.NONE, fail_on_unused=True) as running:
            (loaded,) = running.proxy.outcome.played
        facts = loaded.facts
        (report,) = running.proxy.reports()
        for name in ("r.json", "r.md", "r.xml"):
            write_report(tmp_path / name, [report])
        unused = json.loads((tmp_path / "r.json").read_bytes())["unused"]
        assert unused == {str(path): list(range(facts.interactions))}
        assert ET.parse(tmp_path / "r.xml").getroot().get("skipped") == "0"  # noqa: S314 - our own
