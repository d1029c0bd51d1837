"""Answers at once what one tape answers with bytes that are ready.

Whatever isn't plain goes the usual way: nothing here decides anything that the pipeline in
`handler` decides otherwise.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING, TypeAlias

from graphtape.core.errors import RequestError
from graphtape.core.graph import last_segment
from graphtape.core.matching import DEFAULT, GRAPH_PLACE, Key
from graphtape.core.message import Request
from graphtape.core.origin import split_session
from graphtape.server.head import CALLER, CALLER_LINE, HeadReader, without_caller
from graphtape.server.prepared import Prepared
from graphtape.server.ticket import Ticket
from graphtape.server.visit import witness_clock

if TYPE_CHECKING:
    from aiohttp.http_parser import RawRequestMessage

    from graphtape.core.recording import Recording
    from graphtape.core.verdict import Kind
    from graphtape.server.head import Head
    from graphtape.server.live_session import LiveSession
    from graphtape.server.visit import Gate

_Ready: TypeAlias = "dict[int, Prepared]"

MOST = 64 * 1024 * 1024
"""Bytes of heads and answers that are kept ready."""

LONGEST = 16 * 1024
"""Bytes of a head that is known again."""

# It is its own decoded form, and no redacted key can equal it unless redaction leaves it alone:
# keys are made from what is redacted already, and redacting twice is redacting once.
_PLAIN = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
_JUDGED = "/v1.0/devicemanagement/"
"""Below it, what a token allows is looked into."""

_MET = 16_384
"""Heads that are remembered to have come once."""

_OVERHEAD = 1000
"""Bytes that an answer or a ticket takes besides its texts, roughly."""


class Express:
    """Knows again the heads of requests, byte for byte, and what answers them."""

    def __init__(self, gate: Gate) -> None:
        """Know nothing yet."""
        self._gate = gate
        self._known: dict[bytes, tuple[Ticket, _Ready]] = {}
        # With what makes an answer another one: whose it is, whether an id is given back, and,
        # where it holds links, the base they are made for.
        self._prepared: dict[tuple[int, int, bool, str], tuple[Recording, Prepared]] = {}
        self._met: set[int] = set()
        self._heads = HeadReader()
        self._held = 0
        self._second = 0
        self._date = b""

    @property
    def held(self) -> int:
        """Bytes that are kept ready, roughly."""
        return self._held

    def again(self, data: bytes) -> bytes | None:
        """Answer a head that is known; None where it isn't, or the answer isn't plain.

        Args:
            data: One request without a body, nothing before and nothing after.
        """
        if len(data) > LONGEST:
            return None
        caller = b""
        known = self._known.get(data)
        if known is None:
            start = data.find(CALLER_LINE)
            if start < 0:
                return None
            start += len(CALLER_LINE)
            end = data.find(b"\r\n", start)
            caller = data[start:end]
            known = self._known.get(data[:start] + data[end:])
            if known is None or not CALLER.fullmatch(caller):
                return None
        ticket, ready = known
        return self._answered(ticket, ready, caller) if self._is_open(ticket.live) else None

    def _is_open(self, live: LiveSession) -> bool:
        """Tell whether requests still reach a session; one that is closing may play on a while."""
        try:
            return self._gate.sessions.identify(live.play.id) is live
        except RequestError:
            return False

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
        head = self._heads.read(message.raw_headers, live.play.decks[0].recording.redactor)
        if head is None:
            return None
        base = f"{scheme}://{head.host}" + message.path[: len(message.path) - len(target)]
        ticket = self._issue(head, live, target, base)
        if ticket is None:
            return None
        ready: _Ready = {}
        answer = self._answered(ticket, ready, head.caller)
        if answer is not None and data is not None and len(data) <= LONGEST:
            self._keep(data, head.caller, (ticket, ready))
        return answer

    def _plain_session(self, message: RawRequestMessage) -> tuple[LiveSession, str] | None:
        """Return the session of a read, and its target there; None where it isn't plain."""
        path = message.path
        if message.method != "GET" or not path.startswith("/"):
            return None
        # A made-up token is a verdict on each request; who adds one looks at each client.
        if "token" in path.lower() or self._gate.token is not None:
            return None
        try:
            session, target = split_session(path)
            live = self._gate.sessions.identify(session)
        except RequestError:
            return None
        plain = live.plain and not live.witness.expects and not target.startswith("/_")
        return (live, target) if plain else None

    def _answered(self, ticket: Ticket, ready: _Ready, caller: bytes) -> bytes | None:
        """Play an answer, and journal it; None where it can't be made ready, or isn't plain."""
        began = time.perf_counter()
        live, gate = ticket.live, self._gate
        if not live.plain or live.witness.expects or gate.closing.is_set():
            return None
        player = ticket.deck.player
        slot, how = player.seek(ticket.answers)
        prepared = ready.get(slot)
        if prepared is None:
            prepared = self._made_ready(ticket, slot)
            if prepared is None:
                return None
            ready[slot] = prepared
        if ticket.kinds and not live.verdicts.again(ticket.kinds):
            return None
        player.passed(slot, ticket.answers)
        second = int(time.time())
        if second != self._second:
            self._second, self._date = second, formatdate(second, usegmt=True).encode()
        data = prepared.written(self._date, caller)
        journal = live.play.journal
        milliseconds = (time.perf_counter() - began) * 1000
        number = journal.number()
        journal.add_replayed((ticket, number, slot, how, milliseconds))
        if gate.listening:
            gate.tell(live, ticket.entry(number, slot, how, milliseconds))
        return data

    def _keep(self, data: bytes, caller: bytes, known: tuple[Ticket, _Ready]) -> None:
        """Know a request again that has come twice: many a client never sends a head again."""
        cut = without_caller(data, caller)
        if cut is None:
            return
        name = hash(cut)
        if name in self._met:
            if cut not in self._known:
                self._hold(len(cut) + _OVERHEAD)
            self._known[cut] = known
            return
        if len(self._met) >= _MET:
            self._met.clear()
        self._met.add(name)

    def _hold(self, size: int) -> None:
        """Count bytes that are kept; forget all where those would be too many."""
        self._held += size
        if self._held > MOST:
            self._known.clear()
            self._prepared.clear()
            self._held = size

    def _issue(self, head: Head, live: LiveSession, target: str, base: str) -> Ticket | None:
        """Find what answers a request; None where nothing does, or its verdicts aren't settled."""
        deck = live.play.decks[0]
        recording = deck.recording
        url = self._gate.upstream.tape_root + target
        request = Request(method="GET", url=url)
        path, query, _ = target.partition("?")
        simple = _PLAIN.fullmatch(path) is not None and "microsoft.graph." not in path
        if simple and not query and head.anonymous and recording.options == DEFAULT:
            key = Key("GET", GRAPH_PLACE, target, (), b"", ())
        else:
            request = replace(request, headers=head.headers)
            asked = recording.ask(request)
            if asked.sent or asked.write or recording.options.at(request).ignore_body:
                return None
            key = asked.key
        answers = recording.playable.answers.get(key)
        if answers is None or last_segment(url) == "$batch":  # in its answers there are waits
            return None
        kinds: tuple[Kind, ...] | None = ()
        usual = simple and path.startswith("/v1.0/") and not path.lower().startswith(_JUDGED)
        if not (usual and head.token[:7].lower() == b"bearer "):
            kinds = live.witness.of_each(replace(request, headers=head.headers))
        if kinds is None:
            return None
        return Ticket(
            live=live,
            deck=deck,
            answers=answers,
            kinds=kinds,
            url=url,
            base=base,
            called=bool(head.caller),
        )

    def _made_ready(self, ticket: Ticket, slot: int) -> Prepared | None:
        """Make an answer ready, once for all who are given the same bytes."""
        recording = ticket.deck.recording
        if slot in recording.playable.parts:
            return None
        for base in ("", ticket.base):
            known = self._prepared.get((id(recording), slot, ticket.called, base))
            if known is not None and known[0] is recording:
                prepared = known[1]
                break
        else:
            index = recording.playable.interactions[slot]
            response = recording.interactions[index].response
            made = Prepared.of(
                response,
                index=index,
                base=ticket.base,
                timing=self._gate.timing,
                called=ticket.called,
            )
            if made is None:
                return None
            prepared = made
            self._hold(len(prepared) + _OVERHEAD)
            base = ticket.base if prepared.linked else ""
            self._prepared[id(recording), slot, ticket.called, base] = (recording, prepared)
        if prepared.telling:
            self._tell_witness(ticket, slot)
        ticket.statuses[slot] = prepared.status
        return prepared

    @staticmethod
    def _tell_witness(ticket: Ticket, slot: int) -> None:
        """Let the witness see an answer that it learns from; it learns nothing the second time."""
        recording = ticket.deck.recording
        response = recording.interactions[recording.playable.interactions[slot]].response
        asked = Request(method="GET", url=ticket.url)
        ticket.live.witness.answered(0, asked, response, now=witness_clock())
