"""Answers requests as their bytes arrive, before a task is woken for them.

Where aiohttp isn't built as that takes, every request is answered by a task.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from aiohttp.http import HttpVersion11
from aiohttp.streams import EMPTY_PAYLOAD

from graphtape.server import aiohttp_private
from graphtape.server.http.connection import Connection, DataServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp.http_parser import RawRequestMessage
    from aiohttp.web import BaseRequest, StreamResponse

    from graphtape.server.http.connection import Handler, Standing
    from graphtape.server.replay.known import Decided
    from graphtape.server.replay.responder import Responder

log = logging.getLogger("graphtape")

_END = b"\r\n\r\n"
_FAILED = "a request could not be answered at once"


class _Parser:
    """aiohttp's parser; what is answered at once never leaves it.

    Attributes:
        between: Whether the bytes so far end where a request ends.
    """

    __slots__ = ("_connection", "_consumed", "_feed", "_inner", "_most", "between")

    def __init__(self, inner: Any, connection: AtOnce) -> None:  # noqa: ANN401 - aiohttp's, of C
        self._inner = inner
        self._feed = inner.feed_data
        self._consumed = getattr(inner, "message_consumed", None)
        self._connection = connection
        self._most = connection.most_pending
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
        # A head that ends the bytes ends a request, and so does a body that is whole with them.
        last = messages[-1][1]
        self.between = data.endswith(_END) if last is EMPTY_PAYLOAD else last.is_eof()
        alone = between and self.between and len(messages) == 1
        known = data if alone else None
        done = 0
        for message, payload in messages:
            if not self._connection.answers(message, payload, known):
                break
            done += 1
            if self._consumed is not None:
                self._consumed()
        return messages[done:] if done else messages, upgraded, tail


def _body(payload: Any, data: bytes | None) -> bytes | None:  # noqa: ANN401 - aiohttp's stream, or its stand-in for none
    """Return a body that came whole with its head; None of one that didn't."""
    if payload is EMPTY_PAYLOAD:
        return b""
    if data is None or not payload.is_eof():
        return None
    return data[data.find(_END) + len(_END) :]


class AtOnce(Connection):
    """A connection whose requests are answered while their bytes arrive, where that can be.

    aiohttp's task of a connection waits for requests once all are answered. A client is often
    faster than that task is woken, and `_free` says in its place that nothing is in flight.
    """

    __slots__ = ("_free", "_handed", "_over", "_responder", "_watched")

    _responder: Responder | None

    def answer_by(self, responder: Responder | None) -> None:
        """Say who answers at once; None where nobody does."""
        self._responder = responder
        self._free = True
        # What was decided of requests that wait for a task, and of the one that is parsed next.
        self._handed: dict[int, Decided] = {}
        self._over: Decided | None = None
        if responder is not None:
            self._watched = _Parser(self.parser, self)
            self.parse_by(self._watched)

    def data_received(self, data: bytes) -> None:
        """Take bytes: a request that is known again is answered without being parsed."""
        responder = self._responder
        if responder is not None and self._watched.between and self.takes_at_once(free=self._free):
            try:
                answer = responder.again(data)
            except Exception:
                log.exception(_FAILED)
                answer = None
            if isinstance(answer, bytes):
                self.write_at_once(answer)
                return
            self._over = answer
        super().data_received(data)
        if self.pending:
            self._free = False
        if self._over is not None and responder is not None:  # it isn't read as it was before
            responder.leave(self._over)
            self._over = None

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give back what was decided for a client that left before a task began."""
        super().connection_lost(exc)
        if self._responder is not None:
            for decided in self._handed.values():
                self._responder.leave(decided)
            self._handed.clear()

    def decided(self, message: RawRequestMessage) -> Decided | None:
        """Return what was decided of a request that a task begins to serve."""
        return self._handed.pop(id(message), None) if self._responder is not None else None

    async def finish_response(
        self, request: BaseRequest, resp: StreamResponse, start_time: float | None
    ) -> tuple[StreamResponse, bool]:
        """End an answer; with the last one the connection is free again, if it lasts."""
        response, gone = await super().finish_response(request, resp, start_time)
        lasts = bool(response.keep_alive) and not gone
        self._free = lasts and request.content.is_eof() and not self.pending
        return response, gone

    def answers(self, message: RawRequestMessage, payload: Any, data: bytes | None) -> bool:  # noqa: ANN401 - aiohttp's stream, or its stand-in for none
        """Answer a request that has been parsed, if that can be done at once.

        Args:
            message: Its head.
            payload: Its body, or what there is of it.
            data: All its bytes, where they are at hand.
        """
        over, self._over = self._over, None
        if over is not None:
            self._handed[id(message)] = over
            return False
        responder = self._responder
        body = None if message.version != HttpVersion11 else _body(payload, data)
        if responder is None or body is None or not self.takes_at_once(free=self._free):
            return False
        if message.should_close or message.upgrade:
            return False
        scheme = "https" if self.ssl_context is not None else "http"
        try:
            answer = responder.first(message, body, data, scheme)
        except Exception:
            # Whatever it is, the pipeline gives the client an answer.
            log.exception(_FAILED)
            return False
        if isinstance(answer, bytes):
            self.write_at_once(answer)
            return True
        if answer is not None:
            self._handed[id(message)] = answer
        return False


class AtOnceServer(DataServer):
    """Makes connections that answer at once, where this aiohttp lets them."""

    def __init__(self, handler: Handler, responder: Responder) -> None:
        """Serve a handler; `responder` answers what it can before it."""
        super().__init__(handler, AtOnce if aiohttp_private.FITS else Connection)
        self._responder = responder

    def connection(self, standing: Standing | None) -> Connection:
        """Return the protocol of a new connection; one that stands for a host answers by tasks.

        The same bytes mean another thing there.
        """
        connection = super().connection(standing)
        if isinstance(connection, AtOnce):
            connection.answer_by(self._responder if standing is None else None)
        return connection
