"""The head of a request that may be answered at once: what it says, and to whom it matters."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from graphtape.core.message import Headers, Request
from graphtape.server.errors import CALLER_ID
from graphtape.server.incoming import HOST, OWN_HEADERS

if TYPE_CHECKING:
    from graphtape.core.redaction import Redactor

RawHeaders: TypeAlias = "tuple[tuple[bytes, bytes], ...]"

# It changes with each request, so it must not be able to name anybody: no mail, domain or URL.
CALLER = re.compile(rb"[0-9A-Za-z_-]{1,128}")
"""An id of the caller's that is given back."""

CALLER_LINE = b"\r\n" + CALLER_ID.encode() + b": "
"""What comes before it, as clients write it."""

_MARK = re.compile(rb"[0-9A-Za-z-]{1,128}")
_MARKED = frozenset(b"request-id traceparent x-ms-client-request-id x-request-id".split())
"""Fields that are another one in each request; with a value like `_MARK` they name nobody."""

_SPECIAL = frozenset(
    b"content-encoding content-length expect if-none-match origin range transfer-encoding "
    b"upgrade".split()
)
_CALLER_NAME = CALLER_ID.encode()
_TOLD = frozenset((b"host", b"authorization", _CALLER_NAME))
_NAMELESS = frozenset((b"authorization", _CALLER_NAME))
_OWN = OWN_HEADERS.encode()
_REMEMBERED = 4096
_NOTHING_ASKED = Request(method="GET", url="https://graph.microsoft.com/")


class Head(NamedTuple):
    """What the fields of a request say.

    Attributes:
        host: Of the proxy, as the client names it.
        caller: The id it wants back.
        token: Its Authorization.
        anonymous: Whether no field says who the client is.
        pairs: All of them, as on the wire.
    """

    host: str
    caller: bytes
    token: bytes
    anonymous: bool
    pairs: RawHeaders

    @property
    def headers(self) -> Headers:
        """Return them as the pipeline reads them."""
        return Headers.of((_text(name), _text(value)) for name, value in self.pairs)


class HeadReader:
    """Reads heads; remembers which fields tell nothing of who the client is."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._harmless: set[tuple[Redactor, bytes, bytes]] = set()

    def read(self, pairs: RawHeaders, redactor: Redactor) -> Head | None:
        """Read fields; None where the answer depends on them in a way of its own.

        Args:
            pairs: As on the wire.
            redactor: Of the tape that answers.
        """
        told: dict[bytes, bytes] = {}
        anonymous = True
        for name, value in pairs:
            lower = name.lower()
            if lower in _TOLD:
                if lower in told:
                    return None
                told[lower] = value
            elif lower in _SPECIAL or lower.startswith(_OWN):
                return None
            if lower in _NAMELESS or (lower in _MARKED and _MARK.fullmatch(value)):
                continue
            if (redactor, name, value) not in self._harmless:
                anonymous = self._is_harmless(name, value, redactor) and anonymous
        host = told.get(b"host", b"").decode("latin-1")
        caller = told.get(_CALLER_NAME)
        if not HOST.fullmatch(host) or (caller is not None and not CALLER.fullmatch(caller)):
            return None
        return Head(host, caller or b"", told.get(b"authorization", b""), anonymous, pairs)

    def _is_harmless(self, name: bytes, value: bytes, redactor: Redactor) -> bool:
        """Tell whether a field says nothing of who the client is, that he would be given back."""
        fields = Headers.of([(_text(name), _text(value))])
        if redactor.request(replace(_NOTHING_ASKED, headers=fields)).sent:
            return False
        if len(self._harmless) >= _REMEMBERED:
            self._harmless.clear()
        self._harmless.add((redactor, name, value))
        return True


def without_caller(data: bytes, caller: bytes) -> bytes | None:
    """Return a head without the caller's id; None where it doesn't stand in its usual place."""
    if not caller:
        return data
    start = data.find(CALLER_LINE) + len(CALLER_LINE)
    if start < len(CALLER_LINE) or not data.startswith(caller, start):
        return None
    return data[:start] + data[start + len(caller) :]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
