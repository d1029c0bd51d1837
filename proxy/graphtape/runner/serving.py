"""Serves in the foreground, or in a thread."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from graphtape import files
from graphtape.core.errors import UsageError
from graphtape.core.tape.outcome import Mode
from graphtape.server.http.ports import Addresses, forget_dead

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator
    from types import TracebackType

    from graphtape.core.report.report import Report
    from graphtape.runner.command import Command, Ending
    from graphtape.runner.proxy import Proxy
    from graphtape.runner.tenant import SandboxServer

T = TypeVar("T")


class Server(Protocol):
    """Serves while an `async with` block runs."""

    @property
    def addresses(self) -> Addresses:
        """Where it can be reached, once it listens."""

    async def __aenter__(self) -> object:
        """Begin."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""

    def hurry(self) -> None:
        """Stop waiting for requests in flight."""


class Run(Server, Protocol):
    """A server of sessions."""

    @property
    def mode(self) -> Mode:
        """Where the answers of its default session may come from."""

    def spoil(self) -> None:
        """Say that the run did not go well in its user's eyes."""

    def reports(self) -> list[Report]:
        """Tell what each session came to, the default one first; once it has stopped."""


async def until_stopped(
    server: Server,
    *,
    on_ready: Callable[[Addresses], None],
    ready_file: str | None,
    over: asyncio.Event | None = None,
    on_signal: Callable[[int], None] | None = None,
) -> None:
    """Serve in the foreground until a signal ends it; a second one cuts what is in flight.

    Args:
        server: Not listening yet.
        on_ready: Called once the ports accept.
        ready_file: Written then.
        over: Ends it as a signal does.
        on_signal: Told the number of each signal.
    """
    ready = _ready_path(ready_file)
    stop = asyncio.Event() if over is None else over

    def signalled(number: int) -> None:
        if on_signal is not None:
            on_signal(number)
        if stop.is_set():
            server.hurry()
        stop.set()

    with on_signals(ending(), signalled):
        async with server:
            if ready is not None:
                server.addresses.write(ready)
            on_ready(server.addresses)
            await stop.wait()
    if ready is not None:
        forget_own(ready)


async def while_running(
    proxy: Run,
    command: Command,
    *,
    on_ready: Callable[[Addresses], None],
    ready_file: str | None,
) -> Ending:
    """Serve while a command runs; its signals are passed on to it, and cut what is in flight after.

    Args:
        proxy: Not listening yet; where it can't, the command isn't run.
        command: Not started yet. Where it fails, the run didn't go well.
        on_ready: Called once the ports accept, before the command starts.
        ready_file: Written then.
    """
    ready = _ready_path(ready_file)

    def signalled(number: int) -> None:
        if command.over:
            proxy.hurry()
        else:
            command.signalled(number)

    from graphtape.runner.command import passed_on  # noqa: PLC0415 - only with a command

    with on_signals(passed_on(), signalled):
        return await _serve_for(proxy, command, ready, on_ready)


async def _serve_for(
    proxy: Run,
    command: Command,
    ready: Path | None,
    on_ready: Callable[[Addresses], None],
) -> Ending:
    from graphtape.runner.command import environment  # noqa: PLC0415 - only with a command

    async with proxy:
        if ready is not None:
            proxy.addresses.write(ready)
        on_ready(proxy.addresses)
        ending = await command.run(
            environment(os.environ, proxy.addresses, signs_in=proxy.mode is Mode.NONE)
        )
        if ending.code:
            proxy.spoil()
    if ready is not None:
        forget_own(ready)
    return ending


def forget_own(ready: Path) -> None:
    """Delete the ready file of a run that stopped, unless it is another run's by now."""
    try:
        own = json.loads(ready.read_text(encoding="utf-8"))["pid"] == os.getpid()
    except (OSError, ValueError, LookupError, TypeError):
        return
    if own:
        with suppress(OSError):  # the next run looks at the process before it believes the file
            ready.unlink()


def _ready_path(ready_file: str | None) -> Path | None:
    ready = Path(ready_file) if ready_file is not None else None
    if ready is not None:
        try:
            files.check_place(ready)
        except OSError as exc:
            raise UsageError(
                f"can't write --ready-file {ready_file!r} ({exc.strerror}); name another file"
            ) from exc
        forget_dead(ready)
    return ready


def ending() -> Iterator[int]:
    """Return the signals that end a run; one that is ignored, as under nohup, stays so."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            yield number


@contextmanager
def on_signals(numbers: Iterable[int], signalled: Callable[[int], None]) -> Iterator[None]:
    """Take signals on the loop while the block runs."""
    loop = asyncio.get_running_loop()
    old: dict[int, object] = {}
    for number in numbers:
        try:
            loop.add_signal_handler(number, signalled, number)
        except NotImplementedError:  # Windows' loop has none
            old[number] = signal.signal(
                number, lambda got, _: loop.call_soon_threadsafe(signalled, got)
            )
    try:
        yield
    finally:
        for number, handler in old.items():  # the loop's own go with it
            signal.signal(number, handler)  # type: ignore[arg-type] # what signal itself returned


class InThread:
    """Serves in a thread of its own while the `with` block runs."""

    def __init__(self, server: Proxy | SandboxServer) -> None:
        """Take a server that isn't listening yet."""
        self.server = server
        self._ready: Future[Addresses] = Future()
        self._stop: Callable[[], object] | None = None
        self._thread = threading.Thread(target=self._run, name="graphtape", daemon=True)
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop

    @property
    def addresses(self) -> Addresses:
        """Where it can be reached."""
        return self._ready.result()

    def call(self, coroutine: Coroutine[object, object, T]) -> T:
        """Run a coroutine on its loop, and wait for it; from any other thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

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
        self._loop = asyncio.get_running_loop()
        async with self.server:
            self._stop = partial(self._loop.call_soon_threadsafe, stop.set)
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
