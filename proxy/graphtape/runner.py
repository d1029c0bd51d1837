"""Runs a proxy: ports, cassettes, upstream, and what is left to say at the end."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import sys
import tempfile
import threading
from concurrent.futures import Future
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from aiohttp import web

from graphtape import __version__
from graphtape.core.errors import ListenError, UsageError
from graphtape.core.recording import Recording
from graphtape.core.redaction import Redactor
from graphtape.core.session import Mode, Session
from graphtape.server.control import make_control
from graphtape.server.handler import handle
from graphtape.server.sessions import LiveSession, Sessions
from graphtape.server.upstream import MAX_LINE, UpstreamClient
from graphtape.server.visit import Gate
from graphtape.settings import Address
from graphtape.tape.recorder import Recorder
from graphtape.tape.store import open_cassette
from graphtape.tape.vcr_format import Cassette, Metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from types import TracebackType

    from graphtape.core.journal import Entry
    from graphtape.core.origin import Upstream
    from graphtape.settings import Settings

T = TypeVar("T")
_GRACE = 10.0
"""Seconds that requests in flight are given at stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where a run can be reached, as URLs.

    Attributes:
        proxy: The data port's root, without a version.
        control: The control API's; None where there is none.
    """

    proxy: str
    control: str | None

    def write(self, path: Path) -> None:
        """Write the ready file, atomically."""
        facts = {"proxy": self.proxy, "control": self.control, "ca": None, "pid": os.getpid()}
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=path.name, delete=False, encoding="utf-8"
        ) as draft:
            json.dump(facts, draft)
            draft.write("\n")
        Path(draft.name).replace(path)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run came to.

    Attributes:
        session: The default session, with its journal.
        recordings: What was played, in order.
        saved: How many interactions the cassette holds now; None where none was written.
        recorded: How many of them are new.
        dropped: Why interactions were left off the tape.
    """

    session: Session
    recordings: tuple[Recording, ...]
    saved: int | None = None
    recorded: int = 0
    dropped: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Proxy:
    """A proxy from open ports to a saved cassette.

    `async with proxy:` listens; leaving it stops, saves, and makes `outcome` final. Errors in
    cassettes and settings show in `load`, before a port opens.
    """

    settings: Settings
    cassettes: tuple[Path, ...]
    mode: Mode
    on_entry: Callable[[Entry], None]
    notes: list[str] = field(default_factory=list)
    addresses: Addresses = field(init=False)
    outcome: Outcome = field(init=False)
    _live: LiveSession = field(init=False)
    _upstream: Upstream = field(init=False)
    _stack: AsyncExitStack = field(init=False)

    @classmethod
    def load(
        cls,
        settings: Settings,
        cassettes: Sequence[Path],
        *,
        mode: Mode,
        on_entry: Callable[[Entry], None],
    ) -> Self:
        """Open the cassettes and check the settings.

        Raises:
            CassetteError: A cassette can't be used.
            UsageError: A setting is wrong.
        """
        proxy = cls(settings=settings, cassettes=tuple(cassettes), mode=mode, on_entry=on_entry)
        proxy._load()
        return proxy

    def _load(self) -> None:
        self._upstream = self.settings.upstream_at()
        rules = self.settings.status_rules()
        self.notes += [rule.warning for rule in rules if rule.warning]
        opened = self._open_cassettes()
        recordings = tuple(
            self._recording(path, cassette) for path, cassette in opened if cassette is not None
        )
        session = Session.over(
            () if self.mode is Mode.ALL else recordings,
            mode=self.mode,
            order=self.settings.play_order(self.mode),
            rules=rules,
        )
        redactor = recordings[0].redactor if recordings else Redactor(salt=_salt())
        recorder = None
        if session.forwards:
            recorder = self._recorder(opened[0][1], redactor)
        self._live = LiveSession(play=session, clean=redactor, recorder=recorder)
        self.outcome = Outcome(session=session, recordings=recordings)

    def _open_cassettes(self) -> list[tuple[Path, Cassette | None]]:
        opened: list[tuple[Path, Cassette | None]] = []
        for path in self.cassettes:
            if self.mode is not Mode.NONE and not path.exists():
                opened.append((path, None))
                continue
            cassette = open_cassette(path)
            opened.append((path, cassette))
            if cassette.edited:
                self.notes.append(f"{path}: edited since it was recorded")
            if self.mode is Mode.ONCE:
                self.notes.append(
                    f"{path} exists and mode is once: it plays, and nothing is forwarded or "
                    "recorded; --mode new_episodes adds to it, --mode all replaces it"
                )
        return opened

    def _recording(self, path: Path, cassette: Cassette) -> Recording:
        salt = cassette.metadata.salt if cassette.metadata is not None else ""
        return Recording.of(
            cassette.interactions,
            name=str(path),
            redactor=Redactor(salt=os.environ.get("GRAPHTAPE_SALT") or salt),
            options=self.settings.match_options(),
        )

    def _recorder(self, cassette: Cassette | None, redactor: Redactor) -> Recorder:
        path = self.cassettes[0]
        if path.suffix.lower() == ".json":
            yaml = path.with_suffix(".yaml")
            raise UsageError(f"{path}: JSON cassettes are read, not written; record into {yaml}")
        kept = cassette if cassette is not None and self.mode is not Mode.ALL else None
        old = cassette.metadata if cassette is not None else None
        from_environment = os.environ.get("GRAPHTAPE_SALT")
        metadata = Metadata(
            format=1,
            graphtape=__version__,
            upstream=self._upstream.name,
            recorded_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            interactions=0,
            digest="",
            salt="" if from_environment else (old.salt if old else redactor.salt),
        )
        return Recorder(
            path=path,
            existing=kept.interactions if kept is not None else (),
            metadata=metadata,
            other_metadata=cassette.other_metadata if cassette is not None else {},
            redactor=redactor,
        )

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            data, control = self._sockets(stack)
            client = None
            if self._live.recorder is not None:
                client = await self._way_up(stack)
            gate = Gate(
                sessions=Sessions(self._live),
                upstream=self._upstream,
                client=client,
                max_body=self.settings.max_body,
                on_entry=self.on_entry,
            )
            server = web.Server(
                partial(handle, gate=gate),
                access_log=None,
                auto_decompress=False,
                max_line_size=MAX_LINE,
                max_field_size=MAX_LINE,
            )
            await _serve(stack, web.ServerRunner(server, shutdown_timeout=_GRACE), data)
            await _serve(stack, web.AppRunner(make_control(), access_log=None), control)
            self.addresses = Addresses(
                proxy=_url(data, self.settings.listen), control=_url(control, self.settings.control)
            )
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()
        recorder = self._live.recorder
        if recorder is not None:
            self.outcome.saved = await asyncio.to_thread(recorder.save)
            self.outcome.recorded = recorder.recorded
            self.outcome.dropped = recorder.dropped

    def _sockets(self, stack: AsyncExitStack) -> tuple[socket.socket, socket.socket]:
        data = stack.enter_context(_listen(self.settings.listen, "--listen"))
        control = stack.enter_context(_listen(self.settings.control, "--control"))
        return data, control

    async def _way_up(self, stack: AsyncExitStack) -> UpstreamClient:
        if self._upstream.name == "sandbox":
            self._upstream = self._upstream.at(await _start_sandbox(stack))
        return await stack.enter_async_context(
            UpstreamClient(
                connect_timeout=self.settings.connect_timeout,
                read_timeout=self.settings.read_timeout,
                ca_file=self.settings.upstream_ca,
            )
        )


async def _start_sandbox(stack: AsyncExitStack) -> str:
    """Serve a simulated tenant on a free port; return its URL."""
    from graphtape.sandbox.app import make_app  # noqa: PLC0415 - only where it is the upstream
    from graphtape.sandbox.tenant import Tenant  # noqa: PLC0415 - likewise

    sock = stack.enter_context(_listen("127.0.0.1:0", "sandbox"))
    await _serve(stack, web.AppRunner(make_app(Tenant()), access_log=None), sock)
    return _url(sock, "127.0.0.1:0")


async def _serve(
    stack: AsyncExitStack,
    runner: web.ServerRunner | web.AppRunner,
    sock: socket.socket,
) -> None:
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, sock).start()


def _listen(address: str, flag: str) -> socket.socket:
    """Take a port.

    Raises:
        ListenError: It is taken, or not this machine's.
        UsageError: It is no address.
    """
    place = Address.parse(address)
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    try:
        return socket.create_server((place.host, place.port), family=family, backlog=512)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise ListenError(
            f"can't listen on {place} ({reason}): stop what uses the port, or take a free one with "
            f"{flag} {Address(place.host, 0)}"
        ) from exc


def _url(sock: socket.socket, asked: str) -> str:
    """Return the URL a client on this machine reaches a socket by."""
    host = Address.parse(asked).host
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104 - likewise
    return f"http://{Address(host, sock.getsockname()[1])}"


def _salt() -> str:
    return os.environ.get("GRAPHTAPE_SALT") or secrets.token_hex(16)


@dataclass(slots=True, kw_only=True)
class SandboxServer:
    """The simulated tenant on a port of its own."""

    settings: Settings
    addresses: Addresses = field(init=False)
    _stack: AsyncExitStack = field(init=False)

    async def __aenter__(self) -> Self:
        from graphtape.sandbox.app import make_app  # noqa: PLC0415 - only for this command
        from graphtape.sandbox.tenant import Tenant  # noqa: PLC0415 - likewise

        async with AsyncExitStack() as stack:
            sock = stack.enter_context(_listen(self.settings.listen, "--listen"))
            runner = web.AppRunner(make_app(Tenant()), access_log=None)
            await _serve(stack, runner, sock)
            self.addresses = Addresses(proxy=_url(sock, self.settings.listen), control=None)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()


async def until_stopped(
    server: Proxy | SandboxServer, *, on_ready: Callable[[Addresses], None], ready_file: str | None
) -> None:
    """Serve in the foreground until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    _on_signals(stop)
    ready = Path(ready_file) if ready_file is not None else None
    if ready is not None:
        ready.unlink(missing_ok=True)  # one left behind by a killed run would be believed
    async with server:
        if ready is not None:
            try:
                await asyncio.to_thread(server.addresses.write, ready)
            except OSError as exc:
                raise UsageError(f"can't write --ready-file {str(ready)!r}: {exc}") from exc
        on_ready(server.addresses)
        await stop.wait()


def _on_signals(stop: asyncio.Event) -> None:
    import signal  # noqa: PLC0415 - only in the foreground

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows' loop has none
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))


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
