"""What one session came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphtape.core.journal import Source
from graphtape.core.report.wording import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphtape.core.report.usage import Unused
    from graphtape.core.tape.outcome import Mode
    from graphtape.core.verdict.verdict import Kind, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What happened to requests, as often as it did: the same is told once.

    Attributes:
        number: Of the first, in the journal.
        url: Graph's.
        status: Of the answer; 0 where the client got none.
        times: How many requests it happened to.
        reason: Lines for a person; the first says it all.
    """

    number: int
    method: str
    url: str
    status: int
    times: int = 1
    reason: str

    @property
    def headline(self) -> str:
        """The first line of the reason."""
        return self.reason.partition("\n")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Injected:
    """What scenarios did: an answer, a change of one, or a connection broken or slowed.

    Attributes:
        why: The scenario, rule and effects.
        status: 0 where the connection was broken.
    """

    why: str
    status: int
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A call that a client made, and the failures it met.

    Attributes:
        path: At Graph, version included, query left out.
        times: How many requests.
        failures: How many of them met what: a status from 400 on, or what broke or slowed the
            connection, as scenarios name it.
    """

    method: str
    path: str
    times: int
    failures: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CassetteFacts:
    """What is known of a cassette that was played.

    Attributes:
        name: As the replay was given it.
        interactions: How many it holds.
        recorded_at: UTC, ISO 8601; None where unknown.
        upstream: A cloud's name, `sandbox` or `custom`; None where unknown.
        edited: Since it was recorded, by hand or tool.
    """

    name: str
    interactions: int
    recorded_at: str | None = None
    upstream: str | None = None
    edited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """A cassette and its age in whole days; None where unknown."""

    facts: CassetteFacts
    days: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taping:
    """What was recorded.

    Attributes:
        saved: How many interactions the cassette holds now; None where none was written.
        recorded: How many of them are new.
        dropped: Why interactions were left off the tape.
        failures: What else went wrong; the run is no success.
        redacted: How many `secrets` and `identities` were replaced, and how many `personal` kept.
    """

    saved: int | None = None
    recorded: int = 0
    dropped: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    redacted: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one session came to. Secrets and identities are out of every text.

    Attributes:
        now: Unix seconds, when it was made.
        forwards: Whether requests could reach upstream.
        arrived: Requests, also those still under way.
        counts: Requests by where their answers came from; no source is left out.
        misses, refused, unfinished: The first different ones, in the order they came.
        misses_cut: How many missed requests `misses` doesn't tell.
        unused: Of every cassette that was played.
        unused_cut: How many unused interactions `unused` doesn't tell.
        verdicts: The first of each kind.
        judged: How many there were of each kind.
        called: The first different calls, and the failures that they met.
        idle: Rules of scenarios that matched no request, and why.
        fail_on_unused, fail_on: What the user wants to fail the run.
    """

    session: str
    mode: Mode
    now: float
    forwards: bool = False
    arrived: int = 0
    counts: Mapping[Source, int]
    misses: tuple[Incident, ...] = ()
    misses_cut: int = 0
    refused: tuple[Incident, ...] = ()
    unfinished: tuple[Incident, ...] = ()
    injected: tuple[Injected, ...] = ()
    unused: tuple[Unused, ...] = ()
    unused_cut: int = 0
    verdicts: tuple[Verdict, ...] = ()
    judged: Mapping[Kind, int] = field(default_factory=dict)
    called: tuple[Called, ...] = ()
    idle: tuple[str, ...] = ()
    cassettes: tuple[Aged, ...] = ()
    taping: Taping = field(default_factory=Taping)
    fail_on_unused: bool = False
    fail_on: tuple[Kind, ...] = ()

    @property
    def unused_count(self) -> int:
        """How many interactions were left unused."""
        return self.unused_cut + sum(each.count for each in self.unused)

    @property
    def reached_nobody(self) -> bool:
        """Whether requests were to be forwarded, and every one was refused."""
        return self.forwards and self.counts[Source.REFUSED] == sum(self.counts.values()) > 0

    def wrong(self) -> tuple[str, ...]:
        """Say why the session is no success; nothing where it is one."""
        taping, missed, unused = self.taping, self.counts[Source.MISSED], self.unused_count
        reasons = [
            taping.failures and count(len(taping.failures), "failure"),
            taping.dropped and f"{count(len(taping.dropped), 'interaction')} left off the tape",
            *(f"verdict {kind}" for kind in self.fail_on if self.judged.get(kind)),
            missed and count(missed, "miss", "misses"),
            self.reached_nobody and "every request was refused",
            self.fail_on_unused and unused and count(unused, "unused interaction"),
        ]
        return tuple(str(reason) for reason in reasons if reason)
