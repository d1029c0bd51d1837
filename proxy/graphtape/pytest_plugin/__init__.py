"""The pytest plugin: a session of its own for each test that uses the fixture `graphtape`.

It is imported in every test run: what is heavy is imported when the first test uses the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from graphtape.pytest_plugin.marker import MODES, Asked, MarkerError, cassettes_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from graphtape.embedded.session import ProxySession
    from graphtape.pytest_plugin.explored import Explored
    from graphtape.pytest_plugin.shared_proxy import SharedProxy

    class VCR(Protocol):
        """What pytest-recording hands out, as far as it matters here."""

        ignore_hosts: tuple[str, ...]


_PROXY: pytest.StashKey[SharedProxy] = pytest.StashKey()
_SESSION: pytest.StashKey[ProxySession] = pytest.StashKey()
_RUNNING: pytest.StashKey[pytest.Item] = pytest.StashKey()
_PASSED: pytest.StashKey[bool] = pytest.StashKey()

_MODE = "--graphtape-mode"
_UPSTREAM = "--graphtape-upstream"
_MAX_AGE = "--graphtape-max-age"
_OLDER = "--graphtape-older"
_EXPLORE = "--graphtape-explore"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; each can stand in the ini file too."""
    group = parser.getgroup("graphtape", "recording and replaying Microsoft Graph")
    group.addoption(
        _MODE,
        choices=MODES,
        help="How cassettes are treated, in vcrpy's words; beats every marker but mode='none'. "
        "Default: none, replay.",
    )
    group.addoption(
        _UPSTREAM,
        metavar="NAME|URL",
        help="Where to record from: global, usgov, usgov-dod, china, sandbox, or a URL.",
    )
    group.addoption(
        _EXPLORE,
        action="store_true",
        help="Run each test that uses the fixture `graphtape` once more for each documented "
        "failure of each call on its cassettes; markers with explore=False are left out.",
    )
    group.addoption(
        _MAX_AGE,
        metavar="AGE[=fail]",
        help="Warn of cassettes that were recorded longer ago, or fail their tests: 90d, 12w=fail.",
    )
    group.addoption(
        _OLDER,
        metavar="AGE",
        help=f"In {_MODE}=all, record those anew that are older, and play the others.",
    )
    parser.addini("graphtape_max_age", f"Default of {_MAX_AGE}.", default="")
    parser.addini("graphtape_mode", f"Default of {_MODE}.", default="")
    parser.addini("graphtape_upstream", f"Default of {_UPSTREAM}.", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker.

    Raises:
        pytest.UsageError: The ini file has a mode that there isn't.
    """
    config.addinivalue_line(
        "markers",
        "graphtape(*cassettes, status=None, scenario=None, mode=None, explore=None): what the "
        "fixture `graphtape` plays; 'd' is cassettes/d.yaml beside the test.",
    )
    mode = config.getini("graphtape_mode")
    if mode and mode not in MODES:
        raise pytest.UsageError(
            f"ini option graphtape_mode: {mode!r} is none of {', '.join(MODES)}"
        )


@pytest.fixture(name="graphtape")
def _graphtape(request: pytest.FixtureRequest) -> Iterator[ProxySession]:
    """Give the test a proxy session of its own; a miss fails the test when it ends."""
    item: pytest.Item = request.node
    try:
        asked = Asked.by(item.iter_markers("graphtape"))
    except MarkerError as exc:
        # From None: pytest would show what it was made from first, and then the same again.
        raise pytest.fail.Exception(f"graphtape: {exc}", pytrace=False) from None
    proxy = proxy_of(request.config)
    explored: Explored | None = getattr(request, "param", None)
    if explored is None:
        cassettes = cassettes_of(item, asked.names)
    else:
        cassettes, asked = explored.cassettes, explored.over(asked)
    session = proxy.open(item, cassettes, asked, mode=_mode(item, asked))
    item.stash[_SESSION] = session
    yield session
    del item.stash[_SESSION]
    passed = item.stash[_PASSED]
    found = proxy.close(item, session, passed=passed)
    if found and passed:
        pytest.fail(found, pytrace=False)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each documented failure of each call that a test's cassettes hold."""
    if "graphtape" not in metafunc.fixturenames:
        return
    definition = metafunc.definition
    try:
        asked = Asked.by(definition.iter_markers("graphtape"))
    except MarkerError:  # the fixture says so
        return
    wanted = asked.explore
    if wanted is None:
        wanted = bool(metafunc.config.getoption(_EXPLORE))
    if not wanted or _mode(definition, asked) != "none":
        return
    from graphtape.pytest_plugin.explored import explored  # noqa: PLC0415 - few suites explore

    cases = explored(
        cassettes_of(definition, asked.names), wanted if isinstance(wanted, tuple) else ()
    )
    if cases:
        metafunc.parametrize("graphtape", cases, ids=[each.id for each in cases], indirect=True)
    elif asked.explore:
        why = "its cassette can't be read; where a test has parameters, the marker has to name one"
        definition.warn(pytest.PytestWarning(f"graphtape: explore has no effect: {why}"))


def proxy_of(config: pytest.Config) -> SharedProxy:
    """Return what serves this process's tests, begun with the first that needs it."""
    proxy = config.stash.get(_PROXY, None)
    if proxy is None:
        from graphtape.pytest_plugin.shared_proxy import SharedProxy  # noqa: PLC0415 - heavy

        upstream = config.getoption(_UPSTREAM) or config.getini("graphtape_upstream") or None
        max_age = config.getoption(_MAX_AGE) or config.getini("graphtape_max_age") or None
        older = config.getoption(_OLDER)
        proxy = SharedProxy.begun(
            root=config.rootpath, upstream=upstream, max_age=max_age, older=older
        )
        config.add_cleanup(proxy.end)
        config.stash[_PROXY] = proxy
    return proxy


def _mode(item: pytest.Item, asked: Asked) -> str:
    """Say how a test's cassette is treated.

    A marker's `none` stands above the command line: cassettes that were written by hand, and tests
    that play several, are not to be recorded with the others.
    """
    if asked.mode == "none":
        return "none"
    config = item.config
    return str(config.getoption(_MODE) or asked.mode or config.getini("graphtape_mode") or "none")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep how a test did; to one that failed add what its session has to say."""
    report = yield
    if call.when == "call":
        item.stash[_PASSED] = report.passed
    session = item.stash.get(_SESSION, None)
    if session is not None and report.failed:
        found = session.failure()
        if found is not None:
            from graphtape.pytest_plugin.shared_proxy import failure_text  # noqa: PLC0415 - heavy

            report.sections.append(("graphtape", failure_text(item, found)))
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember which test runs, for those that ask without saying."""
    item.config.stash[_RUNNING] = item
    item.stash[_PASSED] = False


@pytest.hookimpl(optionalhook=True)
def pytest_recording_configure(config: pytest.Config, vcr: VCR) -> None:
    """Let pytest-recording ignore requests to the proxy, in tests that use both."""
    item = config.stash.get(_RUNNING, None)
    if isinstance(item, pytest.Function) and "graphtape" in item.fixturenames:
        vcr.ignore_hosts = (*vcr.ignore_hosts, "127.0.0.1")
