"""The one proxy that serves all tests of a process."""

from __future__ import annotations

import os
import shlex
from contextlib import chdir
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from graphtape.core.errors import GraphtapeError
from graphtape.core.tape.age import age_of
from graphtape.core.tape.outcome import Mode
from graphtape.embedded.direction import scenarios_of, statuses_of
from graphtape.embedded.failure import MissError, SessionError
from graphtape.embedded.server import Server
from graphtape.settings import load
from graphtape.tape.freshness import confirm, older

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from graphtape.embedded.session import ProxySession
    from graphtape.pytest_plugin.marker import Asked


_NO_REQUESTS = (
    "A test that sends no requests needs no cassette: mark it with one that exists, or leave the "
    "fixture out."
)


@dataclass(slots=True, kw_only=True)
class SharedProxy:
    """The one proxy that serves all tests of a process; what goes wrong fails the test that asks.

    Attributes:
        server: Serves, until `end`.
        older: Age of cassettes from which on mode `all` records them; None records every one.
    """

    server: Server
    older: timedelta | None = None
    _recording: dict[Path, str] = field(default_factory=dict)
    _recorded: dict[str, str] = field(default_factory=dict)

    @classmethod
    def begun(
        cls, *, root: Path, upstream: str | None, max_age: str | None, older: str | None
    ) -> SharedProxy:
        """Begin to serve, as the settings file in pytest's root folder says.

        Args:
            root: Has `graphtape.toml`, or pyproject.toml with `[tool.graphtape]`, or neither.
            upstream: Where to record from; None is as that file says.
            max_age: How old a cassette may be that is played; likewise.
            older: As the attribute, spelled.
        """
        given: dict[str, object] = {"listen": "127.0.0.1:0", "control": "127.0.0.1:0"}
        if upstream is not None:
            given["upstream"] = upstream
        if max_age is not None:
            given["max_age"] = max_age
        try:
            # It looks, and resolves what the file names, where a run of the command line would.
            with chdir(root):
                server = Server(settings=load(given))
                server.start()
            return cls(server=server, older=None if older is None else age_of(older))
        except (GraphtapeError, ValueError) as exc:
            # From None: pytest would show what it was made from first, and then the same again.
            raise pytest.fail.Exception(f"graphtape: {exc}", pytrace=False) from None

    def end(self) -> None:
        """End the proxy with the test run."""
        self.server.stop()

    def open(
        self, item: pytest.Item, cassettes: tuple[Path, ...], asked: Asked, *, mode: str
    ) -> ProxySession:
        """Open a session for a test; where it can't be had, fail the test and say why."""
        wanted = Mode(mode)
        if wanted is Mode.ALL and self.older is not None and not _older(cassettes, self.older):
            wanted = Mode.NONE
        refusal = _missing(item, cassettes, asked) if wanted is Mode.NONE else None
        refusal = refusal or self._clash(item, cassettes, asked, wanted)
        if refusal is not None:
            pytest.fail(f"graphtape: {refusal}", pytrace=False)
        scenario, status = asked.directs.get("scenario"), asked.directs.get("status")
        folder = item.path.parent
        try:
            session = self.server.open(
                item.name,
                cassettes,
                mode=wanted,
                scenario=None if scenario is None else scenarios_of(scenario, folder=folder),
                status=None if status is None else statuses_of(status),
                folder=folder,
            )
        except GraphtapeError as exc:
            text = f"graphtape: {_short(item, str(exc))}"
            raise pytest.fail.Exception(text, pytrace=False) from None
        if wanted is Mode.NONE:
            _warn_old(item, session)
        else:
            self._recording[cassettes[0]] = item.nodeid
        return session

    def _clash(
        self, item: pytest.Item, cassettes: tuple[Path, ...], asked: Asked, mode: Mode
    ) -> str | None:
        """Say why a test can't record into its cassette; None where it can."""
        if mode is Mode.NONE:
            return None
        shown = ", ".join(_shown(item, each) for each in cassettes)
        if len(cassettes) > 1:
            return (
                f"mode {mode} records into one cassette, and this test names several: {shown}. "
                "Give its marker mode='none', and it is left as it is"
            )
        holder = self._recording.get(cassettes[0])
        if holder is not None:
            return f"{shown}: {holder} is recording into it; give each test a cassette of its own"
        # Disks differ in whether the case of a name matters; tests that run on both must not.
        first = self._recorded.setdefault(str(cassettes[0]).casefold(), item.nodeid)
        if not asked.names and first != item.nodeid:
            return (
                f"{shown} is the cassette of {first} as well: their names differ in nothing that "
                "a file's name keeps; name a cassette in one's marker"
            )
        return None

    def close(self, item: pytest.Item, session: ProxySession, *, passed: bool) -> str | None:
        """End a test's session; say what was wrong with it.

        Args:
            item: The test.
            session: Of it.
            passed: Whether the test itself did; mode `all` replaces its cassette only then.
        """
        recorded = [path for path, held in self._recording.items() if held == item.nodeid]
        try:
            self.server.close(session, well=passed)
        finally:
            for path in recorded:
                del self._recording[path]
        found = session.failure()
        if found is not None:
            return f"graphtape: {failure_text(item, found)}"
        if passed:
            for path in recorded:
                _warn_unwritten(item, path)
                if self.older is not None and path.exists():
                    confirm(path, datetime.now(UTC))
        return None


def failure_text(item: pytest.Item, found: SessionError) -> str:
    """Write what is wrong with a test's session, and what to do about it."""
    text = _short(item, str(found))
    if isinstance(found, MissError):
        text += f"\nIn this test: {_command(item, 'new_episodes')}"
    return text


def _warn_unwritten(item: pytest.Item, path: Path) -> None:
    """Warn where a recording left nothing that could replay."""
    if not path.exists():
        item.warn(
            pytest.PytestWarning(
                f"graphtape: nothing was recorded, so {_shown(item, path)} was not written, and "
                f"replaying this test will ask for it. {_NO_REQUESTS}"
            )
        )


def _older(cassettes: tuple[Path, ...], limit: timedelta) -> bool:
    """Tell whether one isn't there, or is older than a limit."""
    there = [path for path in cassettes if path.exists()]
    return len(there) < len(cassettes) or bool(older(there, limit, datetime.now(UTC))[0])


def _warn_old(item: pytest.Item, session: ProxySession) -> None:
    for said in session.too_old:
        item.warn(pytest.PytestWarning(f"graphtape: {_short(item, said)}"))


def _missing(item: pytest.Item, cassettes: tuple[Path, ...], asked: Asked) -> str | None:
    """Say that a cassette isn't there, and how it is made."""
    missing = [each for each in cassettes if not each.exists()]
    if not missing:
        return None
    shown = ", ".join(_shown(item, each) for each in missing)
    if asked.names:
        names = ", ".join(map(repr, asked.names))
        whence = f"the marker @pytest.mark.graphtape({names}) names it"
    else:
        whence = 'the test\'s own, since no marker names one: @pytest.mark.graphtape("NAME") does'
    if len(cassettes) > 1:
        todo = "A test that names several only plays them: record each in a test of its own."
    else:
        first = "take mode='none' out of the marker; " if asked.mode == "none" else ""
        todo = f"To record it: {first}{_command(item, 'once')}\n{_NO_REQUESTS}"
    return f"no cassette {shown} ({whence}).\n{todo}"


def _command(item: pytest.Item, mode: str) -> str:
    upstream = item.config.getoption("--graphtape-upstream") or "NAME"
    return (
        f"pytest {shlex.quote(item.nodeid)} --graphtape-mode={mode} "
        f"--graphtape-upstream={shlex.quote(upstream)}"
    )


def _shown(item: pytest.Item, path: Path) -> str:
    return _short(item, str(path))


def _short(item: pytest.Item, text: str) -> str:
    """Shorten the paths in a text to what they are below pytest's root folder."""
    return text.replace(f"{item.config.rootpath}{os.sep}", "")
