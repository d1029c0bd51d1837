"""What Graphtape uses of aiohttp that has no public name, and nothing else does.

An aiohttp that is built otherwise is served without it: see `FITS`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import http_writer, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser
from multidict import CIMultiDict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp.streams import StreamReader
    from aiohttp.web_server import Server

_GROUND = {
    web.RequestHandler: (
        *("_waiter", "_messages", "_payload_parser", "_close", "_force_close", "finish_response"),
        *("_keepalive_timeout", "_next_keepalive_close_time", "_current_request", "_message_tail"),
    ),
    BaseProtocol: ("_loop", "_parser", "_paused", "_upgraded", "transport"),
    HttpRequestParser: ("feed_data",),
}

FITS = all(hasattr(owner, name) for owner, names in _GROUND.items() for name in names)
"""Whether the aiohttp that runs is built as this module expects.

Else no request is answered as its bytes arrive, a client that ends its half is taken for one that
has left, and no connection is given away for a tunnel.
"""

_FEW = 16
"""Requests at once that no parser stops at."""
_WRITER = "_serialize_headers"


class Protocol(web.RequestHandler):
    """aiohttp's protocol of a connection, by public names."""

    __slots__ = ()

    @property
    def pending(self) -> Sequence[tuple[Any, StreamReader]]:
        """Requests that no task has begun to serve, and their bodies."""
        return self._messages if FITS else ()

    @property
    def serving(self) -> web.BaseRequest | None:
        """The request that a task serves now."""
        return self._current_request if FITS else None

    @property
    def waits(self) -> bool:
        """Whether its task waits for a request."""
        waiter = self._waiter
        return waiter is not None and not waiter.done()

    @property
    def left_http(self) -> bool:
        """Whether the client has changed the protocol, or asks for that."""
        return FITS and self._upgraded

    @property
    def most_pending(self) -> int:
        """Requests that its parser stops at."""
        most: int = getattr(self, "_max_msg_queue_size", _FEW)
        return most

    def takes_at_once(self, *, free: bool) -> bool:
        """Tell whether nothing is in flight, nothing is waiting, and the client reads.

        Args:
            free: Whether nothing is in flight, though the task doesn't wait yet.
        """
        return (
            (free or self.waits)
            and not self._messages
            and not self._paused
            and not self._upgraded
            and self._payload_parser is None
            and not self._close
            and not self._force_close
        )

    def write_at_once(self, answer: bytes) -> None:
        """Write a whole answer that no task knows of."""
        transport: asyncio.Transport | None = self.transport
        if transport is not None:
            transport.write(answer)
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout

    def parse_by(self, parser: Any) -> None:  # noqa: ANN401 - it does what aiohttp's does
        """Put another parser in place of aiohttp's."""
        self._parser = parser

    @property
    def parser(self) -> Any:  # noqa: ANN401 - aiohttp's, of C
        """What turns its bytes into requests."""
        return self._parser

    def give_away(self) -> tuple[asyncio.Transport, bytes]:
        """Give the transport away while a request is served; this connection is over.

        Returns:
            It, and the bytes that came behind the request.

        Raises:
            ConnectionResetError: The client has left.
        """
        transport, request = self.transport, self.serving
        if transport is None or request is None:
            raise ConnectionResetError("the client left")
        # Where the parser leaves them: aiohttp's in C keeps off what follows a CONNECT, the one in
        # Python takes it for a body.
        tail = self._message_tail + request.content.read_nowait()
        self.transport = None  # or it would be closed
        self.connection_lost(None)
        return transport, tail


class Runner(web.AppRunner):
    """Runs an application over connections of a kind; an application has no say in that.

    Attributes:
        kind: Of its connections.
    """

    kind: ClassVar[type[web.RequestHandler]] = Protocol

    async def _make_server(self) -> Server:
        made = await super()._make_server()
        return _Server(
            self.kind,
            made.request_handler,
            request_factory=made.request_factory,
            loop=asyncio.get_running_loop(),
            **made._kwargs,  # noqa: SLF001 - what the application was made with
        )


class _Server(web.Server):
    def __init__(self, kind: type[web.RequestHandler], *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - aiohttp's own
        super().__init__(*args, **kwargs)
        self._kind = kind

    def __call__(self) -> web.RequestHandler:
        return self._kind(self, loop=self._loop, **self._kwargs)


def keep_header_bytes() -> None:
    """Let aiohttp's client write surrogate escapes as the bytes they stand for; once is enough.

    It writes header texts as UTF-8 and leaves out what stands for other bytes. Where it is built
    otherwise, such bytes are lost as they were before.
    """
    usual = getattr(http_writer, _WRITER, None)
    if usual is None or getattr(usual, "keeps_bytes", False):
        return

    def written(status_line: str, headers: CIMultiDict[str]) -> bytes:
        fields = [*headers.items()]
        if all(text.isascii() for field in fields for text in field):
            head: bytes = usual(status_line, headers)
            return head
        # For its look at control characters.
        plain = ((_ascii(name), _ascii(value)) for name, value in fields)
        usual(status_line, CIMultiDict(plain))
        lines = (status_line, *(f"{name}: {value}" for name, value in fields), "", "")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape")

    written.keeps_bytes = True  # type: ignore[attr-defined] # a mark of ours
    setattr(http_writer, _WRITER, written)


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()
