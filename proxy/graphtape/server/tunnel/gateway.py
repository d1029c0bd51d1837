"""CONNECT on the data port."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self, assert_never

from yarl import URL

from graphtape.core.errors import RequestError, UpstreamError, UsageError
from graphtape.core.graph.cloud import GRAPH_ROOTS
from graphtape.core.graph.link import shown
from graphtape.core.journal import Source
from graphtape.server.control import is_loopback
from graphtape.server.http.connection import DataServer, Standing
from graphtape.server.http.response import Sent
from graphtape.server.tunnel.call import Call
from graphtape.server.tunnel.destination import (
    Here,
    Nowhere,
    There,
    destination,
    session_named,
    wrong_cloud,
)
from graphtape.server.tunnel.terminal import terminate
from graphtape.server.tunnel.tunnel import ESTABLISHED, Passed, Stream, WayOut
from graphtape.server.upstream.corporate_proxy import CorporateProxies

if TYPE_CHECKING:
    from types import TracebackType

    from aiohttp.web import BaseRequest

    from graphtape.core.address import Address
    from graphtape.server.http.connection import Handler
    from graphtape.server.session.live_session import LiveSession
    from graphtape.server.tls import Authority
    from graphtape.server.transaction import Services
    from graphtape.server.upstream.reach import Reach
    from graphtape.settings import Settings

log = logging.getLogger("graphtape")

_GRACE = 0.1
"""Seconds that connections inside tunnels are given at stop: what is in flight was waited for."""


def check_listen_address(address: Address, *, records: bool) -> None:
    """Refuse to be an open proxy.

    Raises:
        UsageError: Others than this machine could reach any host through it.
    """
    if records and not is_loopback(str(address)):
        raise UsageError(
            f"--listen {address}: while recording, --forward passes tunnels on to any host, this "
            f"machine's own ports included, for whoever reaches it there; listen on "
            f"127.0.0.1:{address.port}, or replay"
        )


def _check_way_up(way_out: WayOut) -> None:
    """Refuse to go up through ourselves: each request would come back without end.

    Raises:
        UsageError: HTTPS_PROXY names this proxy in its own environment.
    """
    try:
        corporate = way_out.proxies.on_the_way_to(URL(GRAPH_ROOTS[0]))
    except UpstreamError:  # said when something is to be sent
        return
    if corporate is None or corporate.url.port not in way_out.reach.own_ports:
        return
    if is_loopback(corporate.url.authority):
        raise UsageError(
            f"HTTPS_PROXY={corporate.url.origin()} is this proxy itself: set it for the app "
            "alone, and start Graphtape without it"
        )


@dataclass(slots=True, kw_only=True, eq=False)
class Gateway:
    """Answers CONNECT: `async with` it, around the data port.

    Attributes:
        authority: Permitted to sign for FORWARD_HOSTS.
        server: Makes the connections inside tunnels that end here; its handler is the data port's.
        way_out: How other hosts are reached.
    """

    authority: Authority
    server: DataServer
    way_out: WayOut
    _calls: set[asyncio.Task[object]] = field(default_factory=set)
    _told: set[str] = field(default_factory=set)

    @classmethod
    def of(
        cls,
        settings: Settings,
        authority: Authority,
        handler: Handler,
        *,
        reach: Reach,
        records: bool,
    ) -> Self:
        """Make one ready; in the loop.

        Args:
            settings: Of the run.
            authority: Permitted to sign for FORWARD_HOSTS.
            handler: Of the data port.
            reach: Says what may be connected to.
            records: Whether anything may be forwarded.

        Raises:
            UsageError: The environment leads up through this proxy itself.
        """
        way_out = WayOut(
            proxies=CorporateProxies.from_environment(),
            reach=reach,
            connect_timeout=settings.connect_timeout,
            idle=settings.read_timeout,
        )
        if records:
            _check_way_up(way_out)
        return cls(authority=authority, server=DataServer(handler), way_out=way_out)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cut tunnels that are open still."""
        calls = set(self._calls)
        for task in calls:
            task.cancel()
        if calls:
            await asyncio.wait(calls)
        # TLS would say goodbye, and wait to hear it back from clients that keep connections open.
        transports = [each.transport for each in self.server.connections]
        for transport in filter(None, transports):
            transport.abort()
        await self.server.shutdown(_GRACE)

    async def connect(self, call: Call) -> Sent:
        """Answer a client that asks for a tunnel."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - aiohttp serves each request in one
        self._calls.add(task)
        try:
            return await self._connect(call)
        except ConnectionError:
            return Sent(400, keep_alive=False)
        finally:
            self._calls.discard(task)

    async def _connect(self, call: Call) -> Sent:
        http, services = call.http, call.services
        try:
            services.check_open()
            session = session_named(http.headers.get("Proxy-Authorization"))
            call = replace(call, session=_known(services, session))
            forwards = call.session.play.forwards
            where = destination(
                http.raw_path,
                offline=not forwards,
                signs_in=not forwards
                or services.upstream.name == "sandbox"
                or services.record_signin,
            )
            match where:
                case Here(host=host):
                    refused = wrong_cloud(host, services.upstream) if forwards else ""
                    await self._end_here(
                        call, Standing(host=host, session=session, refused=refused)
                    )
                case There():
                    await self._pass_on(call, where)
                case Nowhere(asked=asked):
                    raise _offline(asked)
                case _:
                    assert_never(where)
        except (RequestError, UpstreamError) as exc:
            return await self._refuse(call, exc)
        return Sent(200, keep_alive=False)

    async def _end_here(self, call: Call, standing: Standing) -> None:
        context = await asyncio.to_thread(self.authority.context_for, standing.host)
        transport, tail, ended = call.detach()
        if ended:
            transport.abort()
            return
        transport.write(ESTABLISHED)
        try:
            await terminate(transport, tail, context, self.server, standing)
        except OSError as exc:
            if self._first(f"{standing.host}: TLS"):
                reason = getattr(exc, "reason", None) or str(exc) or type(exc).__name__
                log.warning(
                    "a client broke off TLS with %s (%s); if it doesn't trust the local CA, "
                    "`graphtape ca` says how it comes to",
                    standing.host,
                    reason,
                )

    async def _pass_on(self, call: Call, to: There) -> None:
        far = await self.way_out.open(to)
        if self._first(str(to)):
            log.warning(
                "%s isn't Graph: what is said to it is passed on as it comes, and not recorded", to
            )
        try:
            transport, tail, ended = call.detach()
        except ConnectionError:
            far.writer.transport.abort()
            raise
        transport.write(ESTABLISHED)
        client = Stream.over(transport, tail)
        if ended:
            client.reader.feed_eof()
        else:
            transport.resume_reading()
        passed, why = Passed(), "the proxy stopped"
        try:
            why = await self.way_out.join(client, far, passed)
        finally:
            size = f"{passed.up.size} bytes up, {passed.down.size} down"
            note = f"tunnelled, not recorded: {size}"
            call.journal(200, Source.PASSED, "; ".join(filter(None, (note, why))))

    async def _refuse(self, call: Call, exc: RequestError | UpstreamError) -> Sent:
        if self._first(f"{call.http.raw_path}: {exc.code}"):
            # Few clients show more of the answer than its status.
            log.warning("%s", call.session.clean.text(str(exc)))
        return await call.refuse(exc)

    def _first(self, what: str) -> bool:
        """Tell whether this is to be said; once of each."""
        if what in self._told:
            return False
        self._told.add(what)
        return True


async def connect(http: BaseRequest, services: Services) -> Sent:
    """Answer CONNECT; with a tunnel that ends elsewhere, return when it has ended."""
    call = Call(
        http=http, services=services, session=services.sessions.default, began=time.perf_counter()
    )
    if services.forward is not None:
        return await services.forward.connect(call)
    error = RequestError(
        f"CONNECT {shown(http.raw_path)}: this proxy is no forward proxy; start it with --forward "
        "to set it as HTTPS_PROXY, or make its own address the client's base URL",
        status=403,
        code="GraphtapeNoForward",
    )
    return await call.refuse(error)


def _known(services: Services, session: str | None) -> LiveSession:
    try:
        return services.sessions.identify(session)
    except RequestError as exc:
        raise RequestError(
            f"the proxy's URL names session {session!r}, and none of that id is open; open it with "
            "POST /sessions on the control port, or leave the user out of HTTPS_PROXY",
            status=exc.status,
            code=exc.code,
        ) from exc


def _offline(asked: There) -> RequestError:
    return RequestError(
        f"{asked} is not reached: replay is offline, and answers in place of Graph and sign-in "
        f"alone; put {asked.host} in NO_PROXY where the app may reach it directly",
        status=403,
        code="GraphtapeOffline",
    )
