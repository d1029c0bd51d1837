"""The sessions of one proxy that others serve as well."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from graphtape import __version__, scenarios
from graphtape.core.errors import RequestError
from graphtape.core.tape.outcome import Mode
from graphtape.core.tape.steps import Steps
from graphtape.server.state.book import Pages
from graphtape.server.state.bus import Bus
from graphtape.server.state.link import Link
from graphtape.server.state.part import Part
from graphtape.server.state.shared import Shared
from graphtape.server.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from graphtape.core.report.report import Report
    from graphtape.server.session.live_session import LiveSession
    from graphtape.server.session.sessions import Sessions
    from graphtape.settings import Settings


class Facts(msgspec.Struct, frozen=True):
    """What all who serve a session must have in common.

    Attributes:
        version: Of Graphtape.
        tape: Digests of the cassettes.
        options: Digest of how they are played.
        wish: The body it was opened with; null of the default session.
    """

    version: str
    tape: list[str]
    options: str
    wish: msgspec.Raw = msgspec.Raw(b"null")


@dataclass(slots=True, kw_only=True, eq=False)
class Stored:
    """The sessions of one proxy that others serve as well. For the loop's own thread.

    Attributes:
        settings: Of the run.
        sessions: Those that this proxy serves.
        direct: Directs a session as the body of a call says.
        report: Tells what a session came to here.
        close: Ends a session that another proxy has ended.
    """

    settings: Settings
    sessions: Sessions
    direct: Callable[[LiveSession, bytes], None]
    report: Callable[[LiveSession], Report]
    close: Callable[[str], Awaitable[object]]
    store: Store = field(init=False)
    bus: Bus = field(init=False)
    _options: str = field(init=False)

    def __post_init__(self) -> None:
        """Connect to nothing yet.

        Raises:
            UsageError: The URL is none.
        """
        url = self.settings.state or ""
        self.store = Store(link=Link(url))
        self.bus = Bus(
            run=self.settings.session,
            name=self.store.name,
            out=self.store.link,
            hears=Link(url, on_push=self._pushed),
            answer=self._answer,
        )
        self._options = _digest(repr(self._play()).encode())

    def _play(self) -> tuple[object, ...]:
        """Return all that makes another play of the same cassettes."""
        settings = self.settings
        named = [
            scenarios.file_text(each) if scenarios.is_file(each) else each
            for each in settings.scenario
        ]
        return (
            settings.match_options(),
            settings.policy(),
            settings.order,
            settings.seed,
            settings.status,
            named,
        )

    async def begin(self) -> None:
        """Take part in the default session.

        Raises:
            TapeDiffersError: It is played otherwise.
            UnavailableError: Redis doesn't answer.
        """
        await self.share(self.sessions.default, b"null")
        await self.bus.begin()

    async def share(self, live: LiveSession, wish: bytes, *, new: bool = False) -> None:
        """Serve a session together with others.

        Args:
            live: Serves nothing yet.
            wish: What it was opened with.
            new: Whether nobody may serve it yet.

        Raises:
            RequestError: Somebody does, or Redis doesn't answer.
            TapeDiffersError: It is played otherwise.
        """
        tapes = [await asyncio.to_thread(_file_digest, path) for path in live.paths]
        facts = Facts(__version__, tapes, self._options, msgspec.Raw(wish))
        if new and await self.store.facts(self._key(live.play.id)) is not None:
            raise RequestError(
                f"session {live.play.id!r} is open already, at another replica; DELETE it first, "
                "or take another id",
                status=409,
                code="GraphtapeSessionInUse",
            )
        epoch = await self.store.join(self._key(live.play.id), msgspec.json.encode(facts))
        steps = Steps(
            session=live.play, on_direct=partial(self.direct, live), on_rewind=live.rewind
        )
        live.shared = shared = Shared(
            store=self.store,
            bus=self.bus,
            key=self._key(live.play.id),
            steps=steps,
            epoch=epoch,
            order=self.settings.play_order(Mode.NONE),
            on_failure=partial(_fail, live),
        )
        await shared.sync()
        shared.begin()

    async def wish(self, session_id: str) -> bytes | None:
        """Return what a session was opened with at another proxy; None where none is open.

        Raises:
            UnavailableError: Redis doesn't answer.
        """
        found = await self.store.facts(self._key(session_id))
        return None if found is None else bytes(msgspec.json.decode(found, type=Facts).wish)

    async def known(self) -> list[str]:
        """Return the ids of the sessions that others serve.

        Raises:
            UnavailableError: Redis doesn't answer.
        """
        lists = await self.bus.ask("list", "")
        return [each for data in lists for each in msgspec.json.decode(data, type=list[str])]

    async def end(self) -> None:
        """Leave all that is left, and close the connections."""
        self.bus.close()
        self.bus.hears.close()
        self.store.link.close()

    def _key(self, session_id: str) -> str:
        run = self.settings.session
        return run if session_id == self.sessions.default.play.id else f"{run}/{session_id}"

    def _pushed(self, push: list[object]) -> None:
        self.bus.heard(push)

    async def _answer(self, what: str, session_id: str) -> bytes | None:
        """Answer another proxy."""
        if what == "list":
            return msgspec.json.encode([each.play.id for each in self.sessions])
        live = next((each for each in self.sessions if each.play.id == session_id), None)
        if live is None or live.shared is None:
            return None
        try:
            await live.shared.sync()
        except RequestError:
            return None
        if what == "sync":
            return None
        if what == "journal":
            return msgspec.json.encode(Pages.of(self.store.name, live.play.journal))
        played = [each.player.played_slots() for each in live.play.playbacks]
        part = Part.of(self.report(live), played).encoded()
        if what == "end":
            await self.close(session_id)
        return part


def _fail(live: LiveSession, why: str) -> None:
    if why not in live.outcome.failures:
        live.outcome.failures.append(why)


def _file_digest(path: Path) -> str:
    return _digest(path.read_bytes())


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=8).hexdigest()
