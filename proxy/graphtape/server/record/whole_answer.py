"""A small answer that is here as a whole: it goes on as it came, but for its links."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

from graphtape.core.coding import TooLargeError, decode
from graphtape.core.graph.cloud import GRAPH_ROOTS
from graphtape.core.graph.link import LINK_HEADERS, links_in_body, replace_links
from graphtape.core.journal import Source
from graphtape.core.message import HOP_BY_HOP, Headers, Response, is_json
from graphtape.server.http.response import CONTROL, bodyless

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graphtape.core.graph.link import Link
    from graphtape.server.upstream.answer import UpstreamAnswer

LARGEST = 64 * 1024
"""Bytes of its body."""

_CODING = "content-encoding"
_MARK = f"Graphtape-Result: {Source.RECORDED.value}\r\nGraphtape-Interaction: ".encode()
_OF_HOP = frozenset(name.lower() for name in HOP_BY_HOP)
_LASTING = frozenset({"keep-alive", "close", ""})
_PHRASES = frozenset({"", *(each.phrase for each in HTTPStatus)})


@dataclass(slots=True)  # not frozen: some are made for each answer
class _Field:
    """One header field.

    Attributes:
        name: In lower case.
        pair: Name and value, decoded.
        line: For the client; empty where the field ends here, or is written anew.
        taped: Whether it goes onto the tape: neither a hop's own nor a coding that is undone.
        odd: Whether its answer takes more than being passed on: a link stands in it, it says when
            to come back, or it can't be written as it is.
        json: Whether it says that the body is JSON.
    """

    name: str
    pair: tuple[str, str]
    line: bytes
    taped: bool
    odd: bool
    json: bool


@lru_cache(maxsize=1024)
def _field(name: bytes, value: bytes) -> _Field:
    pair = name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")
    lower = pair[0].lower()
    of_hop = lower in _OF_HOP
    odd = (
        lower in LINK_HEADERS or lower == "retry-after" or CONTROL.search("".join(pair)) is not None
    )
    if lower == "connection":
        odd = pair[1].lower() not in _LASTING
    return _Field(
        lower,
        pair,
        # The length of an answer is the proxy's own to say.
        b"" if of_hop or lower == "content-length" else name + b": " + value + b"\r\n",
        not of_hop and lower != _CODING,
        odd and (not of_hop or lower == "connection"),
        lower == "content-type" and is_json(pair[1].partition(";")[0].strip().lower()),
    )


class WholeAnswer:
    """An answer that is here as a whole, and small.

    Attributes:
        status: 200 to 599.
        reason: The reason phrase: a registered one, or empty.
        body: Decoded; it is the one for the tape, before redaction.
        out: The body for the client: as received, unless links were pointed elsewhere.
        type: Its Content-Type, or empty.
    """

    __slots__ = ("_coded", "_fields", "_json", "body", "out", "reason", "status", "type")

    def __init__(self, status: int, reason: str, wire: bytes) -> None:
        """Know its first line and its body; `_read` looks at the fields."""
        self.status = status
        self.reason = reason
        self.out = self.body = wire
        self.type = ""
        self._json = self._coded = False
        self._fields: list[_Field] = []

    @classmethod
    def of(cls, found: UpstreamAnswer, method: str) -> Self | None:
        """Read an answer; None where it takes more than is done here."""
        wire = found.body
        if wire is None or len(wire) > LARGEST or bodyless(method, found.status):
            return None
        if found.reason not in _PHRASES:
            return None  # of upstream's own, which may say anything
        answer = cls(found.status, found.reason, wire)
        return answer if answer._read(found.raw_headers) else None

    def _read(self, pairs: Iterable[tuple[bytes, bytes]]) -> bool:
        length, encoding = -1, None
        for name, value in pairs:
            field = _field(name, value)
            if field.odd:
                return False
            self._fields.append(field)
            if field.name == "content-type":
                if not self.type:
                    self.type, self._json = field.pair[1], field.json
            elif field.name == "content-length":
                length = int(value) if value.isdigit() else -1
            elif field.name == _CODING:
                if encoding is not None:
                    return False
                encoding = field.pair[1]
        # What isn't JSON goes on framed as it came.
        framed = self._json or length == len(self.out)
        return framed and (encoding is None or self._decode(encoding))

    def _decode(self, encoding: str) -> bool:
        """Undo the coding; tell whether that can be done, and comes to no large body."""
        try:
            body = decode(self.out, encoding, limit=LARGEST)
        except TooLargeError:
            body = None
        if body is None:
            return False
        self.body, self._coded = body, True
        return True

    @property
    def taped(self) -> Iterable[tuple[str, str]]:
        """The fields for the tape, before redaction."""
        return [field.pair for field in self._fields if field.taped]

    def links(self) -> tuple[Link, ...]:
        """Find the links in its body."""
        return links_in_body(self.body, GRAPH_ROOTS) if self._json else ()

    def point(self, links: Sequence[Link], base: str) -> None:
        """Point its links at the proxy; what was changed goes out decoded."""
        out = replace_links(self.body, links, base)
        if out != self.body:
            self.out, self._coded = out, False

    def written(self, index: int) -> bytes:
        """Write it for the client, as `response.head_of` does; `index` is its interaction's."""
        lines = [_first_line(self.status, self.reason)]
        dated = False
        for field in self._fields:
            dated = dated or field.name == "date"
            if self._coded or field.name != _CODING:
                lines.append(field.line)
        date = b"" if dated else f"Date: {formatdate(usegmt=True)}\r\n".encode()
        mark = b"%b%d\r\nContent-Length: %d\r\n%b\r\n"
        lines += (mark % (_MARK, index, len(self.out), date), self.out)
        return b"".join(lines)

    def response(self) -> Response:
        """Return what is recorded, before redaction."""
        return Response(
            status=self.status,
            reason=self.reason,
            headers=Headers(tuple(self.taped)),
            body=self.body,
        )

    @property
    def telling(self) -> bool:
        """Whether an observer that expects nothing may learn from it."""
        if self.status != HTTPStatus.OK or not self.body or self._coded:
            return True
        return b'Link"' in self.body

    def seen(self) -> Response:
        """Return what goes out, as far as it can be looked into."""
        fields = (field.pair for field in self._fields if field.taped or self._coded)
        body = b"" if self._coded else self.out
        return Response(status=self.status, headers=Headers.of(fields), body=body)


@lru_cache(maxsize=64)
def _first_line(status: int, reason: str) -> bytes:
    return f"HTTP/1.1 {status} {reason}\r\n".encode()
