"""A session of a proxy in this process, as a test holds it."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from graphtape.core.errors import UsageError
from graphtape.core.report.text import as_text
from graphtape.embedded.direction import OneScenario, scenarios_of, statuses_of
from graphtape.embedded.failure import SessionError, failure
from graphtape.server.session.outcome import report_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

    from graphtape.core.journal import Entry
    from graphtape.core.report.report import Report
    from graphtape.server.session.live_session import LiveSession
    from graphtape.settings import Settings

T = TypeVar("T")

_LOOKS = 100
_BETWEEN_LOOKS = 0.001
"""Seconds; together what a request is given whose answer may be out, to get into the journal."""


class Serving(Protocol):
    """What a session needs of the server that serves it."""

    @property
    def settings(self) -> Settings:
        """Of the run."""

    @property
    def control_url(self) -> str:
        """Root of the control API."""

    def serves(self, live: LiveSession) -> bool:
        """Tell whether a session is open."""

    def call(self, coroutine: Coroutine[object, object, T]) -> T:
        """Run a coroutine on the loop that serves, and wait for it."""


class ProxySession:
    """One client's isolated play: its cassettes, tape position, scenarios and journal.

    It can be used from any thread, and in async code: the proxy runs in a thread of its own, and
    no method waits for a request. Once the session has ended, it can still be read.
    """

    def __init__(self, live: LiveSession, server: Serving, *, base_url: str, folder: Path) -> None:
        """Hold a session.

        Args:
            live: Open.
            server: That serves it.
            base_url: Of its requests.
            folder: Relative scenario files lie in it.
        """
        self._live = live
        self._server = server
        self._base_url = base_url
        self._folder = folder
        self._expected: set[int] = set()

    @property
    def too_old(self) -> tuple[str, ...]:
        """What is to be said of cassettes that are older than the settings' `max-age`."""
        limit = self._server.settings.age_limit()
        if limit is None:
            return ()
        now = datetime.now(UTC)
        found = (
            limit.complaint(each.recording.name, each.metadata.recorded_at, now)
            for each in self._live.played
            if each.metadata is not None
        )
        return tuple(said for said in found if said is not None)

    @property
    def id(self) -> str:
        """What the control API calls it."""
        return self._live.play.id

    @property
    def base_url(self) -> str:
        """What stands in for `https://graph.microsoft.com`: no version, no slash at the end."""
        return self._base_url

    @property
    def control_url(self) -> str:
        """Root of the control API, for programs that aren't this one; no slash at the end."""
        return self._server.control_url

    @property
    def calls(self) -> tuple[Entry, ...]:
        """The requests that were answered so far, in the order of their answers.

        The newest 10000. One that is still being answered isn't among them.
        """
        return self._on_loop(self._calls)

    @property
    def misses(self) -> tuple[Entry, ...]:
        """The requests that nothing recorded answers, but for those `expect_miss` took."""
        return tuple(each for each in self._all_misses() if each.number not in self._expected)

    def status(self, *values: str) -> None:
        """Answer these for every chromeOSOnboardingStatus, in place of those chosen before.

        Args:
            values: `failed`, or `disconnect=failed` for that action alone; none answers as
                recorded.

        Raises:
            UsageError: One has no value, or names another action.
        """
        rules = statuses_of(values)

        def put() -> None:
            play = self._live.play
            play.direct(play.script, rules)  # what the scenarios have counted goes on

        self._on_loop(put)

    def scenario(self, *scenarios: OneScenario) -> None:
        """Play these scenarios, in place of those chosen before; they begin to count anew.

        Args:
            scenarios: Presets by name, files, or dicts with name and rules; of rules that
                match a request the first one wins. None plays no scenario.

        Raises:
            UsageError: One isn't known, or is wrong.
        """
        chosen = scenarios_of(scenarios, folder=self._folder)

        def put() -> None:
            self._live.direct(scenario=chosen, status=self._live.play.rules)

        self._on_loop(put)

    def notify(
        self,
        resource: str = "",
        change_type: str = "updated",
        *,
        lifecycle_event: str | None = None,
        fault: str | None = None,
    ) -> None:
        """Notify the app of a change, or of an event in the life of its subscriptions.

        It returns before the app is told. Who has subscribed to nothing is told nothing.

        Args:
            resource: Without version: `me/messages/AAMk1`; of an event what is subscribed to.
            change_type: `created`, `updated` or `deleted`.
            lifecycle_event: In place of a change.
            fault: What goes wrong with it, such as `doubled`.

        Raises:
            UsageError: The replay has no `notify` or is over, or an argument is wrong.
        """
        from graphtape.embedded.notice import notified  # noqa: PLC0415 - few notify an app

        if self._server.settings.notify is None:
            raise UsageError(
                "nobody is notified: graphtape.replay(…, notify='http://127.0.0.1:3000')"
            )
        if not self._server.serves(self._live):
            raise UsageError("this session is over: nobody is notified any more")
        self._server.call(
            notified(self._live, resource, change_type, event=lifecycle_event, fault=fault)
        )

    def rewind(self) -> None:
        """Play the cassettes from their start, and the scenarios; the calls stay."""
        self._on_loop(self._live.rewind)

    def variable(self, name: str, make: Callable[[], str]) -> str:
        """Return a value that is made up while recording, and the same one at replay.

        Args:
            name: Of the value, in the cassette.
            make: Makes it up; called where the session records and the cassette has none yet.

        Raises:
            UsageError: The session only replays, and no cassette of it has the value.
        """
        live = self._live
        known = self._on_loop(lambda: dict(live.variables))
        if name in known:
            return known[name]
        recorder = live.recorder
        if recorder is None:
            there = ", ".join(map(repr, sorted(known))) or "none"
            raise UsageError(
                f"no variable {name!r} in {', '.join(live.cassettes)} (there: {there}); record it "
                "again"
            )
        value = make()
        self._on_loop(lambda: recorder.set_variable(name, value))
        return value

    @contextmanager
    def expect_miss(self) -> Iterator[None]:
        """Take the misses of the block for what the test wants: they fail nothing.

        Raises:
            AssertionError: The block had none.
        """
        before = {each.number for each in self._all_misses()}
        new: set[int] = set()
        try:
            yield
        finally:  # a client may well raise what a miss answers
            new = {each.number for each in self._all_misses()} - before
            self._expected |= new
        if not new:
            raise AssertionError("a miss was expected, and every request was answered")

    def report(self) -> Report:
        """Return what the session came to so far: counts, misses, unused, verdicts, rules."""
        return self._on_loop(self._report)

    def summary(self) -> str:
        """Return the report as the command line prints it, a line an item."""
        return "\n".join(as_text([self.report()]))

    def failure(self) -> SessionError | None:
        """Return what is wrong with the session; None where nothing is.

        Wrong are misses, interactions that didn't get on the tape, and what the settings
        `fail-on` and `fail-on-unused` name.
        """
        return failure(self.report(), self.misses)

    def check(self) -> None:
        """See that nothing is wrong.

        Raises:
            MissError: Nothing recorded answers a request.
            SessionError: Something else is wrong; see `failure`.
        """
        found = self.failure()
        if found is not None:
            raise found

    def _calls(self) -> tuple[Entry, ...]:
        return tuple(self._live.play.journal.entries)

    def _all_misses(self) -> tuple[Entry, ...]:
        return self._on_loop(lambda: tuple(self._live.play.journal.misses))

    def _report(self) -> Report:
        settings = self._server.settings
        return report_of(
            self._live.outcome,
            now=time.time(),
            fail_on_unused=settings.fail_on_unused,
            fail_on=settings.fail_on,
        )

    def _on_loop(self, act: Callable[[], T]) -> T:
        """Do something in the thread that serves the session: nothing else touches it then."""
        if not self._server.serves(self._live):
            return act()
        return self._server.call(self._settled(act))

    async def _settled(self, act: Callable[[], T]) -> T:
        """Let answers that are out get into the journal first: their clients may ask at once."""
        journal = self._live.play.journal
        for _ in range(_LOOKS):
            if journal.arrived <= sum(journal.counts.values()):
                break
            await asyncio.sleep(_BETWEEN_LOOKS)
        return act()
