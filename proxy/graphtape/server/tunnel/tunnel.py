"""A tunnel that ends elsewhere: bytes both ways, and nothing looked into."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from yarl import URL

from graphtape.core.errors import UpstreamError
from graphtape.server.upstream.reach import Toward

if TYPE_CHECKING:
    from graphtape.server.tunnel.destination import There
    from graphtape.server.upstream.corporate_proxy import CorporateProxies, CorporateProxy
    from graphtape.server.upstream.reach import Reach

ESTABLISHED = b"HTTP/1.1 200 Connection Established\r\n\r\n"
_AT_ONCE = 64 * 1024
"""Bytes read at once; about twice as many wait in each direction at most."""

_HEAD = b"\r\n\r\n"


class _OverError(Exception):
    """One side can't be told that the other has ended."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One end of a tunnel."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    def over(cls, transport: asyncio.Transport, early: bytes) -> Stream:
        """Take a transport over from a protocol; `early` was read from it already."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_AT_ONCE, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if early:
            reader.feed_data(early)
        return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop))


@dataclass(slots=True)
class Count:
    """Bytes passed on one way."""

    size: int = 0


@dataclass(frozen=True, slots=True)
class Passed:
    """What a tunnel has passed on, either way."""

    up: Count = field(default_factory=Count)
    down: Count = field(default_factory=Count)


@dataclass(frozen=True, slots=True, kw_only=True)
class WayOut:
    """How other hosts are reached.

    Attributes:
        proxies: On the way.
        reach: Says what may be connected to.
        connect_timeout: Seconds to reach a host, corporate proxy included.
        idle: Seconds without a byte either way after which a tunnel ends.
    """

    proxies: CorporateProxies
    reach: Reach
    connect_timeout: float
    idle: float

    async def open(self, to: There) -> Stream:
        """Reach a host.

        Raises:
            RequestError: It must not be reached.
            UpstreamError: It can't be reached.
        """
        corporate = self.proxies.on_the_way_to(
            URL.build(scheme="https", host=to.host, port=to.port)
        )
        try:
            async with asyncio.timeout(self.connect_timeout):
                if corporate is None:
                    toward = self.reach.toward(to.host, to.port)
                    return await self._connected(to.host, to.port, None, toward)
                return await self._through(corporate, to)
        except TimeoutError as exc:
            raise _unreachable(to, "no connection in time", status=504) from exc
        except (OSError, UnicodeError, asyncio.IncompleteReadError) as exc:
            raise _unreachable(to, getattr(exc, "strerror", None) or str(exc)) from exc

    async def _connected(
        self, host: str, port: int, tls: ssl.SSLContext | None, toward: Toward
    ) -> Stream:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(each[4][0]) for each in found]
        for address in addresses:
            self.reach.check(address, port, host=host, toward=toward)
        failed: OSError | None = None
        for address in addresses:
            try:
                return Stream(
                    *await asyncio.open_connection(
                        address,
                        port,
                        limit=_AT_ONCE,
                        ssl=tls,
                        server_hostname=host if tls is not None else None,
                    )
                )
            except OSError as exc:
                failed = exc
        raise failed or OSError("the name has no address")

    async def _through(self, corporate: CorporateProxy, to: There) -> Stream:
        """Ask a corporate proxy for the tunnel."""
        url = corporate.url
        await self.reach.check_name(to.host, to.port, toward=self.reach.toward(to.host, to.port))
        tls = ssl.create_default_context() if url.scheme == "https" else None
        stream = await self._connected(url.host or "", url.port or 0, tls, Toward.CORPORATE_PROXY)
        fields = "".join(f"{name}: {value}\r\n" for name, value in corporate.headers.items())
        stream.writer.write(f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{fields}\r\n".encode())
        said = b""
        try:
            head = await stream.reader.readuntil(_HEAD)
            said = head.partition(b"\r\n")[0].partition(b" ")[2]
        except asyncio.LimitOverrunError:
            pass
        finally:
            if said[:3] != b"200":
                stream.writer.transport.abort()
        if said[:3] != b"200":
            text = said.decode("latin-1")
            raise OSError(f"the corporate proxy answers {text!r}; check HTTPS_PROXY")
        return stream

    async def join(self, client: Stream, far: Stream, passed: Passed) -> str:
        """Pass bytes on until both sides have ended, each in its own time.

        Args:
            client: Told that its tunnel is there.
            far: The host.
            passed: Is counted up.

        Returns:
            Why it ended otherwise; nothing where both sides ended it.
        """
        ended = ""
        try:
            async with asyncio.timeout(self.idle) as patience, asyncio.TaskGroup() as group:
                group.create_task(self._pump(client, far, patience, passed.up))
                group.create_task(self._pump(far, client, patience, passed.down))
        except* TimeoutError:
            ended = f"no byte either way for {self.idle:.0f} s"
        except* (ConnectionError, ssl.SSLError, _OverError):
            ended = "one side broke it off"
        finally:
            for each in (client, far):
                if ended == "":
                    each.writer.close()
                else:
                    each.writer.transport.abort()
        return ended

    async def _pump(
        self, source: Stream, sink: Stream, patience: asyncio.Timeout, count: Count
    ) -> None:
        loop = asyncio.get_running_loop()
        while chunk := await source.reader.read(_AT_ONCE):
            sink.writer.write(chunk)
            count.size += len(chunk)
            if not patience.expired():
                patience.reschedule(loop.time() + self.idle)
            await sink.writer.drain()
        if not sink.writer.can_write_eof():  # TLS on the way to us: no half can be closed
            await sink.writer.drain()
            raise _OverError
        sink.writer.write_eof()


def _unreachable(to: There, why: str, *, status: int = 502) -> UpstreamError:
    reason = " ".join(why.split())
    return UpstreamError(
        f"{to} can't be reached: {reason}", status=status, code="GraphtapeUpstreamUnreachable"
    )
