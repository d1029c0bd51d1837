"""The Python API, as code without pytest uses it; type checkers read this file too."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import requests

import graphtape
from graphtape.embedded import RecordOptions, ReplayOptions
from suites import DISCONNECT, ENTITY, cassette, disconnected, polled
from webhooks import ListeningApp, at, wanted

if TYPE_CHECKING:
    from graphtape import Entry, ProxySession, Report

DOCS = Path(__file__).parents[1] / "docs"
AUTH = {"Authorization": "Bearer not-a-real-token"}


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    tapes = polled("onboarded"), disconnected(), polled("offboarding")
    return cassette(tmp_path / "tape.yaml", *tapes)


def disconnect(proxy: ProxySession) -> str:
    answer = requests.post(proxy.base_url + DISCONNECT, headers=AUTH, timeout=5)
    return str(answer.json()["value"])


def ask(proxy: ProxySession, path: str) -> int:
    return requests.get(proxy.base_url + path, headers=AUTH, timeout=5).status_code


def test_every_export_is_there_and_sorted() -> None:
    assert list(graphtape.__all__) == sorted(graphtape.__all__)
    for name in graphtape.__all__:
        assert getattr(graphtape, name) is not None
    assert set(graphtape.__all__) <= set(dir(graphtape))
    with pytest.raises(AttributeError, match="no attribute 'rewind'"):
        _ = graphtape.rewind  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [name for name in vars(graphtape.ProxySession) if name[0] != "_"])
def test_every_attribute_of_the_fixture_is_documented(name: str) -> None:
    assert f"`{name}" in (DOCS / "pytest.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("options", [ReplayOptions, RecordOptions], ids=["replay", "record"])
def test_every_argument_is_documented(options: type) -> None:
    page = (DOCS / "python.md").read_text(encoding="utf-8")
    assert [name for name in options.__annotations__ if f"`{name}`" not in page] == []


def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    page = (DOCS / "python.md").read_text(encoding="utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, graphtape; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"aiohttp", "vcr", "yaml", "msgspec", "click", "asyncio"}
    assert set(done.stdout.split()).isdisjoint(heavy)


def test_a_block_replays_and_can_be_read_after_it(tape: Path) -> None:
    with graphtape.replay(tape, status="failed") as proxy:
        assert disconnect(proxy) == "failed"
    calls: tuple[Entry, ...] = proxy.calls
    report: Report = proxy.report()
    assert [(call.method, call.status, call.source) for call in calls] == [
        ("POST", 200, graphtape.Source.REPLAYED)
    ]
    assert report.unused_count == 2
    assert proxy.misses == ()
    with pytest.raises(requests.ConnectionError):
        disconnect(proxy)


def test_a_block_can_run_again_and_two_at_a_time(tape: Path) -> None:
    block = graphtape.replay(tape, scenario="throttled")
    for _ in range(2):
        with block as proxy, graphtape.replay(tape) as other:
            assert ask(proxy, ENTITY) == 429
            assert ask(other, ENTITY) == 200
            with pytest.raises(graphtape.UsageError, match="runs already"):
                block.__enter__()


def test_what_was_recorded_replays(tmp_path: Path) -> None:
    path = tmp_path / "new" / "tape.yaml"
    with graphtape.record(path, upstream="sandbox") as proxy:
        assert disconnect(proxy) == "inprogress"
        assert proxy.variable("name", lambda: "made-up") == "made-up"
    assert proxy.report().taping.saved == 1
    with graphtape.replay(path) as proxy:
        assert disconnect(proxy) == "inprogress"
        assert proxy.variable("name", lambda: "another") == "made-up"


def test_a_block_that_fails_keeps_the_old_cassette_in_mode_all(tape: Path) -> None:
    before = tape.read_text()
    with (  # noqa: PT012 - the block fails after what it did
        pytest.raises(ZeroDivisionError),
        graphtape.record(tape, upstream="sandbox", mode="all") as proxy,
    ):
        disconnect(proxy)
        raise ZeroDivisionError
    assert tape.read_text() == before


async def test_an_async_block_serves_while_its_loop_goes_on(tape: Path) -> None:
    async with (
        graphtape.replay(tape, ignore_query=["run"]) as proxy,
        httpx.AsyncClient(base_url=proxy.base_url) as client,
    ):
        answers = await asyncio.gather(*(client.get(f"{ENTITY}?run={n}") for n in range(5)))
        assert {answer.status_code for answer in answers} == {200}
        proxy.status("unknown")
        assert (await client.get(ENTITY)).json()["onboardingStatus"] == "unknown"
    assert len(proxy.calls) == 6


def test_a_miss_fails_the_block(tape: Path) -> None:
    block = graphtape.replay(tape)
    with pytest.raises(graphtape.MissError, match="answers GET /v1"):  # noqa: SIM117 - the block's end is what raises
        with block as proxy:
            assert ask(proxy, "/v1.0/me") == 599
    assert [call.url for call in proxy.misses] == ["https://graph.microsoft.com/v1.0/me"]
    assert issubclass(graphtape.MissError, AssertionError)


def test_a_miss_that_is_expected_or_not_checked_fails_nothing(tape: Path) -> None:
    with graphtape.replay(tape) as proxy, proxy.expect_miss():
        ask(proxy, "/v1.0/me")
    with graphtape.replay(tape) as proxy:
        with pytest.raises(requests.HTTPError), proxy.expect_miss():
            requests.get(f"{proxy.base_url}/v1.0/me", timeout=5).raise_for_status()
        assert proxy.misses == ()
    with graphtape.replay(tape, check=False) as proxy:
        ask(proxy, "/v1.0/me")
    with pytest.raises(graphtape.MissError):
        proxy.check()


def test_a_block_that_fails_by_itself_keeps_its_error_and_gets_the_report(tape: Path) -> None:
    with pytest.raises(KeyError) as failed, graphtape.replay(tape) as proxy:  # noqa: PT012 - likewise
        ask(proxy, "/v1.0/me")
        raise KeyError("own")
    assert any("graphtape: 1 miss" in note for note in failed.value.__notes__)


def test_unused_interactions_fail_a_block_that_asks_for_it(tape: Path) -> None:
    block = graphtape.replay(tape, fail_on_unused=True)
    with pytest.raises(graphtape.SessionError, match="unused"), block as proxy:
        ask(proxy, ENTITY)


def test_misses_are_told_once_and_not_in_the_log_too(
    tape: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        with graphtape.replay(tape) as proxy, proxy.expect_miss():
            ask(proxy, "/v1.0/me")
        assert "Nothing recorded answers" not in caplog.text
    with caplog.at_level(logging.DEBUG), graphtape.replay(tape, check=False) as proxy:
        ask(proxy, "/v1.0/me")
    assert "Nothing recorded answers GET /v1.0/me" in caplog.text


@pytest.mark.parametrize("which", ["listen", "control"])
def test_a_taken_port_is_told_in_words_of_python(tape: Path, which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = {which: f"127.0.0.1:{other.getsockname()[1]}"}
        block = graphtape.replay(tape, **taken)  # type: ignore[arg-type]
        with pytest.raises(graphtape.ListenError, match=f'{which}="127.0.0.1:0"'), block:
            raise AssertionError("it started")


def test_a_block_that_does_not_run_says_where_its_url_is(tape: Path) -> None:
    block = graphtape.replay(tape)
    with pytest.raises(AttributeError, match=r"with graphtape\.replay.* as proxy: proxy\.base_url"):
        block.base_url  # type: ignore[attr-defined] # noqa: B018 - what is tested
    with pytest.raises(AttributeError, match="'Block' object has no attribute 'base_ulr'"):
        block.base_ulr  # type: ignore[attr-defined] # noqa: B018 - likewise


def test_scenarios_alone_need_no_cassette() -> None:
    with graphtape.replay(scenario="outage") as proxy:
        assert ask(proxy, "/v1.0/me") == 503


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"status": "remove=failed"}, "remove"),
        ({"status": [7]}, "7 is no status"),
        ({"scenario": "throtled"}, "did you mean 'throttled'"),
        ({"scenario": 7}, "7 is no scenario"),
        ({"order": "random"}, "position, request"),
        ({"retry_after": -1}, "retry-after"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_wrong_option_is_named(tape: Path, options: dict[str, object], says: str) -> None:
    with pytest.raises(graphtape.UsageError, match=says), graphtape.replay(tape, **options):  # type: ignore[arg-type]
        raise AssertionError("it started")


def test_an_argument_nobody_knows_is_a_type_error(tape: Path) -> None:
    with pytest.raises(TypeError, match="no argument 'state'; it takes check, config"):
        graphtape.replay(tape, state="failed")  # type: ignore[call-arg]
    with pytest.raises(graphtape.UsageError, match=r"use graphtape\.replay"):
        graphtape.record(tape, mode="none")  # type: ignore[arg-type]


def test_a_cassette_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(graphtape.CassetteError, match="none\\.yaml"),
        graphtape.replay(tmp_path / "none.yaml"),
    ):
        raise AssertionError("it started")


def test_the_settings_file_of_the_working_folder_holds(
    tape: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "graphtape.toml").write_text('status = "failed"\n')
    monkeypatch.chdir(tmp_path)
    with graphtape.replay(tape) as proxy:
        assert disconnect(proxy) == "failed"
    with graphtape.replay(tape, status=()) as proxy:
        assert disconnect(proxy) == "inprogress"


def test_the_calls_are_whole_as_soon_as_the_client_has_its_answer(tape: Path) -> None:
    with graphtape.replay(tape) as proxy:
        for number in range(1, 200):
            ask(proxy, ENTITY)
            assert len(proxy.calls) == number


def test_a_test_notifies_its_app(tmp_path: Path) -> None:
    tape = cassette(tmp_path / "tape.yaml", disconnected())
    with ListeningApp() as app, graphtape.replay(tape, notify=app.url, check=False) as proxy:
        proxy.notify("me/messages/AAMk1")  # nobody has subscribed yet
        url = f"{proxy.base_url}/v1.0/subscriptions"
        body = wanted(
            app,
            expirationDateTime=at(120, since=time.time()),
            lifecycleNotificationUrl=f"{app.url}/life",
        )
        assert requests.post(url, json=body, headers=AUTH, timeout=30).status_code == 201
        proxy.notify("me/messages/AAMk1", "created", fault="doubled")
        proxy.notify(lifecycle_event="missed")
        told = app.wait(3)
    assert sorted(each.path for each in told) == ["/hook", "/hook", "/life"]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        pytest.param({"resource": "me/messages/1", "change_type": "moved"}, "moved", id="change"),
        pytest.param({"resource": "me/messages/1", "fault": "lost"}, "lost", id="fault"),
        pytest.param({"lifecycle_event": "ended"}, "ended", id="event"),
        pytest.param({}, "resource", id="nothing"),
    ],
)
def test_what_an_app_cannot_be_notified_of_is_named(
    given: dict[str, str], named: str, tmp_path: Path
) -> None:
    tape = cassette(tmp_path / "tape.yaml", disconnected())
    origin = "http://127.0.0.1:3000"
    with (
        graphtape.replay(tape, notify=origin, check=False) as proxy,
        pytest.raises(graphtape.UsageError, match=named),
    ):
        proxy.notify(**given)


def test_who_is_to_be_notified_must_be_said(tmp_path: Path) -> None:
    tape = cassette(tmp_path / "tape.yaml", disconnected())
    with (
        graphtape.replay(tape, check=False) as proxy,
        pytest.raises(graphtape.UsageError, match="notify"),
    ):
        proxy.notify("me/messages/1")
    with graphtape.replay(tape, notify="http://127.0.0.1:3000", check=False) as ended:
        pass
    with pytest.raises(graphtape.UsageError, match="over"):
        ended.notify("me/messages/1")
