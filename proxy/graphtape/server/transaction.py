"""One request on its way through the proxy."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

from graphtape.core.errors import RequestError
from graphtape.core.journal import Entry, Source
from graphtape.core.refresh import Timing
from graphtape.core.scenario.effect import CUT
from graphtape.server.control import Events
from graphtape.server.http.delivery import PLAIN, Delivery, WaitClock
from graphtape.server.http.errors import own_error
from graphtape.server.http.request import arrive
from graphtape.server.replay.reply import addressed, outgoing_of
from graphtape.server.session.live_session import EPOCH
from graphtape.settings import SignIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from aiohttp.web import BaseRequest

    from graphtape.core.graph.cloud import Upstream
    from graphtape.core.matching.body import Json
    from graphtape.core.message import Request, Response
    from graphtape.core.scenario.notice import Notice
    from graphtape.core.tape.outcome import Assemble, Forward, Inject, Outcome, Override, Replay
    from graphtape.core.tape.question import Question
    from graphtape.server.http.request import Incoming
    from graphtape.server.http.response import LastByte, Outgoing, Sent
    from graphtape.server.notify.webhooks import Webhooks
    from graphtape.server.replay.known import Decided
    from graphtape.server.session.live_session import LiveSession
    from graphtape.server.session.sessions import Sessions
    from graphtape.server.signin.token_command import TokenCommand
    from graphtape.server.upstream.client import UpstreamClient


LEFT_EARLY = "the client left before its request was whole"
"""What the journal says of a request that nobody waits for any more."""


class Tunnels(Protocol):
    """Answers CONNECT."""

    async def connect(self, call: Any) -> Sent:  # noqa: ANN401 - it knows its own calls
        """Open a tunnel, or refuse it."""


class Notifies(Protocol):
    """Stands in for Graph's change notifications.

    Attributes:
        keys: Public ones that verify its `validationTokens`, as JSON Web Keys.
    """

    @property
    def keys(self) -> tuple[Mapping[str, Json], ...]:
        """Return them; none where nothing was signed."""

    async def answer(self, transaction: Transaction, outcome: Outcome) -> Sent | None:
        """Answer a request for `/subscriptions`; None for any other."""

    def played(
        self,
        transaction: Transaction,
        question: Question,
        outcome: Replay | Assemble | Inject,
        response: Response,
    ) -> None:
        """Notify of what an answered request changed, and of what a scenario says."""

    async def forget(self, live: LiveSession) -> None:
        """Give up what a session that ends would still tell."""

    def webhooks(self, live: LiveSession) -> Webhooks:
        """Return what a session knows of its app's subscriptions."""

    def noticed(self, live: LiveSession, notices: Sequence[Notice]) -> None:
        """Notify of what a scenario says."""


class Receives(Protocol):
    """Passes Graph's notifications on to an app."""

    async def receive(self, transaction: Transaction) -> Sent | None:
        """Pass one on; None for any other request."""


@dataclass(slots=True, kw_only=True)
class Services:
    """What the pipeline needs besides a request.

    Attributes:
        sessions: The open ones.
        upstream: Where to forward to; its roots are those on tape.
        client: The way there; None where nothing is ever forwarded.
        max_body: Bytes; a larger body is passed on and left off the tape.
        on_entry: Told of each request that is done, and its session; None where nobody listens.
        forwarding: Asks upstream; None where nothing is ever forwarded.
        events: Tells those who listen on the control port.
        record_signin: Whether sign-in at the real authority is recorded.
        signin: What the tokens of the offline authority say.
        token: Gives the token that is added to what is forwarded; None adds none.
        forward: Answers CONNECT; None where the proxy is no forward proxy.
        notifier: Answers `/subscriptions`; None where the tape alone does.
        receiver: Passes Graph's notifications on; None where nobody takes any.
        timing: What becomes of the times of recorded and injected answers.
        wait_clock: Whether injected waits are real.
        transactions: The requests in flight.
        tells_misses: Whether misses are warned of in the log as they happen.
        closing: Set once no more are let in.
    """

    sessions: Sessions
    upstream: Upstream
    client: UpstreamClient | None
    max_body: int
    on_entry: Callable[[str, Entry], None] | None
    forwarding: Callable[[Transaction, Forward, Override | None], Awaitable[Sent]] | None = None
    events: Events = field(default_factory=Events)
    record_signin: bool = False
    signin: SignIn = field(default_factory=SignIn)
    token: TokenCommand | None = None
    forward: Tunnels | None = None
    notifier: Notifies | None = None
    receiver: Receives | None = None
    timing: Timing = field(default_factory=Timing)
    wait_clock: WaitClock = field(default_factory=WaitClock)
    transactions: set[Transaction] = field(default_factory=set)
    tells_misses: bool = True
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def listening(self) -> bool:
        """Whether anybody wants to know of requests as they are done."""
        return self.on_entry is not None or self.events.heard

    def note(self, session: LiveSession, entry: Entry) -> None:
        """Journal a request that is done, and tell of it."""
        session.play.journal.add(entry)
        self.tell(session, entry)

    def tell(self, session: LiveSession, entry: Entry) -> None:
        """Tell of a request that is done."""
        if self.on_entry is not None:
            self.on_entry(session.play.id, entry)
        self.events.tell(session.play.id, entry)

    def read(self, http: BaseRequest) -> Incoming:
        """Read the head of a request.

        Raises:
            RequestError: Its target isn't one that can be served.
        """
        return arrive(http, tape_root=self.upstream.tape_root, hosts=self.sessions.hosts)

    def check_open(self) -> None:
        """Let nobody in once the proxy stops.

        Raises:
            RequestError: It does.
        """
        if self.closing.is_set():
            raise RequestError("the proxy is stopping", status=503, code="GraphtapeStopping")


@dataclass(slots=True, kw_only=True, eq=False)
class Transaction:
    """A request that has arrived at a session.

    Attributes:
        incoming: As it arrived.
        began: `time.perf_counter()` at its arrival.
        decided: What was decided as its bytes arrived; the observer has seen it then.
        number: In the session's journal.
        task: That serves it.
        stepped: Whether a step of a shared session decided it.
        reserved: By what name its answer is reserved there; None where it isn't.
    """

    http: BaseRequest
    services: Services
    session: LiveSession
    began: float
    incoming: Incoming
    decided: Decided | None = None
    number: int = field(init=False)
    task: asyncio.Task[object] = field(init=False)
    stepped: bool = False
    reserved: str | None = None
    _seen: Request | None = None

    def __post_init__(self) -> None:
        if self.decided is None:
            self.number = self.session.play.journal.number()
        else:
            self.number = self.decided.number
            self._seen = self.decided.question.request
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - aiohttp serves each request in one
        self.task = task

    def __enter__(self) -> Self:
        self.services.transactions.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self.services.transactions.discard(self)

    @property
    def request(self) -> Request:
        """The request as Graph is to see it."""
        return self.incoming.request

    async def answer(
        self,
        response: Response,
        source: Source,
        *,
        index: int | None = None,
        cassette: int = 0,
        note: str = "",
        delivery: Delivery = PLAIN,
        signs_in: bool = False,
    ) -> LastByte:
        """Send a whole answer, its links pointing back at the proxy; journal it.

        One that `signs_in` goes out as it is: its endpoints are the proxy's already, and the app's
        own address, where the browser is sent back to, is not for the proxy to stand in for.
        """
        base = None if signs_in else self.incoming.base
        local = addressed(response, self.request, base)
        async with self.responding(outgoing_of(local, source, index), delivery) as last_byte:
            if self.reserved is not None and delivery.fault not in CUT:
                await self._commit(self.reserved)
            await last_byte()
        self.observe_answer(None if last_byte.gone else local)
        notes = "; ".join(filter(None, (note, delivery.why)))
        self.journal(
            local.status,
            source,
            index=index,
            cassette=cassette,
            note=notes,
            effects=delivery.why,
        )
        return last_byte

    async def _commit(self, name: str) -> None:
        """Move the tape on for everybody, before a client has seen the whole answer."""
        self.reserved = None
        assert self.session.shared is not None  # noqa: S101 - it has reserved the answer
        await self.session.shared.commit(name)

    def release(self) -> None:
        """Let the answer that was reserved play again, if it hasn't played."""
        if self.reserved is not None and self.session.shared is not None:
            self.session.shared.release(self.reserved)
            self.reserved = None

    def observe_request(self) -> None:
        """Let the observer see the request, as the client sent it."""
        if self.incoming.rest is None:  # two uploads not read yet would look the same
            self._seen = self.request
            session = self.session
            if self.request.method == "GET" and not session.observer.expects:
                kinds = session.observer.of_each(self.request)
                # What will only be counted needs no text.
                if kinds is not None and session.verdicts.again(kinds):
                    return
            session.verdicts.add(
                session.observer.asked(self.number, self.request, now=observer_clock())
            )

    def observe_answer(self, answer: Response | None) -> None:
        """Let the observer see the answer that went out; None where none did as a whole."""
        seen, session = self._seen, self.session
        if seen is None:
            return
        if answer is None:
            session.verdicts.add(session.observer.broke(self.number, seen))
        else:
            session.verdicts.add(
                session.observer.answered(self.number, seen, answer, now=observer_clock())
            )

    @asynccontextmanager
    async def responding(self, outgoing: Outgoing, delivery: Delivery) -> AsyncIterator[LastByte]:
        """Write an answer but for its last byte, as `answer.respond` does, and as delivered."""
        services = self.services
        await services.wait_clock.pause(self.http, delivery.wait, services.closing)
        respond = delivery.responder(services.wait_clock, services.closing)
        async with respond(self.http, outgoing) as last_byte:
            yield last_byte

    async def error(
        self, code: str, message: str, *, status: int, source: Source = Source.REFUSED
    ) -> Sent:
        """Answer with a Graph-shaped error of our own."""
        response = own_error(self.request, code, message, status=status)
        return (await self.answer(response, source, note=message)).sent(status)

    def journal(
        self,
        status: int,
        source: Source,
        *,
        index: int | None = None,
        cassette: int = 0,
        note: str = "",
        effects: str = "",
    ) -> None:
        """Note what became of the request."""
        entry = Entry(
            number=self.number,
            method=self.request.method,
            url=self.session.clean.url(self.request.url),
            status=status,
            source=source,
            interaction=index,
            cassette=None if index is None else cassette,
            at=EPOCH + self.began,
            milliseconds=(time.perf_counter() - self.began) * 1000,
            note=self.session.clean.text(note) if note else "",
            effects=self.session.clean.text(effects) if effects else "",
        )
        self.services.note(self.session, entry)


def observer_clock() -> float:
    """Return Unix seconds of a clock that doesn't jump."""
    return EPOCH + time.perf_counter()
