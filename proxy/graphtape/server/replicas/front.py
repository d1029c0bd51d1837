"""The control API of several workers: each call goes to the one whose session it is about."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, TypeVar

import msgspec
from aiohttp import web

from graphtape.core.errors import RequestError
from graphtape.core.replica import name_in
from graphtape.server.control.app import application, openapi
from graphtape.server.control.details.message import CassetteList, CassetteRow
from graphtape.server.control.message import Health, Opened, SessionFacts, SessionList
from graphtape.server.control.reading import body_bytes
from graphtape.server.replicas.streams import pass_stream_on, pass_streams_on

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from graphtape.server.control.route import AnyRoute
    from graphtape.server.replicas.peers import Peers

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

T = TypeVar("T", bound=msgspec.Struct)
_DEFAULT = "default"
_JSON = "application/json"


class _Named(msgspec.Struct):
    """What of a new session is looked at here."""

    id: str | None = None


@dataclass(slots=True, kw_only=True)
class Front:
    """Answers for all workers.

    Attributes:
        peers: Their control ports; the first one's default session is that of all.
        alive: Returns the names of those that still run, in order.
        opened: Told of a session that was opened: its worker's name, and its id.
        closed: Likewise, of one that ended.
        token: That each request must show; None where only this machine can ask.
        console: Whether the web console is served.
        shared: Whether every worker serves every session.
    """

    peers: Peers
    alive: Callable[[], Collection[str]]
    opened: Callable[[str, str], None]
    closed: Callable[[str, str], None]
    token: str | None
    console: bool
    shared: bool = False
    _turns: count[int] = field(default_factory=count)

    def application(self) -> web.Application:
        """Build what serves it."""
        app = application(self._handler, token=self.token, console=self.console)

        async def close(_: web.Application) -> None:
            await self.peers.close()

        app.on_cleanup.append(close)
        return app

    def _handler(self, route: AnyRoute) -> Handler:
        own: dict[str, Handler] = {
            "openSession": self._open,
            "closeSession": self._close,
            "listSessions": self._sessions,
            "getHealth": self._health,
            "listCassettes": self._cassettes,
            "listen": self._events,
            "getDocument": self._document,
        }
        return own.get(route.name) or (self._of_session if "{id}" in route.path else self._of_any)

    def _worker_of(self, session_id: str) -> str:
        """Return the name of the worker whose session an id names.

        Raises:
            RequestError: 404; it names none.
        """
        if self.shared:
            return self._living()[0]
        names = list(self.peers.urls)
        name = names[0] if session_id == _DEFAULT else name_in(session_id)
        if name not in self.peers.urls:
            raise RequestError(
                f"no session {session_id!r} is open: an id begins with its worker's name, "
                f"{names[0]} to {names[-1]}; open it with POST /sessions, and take the id that "
                "it answers",
                status=404,
                code="GraphtapeUnknownSession",
            )
        return str(name)

    async def _of_session(self, request: web.Request) -> web.StreamResponse:
        return await self.peers.pass_on(request, self._worker_of(request.match_info["id"]))

    async def _of_any(self, request: web.Request) -> web.StreamResponse:
        return await self.peers.pass_on(request, self._living()[0])

    def _living(self) -> list[str]:
        found = list(self.alive())
        if not found:
            raise RequestError(
                "no worker is left; start the proxy anew", status=502, code="GraphtapeReplicaGone"
            )
        return found

    async def _open(self, request: web.Request) -> web.StreamResponse:
        """Open a session at the next worker, or at the one that its id names."""
        living = self._living()
        wanted = _wanted_id(await body_bytes(request))
        named = None if wanted is None else name_in(wanted)
        name = (
            named
            if named in self.peers.urls and not self.shared
            else living[next(self._turns) % len(living)]
        )
        answer = await self.peers.pass_on(request, str(name))
        if answer.status == web.HTTPCreated.status_code and isinstance(answer.body, bytes):
            self.opened(str(name), msgspec.json.decode(answer.body, type=Opened).id)
        return answer

    async def _close(self, request: web.Request) -> web.StreamResponse:
        session_id = request.match_info["id"]
        name = self._worker_of(session_id)
        answer = await self.peers.pass_on(request, name)
        if answer.status == web.HTTPOk.status_code:
            self.closed(name, session_id)
        return answer

    async def _all(self, request: web.Request, kind: type[T]) -> tuple[list[T], list[str]]:
        """Ask every worker; return the answers, and the names of those that don't answer."""
        asked = await asyncio.gather(
            *(self.peers.ask(request, name, kind) for name in self.peers.urls),
            return_exceptions=True,
        )
        answers: list[T] = []
        silent: list[str] = []
        for name, each in zip(self.peers.urls, asked, strict=True):
            if isinstance(each, RequestError):
                silent.append(name)
            elif isinstance(each, BaseException):
                raise each
            else:
                answers.append(each)
        if not answers:
            self._living()  # says that none is left
            raise self.peers.gone(silent[0], "no worker answers")
        return answers, silent

    async def _sessions(self, request: web.Request) -> web.Response:
        """List the sessions of all workers."""
        lists, unreachable = await self._all(request, SessionList)
        hidden = self._hidden()
        sessions = [each for found in lists for each in found.sessions if each.id not in hidden]
        if self.shared:
            sessions = _summed(sessions)
        return _json(SessionList(sessions=sessions, unreachable=unreachable))

    async def _health(self, request: web.Request) -> web.Response:
        """Say that the workers serve, and what."""
        answers, silent = await self._all(request, Health)
        first = answers[0]
        hidden = len(answers) - (next(iter(self.peers.urls)) not in silent)
        return _json(
            msgspec.structs.replace(
                first,
                sessions=max(each.sessions for each in answers)
                if self.shared
                else sum(each.sessions for each in answers) - hidden,
                requests=sum(each.requests for each in answers),
                listeners=max(each.listeners for each in answers),
            )
        )

    async def _cassettes(self, request: web.Request) -> web.Response:
        """List the cassettes of the folder, and those that sessions of any worker play."""
        lists, _ = await self._all(request, CassetteList)
        rows: dict[str, CassetteRow] = {}
        for each in (row for found in lists for row in found.cassettes):
            known = rows.get(each.name)
            if known is None:
                rows[each.name] = each
            else:
                more = each if known.interactions is None else known
                sessions = [*known.sessions, *each.sessions]
                rows[each.name] = msgspec.structs.replace(more, sessions=sessions)
        hidden = self._hidden()
        shown = [
            msgspec.structs.replace(row, sessions=[id for id in row.sessions if id not in hidden])  # noqa: A001 - the API's own word
            for _, row in sorted(rows.items())
        ]
        return _json(CassetteList(cassettes=shown))

    def _hidden(self) -> set[str]:
        """Return the sessions that no path names: the first worker's alone is for clients."""
        return {f"{name}.{_DEFAULT}" for name in self.peers.urls}

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Send the events of all workers, or those of one session."""
        wanted = request.query.get("session")
        if request.method == "HEAD":
            return await self._of_any(request)
        if wanted is None:
            return await pass_streams_on(request, self.peers, self._living())
        return await pass_stream_on(request, self.peers, self._worker_of(wanted))

    async def _document(self, _: web.Request) -> web.Response:
        return web.Response(body=openapi(), content_type=_JSON)


def _summed(sessions: list[SessionFacts]) -> list[SessionFacts]:
    """Return the facts of each session once, its requests and answers those of all workers."""
    found: dict[str, SessionFacts] = {}
    for each in sessions:
        known = found.get(each.id)
        if known is None:
            found[each.id] = each
            continue
        answers = Counter(known.answers) + Counter(each.answers)
        found[each.id] = msgspec.structs.replace(
            known, requests=known.requests + each.requests, answers=dict(answers)
        )
    return list(found.values())


def _json(answer: msgspec.Struct) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), content_type=_JSON)


def _wanted_id(body: bytes) -> str | None:
    """Return the id that a new session is to have; what is wrong with a body its worker says."""
    try:
        return msgspec.json.decode(body, type=_Named).id
    except msgspec.DecodeError:
        return None
