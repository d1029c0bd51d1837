"""The way up: one client for reads, one for writes; framing, timeouts, corporate proxies."""

from __future__ import annotations

import io
import os
import ssl
import urllib.request
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import aiohttp
import certifi
from aiohttp import ClientRequest, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from multidict import CIMultiDict
from yarl import URL

from graphtape.core.errors import UpstreamError, UsageError
from graphtape.core.message import Headers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Container
    from types import TracebackType

    from aiohttp import ClientHandlerType, ClientResponse

    from graphtape.server.incoming import Incoming

HOP_BY_HOP = (
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
)
"""Fields that end at each hop (RFC 9110 section 7.6.1, and those it took over from RFC 2616)."""

MAX_LINE = 64 * 1024
"""Bytes of a request or header line: nextLinks and tokens outgrow aiohttp's 8,190."""

_AT_ONCE = 256 * 1024
_READS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_AUTO_HEADERS = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


def end_to_end(headers: Headers) -> Headers:
    """Leave out what concerns one connection only, and what its Connection field names."""
    named = [
        name.strip()
        for value in headers.all("Connection")
        for name in value.split(",")
        if name.strip()
    ]
    return headers.without(*HOP_BY_HOP, *named)


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


class _SentOnceError(Exception):
    """Carries a lost connection past aiohttp, which would send PUT and DELETE a second time."""


async def _send_once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise _SentOnceError from exc


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
        self, *, connect_timeout: float, read_timeout: float, ca_file: str | None = None
    ) -> None:
        """Read the environment's proxies and roots once.

        Args:
            connect_timeout: Seconds to reach upstream, TLS included.
            read_timeout: Seconds without a byte from upstream.
            ca_file: PEM of roots trusted besides the system's.

        Raises:
            UsageError: `ca_file` can't be read.
        """
        self._timeout = ClientTimeout(
            total=None, sock_connect=connect_timeout, connect=None, sock_read=read_timeout
        )
        self._proxies = urllib.request.getproxies()
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
        proxy, proxy_auth = self._proxy_for(target)
        data = _data(body, chunked=incoming.chunked)
        with _translated(target):
            async with session.request(
                incoming.request.method,
                target,
                headers=_headers_up(incoming),
                data=data,
                chunked=True if incoming.chunked else None,
                allow_redirects=False,
                ssl=self._tls_for(target),
                proxy=proxy,
                proxy_auth=proxy_auth,
            ) as response:
                yield _answer(response, target)

    def _tls_for(self, target: URL) -> ssl.SSLContext | bool:
        if target.scheme != "https":
            return True
        if self._tls is None:
            self._tls = _tls_context(None)
        return self._tls

    def _proxy_for(self, target: URL) -> tuple[URL | None, aiohttp.BasicAuth | None]:
        """Return the corporate proxy the environment names for a URL, and its credentials."""
        named = self._proxies.get(target.scheme) or self._proxies.get("all")
        if not named or urllib.request.proxy_bypass(target.host or ""):
            return None, None
        proxy = URL(named if "://" in named else f"http://{named}")
        if proxy.user is None:
            return proxy, None
        auth = aiohttp.BasicAuth(proxy.user, proxy.password or "")
        return proxy.with_user(None), auth


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
    return UpstreamAnswer(
        status=response.status,
        reason=response.reason or "",
        headers=end_to_end(headers),
        length=int(length) if length is not None and length.isdigit() else None,
        chunks=_chunks(response, target),
    )


async def _chunks(response: ClientResponse, target: URL) -> AsyncIterator[bytes]:
    with _translated(target):
        async for chunk in response.content.iter_any():
            yield chunk


class _translated:  # noqa: N801 - used as a function
    """Turn aiohttp's errors into ours, which say what to do."""

    def __init__(self, target: URL) -> None:
        self._origin = str(target.origin())

    def __enter__(self) -> None:
        return

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is None:
            return
        cause = exc.__cause__ if isinstance(exc, _SentOnceError) else exc
        error = _upstream_error(cause, self._origin)
        if error is not None:
            raise error from exc


@dataclass(frozen=True, slots=True)
class _Fault:
    """How an error of aiohttp is told to a client.

    Attributes:
        says: What follows `upstream https://…`; `{}` is the error's own text.
    """

    types: tuple[type[Exception], ...]
    code: str
    says: str
    status: int = 502


_FAULTS = (  # the first that fits: subclasses stand before what they derive from
    _Fault(
        (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError),
        "GraphtapeUpstreamTls",
        "failed at TLS: {}; trust a private root with --upstream-ca FILE or SSL_CERT_FILE",
    ),
    _Fault(
        (aiohttp.ClientConnectorDNSError,),
        "GraphtapeUpstreamUnreachable",
        "has a name that can't be found; check --upstream, DNS and HTTPS_PROXY",
    ),
    _Fault(
        (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError),
        "GraphtapeUpstreamUnreachable",
        "can't be reached through the corporate proxy: {}; check HTTPS_PROXY and NO_PROXY",
    ),
    _Fault(
        (aiohttp.ConnectionTimeoutError,),
        "GraphtapeUpstreamTimeout",
        "did not accept a connection in time; check the network, or raise --connect-timeout",
        504,
    ),
    _Fault(
        (TimeoutError,),
        "GraphtapeUpstreamTimeout",
        "did not answer in time; try again, or raise --read-timeout",
        504,
    ),
    _Fault(
        (aiohttp.ClientConnectorError,),
        "GraphtapeUpstreamUnreachable",
        "can't be reached: {}; is it running?",
    ),
    _Fault(
        (aiohttp.ClientError, ConnectionError),
        "GraphtapeUpstreamLost",
        "closed the connection before its answer was whole: {}; nothing was recorded, and the "
        "request may have taken effect",
    ),
)


def _upstream_error(exc: BaseException | None, origin: str) -> UpstreamError | None:
    for fault in _FAULTS:
        if isinstance(exc, fault.types):
            reason = getattr(exc, "certificate_error", None) or exc
            message = f"upstream {origin} {fault.says.format(_one_line(reason))}"
            return UpstreamError(message, status=fault.status, code=fault.code)
    return None


def _one_line(exc: object) -> str:
    return " ".join(str(exc).split()) or type(exc).__name__


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


__all__ = ["HOP_BY_HOP", "MAX_LINE", "UpstreamAnswer", "UpstreamClient", "end_to_end"]
