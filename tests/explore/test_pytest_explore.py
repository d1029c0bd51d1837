"""Tests that the plugin runs under each documented failure."""

from __future__ import annotations

import pytest

from suites import cassette, disconnected, polled, run

pytest_plugins = ["pytester"]

HEAD = "import pytest\nfrom asking import *\n"


@pytest.fixture(autouse=True)
def tape(pytester: pytest.Pytester) -> None:
    """Lay `cassettes/d.yaml` beside the tests."""
    cassette(pytester.path / "cassettes" / "d.yaml", disconnected(), polled("offboarding"))


def test_a_marked_test_runs_once_for_each_failure_of_each_call(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        HEAD
        + """
@pytest.mark.graphtape("d", explore=["403", "503"])
def test_it(graphtape):
    code, _ = ask(graphtape, DISCONNECT, "POST")
    assert code != 503
    assert ask(graphtape, ENTITY)[0] in {200, 403}
"""
    )
    result = run(pytester, "-v")
    result.assert_outcomes(passed=3, failed=2)
    for failed in ("0-POST-disconnect-503", "1-GET-00000000-0000-0000-0000-000000000001-503"):
        result.stdout.fnmatch_lines([f"*FAILED*test_it[[]{failed}]*"])


def test_the_option_explores_every_test_but_those_that_are_left_out(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        HEAD
        + """
@pytest.mark.graphtape("d")
def test_it(graphtape):
    pass

@pytest.mark.graphtape("d", explore=False)
def test_other(graphtape):
    pass

def test_without():
    pass
"""
    )
    result = run(pytester, "--collect-only", "-vv", "--graphtape-explore")
    tests = [line for line in result.outlines if "<Function" in line]
    assert sum("test_it[" in line for line in tests) == len(tests) - 2 > 30


def test_a_test_has_its_own_scenarios_and_parameters_beside(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        HEAD
        + """
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.graphtape("d", explore="403", status="failed")
def test_it(graphtape, n, request):
    code, answer = ask(graphtape, DISCONNECT, "POST")
    assert code == (403 if "POST" in request.node.name else 200)
    if code == 200:
        assert answer == {"value": "failed"}
"""
    )
    run(pytester).assert_outcomes(passed=6)


def test_a_failure_that_there_is_not_is_said(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        HEAD + '@pytest.mark.graphtape("d", explore="418")\ndef test_it(graphtape): pass\n'
    )
    result = run(pytester)
    assert "no fault '418'" in "\n".join([*result.outlines, *result.errlines])
    assert result.ret != 0


def test_a_connection_that_hangs_is_reset_in_the_end(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        "from graphtape.pytest_plugin import explored\nexplored.LONGEST_HANG = 1\n"
    )
    pytester.makepyfile(
        HEAD
        + """
@pytest.mark.graphtape("d", explore="hang")
def test_it(graphtape, request):
    if "POST" in request.node.name:
        with pytest.raises(ConnectionError):
            ask(graphtape, DISCONNECT, "POST")
"""
    )
    run(pytester).assert_outcomes(passed=3)


def test_a_test_that_can_not_be_explored_is_told_of(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        HEAD
        + """
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.graphtape(explore=True)
def test_it(graphtape, n):
    pass
"""
    )
    result = run(pytester, "--collect-only")
    result.stdout.fnmatch_lines(["*explore has no effect*"])
