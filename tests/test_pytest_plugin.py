"""The pytest plugin, run as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from suites import cassette, disconnected, polled, run

pytest_plugins = ["pytester"]

HEAD = "import pytest\nfrom asking import *\n"


@pytest.fixture
def tape(pytester: pytest.Pytester) -> None:
    """Lay `cassettes/d.yaml` beside the tests."""
    tapes = polled("onboarded"), disconnected(), polled("offboarding")
    cassette(pytester.path / "cassettes" / "d.yaml", *tapes)


def test_loading_the_plugin_imports_nothing_heavy() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import graphtape.pytest_plugin;"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()).isdisjoint(
        {"aiohttp", "asyncio", "vcr", "yaml", "msgspec", "click", "uvloop", "filelock", "ssl"}
    )


def test_the_example_of_the_page_runs(pytester: pytest.Pytester) -> None:
    page = (Path(__file__).parents[1] / "docs" / "pytest.md").read_text(encoding="utf-8")
    cassette(pytester.path / "cassettes" / "disconnect.yaml", disconnected())
    pytester.makepyfile(page.partition("```python\n")[2].partition("```")[0])
    run(pytester).assert_outcomes(passed=1)


@pytest.mark.usefixtures("tape")
def test_each_test_has_a_session_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        HEAD
        + """
pytestmark = pytest.mark.graphtape("d")

@pytest.mark.parametrize("n", range(3))
def test_disconnect(graphtape, n):
    assert ask(graphtape, ENTITY)[1] == {"onboardingStatus": "onboarded"}
    assert ask(graphtape, DISCONNECT, "POST") == (200, {"value": "inprogress"})
    assert ask(graphtape, ENTITY)[1] == {"onboardingStatus": "offboarding"}
    assert [call.method for call in graphtape.calls] == ["GET", "POST", "GET"]
    assert graphtape.base_url.startswith("http://127.0.0.1:")
    assert not graphtape.base_url.endswith("/")
"""
    )
    run(pytester).assert_outcomes(passed=3)


@pytest.mark.usefixtures("tape")
def test_the_nearest_marker_wins_argument_by_argument(pytester: pytest.Pytester) -> None:
    cassette(pytester.path / "cassettes" / "more" / "e.yaml", disconnected("onboarded"))
    pytester.makepyfile(
        HEAD
        + """
pytestmark = pytest.mark.graphtape("d", status="failed")

def value(session):
    return ask(session, DISCONNECT, "POST")[1]["value"]

def test_the_module(graphtape):
    assert value(graphtape) == "failed"

@pytest.mark.graphtape(status="unknown")
class TestIt:
    def test_the_class(self, graphtape):
        assert value(graphtape) == "unknown"

    @pytest.mark.graphtape(status=None)
    def test_taking_back(self, graphtape):
        assert value(graphtape) == "inprogress"

    @pytest.mark.graphtape("more/e.yaml", status=["disconnect=offboarding"])
    def test_the_function(self, graphtape):
        assert value(graphtape) == "offboarding"

class TestThat(TestIt):
    pass
"""
    )
    run(pytester).assert_outcomes(passed=7)


@pytest.mark.usefixtures("tape")
def test_a_scenario_is_a_preset_a_file_a_dict_or_several(pytester: pytest.Pytester) -> None:
    (pytester.path / "mine.yaml").write_text(
        "name: mine\nrules:\n- when: {action: disconnect}\n  answer: {error: Conflict}\n"
    )
    pytester.makepyfile(
        HEAD
        + """
INLINE = {"name": "own", "rules": [{"answer": {"error": "ResourceLocked"}}]}

@pytest.mark.parametrize("how", [
    pytest.param(429, marks=pytest.mark.graphtape("d", scenario="throttled")),
    pytest.param(409, marks=pytest.mark.graphtape("d", scenario="mine.yaml")),
    pytest.param(423, marks=pytest.mark.graphtape("d", scenario=INLINE)),
    pytest.param(409, marks=pytest.mark.graphtape("d", scenario=["mine.yaml", "throttled"])),
])
def test_scenario(graphtape, how):
    assert ask(graphtape, DISCONNECT, "POST")[0] == how
"""
    )
    run(pytester).assert_outcomes(passed=4)


@pytest.mark.usefixtures("tape")
def test_a_running_session_is_bent_rewound_and_read(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        HEAD
        + """
@pytest.mark.graphtape("d")
def test_it(graphtape):
    graphtape.status("failed")
    assert ask(graphtape, ENTITY)[1]["onboardingStatus"] == "failed"
    graphtape.scenario("throttled")
    assert ask(graphtape, DISCONNECT, "POST")[0] == 429
    assert ask(graphtape, DISCONNECT, "POST")[1] == {"value": "failed"}
    graphtape.status("unknown")
    assert ask(graphtape, ENTITY)[1]["onboardingStatus"] == "unknown"
    graphtape.scenario()
    graphtape.status()
    graphtape.rewind()
    assert ask(graphtape, DISCONNECT, "POST")[1] == {"value": "inprogress"}
    assert [call.source.value for call in graphtape.calls] == [
        "replayed", "injected", "replayed", "replayed", "replayed"]
    assert graphtape.report().arrived == 5
    assert "5 requests: 4 replayed, 1 injected" in graphtape.summary()
"""
    )
    run(pytester).assert_outcomes(passed=1)


@pytest.mark.usefixtures("tape")
def test_async_tests_use_it_like_others(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
import aiohttp
import pytest
from asking import DISCONNECT

@pytest.mark.asyncio
@pytest.mark.graphtape("d")
async def test_it(graphtape):
    async with aiohttp.ClientSession() as client:
        for status in ("failed", "unknown"):
            graphtape.status(status)
            graphtape.rewind()
            async with client.post(graphtape.base_url + DISCONNECT) as answer:
                assert (await answer.json())["value"] == status
    assert len(graphtape.calls) == 2
"""
    )
    run(pytester, plugins=("asyncio",)).assert_outcomes(passed=1)


@pytest.mark.usefixtures("tape")
def test_a_miss_fails_a_test_that_passed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it=HEAD
        + """
@pytest.mark.graphtape("d")
def test_it(graphtape):
    assert ask(graphtape, ENTITY + "?$select=id")[0] == 599
"""
    )
    result = run(pytester)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "graphtape: 1 miss",
            "Nothing recorded answers GET */00000000-0000-0000-0000-000000000001?$select=id; *",
            "Nearest in cassettes/d.yaml:",
            "In this test: pytest test_it.py::test_it --graphtape-mode=new_episodes *",
        ]
    )
    assert result.ret == 1


@pytest.mark.usefixtures("tape")
def test_a_miss_in_a_test_that_failed_is_told_once_beside_its_own_failure(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        HEAD
        + """
@pytest.mark.graphtape("d")
def test_it(graphtape):
    assert ask(graphtape, "/v1.0/me")[0] == 200
"""
    )
    result = run(pytester, "--show-capture=all")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E * assert 599 == 200", "*- graphtape -*", "1 miss"])
    assert result.stdout.str().count("Nothing recorded answers GET /v1.0/me") == 1


@pytest.mark.usefixtures("tape")
def test_a_miss_that_is_expected_fails_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        HEAD
        + """
@pytest.mark.graphtape("d")
def test_expected(graphtape):
    with graphtape.expect_miss():
        assert ask(graphtape, "/v1.0/me")[0] == 599
    assert graphtape.misses == ()

@pytest.mark.graphtape("d")
def test_expected_in_vain(graphtape):
    with pytest.raises(AssertionError, match="a miss was expected"):
        with graphtape.expect_miss():
            ask(graphtape, ENTITY)

@pytest.mark.graphtape("d")
def test_one_expected_and_one_not(graphtape):
    with graphtape.expect_miss():
        ask(graphtape, "/v1.0/me")
    ask(graphtape, "/v1.0/groups")
"""
    )
    result = run(pytester)
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["graphtape: 1 miss", "Nothing recorded answers GET /v1.0/groups*"])


@pytest.mark.usefixtures("tape")
def test_a_test_that_is_skipped_or_to_fail_is_not_failed_by_its_misses(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        HEAD
        + """
pytestmark = pytest.mark.graphtape("d")

def test_skipped(graphtape):
    ask(graphtape, "/v1.0/me")
    pytest.skip("not today")

@pytest.mark.xfail
def test_to_fail(graphtape):
    assert ask(graphtape, "/v1.0/me")[0] == 200
"""
    )
    run(pytester).assert_outcomes(skipped=1, xfailed=1)


@pytest.mark.usefixtures("tape")
def test_what_the_settings_file_wants_to_fail_fails_a_test(pytester: pytest.Pytester) -> None:
    (pytester.path / "graphtape.toml").write_text("fail-on-unused = true\n")
    pytester.makepyfile(
        HEAD
        + """
@pytest.mark.graphtape("d")
def test_it(graphtape):
    ask(graphtape, ENTITY)
"""
    )
    result = run(pytester)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["graphtape: 1 unused interaction", "unused in cassettes/d.yaml*"])


def test_the_settings_file_is_that_of_the_root_folder(pytester: pytest.Pytester) -> None:
    (pytester.path / "pyproject.toml").write_text(
        '[tool.pytest]\n[tool.graphtape]\nstatus="failed"\n'
    )
    folder = pytester.mkdir("sub")
    cassette(folder / "cassettes" / "d.yaml", disconnected())
    (folder / "test_it.py").write_text(
        HEAD
        + """
@pytest.mark.graphtape("d")
def test_it(graphtape):
    assert ask(graphtape, DISCONNECT, "POST")[1] == {"value": "failed"}
"""
    )
    run(pytester, "--rootdir=.", "sub").assert_outcomes(passed=1)


@pytest.mark.usefixtures("tape")
@pytest.mark.parametrize(
    ("marker", "says"),
    [
        ('"d", state="failed"', "*takes no argument 'state'*mode, scenario, status*"),
        ('"d", mode="some"', "*mode 'some' is none of none, once, new_episodes, all*"),
        ('"d", scenario="throtled"', "*no scenario 'throtled'; did you mean 'throttled'*"),
        ('"d", status="delete=failed"', "*delete*"),
        ('"d", status=7', "*7 is no status*"),
        ('"d", scenario={"name": "x"}', "*scenario 'x'*rules*"),
        ("None", "*None is no cassette's name*"),
        ('"other"', "*no cassette cassettes/other.yaml (the marker *'other'* names it)*"),
        ('"d", "other"', "*no cassette cassettes/other.yaml*"),
    ],
)
def test_misuse_is_an_error_that_names_what_to_fix(
    pytester: pytest.Pytester, marker: str, says: str
) -> None:
    pytester.makepyfile(
        HEAD + f"@pytest.mark.graphtape({marker})\ndef test_it(graphtape):\n    pass\n"
    )
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"graphtape: {says}"])
    assert "Traceback" not in result.stdout.str()
    assert "During handling" not in result.stdout.str()
    assert "raise " not in result.stdout.str()


def test_a_cassette_that_is_missing_names_path_marker_and_command(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        test_it=HEAD + "class TestA:\n"
        "    @pytest.mark.parametrize('name', ['a/b: c'])\n"
        "    def test_it(self, graphtape, name):\n        pass\n"
    )
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "graphtape: no cassette cassettes/test_it/TestA.test_it[[]a-b- c].yaml (the test's*",
            "To record it: pytest 'test_it.py::TestA::test_it[[]a/b: c]' --graphtape-mode=once*",
            "A test that sends no requests needs no cassette: *",
        ]
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--graphtape-mode=some",), "*--graphtape-mode*invalid choice*"),
        (("-o", "graphtape_mode=some"), "*graphtape_mode: 'some' is none of*"),
    ],
)
def test_a_mode_that_there_is_not_ends_the_run(
    pytester: pytest.Pytester, arguments: tuple[str, ...], says: str
) -> None:
    result = run(pytester, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([says])


@pytest.mark.usefixtures("tape")
def test_an_upstream_that_there_is_not_is_named(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(HEAD + "@pytest.mark.graphtape('d')\ndef test_it(graphtape):\n    pass\n")
    result = run(pytester, "--graphtape-upstream=globe")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["graphtape: upstream 'globe' is unknown*"])


def test_cassettes_lie_where_pytest_recording_has_them(pytester: pytest.Pytester) -> None:
    """They are found whether it or this plugin recorded them."""
    long = "x" * 230
    pytester.makepyfile(
        test_it=HEAD
        + f"""
@pytest.mark.parametrize("name", ["plain", "a/b"])
def test_it(graphtape, name):
    ask(graphtape, SETTINGS)

def test_{long}(graphtape):
    ask(graphtape, SETTINGS)
"""
    )
    run(pytester, "--graphtape-mode=once", "--graphtape-upstream=sandbox").assert_outcomes(passed=3)
    folder = pytester.path / "cassettes" / "test_it"
    names = sorted(each.name for each in folder.iterdir())
    assert names[:2] == ["test_it[a-b].yaml", "test_it[plain].yaml"]
    assert len(names) == 3
    assert len(names[2]) < 230
    run(pytester).assert_outcomes(passed=3)
