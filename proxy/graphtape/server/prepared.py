"""An answer made ready once, to be written many times."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

from graphtape.core.journal import Source
from graphtape.core.origin import Links
from graphtape.server.answer import CONTROL, bodyless
from graphtape.server.errors import CALLER_ID

if TYPE_CHECKING:
    from graphtape.core.message import Response
    from graphtape.core.refresh import Timing

LARGEST = 64 * 1024
"""Bytes of a body that goes out in one piece; a larger one has to wait for a slow reader."""

# They stand where a value is new each time; nothing recorded can hold them.
_DATE = secrets.token_hex(16)
_CALLER = secrets.token_hex(16)
_BOTH = 3
"""Pieces of a head with a Date and an id."""

_REMADE = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The bytes of an answer, in pieces: between them stand a Date and the caller's id.

    Attributes:
        status: Of the answer.
        first, middle, last: `middle` is empty where one of the two stands alone, and `first` is
            all of the head where neither does.
        dated: Whether a Date stands between the pieces.
        called: Whether the caller's id does.
        date_first: Whether the Date comes before the id.
        linked: Whether it holds links, and so is good for one base alone.
        telling: Whether the witness may learn from it: it names a next page, or may do so where
            nobody can read it.
    """

    status: int
    first: bytes
    middle: bytes
    last: bytes
    dated: bool
    called: bool
    date_first: bool
    linked: bool
    telling: bool

    @classmethod
    def of(
        cls, response: Response, *, index: int, base: str, timing: Timing, called: bool
    ) -> Self | None:
        """Make an answer ready; None where it has to be written anew each time.

        Args:
            response: As it stands on tape.
            index: Of its interaction.
            base: The proxy's address as the client knows it, session prefix included.
            timing: What becomes of its times.
            called: Whether the client sends an id to be given back.
        """
        if not _lasts(response):
            return None
        links = Links.of(response)
        local = links.at(base, response)
        head = _head(local, index, dated=not timing.frozen, called=called)
        if head is None:
            return None
        date_first = 0 <= head.find(_DATE) < head.find(_CALLER)
        pieces = head.replace(_CALLER, _DATE).split(_DATE)
        texts = [piece.encode("utf-8", "surrogateescape") for piece in pieces]
        texts[-1] += local.body
        return cls(
            status=local.status,
            first=texts[0],
            middle=texts[1] if len(texts) == _BOTH else b"",
            last=texts[-1] if len(texts) > 1 else b"",
            dated=not timing.frozen,
            called=called,
            date_first=date_first,
            linked=bool(links.fields or links.body),
            telling=_tells(response),
        )

    def written(self, date: bytes, caller: bytes) -> bytes:
        """Return the whole answer: of now, to this caller."""
        if not self.called:
            return self.first + date + self.last if self.dated else self.first
        if not self.dated:
            return self.first + caller + self.last
        if self.date_first:
            return b"".join((self.first, date, self.middle, caller, self.last))
        return b"".join((self.first, caller, self.middle, date, self.last))

    def __len__(self) -> int:
        """Count its bytes, roughly."""
        return len(self.first) + len(self.middle) + len(self.last)


def _lasts(response: Response) -> bool:
    """Tell whether an answer is the same each time, but for Date and the caller's id."""
    return (
        len(response.body) <= LARGEST
        and response.status < HTTPStatus.INTERNAL_SERVER_ERROR
        and not bodyless("GET", response.status)
    )


def _tells(response: Response) -> bool:
    """Tell whether an answer may give links, be they Graph's, relative, or somebody else's."""
    fields = response.headers
    readable = response.body and "Content-Encoding" not in fields
    return not readable or "Location" in fields or b'Link"' in response.body


def _head(response: Response, index: int, *, dated: bool, called: bool) -> str | None:
    """Write the head that `answer.head_of` would write; None where that takes more.

    Args:
        response: Its links point at the proxy.
        index: Of its interaction.
        dated: Whether it is of now, and not of when it was recorded.
        called: Whether the caller's id is given back.
    """
    date = f"Date: {_DATE}" if dated else None
    caller = f"{CALLER_ID}: {_CALLER}" if called else None
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    for name, value in response.headers:
        lower = name.lower()
        if lower in _REMADE:
            continue
        if lower == "retry-after":
            return None
        if lower == "date":
            if not dated:
                date = ""
            elif date is None:  # a second one, which is dropped
                continue
            else:
                lines.append(f"{name}: {_DATE}")
                date = None
                continue
        elif lower == CALLER_ID and called:
            if caller is not None:
                lines.append(f"{name}: {_CALLER}")
                caller = None
            continue
        lines.append(f"{name}: {value}")
    if date is None and not dated:
        return None
    # In the order in which the pipeline adds them.
    lines += filter(None, (caller, date))
    lines.append(f"Graphtape-Result: {Source.REPLAYED.value}")
    lines.append(f"Graphtape-Interaction: {index}")
    lines.append(f"Content-Length: {len(response.body)}")
    return None if CONTROL.search("".join(lines)) else "\r\n".join(lines) + "\r\n\r\n"
