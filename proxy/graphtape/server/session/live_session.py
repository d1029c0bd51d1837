"""A session that is being served."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from graphtape.core.errors import CassetteError
from graphtape.core.matching.key import DEFAULT
from graphtape.core.scenario.play import Play
from graphtape.core.verdict.observer import Observer
from graphtape.core.verdict.tally import Tally
from graphtape.server.session.outcome import Outcome
from graphtape.tape.store import part_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from graphtape.core.matching.key import MatchOptions
    from graphtape.core.matching.miss import Explanation
    from graphtape.core.message import Request
    from graphtape.core.redaction import Redactor
    from graphtape.core.scenario.rule import Scenario
    from graphtape.core.scenario.status import StatusRule
    from graphtape.core.tape.session import Session
    from graphtape.server.notify.webhooks import Webhooks
    from graphtape.server.session.steps import Shared
    from graphtape.tape.loaded import Loaded
    from graphtape.tape.recorder import Recorder

EPOCH = time.time() - time.perf_counter()
"""Unix seconds at which `time.perf_counter()` was 0: a clock that doesn't jump."""

_REMEMBERED = 1000
"""Messages a session knows again."""

MISSES_KEPT = 200
_LONGEST_KEPT = 64 * 1024
"""Bytes of the body of a request that nothing answers."""


@dataclass(slots=True, kw_only=True, eq=False)
class LiveSession:
    """A session and where what it records goes.

    Attributes:
        play: Decides and bends.
        clean: Keeps secrets out of journal and log.
        cassettes: As they were asked for.
        paths: Their files.
        seed: Of everything random; None is each scenario's own.
        recorder: Takes what is forwarded; None where nothing may be.
        held: What the session holds until it ends: its cassette's lock.
        taped: The hosts off Graph that its tapes were recorded from, in canonical form: they can
            be replayed.
        played: The cassettes it plays.
        named: Those that upstream's answers named; no other is reached.
        options: What makes two requests the same one.
        bearing: Whether the proxy adds the token to what is forwarded.
        check: Says what of a request Graph doesn't have; None where nobody asks.
        observer: Sees what the client does that Graph advises against.
        saved: The variables of its cassettes, by name.
        verdicts: What the observer has seen.
        outcome: Final once it has ended.
        missed: Why nothing answered the newest `MISSES_KEPT` requests that missed, by number; of a
            batch, each part that did.
        rewound: How often it was.
        webhooks: Its app's subscriptions to changes; None where it has none.
        open: Whether its requests are answered.
        shared: Takes its steps, where several proxies serve it; else None.
    """

    play: Session
    clean: Redactor
    cassettes: tuple[str, ...] = ()
    paths: tuple[Path, ...] = ()
    seed: int | None = None
    recorder: Recorder | None = None
    held: ExitStack = field(default_factory=ExitStack)
    taped: frozenset[str] = field(init=False)
    played: tuple[Loaded, ...] = ()
    named: set[str] = field(default_factory=set)
    options: MatchOptions = DEFAULT
    bearing: bool = False
    check: Callable[[Request], tuple[str, ...]] | None = None
    saved: Mapping[str, str] = field(default_factory=dict)
    observer: Observer = field(init=False)
    verdicts: Tally = field(init=False)
    outcome: Outcome = field(init=False)
    missed: dict[int, tuple[Explanation, ...]] = field(default_factory=dict)
    rewound: int = 0
    webhooks: Webhooks | None = None
    open: bool = True
    shared: Shared | None = None
    _scenarios: tuple[Scenario, ...] = ()
    _told: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Begin to watch."""
        self.observer = Observer(
            self.clean_url,
            options=self.options,
            bearing=self.bearing,
            check=None if self.check is None else self._checked,
        )
        recordings = [playback.recording for playback in self.play.playbacks]
        self.taped = frozenset().union(*(each.origins for each in recordings))
        self.verdicts = Tally()
        self.play.journal.clean = self.clean_url
        self.play.journal.epoch = EPOCH
        self.outcome = Outcome(session=self.play, played=self.played, verdicts=self.verdicts)

    def _checked(self, request: Request) -> tuple[str, ...]:
        assert self.check is not None  # noqa: S101 - the observer is given this only then
        return tuple(map(self.clean.text, self.check(request)))

    def clean_url(self, url: str) -> str:
        """Take secrets and identities out of a URL, with the redactor of now."""
        return self.clean.url(url)

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Those that direct it."""
        return self._scenarios

    @property
    def variables(self) -> Mapping[str, str]:
        """Values that a test made up while recording, by name."""
        return self.saved if self.recorder is None else self.recorder.variables

    def first_told(self, message: str) -> bool:
        """Tell whether a message is new in this session; what repeats is told in short."""
        known = hash(message) in self._told
        if len(self._told) < _REMEMBERED:
            self._told.add(hash(message))
        return not known

    def direct(self, *, scenario: tuple[Scenario, ...], status: tuple[StatusRule, ...]) -> None:
        """Put scenarios and status rules in place of those there are; nothing is counted yet."""
        self._scenarios = scenario
        self.play.direct(Play.over(scenario, seed=self.seed), status)

    def undirect(self) -> None:
        """Answer as recorded."""
        self.direct(scenario=(), status=())

    def rewind(self) -> None:
        """Play the tapes from their start, and the scenarios; the journal stays."""
        self.play.rewind()
        self.rewound += 1
        if self.webhooks is not None:
            self.webhooks.rewind()

    def keep_miss(self, number: int, explanation: Explanation) -> None:
        """Keep why nothing answers a request, or a part of it; the oldest go first."""
        if len(explanation.asked.body) > _LONGEST_KEPT:
            explanation = replace(explanation, asked=replace(explanation.asked, body=b""))
        self.missed[number] = (*self.missed.get(number, ()), explanation)
        if len(self.missed) > MISSES_KEPT:
            del self.missed[next(iter(self.missed))]

    def end(self, *, now: float, well: bool) -> None:
        """Save what was recorded, then let the cassette go. Works on files: not for the loop.

        Args:
            now: Seconds on the clock of the observer.
            well: Whether the run went well in its user's eyes.
        """
        self.open = False
        with self.held:  # the lock goes last: nobody else may see the cassette before it is saved
            self.verdicts.add(self.observer.ended(now=now))
            if self.recorder is not None:
                self._save(self.recorder, well=well)

    def _save(self, recorder: Recorder, *, well: bool) -> None:
        outcome = self.outcome
        outcome.path = recorder.path
        try:
            outcome.saved = recorder.save(well=well)
        except CassetteError as exc:
            kept = part_path(recorder.path)
            where = (
                f"what was recorded is in {kept}, and the next record takes it up"
                if kept.exists()
                else "what was recorded is lost"
            )
            recorder.fail(f"{exc}; {where}")
        outcome.recorded = recorder.recorded
        outcome.dropped = recorder.dropped
        outcome.notes = recorder.notes
        outcome.failures = recorder.failures
        outcome.redacted = recorder.redacted
