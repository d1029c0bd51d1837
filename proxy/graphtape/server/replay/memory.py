"""Requests known again by their bytes, and what they are to the session they belong to."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from graphtape.core.graph.actions import CALLER_ID
from graphtape.core.message import Headers
from graphtape.server.http.fields import HOST, OWN_HEADERS

if TYPE_CHECKING:
    from typing import TypeAlias

    _Answer: TypeAlias = int | tuple[int, str]

    from graphtape.core.errors import RequestError
    from graphtape.core.journal import Facts
    from graphtape.core.message import Request
    from graphtape.core.tape.outcome import Outcome
    from graphtape.core.tape.question import Question
    from graphtape.core.tape.recording import Recording
    from graphtape.core.verdict.verdict import Kind
    from graphtape.server.replay.reply import Reply
    from graphtape.server.session.live_session import LiveSession

MOST = 512 * 1024 * 1024
"""Bytes of requests and answers that are kept."""

LONGEST = 16 * 1024
"""Bytes of a request that is known again."""

_ANEW = 60.0
"""Seconds before all of it may be forgotten again.

A client that goes round and round in more than can be kept would else never meet what is."""

_MET = 16_384
"""Header blocks that are remembered to have come once."""

_OF_BLOCK = 600
_OF_REPLY = 400
_OF_KNOWN = 1100
"""Bytes that each takes besides its texts, roughly."""

# It changes with each request, so it must not be able to name anybody: no mail, domain or URL.
_CALLER = re.compile(rb"[0-9A-Za-z_-]{1,128}")
_CALLER_NAME = CALLER_ID.encode()
_CALLER_LINE = b"\r\n" + _CALLER_NAME + b": "

# What a parser takes as it is: the characters of RFC 3986, but for the fragment.
_TARGET = re.compile(rb"/[A-Za-z0-9._~!$&'()*+,;=:@/?%-]*")
_BLANK = b"\r\n\r\n"
_VERSION = b" HTTP/1.1\r\n"
_METHODS = frozenset(b"DELETE GET HEAD OPTIONS PATCH POST PUT".split())

# They mean that a request is more than its head and so many bytes.
_NEVER = frozenset(b"content-encoding expect transfer-encoding upgrade".split())
_SINGLE = frozenset(b"authorization client-request-id content-length host".split())
_OWN = OWN_HEADERS.encode()


class Ready:
    """An answer to one request, made ready.

    Attributes:
        reply: Its bytes.
        first, last: Of them, where nothing but a Date stands between; else `first` is None.
        facts: What the journal says of it.
        told: Seconds it tells the client to wait, where a scenario says so.
        watched: Whether clock or witness must hear of it each time.
    """

    __slots__ = ("facts", "first", "last", "reply", "told", "watched")

    def __init__(self, reply: Reply, facts: Facts, told: float) -> None:
        """Take an answer."""
        self.reply = reply
        self.first: bytes | None = None
        self.last = b""
        if reply.around_date is not None:
            self.first, self.last = reply.around_date
        self.facts = facts
        self.told = told
        self.watched = bool(told or reply.judged)


class Place(NamedTuple):
    """Where an answer stands that is the same for all who are given it.

    Attributes:
        recording: The tape.
        slot: There.
        called: Whether it gives an id back.
    """

    recording: Recording
    slot: int
    called: bool

    @property
    def number(self) -> int:
        """Slot and whether an id is given back, as one number."""
        return self.slot * 2 + self.called


@dataclass(slots=True, eq=False, kw_only=True)  # not frozen: one is made for each request
class Decided:
    """A request that has been decided, and is for the pipeline to answer.

    Attributes:
        live: Its session.
        number: In the session's journal.
        began: `time.perf_counter()` at its arrival.
        base: The proxy's address as the client knows it, session prefix included.
        question: What it asks.
        outcome: What was decided; why it is refused.
    """

    live: LiveSession
    number: int
    began: float
    base: str
    question: Question
    outcome: Outcome | RequestError


class Block(NamedTuple):
    """The header block of a request, from behind its target to the empty line.

    Attributes:
        headers: Its fields.
        address: The proxy's own, as the client names it: scheme, host and port.
        length: Bytes of the body behind it.
        caller: The client-request-id, or empty.
        origin: Whether it says which page sent the request.
        known: The requests that came with it, by their lines.
    """

    headers: Headers
    address: str
    length: int
    caller: bytes
    origin: bool
    known: dict[bytes, Known]


class Known:
    """A request that came before, and what its session makes of it.

    Attributes:
        live: Its session.
        configuration: Of the session, that the question was compiled with.
        question: What is decided each time.
        base: The proxy's address as the client knows it, session prefix included.
        called: Whether it names an id that is given back.
        origin: Whether a page sent it.
        kinds: Verdicts it earns each time while nothing is expected; None where they depend on
            what came before.
        ready: By what was decided, the answer made ready, or None where that takes a task; None
            of a request with but one answer.
        last: What was decided last.
        last_ready: The answer to that.
    """

    __slots__ = (
        *("base", "called", "configuration", "kinds"),
        *("last", "last_ready", "live", "origin", "question", "ready"),
    )

    def __init__(self, live: LiveSession, request: Request, base: str, block: Block) -> None:
        """Compile a request."""
        self.live = live
        self.called = bool(block.caller)
        self.origin = block.origin
        self.base = base
        self.compile(request)

    def compile(self, request: Request) -> None:
        """Find out what the session makes of the request as it is configured now."""
        play = self.live.play
        self.configuration = play.configuration
        self.question: Question = play.compile(request)
        self.kinds: tuple[Kind, ...] | None = self.live.witness.of_each(request)
        self.ready: dict[Outcome, Ready | None] | None = {} if self.question.varies else None
        self.last: Outcome | None = None
        self.last_ready: Ready | None = None


def block_of(fields: tuple[tuple[bytes, bytes], ...], scheme: str) -> Block | None:
    """Read a header block; None where a request with it takes more than its bytes.

    Args:
        fields: As sent.
        scheme: Of the proxy's own URL.
    """
    told: dict[bytes, bytes] = {}
    for name, _value in fields:
        lower = name.lower()
        if lower in _NEVER or lower.startswith(_OWN):
            return None
        if lower in _SINGLE:
            if lower in told:
                return None
            told[lower] = _value
    host, caller = told.get(b"host", b"").decode("latin-1"), told.get(_CALLER_NAME, b"")
    length = told.get(b"content-length", b"0")
    if not HOST.fullmatch(host) or not length.isdigit() or len(length) > len(str(LONGEST)):
        return None
    if _CALLER_NAME in told and not _CALLER.fullmatch(caller):
        return None
    origin = any(name.lower() == b"origin" for name, _ in fields)
    headers = Headers.of((_text(name), _text(value)) for name, value in fields)
    return Block(headers, f"{scheme}://{host}", int(length), caller, origin, {})


class Pieces(NamedTuple):
    """One request's bytes, taken apart.

    Attributes:
        line: What sets it apart from others with the same header block: method and target, and
            its body on a line of its own.
        rest: The header block.
        body: As sent.
    """

    line: bytes
    rest: bytes
    body: bytes


def pieces_of(data: bytes) -> Pieces | None:
    """Take the bytes of one request apart; None where it takes a parser."""
    end = data.find(_VERSION)
    stop = data.find(_BLANK, end) + len(_BLANK)
    if end <= 0 or stop < len(_BLANK):
        return None
    line, body = data[:end], data[stop:]
    return Pieces(b"%b\n%b" % (line, body) if body else line, data[end:stop], body)


def plain(line: bytes) -> tuple[str, str, bytes] | None:
    """Read a request under a known header block; None where it takes a parser.

    Args:
        line: As in `Pieces`.

    Returns:
        Its method, its target and its body.
    """
    begins, _, body = line.partition(b"\n")
    method, _, target = begins.partition(b" ")
    if method not in _METHODS or not _TARGET.fullmatch(target):
        return None
    return method.decode(), target.decode(), body


class Memory:
    """Knows again the bytes of requests.

    A client's header block is the same from request to request but for its ids, and the line before
    it names the target: both have been parsed before, together or with another.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._blocks: dict[bytes, Block] = {}
        # By the id of a recording; there by the slot and whether an id is given back, and where an
        # answer holds links by the base of them, too.
        self._replies: dict[int, tuple[Recording, dict[_Answer, Reply]]] = {}
        self._met: set[int] = set()
        self._held = 0
        self._anew = 0.0

    @property
    def held(self) -> int:
        """Bytes that are kept, roughly."""
        return self._held

    @property
    def full(self) -> bool:
        """Whether little more can be kept."""
        return self._held > MOST * 3 // 4

    def find(self, data: bytes) -> tuple[Known | None, bytes, Block, bytes] | None:
        """Find a request; None where its header block isn't known.

        Args:
            data: One request, nothing before and nothing after.

        Returns:
            What is known of it under its block, the caller's id of now, the block, and what sets
            the request apart from others with that block.
        """
        end = data.find(_VERSION)
        block = self._blocks.get(data[end:]) if end > 0 else None
        if block is None:  # it has a body or an id of the caller's, or isn't known
            return self._find_apart(data)
        line = data[:end]
        return None if block.length else (block.known.get(line), b"", block, line)

    def _find_apart(self, data: bytes) -> tuple[Known | None, bytes, Block, bytes] | None:
        """Find a request by its pieces."""
        pieces = pieces_of(data)
        if pieces is None:
            return None
        rest, caller = _without_caller(pieces.rest)
        block = self._blocks.get(rest)
        if block is None or block.length != len(pieces.body):
            return None
        if caller and not _CALLER.fullmatch(caller):
            return None
        return block.known.get(pieces.line), caller, block, pieces.line

    def know(self, line: bytes, block: Block, known: Known) -> None:
        """Know a request from now on, as far as it may be kept.

        Args:
            line: As `find` returns it.
            block: Likewise.
            known: What it is to its session.
        """
        if self._hold(len(line) + _OF_KNOWN):
            block.known[line] = known

    def meet(self, data: bytes, block: Block, known: Known) -> None:
        """See a request that has been parsed; know it where its header block comes again.

        Many a client never sends a block again.
        """
        pieces = pieces_of(data)
        if pieces is None:
            return
        rest, caller = _without_caller(pieces.rest)
        if caller != block.caller:  # it doesn't stand in its usual place
            return
        found = self._blocks.get(rest)
        if found is not None:
            self.know(pieces.line, found, known)
            return
        if hash(rest) in self._met:
            if self._hold(len(rest) + _OF_BLOCK):
                self._blocks[rest] = block
                self.know(pieces.line, block, known)
            return
        if len(self._met) >= _MET:
            self._met.clear()
        self._met.add(hash(rest))

    def reply(self, place: Place, base: str) -> Reply | None:
        """Return the answer that stands in a place, where it was made ready for somebody."""
        known = self._replies.get(id(place.recording))
        if known is None or known[0] is not place.recording:
            return None
        return known[1].get(place.number) or known[1].get((place.number, base))

    def keep(self, place: Place, base: str, reply: Reply) -> None:
        """Keep an answer that is ready, as far as it may be kept."""
        if not self._hold(len(reply) + _OF_REPLY):
            return
        known = self._replies.get(id(place.recording))
        if known is None or known[0] is not place.recording:
            known = self._replies[id(place.recording)] = place.recording, {}
        known[1][(place.number, base) if reply.linked else place.number] = reply

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
            self._replies.clear()
            self._held = 0
        self._held += size
        return True


def _without_caller(rest: bytes) -> tuple[bytes, bytes]:
    """Return a header block without the caller's id, and the id.

    Empty is one that isn't there, or doesn't stand in its usual place.
    """
    start = rest.find(_CALLER_LINE)
    if start < 0:
        return rest, b""
    start += len(_CALLER_LINE)
    stop = rest.find(b"\r\n", start)
    return rest[:start] + rest[stop:], rest[start:stop]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
