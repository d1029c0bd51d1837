"""A proxy from cassettes and open ports to a saved cassette."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from aiohttp import web

from graphtape.core.address import Address
from graphtape.core.tape.outcome import Mode
from graphtape.runner.tenant import start_sandbox
from graphtape.server.control import Events, check_control_address
from graphtape.server.http.at_once import AtOnceServer
from graphtape.server.http.delivery import WaitClock
from graphtape.server.http.ports import Addresses, listen, serve, serve_once_asked, url_of
from graphtape.server.pipeline import handle
from graphtape.server.replay.responder import Responder
from graphtape.server.session.opening import Opener
from graphtape.server.session.outcome import Outcome, report_of
from graphtape.server.session.sessions import DEFAULT_ID, Sessions
from graphtape.server.tls.secured import secure
from graphtape.server.transaction import Services, Transaction, observer_clock
from graphtape.server.upstream.reach import Reach

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from graphtape.core.graph.cloud import Upstream
    from graphtape.core.journal import Entry
    from graphtape.core.notification.conduct import Conduct
    from graphtape.core.replica import Replica
    from graphtape.core.report.report import Report
    from graphtape.core.report.usage import Usage
    from graphtape.server.session.live_session import LiveSession
    from graphtape.server.tls.secured import Secured
    from graphtape.settings import Settings

log = logging.getLogger("graphtape")

_YOUNG = 50_000
"""Objects made before the collector looks: a request makes few, and no rings."""

GRACE = 10.0
"""Seconds that requests in flight are given at stop."""


def _note(text: str) -> None:
    log.warning("%s", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """What a proxy takes from the process that started its own, in place of making it.

    Attributes:
        opener: With cassettes that are loaded.
        data: Listens already; so does `control`.
        secured: How the data port speaks TLS; None where it doesn't.
        replica: Which of several it is; None where all serve all sessions.
    """

    opener: Opener
    data: socket.socket
    control: socket.socket
    secured: Secured | None
    replica: Replica | None


@dataclass(slots=True, kw_only=True)
class Proxy:
    """A proxy from cassettes and open ports to a saved cassette.

    `async with proxy:` opens the cassettes, then the ports; leaving it stops, saves, and makes
    `outcome` final.

    Attributes:
        settings: Of the run.
        cassettes: Of the default session: to play, in order; in a recording mode the one to record
            into.
        mode: Where the default session's answers may come from.
        records: Whether sessions may record; None where the default one does.
        folder: Cassettes of other sessions lie in it; None where they may be anywhere.
        on_entry: Told of each request that is done, and its session; None where nobody listens.
        on_note: Told what the user should know, a line each.
        on_progress: Told how much of a large cassette is loaded of how much.
        on_saving: Told how much of a recording is saved of how much.
        tells_misses: Whether the log warns of misses as they happen.
        conduct: How long an app that is notified is waited for; None is as Graph does.
        clock: Unix seconds; subscriptions to changes expire by it.
        alone: Whether the process is the proxy's own, so that its garbage is collected as suits it.
        inherited: None where it makes all it needs.
        names: What cassettes are called that aren't called by their paths.
        addresses: Where it can be reached, once it listens.
        sessions: The open ones.
    """

    settings: Settings
    cassettes: tuple[Path, ...]
    mode: Mode
    records: bool | None = None
    folder: Path | None = field(default_factory=Path)
    on_entry: Callable[[str, Entry], None] | None = None
    on_note: Callable[[str], None] = _note
    on_progress: Callable[[int, int], None] | None = None
    on_saving: Callable[[int, int], None] | None = None
    tells_misses: bool = True
    conduct: Conduct | None = None
    clock: Callable[[], float] = time.time
    alone: bool = False
    inherited: Inherited | None = None
    names: Mapping[Path, str] = field(default_factory=dict)
    addresses: Addresses = field(init=False)
    sessions: Sessions = field(init=False)
    _services: Services = field(init=False)
    _upstream: Upstream = field(init=False)
    _replica: Replica | None = field(init=False)
    _reach: Reach = field(init=False)
    _events: Events = field(default_factory=Events)
    _serving: AsyncExitStack = field(init=False)
    _hurry: asyncio.Event = field(init=False)
    _connecting: asyncio.Lock = field(init=False)
    _spoilt: bool = False

    @property
    def outcome(self) -> Outcome:
        """What the default session came to; final once the proxy has stopped."""
        return self.sessions.default.outcome

    def reports(self) -> list[Report]:
        """Tell what each session came to, the default one first; final once it has stopped."""
        from graphtape.core.report.usage import Usage  # noqa: PLC0415 - once it is over

        usage = Usage()
        first, *others = (self._report(outcome, usage) for outcome in self.outcomes)
        if others and not first.arrived:
            first = replace(first, unused=())  # nobody meant to play it
        return [first, *others]

    def _live_report(self, live: LiveSession) -> Report:
        return self._report(live.outcome)

    def _report(self, outcome: Outcome, usage: Usage | None = None) -> Report:
        return report_of(
            outcome,
            now=time.time(),
            fail_on_unused=self.settings.fail_on_unused,
            fail_on=self.settings.fail_on,
            usage=usage,
        )

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """What every session came to, the default one first."""
        return (*(live.outcome for live in self.sessions), *self.sessions.ended)

    async def __aenter__(self) -> Self:
        """Begin.

        Raises:
            CassetteError: A cassette can't be used, or another process records into it.
            ListenError: A port can't be had.
            UsageError: A setting is wrong.
        """
        self._hurry = asyncio.Event()
        self._connecting = asyncio.Lock()
        self._upstream = self.settings.upstream_at()
        given = self.inherited
        self._replica = self.settings.own_replica() if given is None else given.replica
        opener = (
            Opener(
                settings=self.settings,
                upstream=self._upstream.name,
                say=self.on_note,
                progress=self.on_progress,
                saving=self.on_saving,
                names=self.names,
            )
            if given is None
            else given.opener
        )
        # Where it is but one of many, no client means it, and its entries are to be told apart.
        apart = self._replica is not None and self._replica.default_at is not None
        name = self._replica.default_id if self._replica is not None and apart else DEFAULT_ID
        # In this thread: nothing is served yet.
        default = opener.open(name, self.cassettes, mode=self.mode)
        with default.held:
            self._serving = AsyncExitStack()
            try:
                await self._serve(self._serving, default, opener)
            except BaseException:
                await self._serving.aclose()
                # Nothing was asked yet: the next `record` must not find an interrupted recording.
                await self._save(default, well=False)
                raise
            default.held = default.held.pop_all()
        return self

    async def _serve(self, stack: AsyncExitStack, default: LiveSession, opener: Opener) -> None:
        settings, token = self.settings, self.settings.control_token
        records = self.mode is not Mode.NONE if self.records is None else self.records
        check_control_address(Address.parse(settings.control), token)
        given = self.inherited
        secured = secure(settings, say=self.on_note) if given is None else given.secured
        if settings.forward:
            from graphtape.server import tunnel  # noqa: PLC0415 - few runs forward

            tunnel.check_listen_address(Address.parse(settings.listen), records=records)
        bearer = None
        if settings.token_command is not None and records:
            from graphtape.server.signin.local_client import check_listen_address  # noqa: PLC0415
            from graphtape.server.signin.token_command import TokenCommand  # noqa: PLC0415

            check_listen_address(Address.parse(settings.listen))
            bearer = TokenCommand(settings.token_command)
        data = stack.enter_context(
            listen(settings.listen, "--listen") if given is None else given.data
        )
        control = stack.enter_context(
            listen(settings.control, "--control") if given is None else given.control
        )
        self._reach = Reach(own_ports={sock.getsockname()[1] for sock in (data, control)})
        if settings.allow_private_origins:
            self._reach.allow_private()
        connect = self._connect if records else None
        self.sessions = Sessions(
            default=default,
            opener=opener,
            mode=self.mode,
            connect=connect,
            end=self._end,
            folder=self.folder,
            replica=self._replica,
            public_url=settings.public(),
        )
        self._services = Services(
            sessions=self.sessions,
            upstream=self._upstream,
            client=None,
            max_body=self.settings.max_body,
            on_entry=self.on_entry,
            events=self._events,
            record_signin=settings.record_signin,
            signin=settings.signin,
            token=bearer,
            timing=self.settings.timing(),
            wait_clock=WaitClock(fast=self.settings.fast),
            tells_misses=self.tells_misses,
        )
        await self._notify(stack, default, records=records)
        if default.play.forwards:
            await self._connect()
        if settings.state is not None:
            from graphtape.runner.state import share  # noqa: PLC0415 - few runs share sessions

            report = self._live_report
            await share(stack, self.sessions, settings=settings, records=records, report=report)
        if secured is not None and secured.authority is not None:
            from graphtape.server.tunnel import Gateway  # noqa: PLC0415 - few runs forward

            gateway = Gateway.of(
                settings,
                secured.authority,
                partial(handle, services=self._services),
                reach=self._reach,
                records=records,
            )
            self._services.forward = await stack.enter_async_context(gateway)
        responder = Responder(self._services)
        server = AtOnceServer(partial(handle, services=self._services), responder)
        # What is in flight is seen to by `_settle`; what is left after it is cut.
        runner = web.ServerRunner(server, shutdown_timeout=0.1)
        tls = secured.context if secured is not None else None
        await serve(stack, runner, data, tls=tls)
        self.addresses = Addresses(
            proxy=url_of(data, settings.listen, scheme="https" if tls is not None else "http"),
            control=url_of(control, settings.control),
            console=f"{url_of(control, settings.control)}/console" if settings.console else None,
            secured=secured,
        )
        await serve_once_asked(stack, self._control, control)
        if (
            default.open
            and not default.play.forwards
            and len(default.play.playbacks) == 1
            and not default.play.rules
            and (self._replica is None or self._replica.default_at is None)
        ):
            ahead = asyncio.create_task(self._prepare(responder, default))
            stack.callback(ahead.cancel)

    async def _notify(self, stack: AsyncExitStack, default: LiveSession, *, records: bool) -> None:
        """Notify an app of changes, or pass Graph's notifications on, where the settings say so."""
        app = self.settings.receiving_origin() if records else None
        if app is not None:
            from graphtape.server.notify.receiver import Receiver  # noqa: PLC0415 - few take any

            self._services.receiver = await stack.enter_async_context(Receiver(origin=app))
        origin = self.settings.notified_origin()
        if origin is None:
            if any(each.notifies for each in default.scenarios):
                from graphtape.core.scenario.rule import NOBODY_NOTIFIED  # noqa: PLC0415 - likewise

                self.on_note(NOBODY_NOTIFIED)
            return
        # Few runs notify anybody.
        from graphtape.core.notification.conduct import Conduct  # noqa: PLC0415
        from graphtape.server.notify.notifier import Notifier  # noqa: PLC0415

        conduct = self.conduct or Conduct(hurry=1000 if self.settings.fast else 1)
        notifier = Notifier(origin=origin, conduct=conduct, clock=self.clock)
        self._services.notifier = await stack.enter_async_context(notifier)

    async def _prepare(self, responder: Responder, default: LiveSession) -> None:
        """Make answers ready ahead; what is ready by then is never garbage."""
        self._keep_all()
        await responder.prepare(default, self.addresses.proxy)
        self._keep_all()

    def _keep_all(self) -> None:
        """Take what has been made out of the collector's rounds, where the process is our own."""
        if self.alone:
            gc.freeze()
            gc.set_threshold(_YOUNG, 20, 50)

    def _control(self) -> web.AppRunner:
        # Once it is asked.
        from graphtape.server.control import ControlRunner, make_control  # noqa: PLC0415

        others = None
        if self._replica is not None and self.inherited is None:
            from graphtape.server.replicas.elsewhere import Elsewhere  # noqa: PLC0415 - few are replicas
            from graphtape.server.replicas.peers import Peers  # noqa: PLC0415 - likewise

            peers = Peers(own=self._replica.name, urls=self.settings.peer_urls())
            others = Elsewhere(own=self._replica, peers=peers)
        app = make_control(
            self.sessions,
            token=self.settings.control_token,
            data_url=self.addresses.proxy,
            events=self._events,
            console=self.settings.console,
            report=self._live_report,
            others=others,
            notifier=self._services.notifier,
        )
        if others is not None:

            async def close(_: web.Application) -> None:
                await others.peers.close()

            app.on_cleanup.append(close)
        # A slow request of the control port isn't waited for.
        return ControlRunner(app, access_log=None, shutdown_timeout=1)

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is not None:
            self.spoil()
        try:
            async with self._serving:
                self._services.closing.set()
                await self._settle(self._services.transactions)
                for live in self.sessions:
                    if live.shared is not None:  # while there is a connection
                        await live.shared.end()
                        live.shared = None
        finally:
            for live in self.sessions:
                await self._save(live, well=not self._spoilt)

    def spoil(self) -> None:
        """Say that the run did not go well in its user's eyes: `all` replaces no cassette."""
        self._spoilt = True

    def hurry(self) -> None:
        """Stop waiting for requests in flight; from the loop's own thread."""
        self._hurry.set()

    async def _end(self, live: LiveSession, well: bool) -> None:  # noqa: FBT001 - as Sessions calls it
        """End one session while others go on."""
        await self._settle(
            {
                transaction
                for transaction in self._services.transactions
                if transaction.session is live
            }
        )
        if self._services.notifier is not None:
            await self._services.notifier.forget(live)
        await self._save(live, well=well)

    async def _save(self, live: LiveSession, *, well: bool) -> None:
        if live.shared is not None:
            await live.shared.end()
        await asyncio.to_thread(live.end, now=observer_clock(), well=well)

    async def _settle(self, transactions: Iterable[Transaction]) -> None:
        """Give requests in flight time to end, and say so where it takes any."""
        tasks = {transaction.task for transaction in transactions}
        if not tasks:
            return
        requests = "1 request" if len(tasks) == 1 else f"{len(tasks)} requests"
        self.on_note(f"waiting up to {GRACE:.0f} s for {requests} in flight; Ctrl-C cuts it short")
        hurry = asyncio.create_task(self._hurry.wait())
        over = asyncio.create_task(asyncio.wait(tasks))
        await asyncio.wait({hurry, over}, timeout=GRACE, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        for task in tasks:
            task.cancel()
        # Each leaves word of itself in the journal.
        await over

    async def _connect(self) -> None:
        """Open the way up, once."""
        async with self._connecting:
            if self._services.client is not None:
                return
            from graphtape.server.record.destination import ask  # noqa: PLC0415 - not in replay
            from graphtape.server.upstream.client import UpstreamClient  # noqa: PLC0415 - likewise

            if self._upstream.name == "sandbox":
                self._upstream = self._upstream.at(await start_sandbox(self._serving))
            self._reach.upstream_is(self._upstream.root)
            client = UpstreamClient(
                reach=self._reach,
                connect_timeout=self.settings.connect_timeout,
                read_timeout=self.settings.read_timeout,
                ca_file=self.settings.upstream_ca,
                direct=self._upstream.name == "sandbox",
            )
            self._services.client = await self._serving.enter_async_context(client)
            self._services.forwarding = ask
            self._services.upstream = self._upstream
