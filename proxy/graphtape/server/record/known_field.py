"""Header fields known again: what each becomes on its way, and on the tape."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core.graph.link import LINK_HEADERS
from graphtape.core.message import HOP_BY_HOP, is_json
from graphtape.core.redaction.identities import GUID
from graphtape.server.http.fields import OWN_HEADERS
from graphtape.server.http.response import CONTROL
from graphtape.tape.record import spelled

if TYPE_CHECKING:
    from graphtape.core.redaction import Redactor
    from graphtape.core.redaction.sweep import Change

CODING = "content-encoding"
_REMEMBERED = 4096
_SPELLINGS = 16
_LONGEST = 16 * 1024
"""Bytes of a field that is remembered."""

_ID = re.compile(GUID.encode())
_EACH_ANOTHER = frozenset({"client-request-id", "request-id"})
"""Fields that would fill the memory."""

_OF_HOP = frozenset(name.lower() for name in HOP_BY_HOP)
_LASTING = frozenset({"keep-alive", ""})
_ODD_IN_REQUEST = frozenset(
    {"content-encoding", "content-length", "expect", "transfer-encoding", "upgrade"}
)
_ODD_IN_ANSWER = LINK_HEADERS | {"retry-after"}


@dataclass(slots=True)  # not frozen: some are made for each request
class Field:
    """One field of a message, as it is written further.

    Attributes:
        name: In lower case.
        value: As on the wire.
        line: For the next hop; empty where the field ends here, or is written anew.
        taped: Name and value as a record spells them, clean; nothing where it isn't taped, as of
            a coding that is undone.
        changes: What was taken out of it for the tape.
        odd: Whether its message takes more than being passed on.
        json: Whether it says that the body is JSON.
    """

    name: str
    value: bytes
    line: bytes
    taped: tuple[bytes, ...]
    changes: tuple[Change, ...] = ()
    odd: bool = False
    json: bool = False

    @property
    def text(self) -> str:
        """Its value, decoded."""
        return self.value.decode("utf-8", "surrogateescape")


class KnownFields:
    """The fields of all requests, or of all answers, of one recording."""

    def __init__(self, redactor: Redactor, *, answers: bool) -> None:
        """Know none yet."""
        self._redactor = redactor
        self._answers = answers
        self._known: dict[tuple[bytes, bytes], Field] = {}
        # By the name of a field in which an id stands that is another one in each message.
        self._marked: dict[bytes, tuple[str, bytes]] = {}

    def __getitem__(self, pair: tuple[bytes, bytes]) -> Field:
        """Return what a field becomes; `pair` as on the wire."""
        known = self._known.get(pair)
        if known is not None:
            return known
        name, value = pair
        marked = self._marked.get(name)
        if marked is not None and _ID.fullmatch(value) is not None:
            return Field(marked[0], value, name + b": " + value + b"\r\n", (marked[1], value))
        field = self._of_answer(pair) if self._answers else self._of_request(pair)
        if field.name in _EACH_ANOTHER:
            if self._redactor.leaves_ids and len(self._marked) < _SPELLINGS:
                self._marked[name] = (field.name, field.taped[0])
        elif len(name) + len(value) <= _LONGEST:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[pair] = field
        return field

    def _of_request(self, pair: tuple[bytes, bytes]) -> Field:
        name, value = _texts(pair)
        lower = name.lower()
        if lower in _OF_HOP or lower == "host":
            odd = lower in _ODD_IN_REQUEST or _names_others(lower, value)
            return Field(lower, pair[1], b"", (), odd=odd)
        odd = lower in _ODD_IN_REQUEST or lower.startswith(OWN_HEADERS)
        return self._passed(pair, odd=odd)

    def _of_answer(self, pair: tuple[bytes, bytes]) -> Field:
        name, value = _texts(pair)
        lower = name.lower()
        if lower in _OF_HOP:
            odd = _names_others(lower, value.replace("close", ""))
            return Field(lower, pair[1], b"", (), odd=odd)
        odd = lower in _ODD_IN_ANSWER or CONTROL.search(name + value) is not None
        return self._passed(pair, odd=odd)

    def _passed(self, pair: tuple[bytes, bytes], *, odd: bool) -> Field:
        name, value = _texts(pair)
        lower = name.lower()
        clean, changes = self._redactor.field(name, value, answer=self._answers)
        # The length of an answer is the proxy's own to say.
        kept = self._answers and lower == "content-length"
        return Field(
            lower,
            pair[1],
            b"" if kept else pair[0] + b": " + pair[1] + b"\r\n",
            () if self._answers and lower == CODING else spelled(name, clean),
            changes,
            odd=odd,
            json=lower == "content-type" and is_json(value.partition(";")[0].strip().lower()),
        )


def _names_others(lower: str, value: str) -> bool:
    """Tell whether a Connection field says more than that the connection lasts."""
    return lower == "connection" and value.lower() not in _LASTING


def _texts(pair: tuple[bytes, bytes]) -> tuple[str, str]:
    return pair[0].decode("utf-8", "surrogateescape"), pair[1].decode("utf-8", "surrogateescape")
