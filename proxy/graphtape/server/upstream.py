"""The way up: one client for reads, one for writes; framing, timeouts, TLS."""

from __future__ import annotations

import asyncio
import io
import os
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

import aiohttp
import certifi
from aiohttp import ClientRequest, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from multidict import CIMultiDict
from yarl import URL

from graphtape.core.errors import UpstreamError, UsageError
from graphtape.core.message import Headers, end_to_end
from graphtape.server.corporate import CorporateProxies
from graphtape.server.fault import SentOnceError, proxy_error, translated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Container
    from types import TracebackType

    from aiohttp import ClientHandlerType, ClientResponse

    from graphtape.server.incoming import Incoming

MAX_LINE = 64 * 1024
"""Bytes of a request or header line: nextLinks and tokens outgrow aiohttp's 8,190."""

_AT_ONCE = 256 * 1024
_LIVENESS = 0.5
"""Seconds between two looks at whether the connection of a body is still there."""

_READS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_AUTO_HEADERS = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


class _Everything:
    """Contains every method: no request gains a Content-Length its client didn't send."""

    def __contains__(self, _: object) -> bool:
        return True


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


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamAnswer:
    """An answer whose head has arrived.

    Attributes:
        status: 200 to 599.
        reason: As received.
        headers: End-to-end only.
        length: Content-Length as received.
        chunks: The body as received, still coded.
    """

    status: int
    reason: str
    headers: Headers
    length: int | None
    chunks: AsyncIterator[bytes]


class UpstreamClient:
    """Forwards requests to one upstream.

    Reads share pooled connections, and aiohttp repeats one that a dead connection lost. A
    request with effects goes out on a connection of its own: it can't meet one that went stale,
    and is never sent twice.
    """

    def __init__(
        self,
        *,
        connect_timeout: float,
        read_timeout: float,
        ca_file: str | None = None,
        direct: bool = False,
    ) -> None:
        """Read the environment's proxies and roots once.

        Args:
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
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None
        if ca_file is not None:
            self._tls = _tls_context(ca_file)

    async def __aenter__(self) -> Self:
        self._reads = self._session(TCPConnector(limit=0))
        self._writes = self._session(TCPConnector(limit=0, force_close=True), _send_once)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._reads.close()
        await self._writes.close()

    def _session(
        self, connector: TCPConnector, *middlewares: aiohttp.ClientMiddlewareType
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

    @asynccontextmanager
    async def send(
        self, incoming: Incoming, url: str, body: AsyncIterator[bytes] | bytes
    ) -> AsyncIterator[UpstreamAnswer]:
        """Forward a request and yield its answer once the head is there.

        Args:
            incoming: Gives method, headers and framing.
            url: Where to; its percent-encoding is sent as it stands.
            body: In chunks where it is still arriving.

        Raises:
            UpstreamError: Upstream can't be reached, or is lost before its answer is whole.
        """
        target = URL(url, encoded=True)
        session = self._reads if incoming.request.method in _READS else self._writes
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
                yield _answer(response, target)

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
    headers = end_to_end(incoming.wire_headers).without("Host", "Content-Length")
    fields = CIMultiDict(headers.pairs)
    if incoming.length is not None and not incoming.chunked:
        fields["Content-Length"] = str(incoming.length)
    return fields


def _answer(response: ClientResponse, target: URL) -> UpstreamAnswer:
    headers = Headers.of(
        (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
        for name, value in response.raw_headers
    )
    length = headers.get("Content-Length")
    if response.status < HTTPStatus.OK:
        # Upgrade ends at the proxy: nobody has asked for another protocol.
        raise UpstreamError(
            f"upstream {target.origin()} answered {response.status}, which is no final answer; is "
            "it an HTTP server that speaks like Graph?",
            status=502,
            code="GraphtapeUpstreamGarbled",
        )
    return UpstreamAnswer(
        status=response.status,
        reason=response.reason or "",
        headers=end_to_end(headers),
        length=int(length) if length is not None and length.isdigit() else None,
        chunks=_chunks(response, target),
    )


async def _chunks(response: ClientResponse, target: URL) -> AsyncIterator[bytes]:
    with translated(target):
        while chunk := await _next_chunk(response):
            yield chunk


async def _next_chunk(response: ClientResponse) -> bytes:
    """Return what has arrived of a body; nothing at its end.

    aiohttp tells a reader neither of a chunk that it can't parse nor, once it has closed the
    connection over it, of its timeout: whoever reads would wait without end.
    """
    content = response.content
    while True:
        try:
            async with asyncio.timeout(_LIVENESS) as patience:
                return await content.readany()
        except TimeoutError:
            if not patience.expired():
                raise
            protocol = response.connection.protocol if response.connection is not None else None
            told = content.is_eof() or content.exception() is not None
            if protocol is not None and protocol.transport is None and not told:
                raise protocol.exception() or aiohttp.ClientPayloadError from None


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Trust the system's roots (SSL_CERT_FILE and SSL_CERT_DIR move them) and `ca_file`'s."""
    context = ssl.create_default_context()
    if not os.environ.get("SSL_CERT_FILE") and not context.cert_store_stats()["x509_ca"]:
        # Some Pythons are built without a path to the system's roots.
        context.load_verify_locations(certifi.where())
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as exc:
            raise UsageError(f"--upstream-ca {ca_file!r} is no PEM file of roots: {exc}") from exc
    return context
