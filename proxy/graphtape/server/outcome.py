"""What a session came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphtape.core.report import Taping, account

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphtape.core.recording import Recording
    from graphtape.core.report import CassetteFacts, Report
    from graphtape.core.session import Session
    from graphtape.core.verdict import Kind, Tally


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a session came to.

    Attributes:
        session: With its journal.
        recordings: What was played, in order.
        cassettes: What is known of them.
        saved: How many interactions the cassette holds now; None where none was written.
        recorded: How many of them are new.
        dropped: Why interactions were left off the tape.
        verdicts: What the client did that Graph advises against.
        failures: What else went wrong; the run is no success.
        redacted: How many secrets and identities were replaced.
    """

    session: Session
    recordings: tuple[Recording, ...]
    cassettes: tuple[CassetteFacts, ...]
    verdicts: Tally
    saved: int | None = None
    recorded: int = 0
    dropped: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    redacted: dict[str, int] = field(default_factory=dict)


def report_of(
    outcome: Outcome,
    *,
    now: float,
    fail_on_unused: bool = False,
    fail_on: Iterable[Kind] = (),
) -> Report:
    """Tell what a run came to.

    Args:
        outcome: Final.
        now: Unix seconds.
        fail_on_unused: Whether unused interactions fail the run.
        fail_on: The verdicts that do.
    """
    return account(
        outcome.session,
        outcome.verdicts,
        cassettes=outcome.cassettes,
        taping=Taping(
            saved=outcome.saved,
            recorded=outcome.recorded,
            dropped=tuple(outcome.dropped),
            failures=tuple(outcome.failures),
            redacted=dict(outcome.redacted),
        ),
        now=now,
        fail_on_unused=fail_on_unused,
        fail_on=fail_on,
    )
