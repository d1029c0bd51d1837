"""How upstream can fail, and what a client is told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from graphtape.core.errors import UpstreamError

if TYPE_CHECKING:
    from types import TracebackType

    from yarl import URL


class SentOnceError(Exception):
    """Carries a lost connection past aiohttp, which would send PUT and DELETE a second time."""


class translated:  # noqa: N801 - used as a function
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
        cause = exc.__cause__ if isinstance(exc, SentOnceError) else exc
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


_PROXY_SAYS = "can't be reached through the corporate proxy: {}; check HTTPS_PROXY and NO_PROXY"
_FAULTS = (  # the first that fits: subclasses stand before what they derive from
    _Fault(
        (aiohttp.ClientConnectorCertificateError,),
        "GraphtapeUpstreamTls",
        "failed at TLS: {}; trust a private root with --upstream-ca FILE or SSL_CERT_FILE",
    ),
    _Fault(
        (aiohttp.ClientConnectorSSLError,),
        "GraphtapeUpstreamTls",
        "failed at TLS: {}; if it speaks none, give it to --upstream as http://",
    ),
    _Fault(
        (aiohttp.ClientConnectorDNSError,),
        "GraphtapeUpstreamUnreachable",
        "has a name that can't be found; check --upstream, DNS and HTTPS_PROXY",
    ),
    _Fault(
        (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError),
        "GraphtapeUpstreamUnreachable",
        _PROXY_SAYS,
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
        (aiohttp.ClientResponseError, HttpProcessingError),
        "GraphtapeUpstreamGarbled",
        "answered what is no HTTP: {}; check --upstream; nothing was recorded, and the request "
        "may have taken effect",
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
            message = f"upstream {origin} {fault.says.format(_reason(exc))}"
            return UpstreamError(message, status=fault.status, code=fault.code)
    return None


def proxy_error(target: URL, reason: str) -> UpstreamError:
    """Say that the corporate proxy is at fault, for a URL that is reached through it."""
    message = f"upstream {target.origin()} {_PROXY_SAYS.format(reason)}"
    return UpstreamError(message, status=502, code="GraphtapeUpstreamUnreachable")


def _reason(exc: BaseException) -> str:
    """Say in one line what aiohttp says, but for the request's URL, which may hold a secret."""
    match exc:
        case aiohttp.ClientHttpProxyError():
            text = f"{exc.status} {exc.message}"
        case aiohttp.ClientResponseError() | HttpProcessingError():
            # What follows quotes the line that can't be read, and with it a cookie or a token.
            text = exc.message.partition(":\n")[0]
        case aiohttp.ClientConnectorCertificateError():
            text = str(exc.certificate_error)
        case aiohttp.ClientConnectorSSLError():
            text = str(exc.os_error)
        case aiohttp.ClientConnectorError() if exc.os_error.errno:
            text = os.strerror(exc.os_error.errno)
        case aiohttp.ClientConnectorError():
            text = "no connection"
        case _:
            text = str(exc)
    return " ".join(text.split()) or type(exc).__name__
