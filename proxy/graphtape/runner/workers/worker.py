"""A worker as the process that started it sees it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from graphtape.core.errors import GraphtapeError
from graphtape.core.journal import Source
from graphtape.core.report.report import Report, Taping
from graphtape.core.tape.outcome import Mode
from graphtape.runner.workers.message import Ask, Failed, Over, Ready, Stop
from graphtape.runner.workers.tape import received

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from graphtape.core.report.usage import UnusedRequest

_LAST = 5.0
"""Seconds that a process may take to end once its pipe has."""


@dataclass(slots=True, kw_only=True)
class Worker:
    """A worker as the process that started it sees it.

    Attributes:
        name: That its sessions' ids begin with.
        url: Of its data port.
        control: Of its control port.
        process: Its own.
        pipe: The way to it.
        default_id: Of the session that no path names.
        died: How it ended, where it wasn't told to; else None.
        sessions: The ids of those it opened, and whether they are open.
        over: Set once it has told what came of it, or is gone.
        reports: What its sessions came to; empty where it never told.
    """

    name: str
    url: str
    control: str
    process: BaseProcess
    pipe: Connection
    default_id: str
    died: str | None = None
    sessions: dict[str, bool] = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)
    ready: asyncio.Future[None] = field(init=False)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def listen(self, on_death: Callable[[Worker], None]) -> None:
        """Hear what it tells; on the loop that runs.

        Args:
            on_death: Called where it ends without having been told to.
        """
        loop = asyncio.get_running_loop()
        self.ready = loop.create_future()
        self.ready.add_done_callback(lambda found: found.exception())

        def heard() -> None:
            try:
                told: Ready | Failed | Over = self.pipe.recv()
            except (EOFError, OSError):
                loop.remove_reader(self.pipe.fileno())
                self._ended()
                on_death(self)
                return
            match told:
                case Ready():
                    self.ready.set_result(None)
                case Failed():
                    self.ready.set_exception(told.error)
                case Over():
                    loop.remove_reader(self.pipe.fileno())
                    self.reports = received(told.reports, self._ask)
                    self.over.set()
                case _:
                    assert_never(told)

        loop.add_reader(self.pipe.fileno(), heard)
        os.set_blocking(self.pipe.fileno(), True)  # uvloop has made it otherwise

    def opened(self, session_id: str) -> None:
        """Note a session that it opened."""
        self.sessions[session_id] = True

    def closed(self, session_id: str) -> None:
        """Note a session that it ended."""
        self.sessions[session_id] = False

    def stop(self) -> None:
        """Tell it to stop; the second time, to cut what is in flight."""
        if not self.over.is_set():
            with suppress(OSError):
                self.pipe.send(Stop.STOP)

    def kill(self) -> None:
        """End it, since it doesn't."""
        self.process.kill()
        self._ended()

    def close(self) -> None:
        """Let it go; it has stopped, or does so at once."""
        self.pipe.close()
        self.process.join(_LAST)
        if self.process.is_alive():
            self.process.kill()
            self.process.join(_LAST)

    def account(self, *, now: float) -> list[Report]:
        """Return the reports of its sessions; of one that has died, that they are lost.

        Args:
            now: Unix seconds.
        """
        if self.died is None:
            return self.reports
        return [
            Report(
                session=session,
                mode=Mode.NONE,
                now=now,
                counts=dict.fromkeys(Source, 0),
                taping=Taping(failures=(why,)),
            )
            for session, why in self._lost()
        ]

    def _lost(self) -> Iterator[tuple[str, str]]:
        how = f"worker {self.name} {self.died}"
        yield self.default_id, f"{how}: what this session came to is lost"
        for session, is_open in self.sessions.items():
            when = "while this session was open" if is_open else "after this session ended"
            yield session, f"{how} {when}: what it came to is lost"

    def _ended(self) -> None:
        """Note how its process ended."""
        self.process.join(_LAST)
        code = self.process.exitcode
        self.died = "ended"
        if code is not None:
            self.died = f"exited with {code}" if code >= 0 else f"was ended by {_signal(-code)}"
        self.over.set()
        if not self.ready.done():
            self.ready.set_exception(GraphtapeError(f"worker {self.name} {self.died} at its start"))

    def _ask(self, asked: Ask) -> tuple[UnusedRequest, ...]:
        try:
            self.pipe.send(asked)
            found: tuple[UnusedRequest, ...] = self.pipe.recv()
        except (EOFError, OSError):
            return ()
        return found


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def open_sessions(worker: Worker) -> int:
    """Count the sessions of a worker that clients opened and nobody ended."""
    return Counter(worker.sessions.values())[True]
