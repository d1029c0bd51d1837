"""A request whose body is here, on its way up, and its answer back.

aiohttp's own request and answer cost more than all that Graphtape does to record one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from yarl import URL

from graphtape.core.errors import UpstreamError
from graphtape.server.upstream.answer import OWN_OF_REQUEST, passed_on
from graphtape.server.upstream.fault import translated

if TYPE_CHECKING:
    from types import TracebackType

    from graphtape.server.http.request import Incoming
    from graphtape.server.upstream.answer import UpstreamAnswer
    from graphtape.server.upstream.shared_connections import Connections, Reply


class Exchange:
    """One request and its answer, while the block runs."""

    __slots__ = ("_body", "_connections", "_incoming", "_reply", "_target")

    def __init__(
        self, incoming: Incoming, body: bytes, connections: Connections, target: str
    ) -> None:
        """Send nothing yet.

        Args:
            incoming: Gives method, headers and framing.
            body: As it is sent.
            connections: Where to.
            target: Path and query, as they are sent.
        """
        self._incoming = incoming
        self._body = body
        self._connections = connections
        self._target = target
        self._reply: Reply | None = None

    async def __aenter__(self) -> UpstreamAnswer:
        """Ask, and wait for the head of the answer.

        Raises:
            UpstreamError: There is none.
        """
        connections = self._connections
        try:
            reply = await connections.ask(self._incoming.request.method, self._written())
        except Exception:
            with translated(URL(connections.origin, encoded=True)):
                raise
        self._reply = reply
        try:
            return reply.answer(reply.whole(), origin=connections.origin)
        except UpstreamError:
            reply.release()
            raise

    def _written(self) -> bytes:
        """Write the request.

        There is no Via: the tenant is to see the client's own request, and no more.
        """
        incoming, body = self._incoming, self._body
        lines = [
            f"{incoming.request.method} {self._target} HTTP/1.1",
            f"Host: {self._connections.host}",
        ]
        fields = passed_on(incoming.wire_headers, without=OWN_OF_REQUEST)
        lines += [f"{name}: {value}" for name, value in fields.pairs]
        if incoming.chunked:
            lines.append("Transfer-Encoding: chunked")
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        elif incoming.length is not None:
            lines.append(f"Content-Length: {incoming.length}")
        return "\r\n".join((*lines, "", "")).encode("utf-8", "surrogateescape") + body

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._reply is not None:
            self._reply.release()
        if exc is not None:
            translated(URL(self._connections.origin, encoded=True)).__exit__(
                exc_type, exc, traceback
            )
