"""A session that several proxies serve: what it does is a step, and Redis says in which order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from msgspec import msgpack

from graphtape.core.errors import RequestError
from graphtape.core.tape.outcome import Assemble, Replay
from graphtape.core.tape.steps import Kind, Stale, Step, encode, needs_step, shape_of
from graphtape.server.state.link import UnavailableError
from graphtape.server.state.store import BEAT, SessionLostError

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.journal import Entry
    from graphtape.core.message import Request
    from graphtape.core.tape.outcome import Outcome
    from graphtape.core.tape.position import Order
    from graphtape.core.tape.question import Question
    from graphtape.core.tape.steps import Result, Steps
    from graphtape.server.state.bus import Bus
    from graphtape.server.state.part import Part
    from graphtape.server.state.store import Store

_RENEWED = 10.0
"""Seconds from one renewal of a lease to the next."""

KEPT_STEPS = 20_000
"""Steps after which a snapshot takes their place: each takes some 60 bytes of Redis."""

_MOST_AT_ONCE = 512
"""Steps in one command."""


@dataclass(slots=True, kw_only=True, eq=False)
class Shared:
    """A session that several proxies serve. For the loop's own thread.

    Attributes:
        store: Where its steps are.
        bus: Asks the others.
        key: What it is called in Redis.
        steps: As this proxy has taken them.
        epoch: Of the session in Redis; another one is another session.
        order: How repeats of a request play.
        on_failure: Told what makes the run no success; the same once.
    """

    store: Store
    bus: Bus
    key: str
    steps: Steps
    epoch: bytes
    order: Order
    on_failure: Callable[[str], None]
    lost: SessionLostError | None = None
    _names: count[int] = field(default_factory=count)
    _queue: list[tuple[Step, asyncio.Future[Result] | None]] = field(default_factory=list)
    _turning: asyncio.Lock = field(default_factory=asyncio.Lock)
    _trimmed: int = 0
    _book: list[Entry] = field(default_factory=list)
    _read: dict[str, int] = field(default_factory=dict)
    _pumping: asyncio.Task[None] | None = None
    _kept: dict[str, float] = field(default_factory=dict)
    _beating: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        """Of the session."""
        return self.steps.session.id

    def begin(self) -> None:
        """Give signs of life from now on, and renew leases."""
        self._beating = asyncio.create_task(self._beat())

    def needs_step(self, question: Question) -> bool:
        """Tell whether the answer to a question depends on what others were given."""
        return needs_step(question, order=self.order)

    async def decide(self, question: Question) -> tuple[Outcome | None, str | None]:
        """Decide a request.

        Returns:
            What was decided, None where the question has to be compiled anew; and by what name its
            answer is reserved, None where it isn't.

        Raises:
            RequestError: It is a batch that Graph would refuse, or the state can't be had.
        """
        session = self.steps.session
        name = self._name()
        self.steps.asked[name] = question
        if not question.shape:
            question.shape = encode(shape_of(question))
        step = Step(Kind.DECIDE, name, session.configuration, question.shape)
        try:
            result = await self.take(step)
        except RequestError:
            self.steps.asked.pop(name, None)
            raise
        if isinstance(result, RequestError):
            raise result
        if self.steps.ended:
            raise RequestError(
                f"no session {self.id!r} is open: another replica has ended it",
                status=404,
                code="GraphtapeUnknownSession",
            )
        if isinstance(result, Stale):
            return None, None
        assert not isinstance(result, bool)  # noqa: S101 - of another kind of step
        return result, name if name in self._kept else None

    async def find(self, request: Request) -> tuple[Replay | None, str | None]:
        """Find the answer to another request than the client's; scenarios don't apply to it."""
        question = self.steps.session.compile(request)
        question.fit = None
        found, name = await self.decide(question)
        return (found, name) if isinstance(found, Replay) else (None, None)

    async def commit(self, name: str) -> None:
        """Say that an answer is about to have gone out whole.

        Raises:
            UnavailableError: That can't be said.
        """
        self._kept.pop(name, None)
        if await self.take(Step(Kind.PLAYED, name)) is not True:
            self.on_failure(
                f"session {self.id}: an answer took longer than its lease, and another client may "
                "have been given it as well"
            )

    def release(self, name: str) -> None:
        """Say that an answer didn't go out whole; nobody waits for that."""
        if self._kept.pop(name, None) is not None:
            self._add(Step(Kind.RELEASE, name), None)

    async def direct(self, said: bytes) -> None:
        """Direct the session everywhere; `said` is JSON, as the control API takes it.

        Raises:
            RequestError: The state can't be had.
        """
        await self.take(Step(Kind.DIRECT, self._name(), 0, said))
        await self.bus.ask("sync", self.id)

    async def rewind(self) -> None:
        """Play from the start, everywhere.

        Raises:
            RequestError: The state can't be had.
        """
        await self.take(Step(Kind.REWIND, self._name()))
        await self.bus.ask("sync", self.id)

    async def gather(self, *, end: bool = False) -> list[Part]:
        """Return what the others know of the session, and take in what they have seen.

        Args:
            end: Whether the session ends with it, everywhere.

        Raises:
            RequestError: The state can't be had.
        """
        from graphtape.server.state.part import parts_of  # noqa: PLC0415 - once it is asked for

        await self.sync()
        if end:
            await self.take(Step(Kind.END, self._name()))
        parts = parts_of(await self.bus.ask("end" if end else "report", self.id))
        for part in parts:
            for playback, slots in zip(self.steps.session.playbacks, part.played, strict=True):
                playback.player.saw(slots)
        return parts

    async def journal(self) -> list[Entry]:
        """Return the entries of all proxies, those that were read before in the same order.

        Raises:
            RequestError: The others can't be asked.
        """
        from graphtape.server.state.book import Pages  # noqa: PLC0415 - once it is asked for

        own = Pages.of(self.store.name, self.steps.session.journal)
        for pages in (own, *map(Pages.read, await self.bus.ask("journal", self.id))):
            if pages is not None:
                new = pages.done - self._read.get(pages.name, 0)
                self._book += pages.entries[len(pages.entries) - min(new, len(pages.entries)) :]
                self._read[pages.name] = pages.done
        return self._book

    def _name(self) -> str:
        return f"{self.store.name}.{next(self._names)}"

    async def take(self, step: Step) -> Result:
        """Take a step after those that others take meanwhile.

        Raises:
            SessionLostError: The session isn't there any more.
            UnavailableError: Redis doesn't answer.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._add(step, future)
        return await future

    async def sync(self) -> None:
        """Take all steps there are.

        Raises:
            RequestError: They can't be had.
        """
        await self._turn([])

    def _add(self, step: Step, future: asyncio.Future[Result] | None) -> None:
        self._queue.append((step, future))
        if self._pumping is None or self._pumping.done():
            self._pumping = asyncio.create_task(self._pump())

    async def _pump(self) -> None:
        """Send what is asked for, one command at a time: what comes meanwhile goes together."""
        while self._queue:
            turn, self._queue = self._queue[:_MOST_AT_ONCE], self._queue[_MOST_AT_ONCE:]
            try:
                await self._turn(turn)
            except RequestError as exc:
                self.on_failure(str(exc))
                for _, future in turn:
                    if future is not None and not future.done():
                        future.set_exception(exc)

    async def _turn(self, turn: list[tuple[Step, asyncio.Future[Result] | None]]) -> None:
        async with self._turning:  # what one command returns, the next one doesn't
            await self._turn_alone(turn)

    async def _turn_alone(self, turn: list[tuple[Step, asyncio.Future[Result] | None]]) -> None:
        if self.lost is not None:
            raise self.lost
        try:
            snapshot, found = await self.store.step(
                self.key, self.epoch, self.steps.taken, [msgpack.encode(step) for step, _ in turn]
            )
        except SessionLostError as exc:
            self.lost = exc
            raise
        if snapshot is not None:
            self.steps.restore(snapshot)
        self._take_all(found, {(step.kind, step.name): future for step, future in turn})
        if self.steps.taken - self._trimmed >= KEPT_STEPS:
            self._trimmed = self.steps.taken
            await self.store.trim(self.key, self.epoch, self.steps.taken, self.steps.snapshot())

    def _take_all(
        self,
        found: list[tuple[bytes, float]],
        waiting: dict[tuple[Kind, str], asyncio.Future[Result] | None],
    ) -> None:
        """Take steps, and tell who waits for what they come to."""
        for data, now in found:
            step, result = self.steps.take(data, now)
            if not step.name.startswith(self.store.name):
                continue
            decides = step.kind is Kind.DECIDE
            if decides and _reserves(result):
                self._kept[step.name] = now
            future = waiting.pop((step.kind, step.name), None)
            if future is not None and not future.done():
                future.set_result(result)
            elif decides:  # nobody waits for it any more
                self.release(step.name)
        for future in waiting.values():
            if future is not None and not future.done():
                future.set_exception(UnavailableError("lost a step"))

    async def _beat(self) -> None:
        renewed = 0.0
        while self.lost is None:
            await asyncio.sleep(BEAT)
            try:
                if not await self.store.beat(self.key, self.epoch):
                    self.lost = SessionLostError(self.id)
                    raise self.lost
                await self.sync()
            except SessionLostError as exc:
                self.on_failure(str(exc))
            except UnavailableError:  # who asks for something is told
                continue
            renewed += BEAT
            if renewed >= _RENEWED:
                renewed = 0.0
                for name in self._kept:
                    self._add(Step(Kind.RENEW, name), None)

    async def end(self) -> None:
        """Take part no longer: tell what was seen, and go."""
        if self._beating is not None:
            self._beating.cancel()
        seen = [sorted(each.player.played_slots()) for each in self.steps.session.playbacks]
        try:
            if self.lost is None:
                await self.take(Step(Kind.SEEN, self._name(), 0, encode(seen)))
                await self.store.leave(self.key)
        except RequestError as exc:
            self.on_failure(str(exc))


def _reserves(result: Result) -> bool:
    if not isinstance(result, (Replay, Assemble)):
        return False
    replays = result.replays if isinstance(result, Assemble) else (result,)
    return any(each.hit.reserved for each in replays)
