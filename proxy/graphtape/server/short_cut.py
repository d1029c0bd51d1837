"""Answers a request right after it is parsed, before a task is woken for it.

It stands on private ground of aiohttp's: on what `FITS` looks for. Where that is missing, and for
every request that isn't answered here, the normal way is taken.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser, HttpVersion11
from aiohttp.streams import EMPTY_PAYLOAD

from graphtape.server.protocol import Connection, DataServer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from aiohttp.http_parser import RawRequestMessage
    from aiohttp.web import BaseRequest, StreamResponse

    from graphtape.server.express import Express
    from graphtape.server.protocol import Handler, Standing

log = logging.getLogger("graphtape")

_END = b"\r\n\r\n"
_FAILED = "a request could not be answered at once"
_FEW = 16
"""Requests at once that no parser stops at."""

_GROUND = {
    web.RequestHandler: (
        *("_waiter", "_messages", "_payload_parser", "_close", "_force_close", "finish_response"),
        *("_keepalive_timeout", "_next_keepalive_close_time"),
    ),
    BaseProtocol: ("_loop", "_parser", "_paused", "_upgraded", "transport"),
    HttpRequestParser: ("feed_data",),
}

FITS = all(hasattr(owner, name) for owner, names in _GROUND.items() for name in names)
"""Whether the aiohttp that runs is built as this module expects."""


class _Parser:
    """aiohttp's parser; what is answered at once never leaves it.

    Attributes:
        between: Whether the bytes so far end where a request ends.
    """

    __slots__ = ("_connection", "_consumed", "_feed", "_inner", "_most", "between")

    def __init__(self, inner: Any, connection: ShortCut) -> None:  # noqa: ANN401 - aiohttp's, of C
        self._inner = inner
        self._feed = inner.feed_data
        self._consumed = getattr(inner, "message_consumed", None)
        self._connection = connection
        self._most = getattr(connection, "_max_msg_queue_size", _FEW)
        self.between = True

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the parser has
        return getattr(self._inner, name)

    def feed_data(self, data: bytes) -> tuple[Sequence[Any], bool, bytes]:
        """Parse bytes; return the requests that are left to answer."""
        between, self.between = self.between, False
        messages, upgraded, tail = self._feed(data)
        # A parser that stopped at its limit has more, and goes on only when a queue drains.
        if upgraded or not 0 < len(messages) < self._most:
            return messages, upgraded, tail
        # A head that ends the bytes ends a request, unless a body follows.
        self.between = messages[-1][1] is EMPTY_PAYLOAD and data.endswith(_END)
        alone = between and self.between and data.find(_END) == len(data) - len(_END)
        known = data if alone else None
        done = 0
        for message, payload in messages:
            if payload is not EMPTY_PAYLOAD or not self._connection.answers(message, known):
                break
            done += 1
            if self._consumed is not None:
                self._consumed()
        return messages[done:] if done else messages, upgraded, tail


class ShortCut(Connection):
    """A connection whose plainest requests are answered while their bytes arrive.

    aiohttp's task of a connection waits for requests once all are answered. A client is often
    faster than that task is woken, and `_free` says in its place that nothing is in flight.
    """

    __slots__ = ("_express", "_free", "_short")

    _express: Express | None

    def shorten(self, express: Express | None) -> None:
        """Say who answers at once; None where nobody does."""
        self._express = express
        self._free = True
        if express is not None:
            self._short = _Parser(self._parser, self)
            self._parser = self._short  # type: ignore[assignment] # it does what the parser does

    def data_received(self, data: bytes) -> None:
        """Take bytes: a request that is known again is answered without being parsed."""
        express = self._express
        if express is not None and self._short.between and self._is_idle():
            try:
                answer = express.again(data)
            except Exception:
                log.exception(_FAILED)
                answer = None
            if answer is not None:
                self._write(answer)
                return
        super().data_received(data)
        if self._messages:
            self._free = False

    async def finish_response(
        self, request: BaseRequest, resp: StreamResponse, start_time: float | None
    ) -> tuple[StreamResponse, bool]:
        """End an answer; with the last one the connection is free again, if it lasts."""
        response, gone = await super().finish_response(request, resp, start_time)
        lasts = bool(response.keep_alive) and not gone
        self._free = lasts and request.content.is_eof() and not self._messages
        return response, gone

    def answers(self, message: RawRequestMessage, data: bytes | None) -> bool:
        """Answer a request that has been parsed, if that can be done at once."""
        express = self._express
        if express is None or not self._is_idle() or message.should_close or message.upgrade:
            return False
        if message.version != HttpVersion11:
            return False
        scheme = "https" if self.ssl_context is not None else "http"
        try:
            answer = express.first(message, data, scheme)
        except Exception:
            # Whatever it is, the pipeline gives the client an answer.
            log.exception(_FAILED)
            return False
        if answer is None:
            return False
        self._write(answer)
        return True

    def _is_idle(self) -> bool:
        """Tell whether nothing is in flight, nothing is waiting, and the client reads."""
        waiter = self._waiter
        return (
            (self._free or (waiter is not None and not waiter.done()))
            and not self._messages
            and not self._paused
            and not self._upgraded
            and self._payload_parser is None
            and not self._close
            and not self._force_close
        )

    def _write(self, answer: bytes) -> None:
        transport: asyncio.Transport | None = self.transport
        if transport is not None:
            transport.write(answer)
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout


class FastServer(DataServer):
    """Makes connections that take the short cut, where this aiohttp has one."""

    def __init__(self, handler: Handler, express: Express) -> None:
        """Serve a handler; `express` answers what it can before it."""
        super().__init__(handler, ShortCut if FITS else Connection)
        self._express = express

    def connection(self, standing: Standing | None) -> Connection:
        """Return the protocol of a new connection; one that stands for a host goes no short cut.

        The same bytes mean another thing there.
        """
        connection = super().connection(standing)
        if isinstance(connection, ShortCut):
            connection.shorten(self._express if standing is None else None)
        return connection
