"""Two hundred sessions over one cassette, all at once: nothing leaks from one to another."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession, ClientTimeout, TCPConnector

from proxies import AUTH, replaying
from short_cuts import Wire, asking, counted
from tapes import GRAPH, exchanged, taped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from proxies import Running
    from tapes import Interaction

SESSIONS = 200
STEPS = 15
"""What each client does one after the other; a step is one or two requests."""

WRITES = 6
CONNECTIONS = 20
"""Shared by the clients of all sessions, so that each carries requests of many."""

SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"
ENTITY = f"{SETTINGS}/00000000-0000-0000-0000-000000000001"
DISCONNECT = f"{SETTINGS}/disconnect"
USERS = "/v1.0/users"
NEXT = f"{USERS}?$skiptoken=abc"
RECORDED = "onboarded"

_JSON = {"Content-Type": "application/json"}


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """A cassette of writes, and of reads that tell how many of them came before."""

    def reads(stage: int) -> Iterator[Interaction]:
        first = {"stage": stage, "@odata.nextLink": GRAPH + NEXT}
        entity = {"stage": stage, "onboardingStatus": RECORDED}
        for path, answer in ((ENTITY, entity), (USERS, first), (NEXT, {"stage": stage})):
            yield exchanged("GET", path, json.dumps(answer), fields=_JSON)

    interactions = list(reads(0))
    for stage in range(1, WRITES + 1):
        answer = {"stage": stage, "value": RECORDED}
        interactions.append(exchanged("POST", DISCONNECT, json.dumps(answer), fields=_JSON))
        interactions.extend(reads(stage))
    return taped(tmp_path, *interactions)


@dataclass(slots=True, kw_only=True)
class Client:
    """One session's client: it knows what its session must answer, and what was another's.

    Attributes:
        wish: What its session is opened with.
        status: What its session puts for every status.
        throttled: Whether the next answer is its scenario's 429.
        stands_in: Whether its scenario answers the writes, so that none is played.
        stage: Writes played so far.
        asked: Requests sent.
        leaks: What it was answered and shouldn't have been.
    """

    number: int
    wish: dict[str, object] = field(default_factory=dict)
    status: str = RECORDED
    throttled: bool = False
    stands_in: bool = False
    base: str = ""
    stage: int = 0
    asked: int = 0
    leaks: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"client-{self.number}"

    async def play(self, http: ClientSession) -> None:
        """Read and write in an order of its own."""
        draw = Random(self.number)
        for _ in range(STEPS):
            step = draw.choice(["poll", "list", "write"])
            if step == "write" and self.stage < WRITES:
                await self._write(http)
            elif step == "list":
                await self._list(http)
            else:
                await self._read(http, ENTITY, {"onboardingStatus": self.status})

    async def _write(self, http: ClientSession) -> None:
        played = self.stage + (not self.throttled and not self.stands_in)
        wanted: dict[str, object] = {"value": self.status}
        if not self.stands_in:
            wanted["stage"] = played
        await self._ask(http, "POST", DISCONNECT, wanted)
        self.stage = played

    async def _list(self, http: ClientSession) -> None:
        link = await self._read(http, USERS, {"@odata.nextLink": self.base + NEXT})
        if link is not None:
            await self._read(http, link.removeprefix(self.base), {})

    async def _read(self, http: ClientSession, path: str, says: dict[str, str]) -> str | None:
        answer = await self._ask(http, "GET", path, {"stage": self.stage, **says})
        return cast("str | None", answer.get("@odata.nextLink"))

    async def _ask(
        self, http: ClientSession, method: str, path: str, wanted: dict[str, object]
    ) -> dict[str, object]:
        self.asked += 1
        mine = f"{self.name}-{self.asked}"
        headers = {**AUTH, "client-request-id": mine}
        async with http.request(method, self.base + path, headers=headers) as response:
            answer = cast("dict[str, object]", await response.json(content_type=None))
            status, given = response.status, response.headers.get("client-request-id")
        if self.throttled:
            self.throttled = False
            if status != 429:
                self.leaks.append(f"{mine}: {method} {path}: {status} for its own 429")
            return {}
        if (status, answer, given) != (200, wanted, mine):
            found = f"{status} {answer} for {given}"
            self.leaks.append(f"{mine}: {method} {path}: {found}; its own: {wanted}")
        return answer


def plain(number: int) -> Client:
    """Describe a client whose session answers as recorded."""
    return Client(number=number)


def directed(number: int) -> Client:
    """Describe a client whose session is directed in one of five ways, by a value of its own."""
    own = f"own-{number}"
    rule: dict[str, object] = {"when": {"path": ENTITY.removeprefix("/beta")}}
    stand_in: dict[str, object] = {"when": {"action": "disconnect"}}
    bent = {**rule, "set": {"$.onboardingStatus": own}}
    action = {**stand_in, "set": {"$.value": own}}
    answered = {**stand_in, "answer": {"body": {"value": own}}}
    wish: dict[str, object]
    match number % 5:
        case 0:
            return Client(number=number)
        case 1:
            return Client(number=number, wish={"status": own}, status=own)
        case 2:
            wish = {"scenario": {"name": own, "rules": [bent, action]}}
            return Client(number=number, wish=wish, status=own)
        case 3:
            wish = {"scenario": "throttled", "status": own}
            return Client(number=number, wish=wish, status=own, throttled=True)
        case _:
            wish = {"scenario": [{"name": own, "rules": [bent, answered]}]}
            return Client(number=number, wish=wish, status=own, stands_in=True)


@dataclass(slots=True, kw_only=True)
class Stage:
    """A proxy, and the connections all clients share."""

    proxy: Running
    http: ClientSession

    async def open(self, client: Client) -> None:
        """Open a client's session, as any language would."""
        wish = {"id": client.name, "cassettes": "tape.yaml", **client.wish}
        async with self.http.post(f"{self.proxy.control}/sessions", json=wish) as response:
            assert response.status == 201, await response.text()
            client.base = (await response.json())["base_url"]

    async def hammer(self, clients: list[Client]) -> None:
        """Open all sessions, then let all clients play at once."""
        await asyncio.gather(*map(self.open, clients))
        assert len({urlsplit(client.base).path for client in clients}) == len(clients)
        await asyncio.gather(*(client.play(self.http) for client in clients))

    async def counts(self) -> dict[str, int]:
        """Ask how many requests reached each session."""
        async with self.http.get(f"{self.proxy.control}/sessions") as response:
            sessions = (await response.json())["sessions"]
        return {each["id"]: each["requests"] for each in sessions}


@pytest.fixture
async def stage(tape: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.chdir(tape.parent)
    connector = TCPConnector(limit=CONNECTIONS)
    with replaying(tape) as proxy:
        async with ClientSession(connector=connector, timeout=ClientTimeout(total=60)) as http:
            yield Stage(proxy=proxy, http=http)


def leaks_of(clients: list[Client]) -> list[str]:
    return [leak for client in clients for leak in client.leaks]


async def test_two_hundred_plain_sessions_at_once_each_get_their_own_answers(stage: Stage) -> None:
    clients = [plain(number) for number in range(SESSIONS)]
    with counted() as short:
        await stage.hammer(clients)
    assert leaks_of(clients) == []
    assert await stage.counts() == {"default": 0, **{each.name: each.asked for each in clients}}
    assert short.first + short.again > SESSIONS * 4  # else this shows little of it


async def test_two_hundred_sessions_with_scenarios_of_their_own_don_t_meet(stage: Stage) -> None:
    clients = [directed(number) for number in range(SESSIONS)]
    await stage.hammer(clients)
    assert leaks_of(clients) == []
    assert await stage.counts() == {"default": 0, **{each.name: each.asked for each in clients}}


async def test_every_session_got_further_by_its_own_writes_alone(stage: Stage) -> None:
    clients = [plain(number) for number in range(SESSIONS)]
    await stage.hammer(clients)
    reached = Counter(client.stage for client in clients)
    assert len(reached) > 3  # they differ, so that a shared position would have shown

    for client in clients[::2]:
        url = f"{stage.proxy.control}/sessions/{client.name}/rewind"
        async with stage.http.post(url) as response:
            assert response.status == 204
        client.stage = 0
    await asyncio.gather(*(client.play(stage.http) for client in clients))
    assert leaks_of(clients) == []


async def test_sessions_that_close_amid_the_others_take_nothing_with_them(stage: Stage) -> None:
    clients = [directed(number) for number in range(SESSIONS)]
    leaving = [Client(number=SESSIONS + number) for number in range(SESSIONS // 4)]
    await asyncio.gather(*map(stage.open, [*clients, *leaving]))

    async def leave(client: Client) -> int:
        await client.play(stage.http)
        async with stage.http.delete(f"{stage.proxy.control}/sessions/{client.name}") as response:
            report = await response.json()
        assert report["requests"] == client.asked
        async with stage.http.get(client.base + ENTITY, headers=AUTH) as response:
            return response.status

    playing = asyncio.gather(*(client.play(stage.http) for client in clients))
    assert set(await asyncio.gather(*map(leave, leaving))) == {404}
    await playing
    assert leaks_of([*clients, *leaving]) == []


@pytest.mark.parametrize("make", [plain, directed])
async def test_pipelined_requests_of_many_sessions_are_answered_each_by_its_own(
    stage: Stage, make: Callable[[int], Client]
) -> None:
    clients = [make(number) for number in range(SESSIONS)]
    await asyncio.gather(*map(stage.open, clients))
    asked = [
        asking(urlsplit(client.base).path + USERS, ("client-request-id", f"{client.name}-{turn}"))
        for turn in (1, 2)
        for client in clients
        if not client.throttled
    ]

    def talk() -> list[bytes]:
        with Wire(stage.proxy.url) as wire:
            wire.send(b"".join(asked))
            return [wire.answer() for _ in asked]

    answers = await asyncio.to_thread(talk)
    for request, answer in zip(asked, answers, strict=True):
        path, mine = request.split()[1].decode(), request.rsplit(b" ", 1)[1].strip().decode()
        text = answer.decode()
        assert f'"http://graph.test:8080{path}?$skiptoken=abc"' in text
        assert f"client-request-id: {mine}\r\n" in text
