"""Workers from the first to the last, and the one control port of all of them."""

from __future__ import annotations

import asyncio
import gc
import logging
import secrets
import sys
import time
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from graphtape.core.address import Address
from graphtape.core.errors import UsageError
from graphtape.core.replica import Replica
from graphtape.core.report.wording import count
from graphtape.core.tape.outcome import Mode
from graphtape.runner.proxy import GRACE, Inherited, Proxy
from graphtape.runner.workers.process import work
from graphtape.runner.workers.shared import together
from graphtape.runner.workers.worker import Worker, open_sessions
from graphtape.server.control import check_control_address
from graphtape.server.http.ports import Addresses, listen, serve_once_asked, url_of
from graphtape.server.session.opening import Opener
from graphtape.server.session.sessions import DEFAULT_ID
from graphtape.server.tls.secured import secure

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from aiohttp import web

    from graphtape.core.journal import Entry
    from graphtape.core.report.report import Report
    from graphtape.runner.workers.process import Closes
    from graphtape.server.tls.secured import Secured
    from graphtape.settings import Settings

log = logging.getLogger("graphtape")

_STARTED = 60.0
"""Seconds that a worker may take to start."""

_STOPPED = GRACE + 20.0
"""Seconds that a worker may take to stop."""


@dataclass(slots=True, kw_only=True)
class Fleet:
    """Workers from the first to the last, and the one control port of all of them.

    `start` makes the processes, before there is a loop; `async with fleet:` serves the control port
    until it is left, and stops them; `close` lets them go.

    Attributes:
        settings: Of the run; `workers` is how many there are.
        cassettes: Of the default session, which is the first worker's.
        on_entry: Told of each request that is done, and its session, in the worker; None where
            nobody listens.
        on_note: Told what the user should know, a line each.
        on_progress: Told how much of a large cassette is loaded of how much.
        tells_misses: Whether the log warns of misses as they happen.
        folder: Cassettes of other sessions lie in it.
        names: What cassettes are called that aren't called by their paths.
        mode: Nothing is ever forwarded.
        addresses: Where it can be reached: the first worker's data port, and the control port.
        held: How many interactions the cassettes hold.
        over: Set once no worker is left.
    """

    settings: Settings
    cassettes: tuple[Path, ...]
    on_entry: Callable[[str, Entry], None] | None
    on_note: Callable[[str], None]
    on_progress: Callable[[int, int], None] | None = None
    tells_misses: bool = True
    folder: Path = field(default_factory=Path)
    names: Mapping[Path, str] = field(default_factory=dict)
    mode: Mode = field(default=Mode.NONE, init=False)
    addresses: Addresses = field(init=False)
    held: int = field(default=0, init=False)
    over: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _workers: list[Worker] = field(default_factory=list, init=False)
    _token: str = field(default_factory=lambda: secrets.token_urlsafe(32), init=False, repr=False)
    _control: socket.socket = field(init=False)
    _serving: AsyncExitStack = field(init=False)
    _stopping: bool = field(default=False, init=False)

    def start(self) -> None:
        """Load the cassettes, take the ports and make the processes; not where a loop runs.

        Raises:
            CassetteError: A cassette can't be used.
            ListenError: A port can't be had.
            UsageError: A setting is wrong, or this system has no `fork`.
        """
        settings = self.settings
        _check(settings)
        opener = Opener(
            settings=settings,
            upstream=settings.upstream_at().name,
            say=self.on_note,
            progress=self.on_progress,
            names=self.names,
        )
        default = opener.open(DEFAULT_ID, self.cassettes, mode=Mode.NONE)
        self.held = sum(len(each.recording.interactions) for each in default.played)
        check_control_address(Address.parse(settings.control), settings.control_token)
        secured = secure(settings, say=self.on_note)
        with ExitStack() as stack:
            control = stack.enter_context(listen(settings.control, "--control"))
            self._fork(opener, secured, control)
            self._control = control
            stack.pop_all()
        console = f"{url_of(control, settings.control)}/console" if settings.console else None
        self.addresses = Addresses(
            proxy=self._workers[0].url,
            control=url_of(control, settings.control),
            console=console,
            secured=secured,
        )

    def _fork(self, opener: Opener, secured: Secured | None, control: socket.socket) -> None:
        from multiprocessing import Pipe, get_context  # noqa: PLC0415 - few runs have workers

        settings = self.settings
        shared = settings.state is not None
        more = str(Address(Address.parse(settings.listen).host, 0))
        scheme = "https" if secured is not None and secured.context is not None else "http"
        with ExitStack() as taken:
            ports = _ports(settings, taken)
            first = url_of(ports[0][0], settings.listen, scheme=scheme)
            gc.freeze()  # what is loaded by now is shared: no worker's collector is to touch it
            context = get_context("fork")
            for number, (data, own_control) in enumerate(ports):
                ours, theirs = Pipe()
                replica = Replica(
                    name=f"w{number}", default_at=first if number and not shared else None
                )
                proxy = Proxy(
                    settings=msgspec.structs.replace(
                        settings,
                        listen=settings.listen if not number else more,
                        control="127.0.0.1:0",
                        control_token=self._token,
                        console=False,
                    ),
                    cassettes=self.cassettes,
                    mode=Mode.NONE,
                    folder=self.folder,
                    on_entry=self.on_entry,
                    tells_misses=self.tells_misses,
                    on_note=self.on_note,
                    alone=True,
                    inherited=Inherited(
                        opener=opener,
                        data=data,
                        control=own_control,
                        secured=secured,
                        replica=None if shared else replica,
                    ),
                )
                # A port or a pipe that a sibling holds as well would outlive its worker.
                foreign: list[Closes] = [each for pair in ports for each in pair]
                foreign = [each for each in foreign if each not in (data, own_control)]
                foreign += [control, ours, *(worker.pipe for worker in self._workers)]
                process = context.Process(
                    target=work, args=(proxy, theirs, foreign), name=f"graphtape-{replica.name}"
                )
                process.start()
                theirs.close()
                self._workers.append(
                    Worker(
                        name=replica.name,
                        url=url_of(data, more, scheme=scheme),
                        control=url_of(own_control, "127.0.0.1:0"),
                        process=process,
                        pipe=ours,
                        default_id=DEFAULT_ID if shared or not number else replica.default_id,
                    )
                )

    @property
    def places(self) -> list[tuple[str, str, int | None]]:
        """The name, data port and process id of each worker."""
        return [(each.name, each.url, each.process.pid) for each in self._workers]

    async def __aenter__(self) -> Self:
        """Serve the control port, once all workers accept.

        Raises:
            GraphtapeError: A worker couldn't start.
        """
        for worker in self._workers:
            worker.listen(self._died)
        try:
            async with asyncio.timeout(_STARTED):
                await asyncio.gather(*(worker.ready for worker in self._workers))
            self._serving = AsyncExitStack()
            await serve_once_asked(self._serving, self._front, self._control)
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._serving.aclose()
        finally:
            await self._stop()

    async def _stop(self) -> None:
        """Stop the workers, and hear what came of them."""
        self._stopping = True
        for worker in self._workers:
            worker.stop()
        try:
            async with asyncio.timeout(_STOPPED):
                await asyncio.gather(*(worker.over.wait() for worker in self._workers))
        except TimeoutError:
            for worker in self._workers:
                if not worker.over.is_set():
                    log.warning("worker %s did not stop; killing it", worker.name)
                    worker.kill()

    def _front(self) -> web.AppRunner:
        # Once it is asked.
        from graphtape.server.control import ControlRunner  # noqa: PLC0415
        from graphtape.server.replicas.front import Front  # noqa: PLC0415
        from graphtape.server.replicas.peers import Peers  # noqa: PLC0415

        by_name = {worker.name: worker for worker in self._workers}
        front = Front(
            peers=Peers(
                own="front",
                urls={worker.name: worker.control for worker in self._workers},
                token=self._token,
                why=lambda name: by_name[name].died,
                keeps_host=True,
            ),
            alive=lambda: [worker.name for worker in self._workers if worker.died is None],
            opened=lambda name, session: by_name[name].opened(session),
            closed=lambda name, session: by_name[name].closed(session),
            token=self.settings.control_token,
            console=self.settings.console,
            shared=self.settings.state is not None,
        )
        return ControlRunner(front.application(), access_log=None, shutdown_timeout=1)

    def _died(self, worker: Worker) -> None:
        """Say that a worker has ended; nothing starts it anew."""
        lost = count(open_sessions(worker) + (worker is self._workers[0]), "open session")
        log.error("worker %s %s; %s ended with it", worker.name, worker.died, lost)
        if all(each.died is not None for each in self._workers):
            self.over.set()

    def hurry(self) -> None:
        """Stop waiting for requests in flight; from the loop's own thread."""
        for worker in self._workers:
            worker.stop()

    def spoil(self) -> None:
        """Say that the run did not go well in its user's eyes: there is no recording to keep."""

    def reports(self) -> list[Report]:
        """Tell what each session came to, the default one first; once the workers have stopped."""
        now = time.time()
        if self.settings.state is not None:
            return together([each for worker in self._workers for each in worker.account(now=now)])
        first, *others = self._workers[0].account(now=now)
        for worker in self._workers[1:]:
            unnamed, *named = worker.account(now=now)
            # Nobody is meant to ask there.
            others += [unnamed, *named] if unnamed.arrived else named
            if worker.died is not None and not named:
                others.append(unnamed)
        if others and not first.arrived:
            first = replace(first, unused=())  # nobody meant to play it
        return [first, *others]

    def close(self) -> None:
        """Let the workers go: what their tapes hold can't be asked any more."""
        for worker in self._workers:
            worker.close()


def _ports(settings: Settings, taken: ExitStack) -> list[tuple[socket.socket, socket.socket]]:
    """Take the data and control port of each worker."""
    shared = settings.state is not None
    address = settings.listen
    found: list[tuple[socket.socket, socket.socket]] = []
    for _ in range(settings.workers or 1):
        data = taken.enter_context(listen(address, "--listen", shared=shared))
        found.append((data, taken.enter_context(listen("127.0.0.1:0", "--control"))))
        host = Address.parse(settings.listen).host
        # Of those who share a port, the system gives each connection to one.
        address = str(Address(host, data.getsockname()[1] if shared else 0))
    return found


def _check(settings: Settings) -> None:
    """Refuse what workers can't do.

    Raises:
        UsageError: It says what.
    """
    if sys.platform == "win32":
        raise UsageError(
            "--workers needs fork, which Windows hasn't; start several with --replica NAME"
        )
    for flag, value in (
        ("--replica", settings.replica),
        ("--public-url", settings.public_url),
        ("--peers", settings.peers),
    ):
        if value:
            raise UsageError(
                f"--workers divides sessions among processes of one machine, and {flag} among "
                "several; give one of them"
            )
    if settings.forward:
        raise UsageError(
            "--forward is for clients whose base URL is fixed: they reach one port, and with "
            "--workers each worker has its own; leave one out"
        )
