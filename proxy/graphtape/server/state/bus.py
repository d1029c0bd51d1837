"""What proxies that serve the same sessions ask each other; nothing of it is kept in Redis."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from graphtape.server.state.link import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from graphtape.server.state.link import Link

log = logging.getLogger("graphtape")

_PATIENCE = 2.0
"""Seconds that others may take to answer."""

_LOOK = 1.0
"""Seconds from one look at the subscription to the next."""


class Asked(Struct, frozen=True):
    """What is asked of all others.

    Attributes:
        what: `sync`, `list`, `journal`, `report` or `end`.
        session: Which it is about.
        sender: Its name.
        number: Of the question; the answer has it too.
    """

    what: str
    session: str
    sender: str
    number: str


class Answer(Struct, frozen=True):
    """What one of them answers."""

    number: str
    data: bytes


@dataclass(slots=True, kw_only=True)
class Bus:
    """The channels that all proxies of a run listen to. For the loop's own thread.

    Attributes:
        run: What their default session is called.
        name: Of this proxy.
        out: Where it speaks.
        hears: Where it listens.
        answer: Answers a question of another proxy; None has nothing to say.
    """

    run: str
    name: str
    out: Link
    hears: Link
    answer: Callable[[str, str], Awaitable[bytes | None]]
    _asked: dict[str, tuple[list[bytes], asyncio.Event]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _subscribed: int = 0

    async def begin(self) -> None:
        """Listen from now on.

        Raises:
            UnavailableError: Redis doesn't answer.
        """
        await self._subscribe()
        self._start(self._keep())

    def close(self) -> None:
        """Listen no longer."""
        for task in self._tasks:
            task.cancel()

    async def ask(self, what: str, session: str) -> list[bytes]:
        """Ask all others; return what those answered that did in time.

        Raises:
            UnavailableError: Redis doesn't answer.
        """
        number = secrets.token_hex(6)
        answers: tuple[list[bytes], asyncio.Event] = [], asyncio.Event()
        self._asked[number] = answers
        try:
            asked = Asked(what, session, self.name, number)
            heard = await self.out.call("PUBLISH", self._all, msgspec.json.encode(asked))
            others = int(str(heard)) - 1
            try:
                async with asyncio.timeout(_PATIENCE):
                    while len(answers[0]) < others:
                        await answers[1].wait()
                        answers[1].clear()
            except TimeoutError:
                log.warning("%d of %d replicas don't answer", others - len(answers[0]), others)
        finally:
            del self._asked[number]
        return answers[0]

    def heard(self, push: list[object]) -> None:
        """Take what a channel says."""
        _, channel, data = push
        assert isinstance(data, bytes)  # noqa: S101 - of a message
        if channel == self._all.encode():
            asked = msgspec.json.decode(data, type=Asked)
            if asked.sender != self.name:
                self._start(self._reply(asked))
            return
        told = msgspec.json.decode(data, type=Answer)
        waiting = self._asked.get(told.number)
        if waiting is not None:
            waiting[0].append(told.data)
            waiting[1].set()

    @property
    def _all(self) -> str:
        return f"gt:{self.run}:all"

    @property
    def _own(self) -> str:
        return f"gt:{self.run}:{self.name}"

    async def _reply(self, asked: Asked) -> None:
        data = await self.answer(asked.what, asked.session)
        answer = Answer(asked.number, data or b"")
        channel = f"gt:{self.run}:{asked.sender}"
        try:
            await self.out.call("PUBLISH", channel, msgspec.json.encode(answer))
        except UnavailableError as exc:
            log.warning("%s", exc)

    async def _subscribe(self) -> None:
        await self.hears.call("SUBSCRIBE", self._all)
        await self.hears.call("SUBSCRIBE", self._own)
        self._subscribed = self.hears.made

    async def _keep(self) -> None:
        """Subscribe anew where the connection has broken."""
        while True:
            await asyncio.sleep(_LOOK)
            try:
                await self.hears.call("PING")
                if self._subscribed != self.hears.made:
                    await self._subscribe()
            except UnavailableError as exc:
                log.debug("%s", exc)

    def _start(self, coroutine: Awaitable[None]) -> None:
        task = asyncio.ensure_future(coroutine)
        assert isinstance(task, asyncio.Task)  # noqa: S101 - of a coroutine
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
