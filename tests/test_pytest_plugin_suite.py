"""A suite of 200 tests, each with its own cassette state and scenario, in any order."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from suites import cassette, disconnected, polled, run

pytest_plugins = ["pytester"]

TESTS = 200
MODULES = 4

_MODULE = """
import pytest
from asking import *

@pytest.mark.graphtape("{name}")
class Test:
{tests}
"""

# Each leaves its session in another state: polls before and after the disconnect, an injected
# answer now and then, a status that is bent in the middle.
_TEST = """
    @pytest.mark.graphtape({marker})
    def test_{number}(self, graphtape):
        for _ in range({polls}):
            assert ask(graphtape, ENTITY)[1]["onboardingStatus"] == {before!r}
        if {throttled}:
            assert ask(graphtape, DISCONNECT, "POST")[0] == 429
        assert ask(graphtape, DISCONNECT, "POST")[1]["value"] == {answered!r}
        graphtape.status("state-{number}")
        assert ask(graphtape, ENTITY)[1]["onboardingStatus"] == "state-{number}"
        graphtape.status()
        assert ask(graphtape, ENTITY)[1]["onboardingStatus"] == {after!r}
        assert len(graphtape.calls) == {calls}
"""


def written(number: int) -> str:
    polls, status, throttled = number % 4, number % 3 == 0, number % 5 == 0
    said = [f"status='disconnect=own-{number}'"] if status else []
    # The scenario's first call is the first of all: only without polls before it is the disconnect.
    throttled = throttled and not polls
    said += ["scenario='throttled'"] if throttled else []
    tape = number % MODULES
    return _TEST.format(
        number=number,
        marker=", ".join(said),
        polls=polls,
        throttled=throttled,
        before=f"onboarded-{tape}",
        answered=f"own-{number}" if status else f"inprogress-{tape}",
        after=f"offboarding-{tape}",
        calls=polls + throttled + 3,
    )


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """Lay out the suite."""
    for module in range(MODULES):
        cassette(
            pytester.path / "cassettes" / f"tape-{module}.yaml",
            polled(f"onboarded-{module}"),
            disconnected(f"inprogress-{module}"),
            polled(f"offboarding-{module}"),
        )
        tests = "".join(written(number) for number in range(module, TESTS, MODULES))
        source = _MODULE.format(name=f"tape-{module}", tests=tests)
        (pytester.path / f"test_module_{module}.py").write_text(source)
    return pytester


def test_two_hundred_tests_pass_one_after_another(suite: pytest.Pytester) -> None:
    run(suite).assert_outcomes(passed=TESTS)


@pytest.mark.skipif(find_spec("xdist") is None, reason="needs pytest-xdist")
@pytest.mark.skipif(find_spec("pytest_randomly") is None, reason="needs pytest-randomly")
@pytest.mark.parametrize("seed", [1, 20261123])
def test_two_hundred_tests_pass_in_two_processes_in_random_order(
    suite: pytest.Pytester, seed: int
) -> None:
    random = ("-p", "randomly", f"--randomly-seed={seed}")
    run(suite, "-n", "2", *random, plugins=("xdist",)).assert_outcomes(passed=TESTS)


@pytest.mark.skipif(find_spec("xdist") is None, reason="needs pytest-xdist")
def test_two_processes_record_each_test_into_its_own_cassette(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
import pytest
from asking import *

@pytest.mark.parametrize("n", range(12))
def test_it(graphtape, n):
    assert ask(graphtape, DISCONNECT, "POST")[0] == 200
"""
    )
    sandbox = ("--graphtape-mode=once", "--graphtape-upstream=sandbox")
    run(pytester, "-n", "2", *sandbox, plugins=("xdist",)).assert_outcomes(passed=12)
    assert len(list((pytester.path / "cassettes" / "test_it").iterdir())) == 12
    run(pytester, "-n", "2", plugins=("xdist",)).assert_outcomes(passed=12)
