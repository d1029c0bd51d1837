"""Notifications on their way: delivered, tried again, or dropped."""

from __future__ import annotations

import asyncio
import enum
import logging
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphtape.core.notification.payload import MEDIA, collection
from graphtape.server.notify.app import TooSlowError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from graphtape.core.notification.conduct import Conduct
    from graphtape.core.notification.payload import Notification
    from graphtape.server.notify.app import App

log = logging.getLogger("graphtape")

_KEPT = 1000
"""Dispatches that are remembered."""


class State(enum.StrEnum):
    """What became of a dispatch."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One POST.

    Attributes:
        status: None where no answer came.
        milliseconds: Until the answer, or until there was none.
        why: There was none.
    """

    status: int | None
    milliseconds: float
    why: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the app took it."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - 2xx


@dataclass(slots=True, kw_only=True, eq=False)
class Dispatch:
    """What one POST carries, and how it went.

    Attributes:
        number: From 1, in the order they were made.
        url: Of the app.
        wrongly: Whether its clientState isn't that of the subscription.
        wait: Seconds before the first attempt, unless what it is `behind` is done sooner.
        behind: Set once another one is done; None where it waits for none.
        done: Set once it was delivered or dropped.
    """

    number: int
    url: str
    notifications: tuple[Notification, ...]
    wrongly: bool = False
    wait: float = 0.0
    behind: asyncio.Event | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)
    attempts: list[Attempt] = field(default_factory=list)
    state: State = State.PENDING


@dataclass(slots=True, kw_only=True)
class Outbox:
    """The notifications of one session.

    Attributes:
        app: Where they go.
        conduct: How long is waited for it, and when it is tried again.
        tokens: Writes `validationTokens` for notifications.
        is_active: Whether a subscription, by its id, still is.
        on_answer: Told of each answer, or that there was none.
        kept: The newest dispatches.
    """

    app: App
    conduct: Conduct
    tokens: Callable[[Sequence[Notification]], list[str]]
    is_active: Callable[[str], bool]
    on_answer: Callable[[Dispatch, Attempt], None]
    kept: deque[Dispatch] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _made: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def send(
        self,
        notifications: Sequence[Notification],
        *,
        url: str,
        wrongly: bool = False,
        wait: float = 0.0,
        behind: asyncio.Event | None = None,
    ) -> Dispatch:
        """Send notifications in one POST; returns before it is sent.

        The arguments are those of `Dispatch`.
        """
        self._made += 1
        dispatch = Dispatch(
            number=self._made,
            url=url,
            notifications=tuple(notifications),
            wrongly=wrongly,
            wait=wait,
            behind=behind,
        )
        self.kept.append(dispatch)
        self.start(self._deliver(dispatch))
        return dispatch

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Do something that takes time, until the session ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what is still on its way."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, dispatch: Dispatch) -> None:
        try:
            if dispatch.behind is not None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(dispatch.behind.wait(), dispatch.wait)
            else:
                await asyncio.sleep(dispatch.wait)
            await self._posted(dispatch)
        finally:
            dispatch.done.set()

    async def _posted(self, dispatch: Dispatch) -> None:
        told = dispatch.notifications
        body = collection(told, self.tokens(told))
        waits = self.conduct.waits()
        while True:
            attempt = await self._attempt(dispatch.url, body)
            dispatch.attempts.append(attempt)
            self.on_answer(dispatch, attempt)
            if attempt.accepted:
                dispatch.state = State.DELIVERED
                return
            wait = next(waits, None)
            if wait is None:
                break
            await asyncio.sleep(wait)
            if not any(self._is_wanted(each) for each in dispatch.notifications):
                break
        dispatch.state = State.DROPPED
        last = dispatch.attempts[-1]
        log.warning(
            "a notification was dropped after %d attempts; the last: %s",
            len(dispatch.attempts),
            last.why or f"status {last.status}",
        )

    def _is_wanted(self, told: Notification) -> bool:
        """Tell whether a notification is still worth a retry: the news of its end always is."""
        return "lifecycleEvent" in told.fields or self.is_active(told.subscription.id)

    async def _attempt(self, url: str, body: bytes) -> Attempt:
        began = time.perf_counter()
        status, why = None, ""
        try:
            status = (await self.app.post(url, body, MEDIA)).status
        except (TooSlowError, UnreachableError) as exc:
            why = str(exc)
        return Attempt(status=status, milliseconds=(time.perf_counter() - began) * 1000, why=why)
