"""A worker: a process that serves a part of the sessions."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from graphtape.core.errors import GraphtapeError
from graphtape.runner.serving import ending, run
from graphtape.runner.workers.message import Ask, Failed, Over, Ready
from graphtape.runner.workers.tape import sent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from multiprocessing.connection import Connection
    from typing import Protocol

    from graphtape.runner.proxy import Proxy

    class Closes(Protocol):
        """Something that another process holds, too."""

        def close(self) -> None:
            """Let it go."""


def work(proxy: Proxy, parent: Connection, others: Iterable[Closes]) -> None:
    """Serve until the parent says to stop, or is gone; then tell it what came of it.

    Args:
        proxy: Not listening yet.
        parent: The way to the process that started this one.
        others: What is not this worker's, and would stay open with it.
    """
    for number in ending():  # a terminal sends them to all: the parent decides what they mean
        signal.signal(number, signal.SIG_IGN)
    for each in others:
        each.close()
    try:
        orphaned = run(_serve(proxy, parent))
    except GraphtapeError as exc:
        with suppress(OSError):
            parent.send(Failed(exc))
        return
    if orphaned:
        return
    with suppress(OSError, EOFError):
        _tell(proxy, parent)


async def _serve(proxy: Proxy, parent: Connection) -> bool:
    """Serve until told to stop; tell whether the parent is gone."""
    stop, served, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def heard() -> None:
        try:
            parent.recv()
        except (EOFError, OSError):
            loop.remove_reader(parent.fileno())
            gone.set()
        if served.is_set() and (gone.is_set() or stop.is_set()):
            proxy.hurry()
        stop.set()

    loop.add_reader(parent.fileno(), heard)
    os.set_blocking(parent.fileno(), True)  # uvloop has made it otherwise
    try:
        async with proxy:
            served.set()
            if not gone.is_set():
                with suppress(OSError):
                    parent.send(Ready.READY)
            await stop.wait()
    finally:
        if not gone.is_set():
            loop.remove_reader(parent.fileno())
    return gone.is_set()


def _tell(proxy: Proxy, parent: Connection) -> None:
    """Send the reports, and what is asked about their tapes, until nothing more is."""
    reports, tapes = sent(proxy.reports())
    parent.send(Over(reports))
    while True:
        asked = parent.recv()
        if isinstance(asked, Ask):
            parent.send(tapes[asked.tape].requests(asked.indices))
