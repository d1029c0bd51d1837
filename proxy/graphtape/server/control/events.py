"""Journal entries as they happen, handed to whoever listens."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from graphtape.core.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from graphtape.core.journal import Entry

QUEUED = 1000
"""Entries that wait for one listener; those beyond are counted and dropped."""

MOST = 64
"""Listeners at a time."""


@dataclass(slots=True, kw_only=True)
class Happened:
    """A request that is done.

    Attributes:
        session: Whose it was.
    """

    session: str
    entry: Entry
    _written: bytes = b""

    @property
    def written(self) -> bytes:
        """It as JSON, encoded once for all who listen."""
        if not self._written:
            told = {"session": self.session, "entry": self.entry}
            self._written = msgspec.json.encode(told)
        return self._written


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """What a listener was too slow for.

    Attributes:
        count: Entries that happened after the last one told and before the next one.
    """

    count: int


@dataclass(slots=True, kw_only=True, eq=False)
class Listener:
    """One who listens. Not for two threads at once.

    Attributes:
        session: Whose entries are wanted; None for all.
        queued: How many may wait.
        ended: Set once nothing more comes.
    """

    session: str | None
    queued: int
    ended: bool = False
    _waiting: deque[Happened] = field(default_factory=deque)
    _dropped: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _cut: Callable[[], None] | None = None

    def tell(self, happened: Happened) -> None:
        """Queue an entry; one beyond the bound is dropped and counted."""
        if self._dropped or len(self._waiting) >= self.queued:
            # What follows a dropped one is dropped too until all is taken, so that the count
            # stands in one place.
            self._dropped += 1
        else:
            self._waiting.append(happened)
        self._news.set()

    def take(self) -> Iterator[Happened | Dropped]:
        """Give out what waits, the oldest first."""
        self._news.clear()
        while self._waiting:
            yield self._waiting.popleft()
        if self._dropped:
            count, self._dropped = self._dropped, 0
            yield Dropped(count=count)

    async def news(self, seconds: float) -> bool:
        """Wait until something waits or all is over; False where nothing did in this time."""
        try:
            # Not wait_for: that of Python 3.11 can swallow a cancellation.
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def busy(self, cut: Callable[[], None] | None) -> None:
        """Say how to cut off a write that waits for the listener; None once it is over."""
        self._cut = cut

    def end(self) -> None:
        """Let it take what waits and go; cut it off where it takes nothing."""
        self.ended = True
        self._news.set()
        if self._cut is not None:
            self._cut()


@dataclass(slots=True, kw_only=True)
class Events:
    """Journal entries of all sessions as they happen. For the loop's own thread.

    Attributes:
        heartbeat: Seconds of silence after which a listener is sent a comment.
        queued: Entries that wait for one listener.
        most: Listeners at a time.
        over: Set once nothing more comes.
    """

    heartbeat: float = 15.0
    queued: int = QUEUED
    most: int = MOST
    over: bool = False
    _listeners: set[Listener] = field(default_factory=set)
    _watchers: set[Listener] = field(default_factory=set)

    @property
    def heard(self) -> bool:
        """Whether anybody wants each entry as it happens."""
        return bool(self._listeners)

    def __len__(self) -> int:
        """Count the listeners."""
        return len(self._listeners) + len(self._watchers)

    def tell(self, session: str, entry: Entry) -> None:
        """Tell whoever listens of a request that is done; costs nothing where nobody does."""
        if self._listeners:
            happened = Happened(session=session, entry=entry)
            for listener in self._listeners:
                if listener.session is None or listener.session == session:
                    listener.tell(happened)

    def listen(self, session: str | None, *, told: bool = True) -> Listener:
        """Let one more listen, from now on; `leave` ends it.

        Args:
            session: Whose entries are wanted; None for all.
            told: Whether each entry is; one who isn't told looks at the journals now and then.

        Raises:
            RequestError: Too many do, or the proxy stops.
        """
        if self.over:
            raise RequestError("the proxy is stopping", status=503, code="GraphtapeStopping")
        if len(self) >= self.most:
            raise RequestError(
                f"{self.most} listen to events already; close one of them",
                status=503,
                code="GraphtapeListeners",
            )
        listener = Listener(session=session, queued=self.queued)
        (self._listeners if told else self._watchers).add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Forget one who listened."""
        self._listeners.discard(listener)
        self._watchers.discard(listener)

    def end(self) -> None:
        """Let every listener go: the proxy stops."""
        self.over = True
        for listener in (*self._listeners, *self._watchers):
            listener.end()
