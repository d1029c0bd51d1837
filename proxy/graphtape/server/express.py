"""Answers at once what one tape answers with bytes that are ready.

Whatever isn't plain goes the usual way: nothing here decides anything that the pipeline in
`handler` decides otherwise.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from graphtape.core.errors import RequestError
from graphtape.core.journal import Entry, Source
from graphtape.core.matching import DEFAULT, GRAPH_PLACE, Key
from graphtape.core.message import Headers, Request
from graphtape.core.origin import split_session
from graphtape.core.position import aside
from graphtape.server.errors import CALLER_ID
from graphtape.server.incoming import HOST, OWN_HEADERS
from graphtape.server.prepared import Prepared
from graphtape.server.visit import witness_clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp.http_parser import RawRequestMessage

    from graphtape.core.plan import Deck
    from graphtape.core.position import How
    from graphtape.core.recording import Recording
    from graphtape.core.redaction import Redactor
    from graphtape.core.verdict import Kind
    from graphtape.server.live_session import LiveSession
    from graphtape.server.visit import Gate

RawHeaders: TypeAlias = "tuple[tuple[bytes, bytes], ...]"

MOST = 256 * 1024 * 1024
"""Bytes of heads and answers that are kept ready."""

LONGEST = 16 * 1024
"""Bytes of a head that is known again."""

_CALLER_LINE = b"\r\n" + CALLER_ID.encode() + b": "
_CALLER = re.compile(rb"[!-~]{1,128}")
# It is its own decoded form, and no redacted key can equal it unless redaction leaves it alone:
# keys are made from what is redacted already, and redacting twice is redacting once.
_PLAIN = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
_SPECIAL = frozenset(
    b"content-encoding content-length expect if-none-match origin range transfer-encoding "
    b"upgrade".split()
)
_CALLER_NAME = CALLER_ID.encode()
_TOLD = frozenset((b"host", b"authorization", _CALLER_NAME))
_OWN = OWN_HEADERS.encode()
_HARMLESS = 4096
"""Header fields that are known to say nothing of who the client is."""

_OVERHEAD = 300
"""Bytes that an answer or a ticket takes besides its texts, roughly."""

_NONE = Headers()
_NOTHING_ASKED = Request(method="GET", url="https://graph.microsoft.com/")


class _Head(NamedTuple):
    """What a head says besides its target.

    Attributes:
        host: Of the proxy, as the client names it.
        caller: The id it wants back.
        token: Its Authorization.
        anonymous: Whether no field says who the client is.
        fields: All of them.
    """

    host: str
    caller: bytes
    token: bytes
    anonymous: bool
    fields: RawHeaders


class Ticket:
    """A request that has been answered before, and how it is answered again.

    Attributes:
        live: Its session.
        deck: The one that answers.
        answers: The slots of its key.
        ready: By slot, what is made ready.
        kinds: Verdicts that each repeat earns.
        url: Graph's, as the client sent it.
    """

    __slots__ = ("answers", "deck", "kinds", "live", "ready", "url")

    def __init__(
        self,
        *,
        live: LiveSession,
        deck: Deck,
        answers: Sequence[int],
        kinds: tuple[Kind, ...],
        url: str,
    ) -> None:
        """Begin with no answer ready."""
        self.live = live
        self.deck = deck
        self.answers = answers
        self.ready: dict[int, Prepared] = {}
        self.kinds = kinds
        self.url = url

    def entry(self, number: int, slot: int, how: How, milliseconds: float) -> Entry:
        """Write a journal's entry of one request."""
        return Entry(
            number=number,
            method="GET",
            url=self.live.clean.url(self.url),
            status=self.ready[slot].status,
            source=Source.REPLAYED,
            interaction=self.deck.recording.playable.interactions[slot],
            milliseconds=milliseconds,
            note=aside(how),
        )


class Express:
    """Knows again the heads of requests, byte for byte, and what answers them."""

    def __init__(self, gate: Gate) -> None:
        """Know nothing yet."""
        self._gate = gate
        self._tickets: dict[bytes, Ticket] = {}
        self._shared: dict[tuple[int, int, bool], tuple[Recording, Prepared]] = {}
        self._harmless: set[tuple[bytes, bytes]] = set()
        self._held = 0
        self._second = 0
        self._date = b""

    def again(self, data: bytes) -> bytes | None:
        """Answer a head that is known; None where it isn't, or the answer isn't plain.

        Args:
            data: One request without a body, nothing before and nothing after.
        """
        ticket = self._tickets.get(data)
        if ticket is not None:
            return self._answered(ticket, b"")
        start = data.find(_CALLER_LINE)
        if start < 0:
            return None
        start += len(_CALLER_LINE)
        end = data.find(b"\r\n", start)
        caller = data[start:end]
        ticket = self._tickets.get(data[:start] + data[end:])
        if ticket is None or not _CALLER.fullmatch(caller):
            return None
        return self._answered(ticket, caller)

    def first(self, message: RawRequestMessage, data: bytes | None, scheme: str) -> bytes | None:
        """Answer a request that has been parsed; None where it has to go the usual way.

        Args:
            message: Without a body.
            data: Its bytes, to know it again by; None where they aren't at hand.
            scheme: Of the proxy's own URL.
        """
        found = self._plain_session(message)
        if found is None:
            return None
        live, target = found
        head = self._head(message.raw_headers, live.play.decks[0].recording.redactor)
        if head is None:
            return None
        ticket = self._known(data, head, live)
        if ticket is None:
            ticket = self._issue(head, live, target)
            if ticket is None:
                return None
            if data is not None and len(data) <= LONGEST:
                self._keep(data, head, ticket)
        base = f"{scheme}://{head.host}" + message.path[: len(message.path) - len(target)]
        return self._answered(ticket, head.caller, base)

    def _plain_session(self, message: RawRequestMessage) -> tuple[LiveSession, str] | None:
        """Return the session of a read, and its target there; None where it isn't plain."""
        path = message.path
        if message.method != "GET" or not path.startswith("/") or "token" in path.lower():
            return None
        try:
            session, target = split_session(path)
            live = self._gate.sessions.identify(session)
        except RequestError:
            return None
        plain = live.plain and not live.witness.expects and not target.startswith("/_")
        return (live, target) if plain else None

    def _answered(self, ticket: Ticket, caller: bytes, base: str | None = None) -> bytes | None:
        """Play an answer, and journal it; None where it isn't ready and `base` isn't known."""
        began = time.perf_counter()
        live, gate = ticket.live, self._gate
        if not live.plain or live.witness.expects or gate.closing.is_set():
            return None
        player = ticket.deck.player
        slot, how = player.seek(ticket.answers)
        ready = ticket.ready.get(slot)
        if ready is None and base is not None:
            ready = self._made_ready(ticket, slot, base, called=bool(caller))
        if ready is None or (ticket.kinds and not live.verdicts.again(ticket.kinds)):
            return None
        player.passed(slot, ticket.answers)
        second = int(time.time())
        if second != self._second:
            self._second, self._date = second, formatdate(second, usegmt=True).encode()
        data = ready.written(self._date, caller)
        journal = live.play.journal
        milliseconds = (time.perf_counter() - began) * 1000
        number = journal.number()
        journal.add_replayed((ticket, number, slot, how, milliseconds))
        if gate.listening:
            gate.tell(live, ticket.entry(number, slot, how, milliseconds))
        return data

    def _known(self, data: bytes | None, head: _Head, live: LiveSession) -> Ticket | None:
        cut = _without_caller(data, head.caller) if data is not None else None
        ticket = self._tickets.get(cut) if cut is not None else None
        return ticket if ticket is not None and ticket.live is live else None

    def _keep(self, data: bytes, head: _Head, ticket: Ticket) -> None:
        """Know a request again; forget all where that would be too many."""
        cut = _without_caller(data, head.caller)
        if cut is None:
            return
        self._hold(len(cut) + _OVERHEAD)
        self._tickets[cut] = ticket

    def _hold(self, size: int) -> None:
        self._held += size
        if self._held > MOST:
            self._tickets.clear()
            self._shared.clear()
            self._held = size

    def _head(self, fields: RawHeaders, redactor: Redactor) -> _Head | None:
        """Read header fields; None where the answer depends on them in a way of its own."""
        told: dict[bytes, bytes] = {}
        anonymous = True
        for name, value in fields:
            lower = name.lower()
            if lower in _TOLD:
                if lower in told:
                    return None
                told[lower] = value
            elif lower in _SPECIAL or lower.startswith(_OWN):
                return None
            elif (name, value) not in self._harmless:
                anonymous = self._is_harmless(name, value, redactor) and anonymous
        host = told.get(b"host", b"").decode("latin-1")
        caller = told.get(_CALLER_NAME)
        if not HOST.fullmatch(host) or (caller is not None and not _CALLER.fullmatch(caller)):
            return None
        return _Head(host, caller or b"", told.get(b"authorization", b""), anonymous, fields)

    def _is_harmless(self, name: bytes, value: bytes, redactor: Redactor) -> bool:
        """Tell whether a field says nothing of who the client is, that he would be given back."""
        fields = Headers.of([(_text(name), _text(value))])
        if redactor.request(replace(_NOTHING_ASKED, headers=fields)).sent:
            return False
        if len(self._harmless) >= _HARMLESS:
            self._harmless.clear()
        self._harmless.add((name, value))
        return True

    def _issue(self, head: _Head, live: LiveSession, target: str) -> Ticket | None:
        """Find what answers a request; None where nothing does, or its verdicts aren't settled."""
        deck = live.play.decks[0]
        recording = deck.recording
        url = self._gate.upstream.tape_root + target
        request = Request(method="GET", url=url, headers=_NONE)
        plain = head.anonymous and recording.options == DEFAULT and _PLAIN.fullmatch(target)
        if plain and "microsoft.graph." not in target:
            key = Key("GET", GRAPH_PLACE, target, (), b"", ())
        else:
            request = replace(request, headers=_headers(head.fields))
            asked = recording.ask(request)
            if asked.sent or asked.write or recording.options.at(request).ignore_body:
                return None
            key = asked.key
        answers = recording.playable.answers.get(key)
        if answers is None:
            return None
        kinds: tuple[Kind, ...] | None = ()
        if not (head.token[:7].lower() == b"bearer " and target.startswith("/v1.0/")):
            request = replace(request, headers=_headers(head.fields))
            kinds = live.witness.of_each(request)
        if kinds is None:
            return None
        return Ticket(live=live, deck=deck, answers=answers, kinds=kinds, url=url)

    def _made_ready(self, ticket: Ticket, slot: int, base: str, *, called: bool) -> Prepared | None:
        """Make an answer ready, once for all who aren't given links."""
        recording = ticket.deck.recording
        if slot in recording.playable.parts:
            return None
        shared = (id(recording), slot, called)
        found = self._shared.get(shared)
        if found is not None and found[0] is recording:
            ticket.ready[slot] = found[1]
            return found[1]
        index = recording.playable.interactions[slot]
        response = recording.interactions[index].response
        ready = Prepared.of(
            response, index=index, base=base, timing=self._gate.timing, called=called
        )
        if ready is None:
            return None
        if ready.linked or not response.body or "Content-Encoding" in response.headers:
            asked = Request(method="GET", url=ticket.url)
            ticket.live.witness.answered(0, asked, response, now=witness_clock())
        else:
            self._shared[shared] = (recording, ready)
        self._hold(len(ready) + _OVERHEAD)
        ticket.ready[slot] = ready
        return ready


def _without_caller(data: bytes, caller: bytes) -> bytes | None:
    """Return a head without the caller's id; None where it doesn't stand in its usual place."""
    if not caller:
        return data
    start = data.find(_CALLER_LINE) + len(_CALLER_LINE)
    if start < len(_CALLER_LINE) or not data.startswith(caller, start):
        return None
    return data[:start] + data[start + len(caller) :]


def _headers(fields: RawHeaders) -> Headers:
    return Headers.of((_text(name), _text(value)) for name, value in fields)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
