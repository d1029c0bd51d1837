"""What a request is to the session it belongs to, and its answers made ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from graphtape.core.errors import RequestError
    from graphtape.core.journal import Facts
    from graphtape.core.message import Request
    from graphtape.core.tape.outcome import Outcome
    from graphtape.core.tape.question import Question
    from graphtape.core.tape.recording import Recording
    from graphtape.core.verdict.verdict import Kind
    from graphtape.server.replay.reply import Reply
    from graphtape.server.session.live_session import LiveSession


class Ready:
    """An answer to one request, made ready.

    Attributes:
        reply: Its bytes.
        first, last: Of them, where nothing but a Date stands between; else `first` is None.
        facts: What the journal says of it.
        told: Seconds it tells the client to wait, where a scenario says so.
        watched: Whether clock or observer must hear of it each time.
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
        outcome: What was decided; why it is refused; None where its session is shared, and a step
            decides.
    """

    live: LiveSession
    number: int
    began: float
    base: str
    question: Question
    outcome: Outcome | RequestError | None


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
        steps: Whether a step of the shared session decides it.
        last: What was decided last.
        last_ready: The answer to that.
    """

    __slots__ = (
        *("base", "called", "configuration", "kinds"),
        *("last", "last_ready", "live", "origin", "question", "ready", "steps"),
    )

    def __init__(
        self, live: LiveSession, request: Request, base: str, *, called: bool, origin: bool
    ) -> None:
        """Compile a request."""
        self.live = live
        self.called = called
        self.origin = origin
        self.base = base
        self.compile(request)

    def compile(self, request: Request) -> None:
        """Find out what the session makes of the request as it is configured now."""
        play = self.live.play
        self.configuration = play.configuration
        self.question: Question = play.compile(request)
        self.kinds: tuple[Kind, ...] | None = self.live.observer.of_each(request)
        self.ready: dict[Outcome, Ready | None] | None = {} if self.question.varies else None
        shared = self.live.shared
        self.steps = shared is not None and shared.needs_step(self.question)
        self.last: Outcome | None = None
        self.last_ready: Ready | None = None
