"""The pytest plugin where it records, and beside pytest-recording."""

from __future__ import annotations

import re
from importlib.util import find_spec

import pytest
import yaml

from suites import DISCONNECT, cassette, disconnected, polled, run

pytest_plugins = ["pytester"]

HEAD = "import pytest\nfrom asking import *\n"
SANDBOX = "--graphtape-upstream=sandbox"


def count(pytester: pytest.Pytester, name: str) -> int:
    loaded = yaml.safe_load((pytester.path / "cassettes" / name).read_text())
    return len(loaded["interactions"])


def test_what_was_recorded_replays_offline(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it=HEAD
        + """
def test_it(graphtape):
    status, answer = ask(graphtape, DISCONNECT, "POST")
    assert (status, answer["value"]) == (200, "inprogress")
    assert len(graphtape.calls) == 1
"""
    )
    run(pytester, "--graphtape-mode=once", SANDBOX).assert_outcomes(passed=1)
    text = (pytester.path / "cassettes" / "test_it" / "test_it.yaml").read_text()
    assert "upstream: sandbox" in text
    assert "not-a-real-token" not in text
    run(pytester).assert_outcomes(passed=1)
    run(pytester, "--graphtape-mode=once", SANDBOX).assert_outcomes(passed=1)
    assert count(pytester, "test_it/test_it.yaml") == 1


def test_a_test_that_records_nothing_is_warned_of(pytester: pytest.Pytester) -> None:
    cassette(pytester.path / "cassettes" / "d.yaml", disconnected())
    pytester.makepyfile(
        test_it=HEAD
        + """
def test_silent(graphtape):
    pass

@pytest.mark.graphtape("d")
def test_silent_with_a_cassette(graphtape):
    pass

def test_failing(graphtape):
    assert 0
"""
    )
    result = run(pytester, "--graphtape-mode=once", SANDBOX)
    result.assert_outcomes(passed=2, failed=1, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "*nothing was recorded, so cassettes/test_it/test_silent.yaml was not written*",
        ]
    )
    result.stdout.fnmatch_lines(["*A test that sends no requests needs no cassette*"])


def test_the_ini_file_can_hold_both_options(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ngraphtape_mode = once\ngraphtape_upstream = sandbox\n")
    pytester.makepyfile(test_it=HEAD + "def test_it(graphtape):\n    ask(graphtape, SETTINGS)\n")
    run(pytester).assert_outcomes(passed=1)
    assert count(pytester, "test_it/test_it.yaml") == 1


def test_the_command_line_beats_every_marker_but_none(pytester: pytest.Pytester) -> None:
    for name in ("once", "none"):
        cassette(pytester.path / "cassettes" / f"{name}.yaml", disconnected("offboarding"))
    pytester.makepyfile(
        HEAD
        + """
@pytest.mark.graphtape("once", mode="once")
def test_recorded_again(graphtape):
    assert ask(graphtape, DISCONNECT, "POST")[1]["value"] == "inprogress"

@pytest.mark.graphtape("none", mode="none")
def test_written_by_hand(graphtape):
    assert ask(graphtape, DISCONNECT, "POST")[1]["value"] == "offboarding"
"""
    )
    run(pytester, "--graphtape-mode=all", SANDBOX).assert_outcomes(passed=2)
    folder = pytester.path / "cassettes"
    assert "inprogress" in (folder / "once.yaml").read_text()
    assert "offboarding" in (folder / "none.yaml").read_text()


def test_a_test_that_fails_while_it_records_anew_keeps_its_old_cassette(
    pytester: pytest.Pytester,
) -> None:
    path = cassette(pytester.path / "cassettes" / "d.yaml", disconnected("offboarding"))
    before = path.read_text()
    pytester.makepyfile(
        HEAD
        + """
@pytest.mark.graphtape("d")
def test_it(graphtape):
    assert ask(graphtape, DISCONNECT, "POST")[1]["value"] == "offboarding"
"""
    )
    run(pytester, "--graphtape-mode=all", SANDBOX).assert_outcomes(failed=1)
    assert path.read_text() == before


def test_several_cassettes_are_not_recorded_into(pytester: pytest.Pytester) -> None:
    for name in ("a", "b"):
        cassette(pytester.path / "cassettes" / f"{name}.yaml", disconnected())
    pytester.makepyfile(
        HEAD + "@pytest.mark.graphtape('a', 'b')\ndef test_it(graphtape):\n    pass\n"
    )
    result = run(pytester, "--graphtape-mode=all", SANDBOX)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["graphtape: mode all records into one cassette*mode='none'*"])


def test_a_cassette_that_another_test_is_recording_into_names_that_test(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        test_it=HEAD
        + """
from graphtape.pytest_plugin import proxy_of
from graphtape.pytest_plugin.marker import Asked

@pytest.mark.graphtape("d")
def test_a(graphtape, request):
    proxy = proxy_of(request.config)
    path = request.path.parent / "cassettes" / "d.yaml"
    asked = Asked(names=("d",), mode=None, explore=None, directs={})
    with pytest.raises(pytest.fail.Exception, match="test_it.py::test_a is recording into it"):
        proxy.open(request.node, (path,), asked, mode="once")
"""
    )
    run(pytester, "--graphtape-mode=once", SANDBOX).assert_outcomes(passed=1)


def test_two_tests_whose_names_make_one_file_name_are_told_apart(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        test_it=HEAD
        + """
@pytest.mark.parametrize("name", ["a/b", "a:b"])
def test_it(graphtape, name):
    ask(graphtape, SETTINGS)
"""
    )
    result = run(pytester, "--graphtape-mode=once", SANDBOX)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*is the cassette of test_it.py::test_it[[]a/b[]] as well*"])


def test_a_value_made_up_while_recording_comes_back_at_replay(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it=HEAD
        + """
import uuid

def test_it(graphtape):
    name = graphtape.variable("filter", lambda: f"name-{uuid.uuid4().hex[:8]}")
    assert name == graphtape.variable("filter", lambda: "another")
    assert ask(graphtape, f"/v1.0/users?$filter=displayName+eq+'{name}'")[0] == 200
"""
    )
    run(pytester, "--graphtape-mode=once", SANDBOX).assert_outcomes(passed=1)
    run(pytester).assert_outcomes(passed=1)


def test_a_variable_that_no_cassette_has_is_named(pytester: pytest.Pytester) -> None:
    cassette(pytester.path / "cassettes" / "d.yaml", polled("onboarded"))
    pytester.makepyfile(
        HEAD
        + """
import graphtape as package

@pytest.mark.graphtape("d")
def test_it(graphtape):
    with pytest.raises(package.UsageError, match="no variable 'group' in .*d.yaml"):
        graphtape.variable("group", lambda: "x")
"""
    )
    run(pytester).assert_outcomes(passed=1)


def test_a_recording_whose_upstream_is_never_reached_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(HEAD + "def test_it(graphtape):\n    ask(graphtape, SETTINGS)\n")
    # A port that nobody may listen on, so that nobody answers.
    result = run(pytester, "--graphtape-mode=once", "--graphtape-upstream=http://127.0.0.1:1")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["graphtape: every request was refused", "*127.0.0.1:1*"])


@pytest.mark.skipif(find_spec("pytest_recording") is None, reason="needs pytest-recording")
def test_it_works_in_one_test_with_pytest_recording(pytester: pytest.Pytester) -> None:
    """vcrpy sees what goes elsewhere, and not what goes to the proxy."""
    cassette(pytester.path / "cassettes" / "d.yaml", disconnected())
    other = {
        "request": {"method": "GET", "uri": "http://other.example/x", "body": None, "headers": {}},
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {},
            "body": {"string": "other"},
        },
    }
    cassette(pytester.path / "cassettes" / "test_it" / "test_both.yaml", other)
    pytester.makepyfile(
        test_it=HEAD
        + """
@pytest.mark.vcr
@pytest.mark.graphtape("d")
def test_both(graphtape):
    assert ask(graphtape, DISCONNECT, "POST")[1] == {"value": "inprogress"}
    assert urllib.request.urlopen("http://other.example/x").read() == b"other"

@pytest.mark.vcr
@pytest.mark.block_network(allowed_hosts=["127.0.0.1"])
@pytest.mark.graphtape("d")
def test_without_network(graphtape):
    assert ask(graphtape, DISCONNECT, "POST")[0] == 200
"""
    )
    for _ in range(2):
        run(pytester, plugins=("recording",)).assert_outcomes(passed=2)
    assert DISCONNECT not in (pytester.path / "cassettes/test_it/test_both.yaml").read_text()


def test_only_what_is_older_is_recorded_anew(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
import pytest
from asking import *

@pytest.mark.parametrize("name", ["old", "fresh"])
def test_it(graphtape, name):
    ask(graphtape, "/v1.0/users")
"""
    )
    run(pytester, "--graphtape-mode=all", SANDBOX).assert_outcomes(passed=2)
    folder = pytester.path / "cassettes" / "test_only_what_is_older_is_recorded_anew"
    old, fresh = folder / "test_it[old].yaml", folder / "test_it[fresh].yaml"
    dated = re.sub("recorded_at: .*", "recorded_at: '2020-01-02T03:04:05Z'", old.read_text())
    old.write_text(dated)
    before = fresh.read_bytes()
    result = run(pytester, "--graphtape-max-age=90d")
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(["*test_it?old?.yaml: was recorded 2020-01-02, * days ago*"])
    failed = run(pytester, "--graphtape-max-age=90d=fail")
    failed.assert_outcomes(passed=1, errors=1)
    options = ("--graphtape-mode=all", "--graphtape-older=60d", SANDBOX)
    run(pytester, *options).assert_outcomes(passed=2)
    assert fresh.read_bytes() == before
    assert "2020-01-02" not in old.read_text()
    run(pytester, "--graphtape-max-age=90d=fail").assert_outcomes(passed=2)
    run(pytester, "--graphtape-mode=all", "--graphtape-older=soon").assert_outcomes(errors=2)
