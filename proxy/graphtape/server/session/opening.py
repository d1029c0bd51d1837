"""From cassettes on disk to a session that can be served."""

from __future__ import annotations

import os
import secrets
import threading
from collections import OrderedDict
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from graphtape import __version__
from graphtape.core.errors import CassetteError, NotAFileError
from graphtape.core.redaction import Redactor
from graphtape.core.tape.outcome import Mode
from graphtape.core.tape.session import Session
from graphtape.core.verdict.verdict import Kind
from graphtape.server.session.live_session import LiveSession
from graphtape.tape.loaded import Loaded
from graphtape.tape.store import check_file, is_large, open_cassette, part_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from graphtape.core.matching.key import MatchOptions
    from graphtape.core.message import Request
    from graphtape.core.redaction import Policy
    from graphtape.core.scenario.rule import Scenario
    from graphtape.core.scenario.status import StatusRule
    from graphtape.core.tape.age import AgeLimit
    from graphtape.settings import Settings
    from graphtape.tape.recorder import Recorder
    from graphtape.tape.vcr_format import Cassette, Metadata

_KEPT = 100
"""Recordings that stay loaded for the next session."""

_Stamp: TypeAlias = tuple[int, int, int]


@dataclass(slots=True, kw_only=True)
class Opener:
    """Opens sessions. Its methods work on files: not for the loop; from any thread.

    Attributes:
        settings: Of the run.
        upstream: Where it forwards to, as metadata name it.
        say: Told what the user should know, a line each.
        progress: Told how much of a large cassette is loaded of how much, in no unit of its own;
            from the thread that loads.
        saving: Told how much of a recording is saved, from the thread that saves.
        names: What cassettes are called that aren't called by their paths.
    """

    settings: Settings
    upstream: str
    say: Callable[[str], None]
    progress: Callable[[int, int], None] | None = None
    saving: Callable[[int, int], None] | None = None
    names: Mapping[Path, str] = field(default_factory=dict)
    _options: MatchOptions = field(init=False)
    _policy: Policy = field(init=False)
    _scenarios: tuple[Scenario, ...] = field(init=False)
    _rules: tuple[StatusRule, ...] = field(init=False)
    _oldest: AgeLimit | None = field(init=False)
    _check: Callable[[Request], tuple[str, ...]] | None = None
    _library: OrderedDict[Path, tuple[_Stamp, Loaded]] = field(default_factory=OrderedDict)
    _loading: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Read what the settings name.

        Raises:
            UsageError: A setting is wrong.
        """
        self._options = self.settings.match_options()
        self._policy = self.settings.policy()
        self._scenarios = self.settings.scenarios()
        self._rules = self.settings.status_rules()
        self._oldest = self.settings.age_limit()
        if Kind.NOT_IN_GRAPH in self.settings.fail_on:
            from graphtape.tape.graph_model import not_in_graph  # noqa: PLC0415 - the model is large

            self._check = not_in_graph()
        for rule in self._rules:
            if rule.warning:
                self.say(rule.warning)

    def open(
        self,
        session_id: str,
        cassettes: Sequence[Path],
        *,
        mode: Mode,
        scenario: tuple[Scenario, ...] | None = None,
        status: tuple[StatusRule, ...] | None = None,
    ) -> LiveSession:
        """Open a session: in mode none over what is loaded already, else with its cassette locked.

        Args:
            session_id: Its id.
            cassettes: To play, in order; in a recording mode the one to record into.
            mode: Where answers may come from.
            scenario: None takes the run's own.
            status: Likewise.

        Raises:
            CassetteError: A cassette can't be used, or another process records into it.
            UsageError: It is none that can be written.
        """
        for path in cassettes:
            check_file(path)
        with ExitStack() as stack:
            if mode is Mode.NONE:
                loaded: list[Loaded] = [self._shared(path) for path in cassettes]
                live = self._over(session_id, cassettes, mode, loaded)
            else:
                live = self._recording(session_id, cassettes[0], mode, stack)
            live.direct(
                scenario=self._scenarios if scenario is None else scenario,
                status=self._rules if status is None else status,
            )
            live.held = stack.pop_all()
        return live

    def has_loaded(self, cassettes: Sequence[Path]) -> bool:
        """Tell whether cassettes are loaded as they are now; takes a look at each file's date."""
        found = ((self._library.get(path), _stamp(path)) for path in cassettes)
        return all(known is not None and known[0] == stamp for known, stamp in found)

    def _over(
        self, session_id: str, cassettes: Sequence[Path], mode: Mode, loaded: Sequence[Loaded]
    ) -> LiveSession:
        play = Session.over(
            [each.recording for each in loaded],
            mode=mode,
            order=self.settings.play_order(mode),
            id=session_id,
        )
        saved: dict[str, str] = {}
        for each in reversed(loaded):
            if each.metadata is not None:
                saved.update(each.metadata.variables)
        clean = loaded[0].recording.redactor if loaded else self._redactor(secrets.token_hex(16))
        return LiveSession(
            play=play,
            clean=clean,
            cassettes=tuple(map(self._name, cassettes)),
            paths=tuple(cassettes),
            seed=self.settings.seed,
            options=self._options,
            bearing=self.settings.token_command is not None,
            check=self._check,
            saved=saved,
            played=tuple(loaded),
        )

    def _recording(self, session_id: str, path: Path, mode: Mode, stack: ExitStack) -> LiveSession:
        from graphtape.tape.recorder import held  # noqa: PLC0415 - no replay writes
        from graphtape.tape.target import check_name  # noqa: PLC0415 - likewise

        check_name(path)
        lost = held(path, stack, say=self.say)
        old = self._existing(path, mode)
        if old is None or mode is Mode.ALL:
            live = self._over(session_id, [path], mode, [])
            live.clean = self._redactor(
                self._salt(path, None if old is None else old.metadata, mode)
            )
        else:
            live = self._over(session_id, [path], mode, [self._indexed(path, old, mode)])
        if live.play.forwards:
            live.recorder = stack.enter_context(self._recorder(path, mode, old, live.clean.salt))
        if lost:
            self.say(lost)
            failures = live.outcome.failures if live.recorder is None else live.recorder.failures
            failures.append(lost)
        return live

    def _existing(self, path: Path, mode: Mode) -> Cassette | None:
        """Open what is to be recorded into; None where it is to be begun."""
        if not path.exists():
            return None
        try:
            cassette = open_cassette(path, progress=self.progress)
        except NotAFileError:
            raise
        except CassetteError as exc:
            if mode is not Mode.ALL:
                raise
            from graphtape.tape.target import check_replaceable  # noqa: PLC0415 - few are damaged

            check_replaceable(path)
            self.say(f"{exc}; a run that goes well replaces it")
            return None
        if cassette.edited:
            self.say(f"{path}: edited since it was recorded")
        if mode is Mode.ONCE:
            self.say(
                f"{path} exists and mode is once: it plays, and nothing is forwarded or recorded; "
                "--mode new_episodes adds to it, --mode all replaces it"
            )
        return cassette

    def _shared(self, path: Path) -> Loaded:
        """Return a cassette to be played: loaded anew only where its file has changed."""
        stamp = _stamp(path)
        found = self._library.get(path)
        if found is None or stamp is None or found[0] != stamp:
            with self._loading:
                found = self._library.get(path)
                if found is None or stamp is None or found[0] != stamp:
                    found = ((0, 0, 0) if stamp is None else stamp, self._load(path))
                    self._library[path] = found
                    self._library.move_to_end(path)
                    while len(self._library) > _KEPT:
                        self._library.popitem(last=False)
        return found[1]

    def _name(self, path: Path) -> str:
        return self.names.get(path) or str(path)

    def _load(self, path: Path) -> Loaded:
        if part_path(path).exists():
            self._say_unsaved(path)
        try:
            loaded = self._compiled(path) if is_large(path) else None
            if loaded is None:
                cassette = open_cassette(path, progress=self.progress)
                loaded = self._indexed(path, cassette, Mode.NONE)
        except CassetteError as exc:
            if path not in self.names:
                raise
            raise CassetteError(str(exc).replace(str(path), self.names[path])) from exc
        if loaded.edited:
            self.say(f"{self._name(path)}: edited since it was recorded")
        if self._oldest is not None and loaded.metadata is not None:
            self._check_age(path, loaded.metadata.recorded_at, self._oldest)
        return loaded

    def _check_age(self, path: Path, recorded_at: str, oldest: AgeLimit) -> None:
        """Say that a cassette is older than it may be.

        Raises:
            CassetteError: It isn't to be played then.
        """
        said = oldest.complaint(self._name(path), recorded_at, datetime.now(UTC))
        if said is not None and oldest.fails:
            raise CassetteError(said)
        if said is not None:
            self.say(said)

    def _say_unsaved(self, path: Path) -> None:
        """Say what an append file beside a cassette means.

        Raises:
            CassetteError: The cassette is just being made.
        """
        from graphtape.tape.lock import held_here  # noqa: PLC0415 - few replays meet one

        if not held_here(path):
            self.say(
                f"{part_path(path)} holds a recording that was not saved; the next "
                f"`graphtape record {path}` takes it up"
            )
        elif path.exists():
            self.say(f"{path}: another session of this proxy records into it; what was there plays")
        else:
            raise CassetteError(
                f"{path}: another session of this proxy is recording it, and it is written once "
                "that one ends; DELETE that one first"
            )

    def _compiled(self, path: Path) -> Loaded | None:
        """Open a large cassette, which is compiled the first time; None where it isn't large."""
        from graphtape.tape.cache import load_compiled  # noqa: PLC0415 - most are small

        return load_compiled(
            path,
            name=self._name(path),
            policy=self._policy,
            salt=lambda metadata: self._salt(path, metadata, Mode.NONE),
            options=self._options,
            progress=self.progress,
        )

    def _indexed(self, path: Path, cassette: Cassette, mode: Mode) -> Loaded:
        """Make ready what is played and added to."""
        redactor = self._redactor(self._salt(path, cassette.metadata, mode))
        return Loaded.of(cassette, name=self._name(path), redactor=redactor, options=self._options)

    def _redactor(self, salt: str) -> Redactor:
        return Redactor(salt=salt, policy=self._policy)

    def _salt(self, path: Path, metadata: Metadata | None, mode: Mode) -> str:
        """Return the salt of a cassette's pseudonyms: a new one where it has none yet."""
        from_environment = os.environ.get("GRAPHTAPE_SALT")
        own = metadata.salt if metadata is not None else ""
        if own and from_environment and own != from_environment:
            self.say(f"{path}: holds a salt of its own, which is used; not GRAPHTAPE_SALT")
        if metadata is not None and not own and not from_environment:
            if mode is Mode.NEW_EPISODES:
                raise CassetteError(
                    f"{path}: its salt is not in the file, and with another one each identity "
                    "would get a second name; set GRAPHTAPE_SALT to the one it was recorded with"
                )
            self.say(
                f"{self._name(path)}: its salt is not in the file; set GRAPHTAPE_SALT to the one "
                "it was recorded with, or identities sent by the client won't match"
            )
        return own or from_environment or secrets.token_hex(16)

    def _recorder(self, path: Path, mode: Mode, old: Cassette | None, salt: str) -> Recorder:
        from graphtape.tape.hooks import Hooks  # noqa: PLC0415 - no replay writes
        from graphtape.tape.recorder import Recorder  # noqa: PLC0415 - likewise
        from graphtape.tape.vcr_format import Metadata  # noqa: PLC0415 - likewise

        redaction = self.settings.redaction
        metadata = Metadata(
            graphtape=__version__,
            upstream=self.upstream,
            recorded_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            salt="" if salt == os.environ.get("GRAPHTAPE_SALT") else salt,
        )
        return Recorder(
            path=path,
            mode=mode,
            old=old,
            metadata=metadata,
            # Of its own: what they count is what is on the tape.
            redactor=self._redactor(salt),
            aside=self._redactor(salt),
            hooks=Hooks.named(redaction.before_record_request, redaction.before_record_response),
            keep_opaque=self.settings.keep_opaque,
            fsync=self.settings.fsync,
            progress=self.saving,
        )


def _stamp(path: Path) -> _Stamp | None:
    """Return what changes when a file does; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
