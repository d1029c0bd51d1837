"""A small answer of upstream, passed on as it came but for its links."""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

from graphtape.core.coding import TooLargeError, decode
from graphtape.core.graph.cloud import GRAPH_ROOTS
from graphtape.core.graph.link import links_in_body, replace_links
from graphtape.core.journal import Source
from graphtape.core.message import Headers, Response
from graphtape.server.http.response import CONTROL, bodyless
from graphtape.server.record.known_field import CODING
from graphtape.tape.record import spelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aiohttp.http_parser import RawResponseMessage

    from graphtape.core.graph.link import Link
    from graphtape.core.redaction.sweep import Change
    from graphtape.server.record.known_field import Field, KnownFields

LARGEST = 64 * 1024
"""Bytes of its body."""

_MARK = f"Graphtape-Result: {Source.RECORDED.value}\r\nGraphtape-Interaction: ".encode()


class PlainAnswer:
    """An answer that is here as a whole, and small.

    Attributes:
        status: 200 to 599.
        body: Decoded; it is the one for the tape, before redaction.
        out: The body for the client: as received, unless links were pointed elsewhere.
        taped: Reason, then name and value of each field, as a record spells them, clean.
        changes: What was taken out of the fields for the tape.
        type: Its Content-Type, or empty.
    """

    __slots__ = (
        "_coded",
        "_fields",
        "_json",
        "_reason",
        "body",
        "changes",
        "out",
        "status",
        "taped",
        "type",
    )

    def __init__(self, status: int, reason: str, wire: bytes) -> None:
        """Know its first line and its body; `_read` looks at the fields."""
        self.status = status
        self.out = self.body = wire
        self.taped = [_line(status, reason)[1]]
        self.changes: tuple[Change, ...] = ()
        self.type = ""
        self._reason = reason
        self._json = self._coded = False
        self._fields: list[Field] = []

    @classmethod
    def of(cls, message: RawResponseMessage, wire: bytes, known: KnownFields) -> Self | None:
        """Read an answer; None where it takes more than is done here."""
        if message.code < HTTPStatus.OK or bodyless("GET", message.code) or len(wire) > LARGEST:
            return None
        if message.reason not in _PHRASES:
            return None  # of upstream's own, which may say anything
        answer = cls(message.code, message.reason, wire)
        return answer if answer._read(message.raw_headers, known) else None

    def _read(self, pairs: Iterable[tuple[bytes, bytes]], known: KnownFields) -> bool:
        typed, length, encoding = False, -1, None
        for pair in pairs:
            field = known[pair]
            if field.odd:
                return False
            self._fields.append(field)
            self.taped += field.taped
            if field.changes:
                self.changes += field.changes
            if field.name == "content-type" and not typed:
                typed, self.type, self._json = True, field.text, field.json
            elif field.name == "content-length":
                length = int(field.value) if field.value.isdigit() else -1
            elif field.name == CODING:
                if encoding is not None:
                    return False
                encoding = field.text
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

    def links(self) -> tuple[Link, ...]:
        """Find the links in its body."""
        return links_in_body(self.body, GRAPH_ROOTS) if self._json else ()

    def point(self, links: Sequence[Link], base: str) -> None:
        """Point its links at the proxy; what was changed goes out decoded."""
        out = replace_links(self.body, links, base)
        if out != self.body:
            self.out, self._coded = out, False

    def written(self, index: int) -> bytes:
        """Write it for the client, as `answer.head_of` does; `index` is its interaction's."""
        lines = [_line(self.status, self._reason)[0]]
        date = False
        for field in self._fields:
            date = date or field.name == "date"
            if self._coded or field.name != CODING:
                lines.append(field.line)
        end = b"" if date else f"Date: {formatdate(usegmt=True)}\r\n".encode()
        mark = b"%b%d\r\nContent-Length: %d\r\n%b\r\n"
        lines += (mark % (_MARK, index, len(self.out), end), self.out)
        return b"".join(lines)

    @property
    def telling(self) -> bool:
        """Whether a witness that expects nothing may learn from it."""
        if self.status != HTTPStatus.OK or not self.body or self._coded:
            return True
        return b'Link"' in self.body

    def response(self) -> Response:
        """Return what went out, as far as it can be looked into."""
        named = [field for field in self._fields if field.taped or self._coded]
        return Response(
            status=self.status,
            reason=self._reason,
            headers=Headers(tuple((field.name, field.text) for field in named)),
            body=b"" if self._coded else self.out,
        )


_PHRASES = frozenset({"", *(each.phrase for each in HTTPStatus)})


@lru_cache(maxsize=64)
def _line(status: int, reason: str) -> tuple[bytes, bytes]:
    """Write a first line; return it, and the reason as a record spells it."""
    text = CONTROL.sub(" ", f"HTTP/1.1 {status} {reason}")
    return text.encode("utf-8", "surrogateescape") + b"\r\n", spelled(reason)[0]
