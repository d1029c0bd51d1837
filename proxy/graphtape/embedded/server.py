"""A proxy in a thread of this process."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from graphtape.core.tape.outcome import Mode
from graphtape.embedded.session import ProxySession
from graphtape.runner import InThread, Proxy
from graphtape.server.session.sessions import Wish

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Sequence
    from pathlib import Path

    from graphtape.core.scenario.rule import Scenario
    from graphtape.core.scenario.status import StatusRule
    from graphtape.server.session.live_session import LiveSession
    from graphtape.settings import Settings

T = TypeVar("T")

_LONGEST_LABEL = 48
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(slots=True, kw_only=True)
class Server:
    """A proxy in a thread of this process, from `start` to `stop`.

    Attributes:
        settings: Of the run, its ports included.
        cassettes: Of the default session.
        mode: Of the default session.
    """

    settings: Settings
    cassettes: tuple[Path, ...] = ()
    mode: Mode = Mode.NONE
    _proxy: Proxy = field(init=False)
    _thread: InThread = field(init=False)
    _serving: bool = False
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def start(self) -> None:
        """Begin to serve.

        Raises:
            CassetteError: A cassette can't be used, or another process records into it.
            ListenError: A port can't be had.
            UsageError: A setting is wrong.
        """
        self._proxy = Proxy(
            # A settings file may name a state for the command line: it is no test's.
            settings=replace(self.settings, state=None),
            cassettes=self.cassettes,
            mode=self.mode,
            records=True,
            folder=None,
            tells_misses=False,
        )
        self._thread = InThread(self._proxy)
        self._thread.__enter__()
        self._serving = True

    def stop(self, *, well: bool = True) -> None:
        """End every session, and the thread.

        Args:
            well: Whether the run went well in its user's eyes; mode `all` replaces no cassette
                otherwise.
        """
        if not well:
            self._proxy.spoil()
        try:
            self._thread.__exit__(None, None, None)
        finally:
            self._serving = False

    def serves(self, live: LiveSession) -> bool:
        """Tell whether a session is open, so that another thread may be at work on it."""
        return self._serving and any(each is live for each in self._proxy.sessions)

    @property
    def control_url(self) -> str:
        """Root of the control API."""
        control = self._thread.addresses.control
        assert control is not None  # noqa: S101 - every proxy has one
        return control

    def call(self, coroutine: Coroutine[object, object, T]) -> T:
        """Run a coroutine on the proxy's loop, and wait for it; from any other thread."""
        return self._thread.call(coroutine)

    def default(
        self,
        *,
        scenario: tuple[Scenario, ...] | None,
        status: tuple[StatusRule, ...] | None,
        folder: Path,
    ) -> ProxySession:
        """Return the session of requests that name none, directed; before there are any.

        Args:
            scenario: None leaves it the settings' own.
            status: Likewise.
            folder: Its relative scenario files lie in it.
        """
        live = self._proxy.sessions.default
        if scenario is not None or status is not None:
            live.direct(
                scenario=live.scenarios if scenario is None else scenario,
                status=live.play.rules if status is None else status,
            )
        return ProxySession(live, self, base_url=self._thread.addresses.proxy, folder=folder)

    def open(
        self,
        label: str,
        cassettes: Sequence[Path],
        *,
        mode: Mode,
        scenario: tuple[Scenario, ...] | None,
        status: tuple[StatusRule, ...] | None,
        folder: Path,
    ) -> ProxySession:
        """Open a session of its own.

        Args:
            label: Goes into its id, for people.
            cassettes: To play, in order; in a recording mode the one to record into.
            mode: Where answers may come from.
            scenario: None takes the settings' own.
            status: Likewise.
            folder: Its relative scenario files lie in it.

        Raises:
            RequestError: The cassettes can't be used so.
        """
        id_ = f"{_NOT_IN_ID.sub('-', label)[:_LONGEST_LABEL].strip('-')}-{next(self._numbers)}"
        wish = Wish(
            id=id_,
            cassettes=tuple(map(str, cassettes)),
            mode=mode,
            scenario=scenario,
            status=status,
        )
        live = self.call(self._proxy.sessions.open(wish))
        base_url = f"{self._thread.addresses.proxy}/_session/{id_}"
        return ProxySession(live, self, base_url=base_url, folder=folder)

    def close(self, session: ProxySession, *, well: bool = True) -> None:
        """End a session: what is in flight is settled, then what it recorded is saved.

        Args:
            session: That `open` gave.
            well: As for `stop`, for this session alone.
        """
        self.call(self._proxy.sessions.close(session.id, well=well))
