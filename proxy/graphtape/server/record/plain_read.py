"""A read without a body on its way up, and its answer back.

aiohttp's own request and answer cost more than all that Graphtape does to record one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from yarl import URL

from graphtape.core.errors import UpstreamError
from graphtape.server.upstream.answer import (
    OWN_OF_REQUEST,
    UpstreamAnswer,
    passed_on,
)
from graphtape.server.upstream.fault import translated

if TYPE_CHECKING:
    from types import TracebackType

    from graphtape.server.http.request import Incoming
    from graphtape.server.upstream.shared_connections import Reply, Road


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where a read goes.

    Attributes:
        origin: Scheme, host and port of a URL.
        target: The rest of it.
    """

    road: Road
    origin: str
    target: str

    @property
    def begins(self) -> bytes:
        """What a GET begins with: its first line, and Host."""
        return self.road.begins("GET", self.target)

    async def get(self, head: bytes) -> Reply:
        """Send a GET that is written already, and wait for the head of its answer.

        Raises:
            UpstreamError: There is none.
        """
        try:
            return await self.road.send("GET", head)
        except Exception:
            with translated(URL(self.origin, encoded=True)):
                raise


class Read:
    """A read on its way up, while the block runs."""

    __slots__ = ("_incoming", "_origin", "_reply", "_road", "_target")

    def __init__(self, incoming: Incoming, way: Way) -> None:
        """Send nothing yet."""
        self._incoming = incoming
        self._road = way.road
        self._origin = way.origin
        self._target = way.target
        self._reply: Reply | None = None

    async def __aenter__(self) -> UpstreamAnswer:
        """Ask, and wait for the head of the answer.

        Raises:
            UpstreamError: There is none.
        """
        incoming = self._incoming
        fields = passed_on(incoming.wire_headers, without=OWN_OF_REQUEST)
        try:
            reply = await self._road.ask(incoming.request.method, self._target, fields)
        except Exception:
            with translated(URL(self._origin, encoded=True)):
                raise
        self._reply = reply
        try:
            return reply.answer(reply.whole(), origin=self._origin)
        except UpstreamError:
            reply.release()
            raise

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._reply is not None:
            self._reply.release()
        if exc is not None:
            translated(URL(self._origin, encoded=True)).__exit__(exc_type, exc, traceback)
