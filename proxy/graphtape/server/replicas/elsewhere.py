"""What a replica does about the sessions of others."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from graphtape.core.errors import RequestError
from graphtape.core.replica import PASSED_ON, Replica, name_in
from graphtape.server.control.message import SessionFacts, SessionList
from graphtape.server.replicas.streams import pass_stream_on

if TYPE_CHECKING:
    from aiohttp import web

    from graphtape.server.replicas.peers import Peers


@dataclass(slots=True, kw_only=True)
class Elsewhere:
    """The other replicas, as one of them sees them.

    Attributes:
        own: The one that sees them.
        peers: Those whose control ports it was told.
    """

    own: Replica
    peers: Peers

    async def answer(self, request: web.Request, session_id: str) -> web.StreamResponse | None:
        """Pass a call on to the replica whose session it is about; None where it is our own.

        Raises:
            RequestError: 421 where it can't be passed on, or was already; 502 where its replica
                doesn't answer.
        """
        name = name_in(session_id)
        if name is None or name == self.own.name:
            return None
        url = self.peers.urls.get(name)
        if url is None or PASSED_ON in request.headers:
            raise self._misdirected(
                name, session_id, None if url is None else url + request.raw_path
            )
        if request.path == "/events" and request.method == "GET":
            return await pass_stream_on(request, self.peers, name)
        return await self.peers.pass_on(request, name)

    def _misdirected(self, name: str, session_id: str, location: str | None) -> RequestError:
        advice = "ask there" if location is None else f"ask {location}"
        if location is None and self.peers.urls:
            advice += f"; --peers names {', '.join(self.peers.urls)}"
        elif location is None:
            advice += f", or start {self.own.name} with --peers {name}=URL, and it passes calls on"
        return RequestError(
            f"session {session_id!r} is one of replica {name}, and this is {self.own.name}; "
            f"{advice}",
            status=421,
            code="GraphtapeElsewhere",
            location=location,
        )

    async def sessions(self, request: web.Request) -> tuple[list[SessionFacts], list[str]]:
        """Return the sessions of all of them, and the names of those that don't answer."""
        if PASSED_ON in request.headers:  # one that sums up asks
            return [], []
        names = list(self.peers.urls)
        lists = await asyncio.gather(
            *(self.peers.ask(request, name, SessionList) for name in names),
            return_exceptions=True,
        )
        found: list[SessionFacts] = []
        unreachable: list[str] = []
        for name, each in zip(names, lists, strict=True):
            if isinstance(each, RequestError):
                unreachable.append(name)
            elif isinstance(each, BaseException):
                raise each
            else:
                default = Replica(name=name).default_id
                found += (
                    replace(facts, id=default) if facts.id == "default" else facts
                    for facts in each.sessions
                )
        return found, unreachable
