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
    from aiohttp.web import RequestHandler

    from graphtape.server.express import Express
    from graphtape.server.protocol import Handler

log = logging.getLogger("graphtape")

_END = b"\r\n\r\n"
_FEW = 16
"""Requests at once that no parser stops at."""

_GROUND = {
    web.RequestHandler: ("_waiter", "_messages", "_payload_parser", "_next_keepalive_close_time"),
    BaseProtocol: ("_parser", "_paused", "_upgraded", "transport"),
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
        alone = between and len(messages) == 1 and messages[0][1] is EMPTY_PAYLOAD
        self.between = alone and data.find(_END) == len(data) - len(_END)
        known = data if self.between else None
        done = 0
        for message, payload in messages:
            if payload is not EMPTY_PAYLOAD or not self._connection.answers(message, known):
                break
            done += 1
            if self._consumed is not None:
                self._consumed()
        return messages[done:] if done else messages, upgraded, tail


class ShortCut(Connection):
    """A connection whose plainest requests are answered while their bytes arrive."""

    __slots__ = ("_express", "_short", "_timeout")

    def shorten(self, express: Express) -> None:
        """Take the short cut where it is open."""
        self._express = express
        self._short = _Parser(self._parser, self)
        self._parser = self._short  # type: ignore[assignment] # it does what the parser does
        self._timeout = self.keepalive_timeout

    def data_received(self, data: bytes) -> None:
        """Take bytes: a request that is known again is answered without being parsed."""
        if self._short.between and self._is_idle():
            answer = self._express.again(data)
            if answer is not None:
                self._write(answer)
                return
        super().data_received(data)

    def answers(self, message: RawRequestMessage, data: bytes | None) -> bool:
        """Answer a request that has been parsed, if that can be done at once."""
        if not self._is_idle() or message.should_close or message.upgrade:
            return False
        if message.version != HttpVersion11:
            return False
        scheme = "https" if self.ssl_context is not None else "http"
        try:
            answer = self._express.first(message, data, scheme)
        except Exception:
            # Whatever it is, the pipeline gives the client an answer.
            log.exception("a request could not be answered at once")
            return False
        if answer is None:
            return False
        self._write(answer)
        return True

    def _is_idle(self) -> bool:
        """Tell whether nothing is in flight, nothing is waiting, and the client reads."""
        waiter = self._waiter
        return (
            waiter is not None
            and not waiter.done()
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
            self._next_keepalive_close_time = self._loop.time() + self._timeout


class FastServer(DataServer):
    """Makes connections that take the short cut, where this aiohttp has one."""

    def __init__(self, handler: Handler, express: Express) -> None:
        """Serve a handler; `express` answers what it can before it."""
        super().__init__(handler, ShortCut if FITS else Connection)
        self._express = express

    def __call__(self) -> RequestHandler:
        """Return the protocol of a new connection."""
        connection = super().__call__()
        if isinstance(connection, ShortCut):
            connection.shorten(self._express)
        return connection
