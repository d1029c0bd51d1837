"""A proxy from cassettes and open ports to a saved cassette."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Self

from aiohttp import web

from graphtape import __version__
from graphtape.core.errors import CassetteError, UsageError
from graphtape.core.plan import Mode
from graphtape.core.recording import Recording
from graphtape.core.redaction import Redactor
from graphtape.core.session import Session
from graphtape.runner.tenant import start_sandbox
from graphtape.server.control import make_control
from graphtape.server.delivery import Haste
from graphtape.server.handler import handle
from graphtape.server.ports import Addresses, listen, serve, url_of
from graphtape.server.protocol import DataServer
from graphtape.server.sessions import LiveSession, Sessions
from graphtape.server.upstream import UpstreamClient
from graphtape.server.visit import Gate, witness_clock
from graphtape.tape.hooks import Hooks
from graphtape.tape.part import part_path
from graphtape.tape.recorder import Recorder, held
from graphtape.tape.store import open_cassette
from graphtape.tape.vcr_format import Metadata

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from graphtape.core.journal import Entry
    from graphtape.core.matching import MatchOptions
    from graphtape.core.origin import Upstream
    from graphtape.core.redaction import Policy
    from graphtape.core.verdict import Tally
    from graphtape.settings import Settings
    from graphtape.tape.vcr_format import Cassette

log = logging.getLogger("graphtape")

GRACE = 10.0
"""Seconds that requests in flight are given at stop."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run came to.

    Attributes:
        session: The default session, with its journal.
        recordings: What was played, in order.
        saved: How many interactions the cassette holds now; None where none was written.
        recorded: How many of them are new.
        dropped: Why interactions were left off the tape.
        verdicts: What the client did that Graph advises against.
        failures: What else went wrong; the run is no success.
        redacted: How many secrets and identities were replaced.
    """

    session: Session
    recordings: tuple[Recording, ...]
    verdicts: Tally
    saved: int | None = None
    recorded: int = 0
    dropped: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    redacted: dict[str, int] = field(default_factory=dict)


def _note(text: str) -> None:
    log.warning("%s", text)


@dataclass(slots=True, kw_only=True)
class Proxy:
    """A proxy from cassettes and open ports to a saved cassette.

    `async with proxy:` opens the cassettes, then the ports; leaving it stops, saves, and makes
    `outcome` final.

    Attributes:
        settings: Of the run.
        cassettes: To play, in order; in a recording mode the one to record into.
        mode: Where answers may come from.
        on_entry: Told of each request that is done.
        on_note: Told what the user should know, a line each.
        addresses: Where it can be reached, once it listens.
        outcome: Final once it has stopped.
    """

    settings: Settings
    cassettes: tuple[Path, ...]
    mode: Mode
    on_entry: Callable[[Entry], None] = lambda _: None
    on_note: Callable[[str], None] = _note
    addresses: Addresses = field(init=False)
    outcome: Outcome = field(init=False)
    _live: LiveSession = field(init=False)
    _gate: Gate = field(init=False)
    _upstream: Upstream = field(init=False)
    _options: MatchOptions = field(init=False)
    _policy: Policy = field(init=False)
    _serving: AsyncExitStack = field(init=False)
    _held: ExitStack = field(init=False)
    _hurry: asyncio.Event = field(init=False)

    async def __aenter__(self) -> Self:
        """Begin.

        Raises:
            CassetteError: A cassette can't be used, or another process records into it.
            ListenError: A port can't be had.
            UsageError: A setting is wrong.
        """
        self._hurry = asyncio.Event()
        with ExitStack() as held_files:
            # In this thread: nothing is served yet.
            self._load(held_files)
            async with AsyncExitStack() as stack:
                await self._serve(stack, held_files)
                self._serving = stack.pop_all()
            self._held = held_files.pop_all()
        return self

    async def _serve(self, stack: AsyncExitStack, held_files: ExitStack) -> None:
        data = stack.enter_context(listen(self.settings.listen, "--listen"))
        control = stack.enter_context(listen(self.settings.control, "--control"))
        recorder = self._live.recorder
        client = None
        if recorder is not None:
            client = await self._way_up(stack)
            held_files.enter_context(recorder)
        self._gate = Gate(
            sessions=Sessions(self._live),
            upstream=self._upstream,
            client=client,
            max_body=self.settings.max_body,
            on_entry=self.on_entry,
            timing=self.settings.timing(),
            haste=Haste(fast=self.settings.fast),
        )
        server = DataServer(partial(handle, gate=self._gate))
        # What is in flight is seen to by `_settle`; what is left after it is cut.
        await serve(stack, web.ServerRunner(server, shutdown_timeout=0.1), data)
        await serve(
            stack, web.AppRunner(make_control(self._gate.sessions), access_log=None), control
        )
        self.addresses = Addresses(
            proxy=url_of(data, self.settings.listen),
            control=url_of(control, self.settings.control),
        )

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # The lock goes last: nobody else may see the cassette before it is saved.
        with self._held:
            async with self._serving:
                await self._settle()
            live = self._live
            live.verdicts.add(live.witness.ended(now=witness_clock()))
            recorder = live.recorder
            if recorder is not None:
                await asyncio.to_thread(self._save, recorder, well=exc_type is None)

    def _save(self, recorder: Recorder, *, well: bool) -> None:
        outcome = self.outcome
        try:
            outcome.saved = recorder.save(well=well)
        except CassetteError as exc:
            kept = part_path(recorder.path)
            recorder.fail(f"{exc}; what was recorded is in {kept}, and the next record takes it up")
        outcome.recorded = recorder.recorded
        outcome.dropped = recorder.dropped
        outcome.failures = recorder.failures
        outcome.redacted = recorder.redacted

    def hurry(self) -> None:
        """Stop waiting for requests in flight; from the loop's own thread."""
        self._hurry.set()

    async def _settle(self) -> None:
        """Give requests in flight time to end, and say so where it takes any."""
        self._gate.closing.set()
        if not self._gate.visits:
            return
        count = len(self._gate.visits)
        requests = "1 request" if count == 1 else f"{count} requests"
        self.on_note(f"waiting up to {GRACE:.0f} s for {requests} in flight; Ctrl-C cuts it short")
        tasks = {visit.task for visit in self._gate.visits}
        hurry = asyncio.create_task(self._hurry.wait())
        over = asyncio.create_task(asyncio.wait(tasks))
        await asyncio.wait({hurry, over}, timeout=GRACE, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        for task in tasks:
            task.cancel()
        # Each leaves word of itself in the journal.
        await over

    def _load(self, stack: ExitStack) -> None:
        settings = self.settings
        self._upstream = settings.upstream_at()
        self._options = settings.match_options()
        self._policy = settings.policy()
        rules = settings.status_rules()
        for warning in (rule.warning for rule in rules):
            if warning:
                self.on_note(warning)
        cassettes = [self._open(path, stack) for path in self.cassettes]
        recordings = tuple(
            self._recording(path, cassette)
            for path, cassette in zip(self.cassettes, cassettes, strict=True)
            if cassette is not None and self.mode is not Mode.ALL
        )
        session = Session.over(
            recordings,
            mode=self.mode,
            order=settings.play_order(self.mode),
            rules=rules,
            script=settings.script(),
        )
        clean = recordings[0].redactor if recordings else None
        if clean is None:
            salt = self._salt(self.cassettes[0], cassettes[0])
            clean = Redactor(salt=salt, policy=self._policy)
        recorder = self._recorder(cassettes[0], clean.salt) if session.forwards else None
        saved: dict[str, str] = {}
        for cassette in reversed(cassettes):
            if cassette is not None and cassette.metadata is not None:
                saved.update(cassette.metadata.variables)
        self._live = LiveSession(
            play=session,
            clean=clean,
            recorder=recorder,
            options=self._options,
            saved=saved,
        )
        self.outcome = Outcome(session=session, recordings=recordings, verdicts=self._live.verdicts)

    def _open(self, path: Path, stack: ExitStack) -> Cassette | None:
        """Open a cassette as the mode wants it; None where it is to be begun."""
        if self.mode is Mode.NONE:
            if part_path(path).exists():
                self.on_note(
                    f"{part_path(path)} holds a recording that was not saved; the next "
                    f"`graphtape record {path}` takes it up"
                )
        else:
            if path.suffix.lower() in {".json", ".har"}:
                yaml = path.with_suffix(".yaml")
                raise UsageError(f"{path}: only YAML cassettes are written; record into {yaml}")
            held(path, stack, say=self.on_note)
            if not path.exists():
                return None
        try:
            cassette = open_cassette(path)
        except CassetteError as exc:
            if self.mode is not Mode.ALL:
                raise
            self.on_note(f"{exc}; a run that goes well replaces it")
            return None
        if cassette.edited:
            self.on_note(f"{path}: edited since it was recorded")
        if self.mode is Mode.ONCE:
            self.on_note(
                f"{path} exists and mode is once: it plays, and nothing is forwarded or recorded; "
                "--mode new_episodes adds to it, --mode all replaces it"
            )
        return cassette

    def _recording(self, path: Path, cassette: Cassette) -> Recording:
        return Recording.of(
            cassette.interactions,
            name=str(path),
            upstream=cassette.metadata.upstream if cassette.metadata is not None else None,
            redactor=Redactor(salt=self._salt(path, cassette), policy=self._policy),
            options=self._options,
        )

    def _salt(self, path: Path, cassette: Cassette | None) -> str:
        """Return the salt of a cassette's pseudonyms: a new one where it has none yet."""
        from_environment = os.environ.get("GRAPHTAPE_SALT")
        metadata = cassette.metadata if cassette is not None else None
        own = metadata.salt if metadata is not None else ""
        if own and from_environment and own != from_environment:
            self.on_note(f"{path}: holds a salt of its own, which is used; not GRAPHTAPE_SALT")
        if metadata is not None and not own and not from_environment:
            if self.mode is Mode.NEW_EPISODES:
                raise CassetteError(
                    f"{path}: its salt is not in the file, and with another one each identity "
                    "would get a second name; set GRAPHTAPE_SALT to the one it was recorded with"
                )
            self.on_note(
                f"{path}: its salt is not in the file; set GRAPHTAPE_SALT to the one it was "
                "recorded with, or identities sent by the client won't match"
            )
        return own or from_environment or secrets.token_hex(16)

    def _recorder(self, cassette: Cassette | None, salt: str) -> Recorder:
        redaction = self.settings.redaction
        metadata = Metadata(
            graphtape=__version__,
            upstream=self._upstream.name,
            recorded_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            salt="" if salt == os.environ.get("GRAPHTAPE_SALT") else salt,
        )
        return Recorder(
            path=self.cassettes[0],
            mode=self.mode,
            old=cassette,
            metadata=metadata,
            # Of its own: what they count is what is on the tape.
            redactor=Redactor(salt=salt, policy=self._policy),
            aside=Redactor(salt=salt, policy=self._policy),
            hooks=Hooks.named(redaction.before_record_request, redaction.before_record_response),
            fsync=self.settings.fsync,
        )

    async def _way_up(self, stack: AsyncExitStack) -> UpstreamClient:
        if self._upstream.name == "sandbox":
            self._upstream = self._upstream.at(await start_sandbox(stack))
        return await stack.enter_async_context(
            UpstreamClient(
                connect_timeout=self.settings.connect_timeout,
                read_timeout=self.settings.read_timeout,
                ca_file=self.settings.upstream_ca,
                direct=self._upstream.name == "sandbox",
            )
        )
