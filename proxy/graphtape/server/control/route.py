"""A route: what the router and the OpenAPI document are both made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from yarl import URL

from graphtape.server.control.guard import host_name
from graphtape.server.control.message import Nothing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from aiohttp import web

    from graphtape.core.report.report import Report
    from graphtape.core.scenario.status import StatusRule
    from graphtape.server.control.direction import Library
    from graphtape.server.control.events import Events
    from graphtape.server.control.message import SessionFacts
    from graphtape.server.notify.webhooks import Webhooks
    from graphtape.server.session.live_session import LiveSession
    from graphtape.server.session.sessions import Sessions

Q = TypeVar("Q")
B = TypeVar("B")
R = TypeVar("R")


class Others(Protocol):
    """The other replicas."""

    async def answer(self, request: web.Request, session_id: str) -> web.StreamResponse | None:
        """Pass a call on to the replica whose session it is about; None where it is our own.

        Raises:
            RequestError: It can't be passed on.
        """

    async def sessions(self, request: web.Request) -> tuple[list[SessionFacts], list[str]]:
        """Return the sessions of all of them, and the names of those that don't answer."""


class Notifier(Protocol):
    """Notifies an app of changes."""

    def webhooks(self, live: LiveSession) -> Webhooks:
        """Return what a session knows of its app's subscriptions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What the control API speaks for.

    Attributes:
        data_url: The data port's own address, without a path.
        library: Where scenarios are found.
        report: Tells what a session came to, or has come to so far.
        document: Makes the OpenAPI document, as JSON.
        others: The other replicas; None where this is no replica.
        notifier: None where nobody is notified.
    """

    sessions: Sessions
    events: Events
    data_url: str
    library: Library
    report: Callable[[LiveSession], Report]
    document: Callable[[], bytes]
    others: Others | None = None
    notifier: Notifier | None = None

    def warn(self, rules: Iterable[StatusRule]) -> None:
        """Tell the user of what is allowed and looks wrong, as the command line does."""
        for rule in rules:
            if rule.warning:
                self.sessions.opener.say(rule.warning)

    def base_url(self, request: web.Request) -> URL:
        """Return the data port's public address.

        Unless that was said, it has the name that a call of the control port used.
        """
        if self.sessions.public_url is not None:
            return URL(self.sessions.public_url)
        return URL(self.data_url).with_host(host_name(request).strip("[]"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Q, B]):
    """A request that was let in and read.

    Attributes:
        query: Read as the route says.
        body: Likewise.
        headers: Of the answer, besides Content-Type.
    """

    desk: Desk
    request: web.Request
    query: Q
    body: B
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def session(self) -> LiveSession:
        """The session the path names.

        Raises:
            RequestError: It isn't open.
        """
        return self.desk.sessions.identify(self.request.match_info["id"])

    def url_of(self, live: LiveSession) -> str:
        """Return what stands in Graph's place for the clients of a session."""
        base = self.desk.base_url(self.request)
        if live is not self.desk.sessions.default:
            base /= f"_session/{live.play.id}"
        return str(base).rstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Generic[Q, B, R]):
    """One method of one path.

    Attributes:
        path: As the router and OpenAPI both spell it.
        name: The operation's, for generated clients.
        summary: One line.
        handler: Returns what is sent as JSON, or what it wrote itself.
        query: What the query may be.
        body: What the body may be; Nothing is empty or `{}`.
        may_be_empty: Whether the body may be left out, which says `{}`.
        body_schema: In place of the body's type, where that says less; None where it doesn't.
        answer: What is sent; None where there is nothing to send.
        media: Types the answer may be of.
        status: Of the answer.
        errors: Statuses of refusals, besides those any request may meet.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Callable[[Call[Q, B]], Awaitable[R | web.StreamResponse]]
    query: type[Q]
    body: type[B]
    answer: type[R] | None
    may_be_empty: bool = True
    body_schema: Mapping[str, object] | None = None
    media: tuple[str, ...] = ("application/json",)
    status: HTTPStatus = HTTPStatus.OK
    errors: tuple[HTTPStatus, ...] = ()

    @property
    def reads(self) -> bool:
        """Whether the body is read."""
        return self.method != "GET"

    @property
    def takes(self) -> bool:
        """Whether there is anything to send in the body."""
        return self.reads and self.body is not Nothing


AnyRoute = Route[Any, Any, Any]
"""Of any types: a table holds routes of many."""
