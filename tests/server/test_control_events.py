"""The control API: journal entries as they happen."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import requests
from aiohttp import ClientTimeout

from control_api import controlled
from graphtape.core.errors import RequestError
from graphtape.core.journal import Entry, Source
from graphtape.server.control import Events
from proxies import AUTH, recording

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp import ClientResponse

    from control_api import Control


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("events") / "tape.yaml"
    with recording(path, upstream="sandbox") as proxy:
        requests.get(f"{proxy.url}/v1.0/me", headers=AUTH, timeout=5)
    return path


def entry(number: int, note: str = "") -> Entry:
    return Entry(
        number=number, method="GET", url="u", status=200, source=Source.REPLAYED, note=note
    )


@asynccontextmanager
async def listening(control: Control, path: str = "/events") -> AsyncIterator[ClientResponse]:
    """Listen; the first comment has come."""
    timeout = ClientTimeout(total=20)
    async with control.http.get(control.url + path, timeout=timeout) as response:
        assert response.status == 200
        assert (await block(response)).startswith(":")
        yield response


async def block(response: ClientResponse) -> str:
    """Read up to an empty line."""
    lines: list[str] = []
    while (line := (await response.content.readline()).decode()) not in {"\n", ""}:
        lines.append(line)
    return "".join(lines)


def data_of(text: str) -> dict[str, object]:
    name, _, data = text.partition("\ndata: ")
    decoded = json.loads(data)
    assert isinstance(decoded, dict)
    return {"event": name.rpartition("event: ")[2], **decoded}


async def test_a_request_is_told_as_it_happens(tape: Path) -> None:
    async with controlled(tape) as control, listening(control) as events:
        assert events.headers["Content-Type"] == "text/event-stream"
        await control.get(control.data)
        told = data_of(await block(events))
    assert told["event"] == "entry"
    assert told["session"] == "default"
    assert isinstance(told["entry"], dict)
    assert told["entry"]["url"] == "https://graph.microsoft.com/v1.0/me"
    assert told["entry"]["source"] == "replayed"


async def test_one_session_can_be_listened_to_alone(tape: Path) -> None:
    async with controlled(tape) as control, listening(control, "/events?session=default") as events:
        control.events.tell("other", entry(1))
        control.events.tell("default", entry(2))
        assert data_of(await block(events))["session"] == "default"


async def test_a_session_that_is_not_open_has_no_events(tape: Path) -> None:
    async with controlled(tape) as control:
        assert (await control.ask("GET", "/events?session=nobody")).status == 404


async def test_silence_is_broken_by_a_comment(tape: Path) -> None:
    async with (
        controlled(tape, events=Events(heartbeat=0.05)) as control,
        listening(control) as events,
    ):
        assert (await block(events)).startswith(":")


async def test_the_stream_ends_whole_where_the_proxy_stops(tape: Path) -> None:
    async with controlled(tape) as control, listening(control) as events:
        control.events.tell("default", entry(1))
        await asyncio.wait_for(control.site.cleanup(), 3)
        rest = await events.content.read()  # raises where the last chunk is missing
        assert b'"number":1' in rest


async def test_one_who_takes_nothing_does_not_hold_up_the_stop(tape: Path) -> None:
    async with controlled(tape) as control, listening(control):
        for number in range(900):
            control.events.tell("default", entry(number, note="x" * 20_000))
        await asyncio.sleep(0.2)
        await asyncio.wait_for(control.site.cleanup(), 3)
        assert len(control.events) == 0


async def test_a_slow_listener_is_told_how_many_it_missed(tape: Path) -> None:
    async with (
        controlled(tape, events=Events(queued=3)) as control,
        listening(control) as events,
    ):
        for number in range(1, 9):  # the loop doesn't turn in between
            control.events.tell("default", entry(number))
        told = [data_of(await block(events)) for _ in range(4)]
        control.events.tell("default", entry(9))
        told.append(data_of(await block(events)))
    assert [each["event"] for each in told] == ["entry", "entry", "entry", "dropped", "entry"]
    assert told[3]["count"] == 5


async def test_one_who_left_is_forgotten(tape: Path) -> None:
    async with controlled(tape, events=Events(heartbeat=0.05)) as control:
        async with listening(control):
            assert len(control.events) == 1
        async with asyncio.timeout(5):
            while len(control.events):  # noqa: ASYNC110 - the hub tells nobody who left
                await asyncio.sleep(0.02)


async def test_not_more_than_a_few_listen_at_a_time(tape: Path) -> None:
    async with (
        controlled(tape, events=Events(most=1)) as control,
        listening(control),
    ):
        assert (await control.ask("GET", "/events")).status == 503


async def test_asking_for_the_head_of_events_ends(tape: Path) -> None:
    async with controlled(tape) as control:
        response = await control.ask("HEAD", "/events")
        assert (response.status, len(control.events)) == (200, 0)


async def test_a_hub_that_ended_takes_no_listener() -> None:
    events = Events()
    events.end()
    with pytest.raises(RequestError, match="stopping"):
        events.listen(None)


async def test_what_waits_for_a_listener_is_bounded() -> None:
    events = Events(queued=10)
    listener = events.listen(None)
    for number in range(10_000):
        events.tell("default", entry(number))
    assert len(list(listener.take())) == 11


async def test_a_tick_tells_counts_and_the_newest_entries_as_arrays(tape: Path) -> None:
    async with (
        controlled(tape) as control,
        listening(control, "/events?every=50ms&newest=2") as events,
    ):
        for _ in range(5):
            await control.get(control.data)
        ticks = [data_of(await block(events))]
        while sum(ticks[-1]["counts"]["default"].values()) < 5:  # type: ignore[index]
            ticks.append(data_of(await block(events)))
    assert {tick["event"] for tick in ticks} == {"tick"}
    assert ticks[-1]["counts"] == {"default": {"replayed": 5}}
    lines = [line for tick in ticks for line in tick["entries"]]  # type: ignore[attr-defined]
    assert len(lines) + sum(tick["dropped"] for tick in ticks) == 5  # type: ignore[misc]
    session, number, method, url, status, source, interaction, _, note, *_ = lines[-1]
    assert (session, number, method, status, source) == ("default", 5, "GET", 200, "replayed")
    assert (url, interaction) == ("https://graph.microsoft.com/v1.0/me", 0)
    assert note == "repeated: its stretch of tape has no newer answer"


async def test_a_tick_tells_of_a_session_that_was_opened_and_closed_meanwhile(tape: Path) -> None:
    async with controlled(tape) as control, listening(control, "/events?every=300ms") as events:
        await control.get(await control.open(id="brief"))
        await control.ask("DELETE", "/sessions/brief")
        told = data_of(await block(events))
    assert isinstance(told["counts"], dict)
    assert list(told["counts"]) == ["brief"]


async def test_ticks_of_one_session_leave_the_others_out(tape: Path) -> None:
    async with controlled(tape) as control:
        base = await control.open(id="a")
        async with listening(control, "/events?every=50ms&session=a") as events:
            await control.get(control.data)
            await control.get(base)
            told = data_of(await block(events))
    assert told["counts"] == {"a": {"replayed": 1}}


async def test_nothing_is_ticked_where_nothing_happens(tape: Path) -> None:
    async with (
        controlled(tape, events=Events(heartbeat=0.3)) as control,
        listening(control, "/events?every=50ms") as events,
    ):
        assert (await block(events)).startswith(":")


async def test_ticks_end_where_the_proxy_stops(tape: Path) -> None:
    async with controlled(tape) as control, listening(control, "/events?every=60s") as events:
        await control.get(control.data)
        await asyncio.wait_for(control.site.cleanup(), 3)
        assert b"event: tick" in await events.content.read()


async def test_one_who_waits_for_ticks_is_not_told_of_each_entry(tape: Path) -> None:
    async with controlled(tape) as control, listening(control, "/events?every=1s"):
        assert (control.events.heard, len(control.events)) == (False, 1)


@pytest.mark.parametrize(
    "query",
    ["every=1", "every=49ms", "every=61s", "every=-1s", "every=x", "newest=5"]
    + [f"every=1s&newest={newest}" for newest in (-1, 1001, "x", "")],
)
async def test_a_tick_that_cannot_be_is_refused(tape: Path, query: str) -> None:
    async with controlled(tape) as control:
        answer = await control.ask("GET", f"/events?{query}")
        assert answer.status == 400
        assert (await answer.json())["error"]["code"] == "GraphtapeQuery"
