"""The way up: shared connections where the body is here, aiohttp's client where not; TLS."""

from __future__ import annotations

import io
import os
import re
import ssl
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Self

import aiohttp
import certifi
from aiohttp import ClientRequest, ClientSession, ClientTimeout, DummyCookieJar
from multidict import CIMultiDict
from yarl import URL

from graphtape import files
from graphtape.core.errors import UsageError
from graphtape.server.aiohttp_private import keep_header_bytes
from graphtape.server.http.connection import MAX_LINE
from graphtape.server.upstream.answer import (
    OWN_OF_REQUEST,
    UpstreamAnswer,
    chunks_of,
    passed_on,
)
from graphtape.server.upstream.connector import GuardedConnector
from graphtape.server.upstream.corporate_proxy import CorporateProxies
from graphtape.server.upstream.exchange import Exchange
from graphtape.server.upstream.fault import SentOnceError, proxy_error, translated
from graphtape.server.upstream.shared_connections import FITS, READS, Connections

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Container
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from aiohttp import ClientHandlerType, ClientResponse

    from graphtape.server.http.request import Incoming
    from graphtape.server.upstream.reach import Reach

_AT_ONCE = 256 * 1024

_MOST_ORIGINS = 64
# Host, path, query. Without a user, and without what yarl would write otherwise.
_PLAIN_URL = re.compile(r"(https?://[a-z0-9.-]+(?::[0-9]{1,5})?)(/[!-\"$->@-~]*(?:\?[!-\"$-~]+)?)?")
_AUTO_HEADERS = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


class _Everything:
    """Contains every method: no request gains a Content-Length its client didn't send."""

    def __contains__(self, _: object) -> bool:
        return True


keep_header_bytes()


class _Unadorned(ClientRequest):
    """A request that goes out with the headers it was given."""

    GET_METHODS: Container[str] = _Everything()  # type: ignore[assignment]

    def update_expect_continue(self, expect: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - aiohttp's signature
        # The proxy has answered 100 itself; an upstream that ignores Expect would be waited for
        # without end.
        return


async def _send_once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise SentOnceError from exc


class UpstreamClient:
    """Forwards requests to one upstream.

    Reads share pooled connections, and one that a dead connection lost is repeated. A request with
    effects is never sent twice: it goes out on a connection that has just answered, or on a new
    one, and where its body still arrives, on one of its own.
    """

    def __init__(
        self,
        *,
        reach: Reach,
        connect_timeout: float,
        read_timeout: float,
        ca_file: str | None = None,
        direct: bool = False,
    ) -> None:
        """Read the environment's proxies and roots once.

        Args:
            reach: Says what may be connected to.
            connect_timeout: Seconds to reach upstream: name, corporate proxy and TLS included.
            read_timeout: Seconds without a byte from upstream.
            ca_file: PEM of roots trusted besides the system's.
            direct: Upstream is this process itself, which no corporate proxy can reach.

        Raises:
            UsageError: `ca_file` can't be read.
        """
        # sock_connect alone would wait for a proxy's answer to CONNECT without end.
        self._timeout = ClientTimeout(total=None, connect=connect_timeout, sock_read=read_timeout)
        self._proxies = CorporateProxies.none() if direct else CorporateProxies.from_environment()
        self._reach = reach
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None
        if ca_file is not None:
            self._tls = _tls_context(ca_file)
        self._shared: dict[str, Connections | None] = {}

    async def __aenter__(self) -> Self:
        self._reads = self._session(GuardedConnector(self._reach))
        self._writes = self._session(GuardedConnector(self._reach, force_close=True), _send_once)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close_shared()
        await self._reads.close()
        await self._writes.close()

    def _close_shared(self) -> None:
        for connections in self._shared.values():
            if connections is not None:
                connections.close()
        self._shared.clear()

    def _session(
        self, connector: GuardedConnector, *middlewares: aiohttp.ClientMiddlewareType
    ) -> ClientSession:
        return ClientSession(
            connector=connector,
            cookie_jar=DummyCookieJar(),
            timeout=self._timeout,
            auto_decompress=False,
            skip_auto_headers=_AUTO_HEADERS,
            request_class=_Unadorned,
            middlewares=middlewares,
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
        )

    def send(
        self, incoming: Incoming, url: str, body: AsyncIterator[bytes] | bytes
    ) -> AbstractAsyncContextManager[UpstreamAnswer]:
        """Forward a request; what is returned gives its answer once the head is there.

        Args:
            incoming: Gives method, headers and framing.
            url: Where to; its percent-encoding is sent as it stands.
            body: In chunks where it is still arriving.

        Raises:
            RequestError: Its host must not be reached.
            UpstreamError: Upstream can't be reached, or is lost before its answer is whole.
        """
        found = _PLAIN_URL.fullmatch(url) if FITS else None
        if isinstance(body, bytes) and len(body) <= _AT_ONCE and found is not None:
            connections = self._connections(found[1])
            if connections is not None:
                return Exchange(incoming, body, connections, found[2] or "/")
        return self._send(incoming, url, body)

    def _connections(self, origin: str) -> Connections | None:
        """Return the connections to an origin; None where a corporate proxy is on the way."""
        if origin in self._shared:
            return self._shared[origin]
        target = URL(origin + "/", encoded=True)
        with translated(target):
            direct = self._proxies.on_the_way_to(target) is None
        connections = None
        if direct and self._reads.connector is not None:
            connections = Connections(
                origin,
                connector=self._reads.connector,
                timeout=self._timeout,
                tls=self._tls_for(target),
                max_line=MAX_LINE,
            )
        if len(self._shared) >= _MOST_ORIGINS:
            self._close_shared()
        self._shared[origin] = connections
        return connections

    @asynccontextmanager
    async def _send(
        self, incoming: Incoming, url: str, body: AsyncIterator[bytes] | bytes
    ) -> AsyncIterator[UpstreamAnswer]:
        """Forward a request by aiohttp's own request and answer; as `send`."""
        target = URL(url, encoded=True)
        session = self._reads if incoming.request.method in READS else self._writes
        proxy = self._proxies.on_the_way_to(target)
        data = _data(body, chunked=incoming.chunked)
        headers = _headers_up(incoming)
        if proxy is not None and target.scheme == "http":
            headers.update(proxy.headers)
        with translated(target):
            async with session.request(
                incoming.request.method,
                target,
                headers=headers,
                data=data,
                chunked=True if incoming.chunked else None,
                allow_redirects=False,
                ssl=self._tls_for(target),
                proxy=None if proxy is None else proxy.url,
                proxy_headers=None if proxy is None else dict(proxy.headers),
            ) as response:
                if (
                    proxy is not None
                    and response.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
                ):
                    raise proxy_error(target, f"{response.status} {response.reason}")
                yield UpstreamAnswer(
                    response.status,
                    response.reason or "",
                    response.raw_headers,
                    origin=str(target.origin()),
                    chunks=chunks_of(response, target),
                )

    def _tls_for(self, target: URL) -> ssl.SSLContext | bool:
        if target.scheme != "https":
            return True
        if self._tls is None:
            self._tls = _tls_context(None)
        return self._tls


def _data(
    body: AsyncIterator[bytes] | bytes, *, chunked: bool
) -> AsyncIterator[bytes] | io.BytesIO | bytes | None:
    """Return a body as aiohttp wants it: None where there is none, large ones piece by piece."""
    if not isinstance(body, bytes):
        return body
    if not body and not chunked:
        return None
    return io.BytesIO(body) if len(body) > _AT_ONCE else body


def _headers_up(incoming: Incoming) -> CIMultiDict[str]:
    """Return the headers that go up: all but the hop's own, Host, and framing that changed.

    There is no Via: the tenant is to see the client's own request, and no more.
    """
    headers = passed_on(incoming.wire_headers, without=OWN_OF_REQUEST)
    fields = CIMultiDict(headers.pairs)
    if incoming.length is not None and not incoming.chunked:
        fields["Content-Length"] = str(incoming.length)
    return fields


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Trust the system's roots (SSL_CERT_FILE and SSL_CERT_DIR move them) and `ca_file`'s."""
    context = ssl.create_default_context()
    if not os.environ.get("SSL_CERT_FILE") and not context.cert_store_stats()["x509_ca"]:
        # Some Pythons are built without a path to the system's roots.
        context.load_verify_locations(certifi.where())
    if ca_file is not None:
        try:
            files.check(Path(ca_file))
            context.load_verify_locations(ca_file)
        except OSError as exc:
            raise UsageError(
                f"--upstream-ca {ca_file!r} is no PEM file of roots: {exc.strerror or exc}"
            ) from exc
    return context
