"""Recording and replaying while a block of code runs."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

from graphtape.core.errors import ListenError, UsageError
from graphtape.core.tape.outcome import Mode
from graphtape.embedded.direction import Scenarios, Statuses, scenarios_of, statuses_of
from graphtape.embedded.server import Server
from graphtape.embedded.session import ProxySession
from graphtape.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from types import TracebackType


_NO_SETTINGS = frozenset({"status", "scenario", "config", "check"})


class Options(TypedDict, total=False):
    """What `replay` and `record` can both be told; what is left out is as the settings file says.

    Attributes:
        status: `failed`, `disconnect=failed`, or several: answered for every
            chromeOSOnboardingStatus.
        scenario: A preset's name, a file, a dict with name and rules, or several.
        match_on: What requests are compared by, in vcrpy's names.
        ignore_body: JSON paths or field names that don't take part in matching.
        ignore_query: Query names that don't.
        retry_after: Seconds that each Retry-After replayed becomes, or `keep`.
        fast: Whether no recorded or injected wait is longer than it must be.
        freeze_time: Whether Date is replayed as recorded.
        seed: For everything random.
        fail_on: Verdicts on the client that `check` fails on.
        fail_on_unused: Whether it fails on unused interactions.
        listen: HOST:PORT of the proxy; a free port of 127.0.0.1 unless said.
        control: HOST:PORT of the control API; likewise.
        config: A settings file; else `graphtape.toml`, else `[tool.graphtape]` in pyproject.toml,
            of the working folder.
        check: Whether a miss raises MissError where the block ends; True unless said.
    """

    status: Statuses
    scenario: Scenarios
    match_on: Sequence[str]
    ignore_body: Sequence[str]
    ignore_query: Sequence[str]
    retry_after: int | Literal["keep"]
    fast: bool
    freeze_time: bool
    seed: int
    fail_on: Sequence[str]
    fail_on_unused: bool
    listen: str
    control: str
    config: str | Path
    check: bool


class ReplayOptions(Options, total=False):
    """What `replay` alone can be told.

    Attributes:
        order: How repeats of a request play; `position` unless said.
        notify: Origin of the app that is notified of changes, such as `http://127.0.0.1:3000`.
    """

    order: Literal["position", "request"]
    notify: str


class RecordOptions(Options, total=False):
    """What `record` alone can be told.

    Attributes:
        keep_identities: Whether mail addresses, tenant ids and domains stay as they are.
        keep_opaque: Whether what can't be looked into for secrets is recorded all the same.
        upstream_ca: PEM file of roots trusted besides the system's.
        allow_private_origins: Whether hosts on loopback and in private networks are reached though
            upstream isn't there.
        max_body: Bytes; a larger body is passed on and left off the tape.
        connect_timeout: Seconds to reach upstream.
        read_timeout: Seconds without a byte from upstream.
        fsync: Whether each record survives a power loss.
        notifications: Origin of the app that Graph's notifications are passed on to.
    """

    keep_identities: bool
    keep_opaque: bool
    upstream_ca: str
    allow_private_origins: bool
    max_body: int
    connect_timeout: float
    read_timeout: float
    fsync: bool
    notifications: str


class Block:
    """A proxy that runs while a `with` or an `async with` block does; once, or again and again.

    It serves in a thread of its own: neither tests nor an event loop wait for it.
    """

    def __init__(
        self,
        cassettes: Iterable[str | Path],
        options: ReplayOptions | RecordOptions,
        *,
        mode: Mode,
        upstream: str | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            cassettes: To play, in order; in a recording mode the one to record into.
            options: Of the run.
            mode: Where answers may come from.
            upstream: Where they are recorded from; None is as the settings file says.
        """
        self._cassettes = tuple(Path(each) for each in cassettes)
        self._options = options
        self._mode = mode
        self._upstream = upstream
        self._running: tuple[Server, ProxySession] | None = None

    def __enter__(self) -> ProxySession:
        """Begin to serve.

        Raises:
            CassetteError: A cassette can't be used, or another process records into it.
            ListenError: A port can't be had.
            UsageError: An option is wrong, or the block runs already.
        """
        if self._running is not None:
            raise UsageError("this block runs already; make another one")
        folder = Path.cwd()
        status, scenario = self._options.get("status"), self._options.get("scenario")
        # Before anything listens: what is wrong with them leaves nothing behind.
        rules = None if status is None else statuses_of(status)
        chosen = None if scenario is None else scenarios_of(scenario, folder=folder)
        server = Server(settings=self._settings(), cassettes=self._cassettes, mode=self._mode)
        _start(server)
        session = server.default(scenario=chosen, status=rules, folder=folder)
        self._running = server, session
        return session

    if not TYPE_CHECKING:  # to a type checker, a class with __getattr__ has every attribute

        def __getattr__(self, name: str) -> object:
            """Say how to get at what only a block that runs has."""
            if not name.startswith("_") and hasattr(ProxySession, name):
                raise AttributeError(
                    f"{name!r} is of what `with` gives: with graphtape.replay(…) as proxy: "
                    f"proxy.{name}"
                )
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _settings(self) -> Settings:
        given: dict[str, object] = {"listen": "127.0.0.1:0", "control": "127.0.0.1:0"}
        given |= {name: said for name, said in self._options.items() if name not in _NO_SETTINGS}
        if self._upstream is not None:
            given["upstream"] = self._upstream
        config = self._options.get("config")
        return load(given, config=None if config is None else str(config))

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, and save what was recorded.

        Where the block failed by itself, its exception is given the report as a note.

        Raises:
            MissError: Nothing recorded answers a request; unless `check` is False.
            SessionError: Something else is wrong, as an interaction that isn't on the tape.
        """
        assert self._running is not None  # noqa: S101 - `with` enters first
        (server, session), self._running = self._running, None
        server.stop(well=exc is None)
        if exc is None:
            if self._options.get("check", True):
                session.check()
        elif (found := session.failure()) is not None:
            exc.add_note(f"graphtape: {found}")

    async def __aenter__(self) -> ProxySession:
        """Begin to serve, as `with` does, while the event loop goes on."""
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, as `with` does, while the event loop goes on."""
        await asyncio.to_thread(self.__exit__, exc_type, exc, traceback)


def replay(*cassettes: str | Path, **options: Unpack[ReplayOptions]) -> Block:
    """Answer from cassettes, offline, while a block runs.

        with graphtape.replay("cassettes/disconnect.yaml", status="failed") as proxy:
            client = Client(proxy.base_url)

    Args:
        cassettes: Files, relative to the working folder; the first with an unplayed answer
            answers. None at all is for scenarios that answer everything.
        options: See ReplayOptions.

    Returns:
        A context manager, for `with` and for `async with`, that gives a ProxySession. It raises
        MissError at its end where nothing recorded answered a request.
    """
    _known("replay", options, ReplayOptions.__annotations__)
    return Block(cassettes, options, mode=Mode.NONE)


def record(
    cassette: str | Path,
    *,
    upstream: str | None = None,
    mode: Literal["once", "new_episodes", "all"] = "once",
    **options: Unpack[RecordOptions],
) -> Block:
    """Forward requests to a tenant and record them, while a block runs.

        with graphtape.record("cassettes/disconnect.yaml", upstream="sandbox") as proxy:
            client = Client(proxy.base_url)

    Args:
        cassette: A YAML file, relative to the working folder; its folder is made.
        upstream: A Graph cloud's name, `sandbox`, or a URL; None is as the settings file says,
            and where it says nothing `global`, the real one.
        mode: `once` plays a cassette that exists and records nothing, `new_episodes` adds to
            it, `all` replaces it where the block doesn't fail.
        options: See RecordOptions.

    Returns:
        A context manager as of `replay`. The cassette is written where the block ends.
    """
    _known("record", options, RecordOptions.__annotations__)
    try:
        chosen = Mode(mode)
    except ValueError as exc:
        raise UsageError(f"mode {mode!r} is none of once, new_episodes, all") from exc
    if chosen is Mode.NONE:
        raise UsageError("mode 'none' records nothing: use graphtape.replay")
    return Block([cassette], options, mode=chosen, upstream=upstream)


def _start(server: Server) -> None:
    """Begin to serve; what is wrong with an address is said in Python's words.

    Raises:
        As Server.start.
    """
    try:
        server.start()
    except ListenError as exc:
        said = re.sub(r"--(listen|control) (\S+)", r'\1="\2"', str(exc))
        raise ListenError(said) from exc


def _known(function: str, options: Mapping[str, object], known: Collection[str]) -> None:
    for name in options:
        if name not in known:
            valid = ", ".join(sorted(known))
            raise TypeError(f"{function}() takes no argument {name!r}; it takes {valid}")
