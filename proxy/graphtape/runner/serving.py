"""Serves in the foreground, or in a thread."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from graphtape.server.ports import Addresses, forget_dead

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

    from graphtape.runner.proxy import Proxy
    from graphtape.runner.tenant import SandboxServer

T = TypeVar("T")


async def until_stopped(
    server: Proxy | SandboxServer, *, on_ready: Callable[[Addresses], None], ready_file: str | None
) -> None:
    """Serve in the foreground until SIGINT or SIGTERM; a second one cuts what is in flight."""
    ready = Path(ready_file) if ready_file is not None else None
    if ready is not None:
        forget_dead(ready)
    stop = asyncio.Event()
    async with server:
        _on_signals(stop, server.hurry)
        if ready is not None:
            server.addresses.write(ready)
        on_ready(server.addresses)
        await stop.wait()


def _on_signals(stop: asyncio.Event, hurry: Callable[[], None]) -> None:
    def signalled() -> None:
        if stop.is_set():
            hurry()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, signalled)
        except NotImplementedError:  # Windows' loop has none
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(signalled))


class InThread:
    """Serves in a thread of its own while the `with` block runs."""

    def __init__(self, server: Proxy | SandboxServer) -> None:
        """Take a server that isn't listening yet."""
        self.server = server
        self._ready: Future[Addresses] = Future()
        self._stop: Callable[[], object] | None = None
        self._thread = threading.Thread(target=self._run, name="graphtape", daemon=True)
        self._error: BaseException | None = None

    @property
    def addresses(self) -> Addresses:
        """Where it can be reached."""
        return self._ready.result()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.result()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._stop is not None:
            self._stop()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            run(self._serve())
        except BaseException as exc:  # noqa: BLE001 - raised again where the block ends
            if self._ready.done():
                self._error = exc
            else:
                self._ready.set_exception(exc)

    async def _serve(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with self.server:
            self._stop = partial(loop.call_soon_threadsafe, stop.set)
            self._ready.set_result(self.server.addresses)
            await stop.wait()


def run(main: Coroutine[object, object, T]) -> T:
    """Run a coroutine on the fastest loop there is."""
    factory = None
    if sys.platform != "win32":
        try:
            import uvloop  # noqa: PLC0415 - where it exists
        except ImportError:
            pass
        else:
            factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)
