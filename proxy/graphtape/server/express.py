"""Answers at once what one tape answers with bytes that are ready.

Whatever isn't plain goes the usual way: nothing here decides anything that the pipeline in
`handler` decides otherwise.
"""

from __future__ import annotations

import asyncio
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
from graphtape.core.verdict import Kind
from graphtape.server.head import CALLER, CALLER_LINE, HeadReader, without_caller
from graphtape.server.prepared import Prepared
from graphtape.server.ticket import Ticket
from graphtape.server.visit import witness_clock

if TYPE_CHECKING:
    from aiohttp.http_parser import RawRequestMessage

    from graphtape.core.recording import Recording
    from graphtape.core.redaction import Redactor
    from graphtape.server.head import Head
    from graphtape.server.live_session import LiveSession
    from graphtape.server.visit import Gate

_Ready: TypeAlias = "dict[int, Prepared]"

MOST = 512 * 1024 * 1024
"""Bytes of requests and answers that are kept ready."""

_ANEW = 60.0
"""Seconds before all of it may be forgotten again.

A client that goes round and round in more than can be kept would else never meet what is."""

LONGEST = 16 * 1024
"""Bytes of a head that is known again."""

# It is its own decoded form, and no redacted key can equal it unless redaction leaves it alone:
# keys are made from what is redacted already, and redacting twice is redacting once.
_PLAIN = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
_PLAIN_TARGET = re.compile(_PLAIN.pattern.encode())
_LINE = b" HTTP/1.1\r\n"
_METHOD = b"GET "
_JUDGED = "/v1.0/devicemanagement/"
"""Below it, what a token allows is looked into."""

_MET = 16_384
"""Header blocks that are remembered to have come once."""

_OVERHEAD = 700
"""Bytes that an answer or a ticket takes besides its texts, roughly."""

_AHEAD = 40
"""Answers that are made ready between two looks at the network: for about a millisecond."""


class _Block:
    """A header block that has come before, from the request line's version to the empty line.

    Attributes:
        head: What it says, to a tape of `redactor`.
        scheme: Of the proxy's own URL.
        known: By target, what was answered under it.
    """

    __slots__ = ("head", "known", "redactor", "scheme")

    def __init__(self, head: Head, redactor: Redactor, scheme: str) -> None:
        self.head = head
        self.redactor = redactor
        self.scheme = scheme
        self.known: dict[bytes, tuple[Ticket, _Ready]] = {}


class Express:
    """Knows again the heads of requests, and what answers them.

    A client's header block is the same from request to request but for its ids, and the line before
    it names the target: both have been parsed before, together or with another.
    """

    def __init__(self, gate: Gate) -> None:
        """Know nothing yet."""
        self._gate = gate
        self._blocks: dict[bytes, _Block] = {}
        # With what makes an answer another one: whose it is, whether an id is given back, and,
        # where it holds links, the base they are made for.
        self._prepared: dict[tuple[int, int, bool, str], tuple[Recording, Prepared]] = {}
        self._met: set[int] = set()
        self._heads = HeadReader()
        self._held = 0
        self._anew = 0.0
        self._answers = 0
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
        end = data.find(b" ", len(_METHOD))
        if len(data) > LONGEST or end < 0 or not data.startswith(_METHOD):
            return None
        rest, caller = data[end:], b""
        block = self._blocks.get(rest)
        if block is None:
            start = rest.find(CALLER_LINE)
            if start < 0:
                return None
            start += len(CALLER_LINE)
            stop = rest.find(b"\r\n", start)
            caller = rest[start:stop]
            block = self._blocks.get(rest[:start] + rest[stop:])
            if block is None or not CALLER.fullmatch(caller):
                return None
        target = data[len(_METHOD) : end]
        known = block.known.get(target)
        if known is not None:
            return self._answered(known[0], known[1], caller)
        return self._under(block, target, caller) if _PLAIN_TARGET.fullmatch(target) else None

    def _under(self, block: _Block, target: bytes, caller: bytes) -> bytes | None:
        """Answer a target that is new under its block, and needs no parser to be read."""
        path = target.decode()
        found = self._plain_session(path)
        if found is None:
            return None
        live, below = found
        redactor = live.play.decks[0].recording.redactor
        head: Head | None = block.head
        if redactor is not block.redactor:
            head = self._heads.read(block.head.pairs, redactor)
        if head is None:
            return None
        base = f"{block.scheme}://{head.host}{path.removesuffix(below)}"
        ticket = self._issue(head, live, below, base)
        if ticket is None:
            return None
        ready: _Ready = {}
        answer = self._answered(ticket, ready, caller)
        if answer is not None:
            self._know(block, target, ticket, ready)
        return answer

    def _know(self, block: _Block, target: bytes, ticket: Ticket, ready: _Ready) -> None:
        """Know a target under its block from now on, as far as that may be kept."""
        if self._hold(len(target) + _OVERHEAD):
            block.known[target] = ticket, ready

    def first(self, message: RawRequestMessage, data: bytes | None, scheme: str) -> bytes | None:
        """Answer a request that has been parsed; None where it has to go the usual way.

        Args:
            message: Without a body.
            data: Its bytes, to know it again by; None where they aren't at hand.
            scheme: Of the proxy's own URL.
        """
        path = message.path
        found = self._plain_session(path) if message.method == "GET" else None
        if found is None:
            return None
        live, target = found
        redactor = live.play.decks[0].recording.redactor
        head = self._heads.read(message.raw_headers, redactor)
        if head is None:
            return None
        base = f"{scheme}://{head.host}{path[: len(path) - len(target)]}"
        ticket = self._issue(head, live, target, base)
        if ticket is None:
            return None
        ready: _Ready = {}
        answer = self._answered(ticket, ready, head.caller)
        if answer is not None and data is not None and len(data) <= LONGEST:
            raw = path.encode("utf-8", "surrogateescape")
            block = self._block(data, raw, head, redactor, scheme)
            if block is not None:
                self._know(block, raw, ticket, ready)
        return answer

    def _block(
        self, data: bytes, target: bytes, head: Head, redactor: Redactor, scheme: str
    ) -> _Block | None:
        """Return the block of a request; None for one that comes for the first time.

        Many a client never sends a block again.
        """
        line = _METHOD + target
        if not data.startswith(line + _LINE):
            return None
        rest = without_caller(data[len(line) :], head.caller)
        if rest is None:
            return None
        block = self._blocks.get(rest)
        if block is None and hash(rest) in self._met:
            if not self._hold(len(rest) + _OVERHEAD):
                return None
            block = self._blocks[rest] = _Block(head, redactor, scheme)
        elif block is None:
            if len(self._met) >= _MET:
                self._met.clear()
            self._met.add(hash(rest))
        return block

    async def prepare(self, live: LiveSession, base: str) -> None:
        """Make the answers of a session ready ahead, while nobody asks, as far as they may be kept.

        Args:
            live: Plays one tape.
            base: The proxy's address, as most clients know it.
        """
        recording = live.play.decks[0].recording
        seen = self._answers
        for slot in range(recording.playable.size):
            if slot % _AHEAD == 0:
                # While somebody asks, what he asks for is made ready anyway.
                await asyncio.sleep(0.02 if self._answers > seen else 0)
                seen = self._answers
                if self._held > MOST * 3 // 4 or not live.plain or self._gate.closing.is_set():
                    return
            if slot not in recording.playable.parts:
                self._make(recording, slot, base, called=False)

    def _plain_session(self, path: str) -> tuple[LiveSession, str] | None:
        """Return the session of a read, and its target there; None where it isn't plain."""
        # A made-up token is a verdict on each request; who adds one looks at each client.
        if not path.startswith("/") or "token" in path.lower() or self._gate.token is not None:
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
        self._answers += 1
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

    def _hold(self, size: int) -> bool:
        """Count bytes to be kept; where those would be too many, forget all, or keep no more.

        Returns:
            Whether they may be kept.
        """
        if self._held + size > MOST:
            now = time.monotonic()
            if now < self._anew:
                return False
            self._anew = now + _ANEW
            self._blocks.clear()
            self._prepared.clear()
            self._held = 0
        self._held += size
        return True

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
            if asked.exact is not None:
                return None
            key = asked.key
        answers = recording.playable.answers.get(key)
        if answers is None or last_segment(url) == "$batch":  # in its answers there are waits
            return None
        if recording.told_apart(key, answers):
            return None
        kinds: tuple[Kind, ...] | None = ()
        usual = simple and path.startswith("/v1.0/") and not path.lower().startswith(_JUDGED)
        if usual and not head.token:
            kinds = () if live.bearing else (Kind.NO_TOKEN,)
        elif not (usual and head.token[:7].lower() == b"bearer "):
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
        prepared = self._make(recording, slot, ticket.base, called=ticket.called)
        if prepared is not None and prepared.telling:
            self._tell_witness(ticket, slot)
        return prepared

    def _make(self, recording: Recording, slot: int, base: str, *, called: bool) -> Prepared | None:
        for wanted in ("", base):
            known = self._prepared.get((id(recording), slot, called, wanted))
            if known is not None and known[0] is recording:
                return known[1]
        index = recording.playable.interactions[slot]
        response = recording.interactions[index].response
        timing = self._gate.timing
        prepared = Prepared.of(response, index=index, base=base, timing=timing, called=called)
        if prepared is not None and self._hold(len(prepared) + _OVERHEAD):
            where = base if prepared.linked else ""
            self._prepared[id(recording), slot, called, where] = (recording, prepared)
        return prepared

    @staticmethod
    def _tell_witness(ticket: Ticket, slot: int) -> None:
        """Let the witness see an answer that it learns from; it learns nothing the second time."""
        recording = ticket.deck.recording
        response = recording.interactions[recording.playable.interactions[slot]].response
        asked = Request(method="GET", url=ticket.url)
        ticket.live.witness.answered(0, asked, response, now=witness_clock())
