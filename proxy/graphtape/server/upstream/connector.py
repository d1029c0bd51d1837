"""aiohttp's connections, each checked as it is made."""

from __future__ import annotations

import errno
import socket
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import ClientConnectorError, TCPConnector

from graphtape.core.errors import RequestError
from graphtape.server.upstream.reach import Toward

if TYPE_CHECKING:
    from aiohttp import AddrInfoType, ClientRequest, ClientTimeout
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

    from graphtape.server.upstream.reach import Reach


@dataclass(slots=True)
class _Attempt:
    """A connection that is being made.

    Attributes:
        host: As it was asked for.
        refused: Why an address of it was not connected to.
    """

    host: str
    toward: Toward
    refused: RequestError | None = None


_ATTEMPT: ContextVar[_Attempt] = ContextVar("attempt")


class GuardedConnector(TCPConnector):
    """Connects to what a Reach lets it."""

    def __init__(self, reach: Reach, *, force_close: bool = False) -> None:
        """Begin; in the loop.

        Args:
            reach: Asked about every address.
            force_close: As aiohttp's.
        """
        self._reach = reach
        super().__init__(limit=0, force_close=force_close, socket_factory=self._checked)

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> Connection:
        """Connect, or take a connection that is open still.

        Raises:
            RequestError: It must not be connected to.
        """
        host, port = req.url.host or "", req.url.port or 0
        toward = self._reach.toward(host, port)
        if req.proxy is not None:
            await self._reach.check_name(host, port, toward=toward)
            host, toward = req.proxy.host or "", Toward.CORPORATE_PROXY
        attempt = _Attempt(host, toward)
        token = _ATTEMPT.set(attempt)
        try:
            return await super().connect(req, traces, timeout)
        except ClientConnectorError:
            if attempt.refused is not None:
                raise attempt.refused from None
            raise
        finally:
            _ATTEMPT.reset(token)

    def _checked(self, info: AddrInfoType) -> socket.socket:
        """Make the socket of a connection to an address."""
        family, kind, protocol, _, place = info
        attempt = _ATTEMPT.get()
        try:
            self._reach.check(
                str(place[0]), int(place[1]), host=attempt.host, toward=attempt.toward
            )
        except RequestError as exc:
            attempt.refused = exc
            # What aiohttp takes for an address that fails: it tries the next one.
            raise PermissionError(errno.EACCES, "refused") from exc
        return socket.socket(family, kind, protocol)
