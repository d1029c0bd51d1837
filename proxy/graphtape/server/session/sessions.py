"""Which session a request belongs to."""

from __future__ import annotations

import asyncio
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from graphtape import files
from graphtape.core.errors import CassetteError, NotAFileError, RequestError, UsageError
from graphtape.core.replica import name_in
from graphtape.core.tape.outcome import Mode
from graphtape.tape.store import check_file

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator

    from graphtape.core.replica import Replica
    from graphtape.core.scenario.rule import Scenario
    from graphtape.core.scenario.status import StatusRule
    from graphtape.server.session.live_session import LiveSession
    from graphtape.server.session.opening import Opener
    from graphtape.server.session.outcome import Outcome

SESSION_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
DEFAULT_ID = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a new session is to be.

    Attributes:
        id: None is one that is made up.
        cassettes: Paths; none are those the proxy was started with.
        mode: None is the proxy's own.
        scenario: None are the proxy's own.
        status: Likewise.
        said: The body it was asked for with, as JSON, for others that serve it.
    """

    id: str | None = None
    cassettes: tuple[str, ...] = ()
    mode: Mode | None = None
    scenario: tuple[Scenario, ...] | None = None
    status: tuple[StatusRule, ...] | None = None
    said: bytes = b"{}"


@dataclass(slots=True, kw_only=True)
class Sessions:
    """The open sessions, by id.

    Attributes:
        default: Of requests that name none.
        opener: Opens more.
        mode: Of a new session, unless it says.
        connect: Opens the way up; None where nothing is ever forwarded.
        end: Ends a session: what is in flight is settled, then what it recorded is saved.
        folder: Cassettes are resolved in it and may not leave it; None where they may be anywhere.
        replica: Which of several proxies this is; None where it is alone.
        public_url: Where clients reach the data port, scheme to port; None where they do by the
            name that they call the control port by.
        ended: What sessions that are closed came to.
        share: Lets others serve a new session as well; None where they don't.
        known: Returns the ids of those that other proxies serve; likewise.
        adopt: Returns what a session was opened with elsewhere, None where it wasn't; likewise.
    """

    default: LiveSession
    opener: Opener
    mode: Mode
    connect: Callable[[], Awaitable[object]] | None
    end: Callable[[LiveSession, bool], Awaitable[None]]
    folder: Path | None = None
    replica: Replica | None = None
    public_url: str | None = None
    ended: list[Outcome] = field(default_factory=list)
    share: Callable[[LiveSession, bytes, bool], Awaitable[None]] | None = None
    known: Callable[[], Awaitable[Iterable[str]]] | None = None
    adopt: Callable[[str], Awaitable[Wish | None]] | None = None
    _open: dict[str, LiveSession] = field(init=False)
    _opening: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Open the default session."""
        self._open = {self.default.play.id: self.default}

    def __iter__(self) -> Iterator[LiveSession]:
        """Go through them in the order they were opened."""
        return iter(tuple(self._open.values()))

    def __len__(self) -> int:
        """Count them."""
        return len(self._open)

    def hosts(self, session_id: str | None) -> Collection[str]:
        """Return the hosts off Graph that a session knows."""
        session = self.default if session_id is None else self._open.get(session_id)
        return session.named | session.taped if session is not None else ()

    def identify(self, session_id: str | None) -> LiveSession:
        """Return the session a request names, else the default one.

        Raises:
            RequestError: No session of that id is open.
        """
        if session_id is None:
            if self.replica is not None and self.replica.default_at is not None:
                raise _unknown(
                    f"{self.replica.name} serves sessions that a path names alone; the default "
                    f"one is at {self.replica.default_at}"
                )
            return self.default
        session = self._open.get(session_id)
        if session is None:
            if self.replica is not None and session_id == self.replica.default_id:
                return self.default
            raise _unknown(
                f"no session {session_id!r} is open{self._elsewhere(session_id)}; open it with "
                "POST /sessions on the control port, or leave the /_session prefix out"
            )
        return session

    def _elsewhere(self, session_id: str) -> str:
        """Say which replica an id names, where it is another one."""
        named = name_in(session_id)
        if self.replica is None or named is None or named == self.replica.name:
            return ""
        return f" at {self.replica.name}: its id says that it is one of {named}"

    async def found(self, session_id: str | None) -> LiveSession:
        """Return the session a request names, which may have been opened by another proxy.

        Raises:
            RequestError: No session of that id is open.
        """
        if self.adopt is None or session_id is None or session_id in self._open:
            return self.identify(session_id)
        if session_id not in self._opening:
            wish = await self.adopt(session_id)
            if wish is not None and session_id not in self._open:
                return await self.open(wish, new=False)
        return self.identify(session_id)

    async def find_all(self) -> None:
        """Serve what other proxies serve as well.

        Raises:
            RequestError: They can't be asked.
        """
        for session_id in () if self.known is None else await self.known():
            with suppress(RequestError):  # it has ended meanwhile
                await self.found(session_id)

    async def open(self, wish: Wish, *, new: bool = True) -> LiveSession:
        """Open a session.

        Args:
            wish: What it is to be.
            new: Whether no other proxy may serve it yet.

        Raises:
            RequestError: Its id is in use or none, or its cassettes can't be used so.
        """
        session_id = self._take_id(wish.id)
        try:
            if self._is_at_hand(wish):  # a thread would take longer than it does
                live = self._opened(session_id, wish)
            else:
                live = await asyncio.to_thread(self._opened, session_id, wish)
            if live.play.forwards and self.connect is not None:
                await self.connect()
            if self.share is not None:
                await self.share(live, wish.said, new)
            self._open[session_id] = live
        finally:
            self._opening.discard(session_id)
        return live

    async def close(self, session_id: str, *, well: bool = True) -> LiveSession:
        """End a session: save what it recorded, forget it.

        Args:
            session_id: Of an open one.
            well: Whether it went well in its user's eyes.

        Raises:
            RequestError: None of that id is open, or it is the default one.
        """
        live = self.identify(session_id)
        if live is self.default:
            raise RequestError(
                "the default session ends with the proxy; close those that POST /sessions opened",
                status=409,
                code="GraphtapeDefaultSession",
            )
        del self._open[session_id]
        live.open = False  # nothing more is answered, while what is in flight ends
        self._opening.add(session_id)  # its cassette isn't free yet
        try:
            await self.end(live, well)
        finally:
            self._opening.discard(session_id)
            self.ended.append(live.outcome)
        return live

    def _take_id(self, wanted: str | None) -> str:
        session_id = wanted if wanted is not None else secrets.token_hex(8)
        if self.replica is not None:
            session_id = self.replica.own_id(session_id)
        if not SESSION_ID.fullmatch(session_id):
            raise RequestError(
                f"session id {session_id[:80]!r}: 1 to 64 letters, digits, dots, underscores and "
                "hyphens",
                status=400,
                code="GraphtapeSessionId",
            )
        taken = self.replica is not None and session_id == self.replica.default_id
        if taken or session_id in self._open or session_id in self._opening:
            raise RequestError(
                f"session {session_id!r} is open already; DELETE it first, or take another id",
                status=409,
                code="GraphtapeSessionInUse",
            )
        self._opening.add(session_id)
        return session_id

    def _paths(self, cassettes: tuple[str, ...], mode: Mode) -> tuple[Path, ...]:
        if not cassettes and mode is Mode.NONE:
            return self.default.paths
        if mode is not Mode.NONE and len(cassettes) != 1:
            raise RequestError(
                f"mode {mode} takes exactly one cassette to record into, not {len(cassettes)}",
                status=400,
                code="GraphtapeCassettes",
            )
        return tuple(self._inside(name) for name in cassettes)

    def _inside(self, name: str) -> Path:
        """Resolve a cassette's path."""
        if not name or "\0" in name:
            raise RequestError(
                f"cassette {name[:80]!r} is no path; name a file",
                status=400,
                code="GraphtapeCassettePath",
            )
        path = Path(name)
        if self.folder is None:
            return path
        whole = self.folder / path
        if files.real(whole).is_relative_to(files.real(self.folder)):
            return whole
        raise RequestError(
            f"cassette {name!r} lies outside the folder the proxy was started in; name one in it",
            status=403,
            code="GraphtapeCassettePath",
        )

    def _is_at_hand(self, wish: Wish) -> bool:
        """Tell whether all that a session plays is loaded, and it does nothing but play.

        Raises:
            RequestError: Its cassettes can't be used so.
        """
        mode = wish.mode or self.mode
        return mode is Mode.NONE and self.opener.has_loaded(self._paths(wish.cassettes, mode))

    def _opened(self, session_id: str, wish: Wish) -> LiveSession:
        """Open, in a thread; refuse what would forward where nothing is to be forwarded."""
        mode = wish.mode or self.mode
        paths = self._paths(wish.cassettes, mode)
        try:
            for path in paths:
                check_file(path)
        except NotAFileError as exc:
            raise RequestError(str(exc), code="GraphtapeCassette") from exc
        if mode is not Mode.NONE and self.connect is None:
            if mode is not Mode.ONCE or not paths[0].exists():
                raise RequestError(
                    f"mode {mode} would forward, and this proxy only replays; start it with "
                    "`graphtape record`, or leave mode out",
                    status=409,
                    code="GraphtapeOffline",
                )
            mode = Mode.NONE
        try:
            return self.opener.open(
                session_id, paths, mode=mode, scenario=wish.scenario, status=wish.status
            )
        except (CassetteError, UsageError) as exc:
            missing = mode is Mode.NONE and not all(path.exists() for path in paths)
            raise RequestError(
                str(exc), status=404 if missing else 409, code="GraphtapeCassette"
            ) from exc


def _unknown(message: str) -> RequestError:
    return RequestError(message, status=404, code="GraphtapeUnknownSession")
