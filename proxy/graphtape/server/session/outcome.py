"""What a session came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from graphtape.core.report.report import Report
    from graphtape.core.report.usage import Usage
    from graphtape.core.tape.session import Session
    from graphtape.core.verdict.tally import Tally
    from graphtape.core.verdict.verdict import Kind
    from graphtape.tape.loaded import Loaded


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a session came to.

    Attributes:
        session: With its journal.
        played: The cassettes it played, in order.
        saved: How many interactions the cassette holds now; None where none was written.
        recorded: How many of them are new.
        dropped: Why interactions were left off the tape.
        verdicts: What the client did that Graph advises against.
        path: The cassette it recorded into; None where it recorded into none.
        failures: What else went wrong; the run is no success.
        redacted: How many secrets and identities were replaced.
        notes: What is to be known of what was saved.
    """

    session: Session
    played: tuple[Loaded, ...]
    verdicts: Tally
    path: Path | None = None
    saved: int | None = None
    recorded: int = 0
    dropped: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    redacted: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def report_of(
    outcome: Outcome,
    *,
    now: float,
    fail_on_unused: bool = False,
    fail_on: Iterable[Kind] = (),
    usage: Usage | None = None,
) -> Report:
    """Tell what a run came to.

    Args:
        outcome: Final.
        now: Unix seconds.
        fail_on_unused: Whether unused interactions fail the run.
        fail_on: The verdicts that do.
        usage: Of the tapes of all the sessions that are told of together.
    """
    from graphtape.core.report.accounting import account  # noqa: PLC0415 - once it is over
    from graphtape.core.report.report import Taping  # noqa: PLC0415 - likewise

    return account(
        outcome.session,
        outcome.verdicts,
        cassettes=[each.facts for each in outcome.played],
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
        usage=usage,
    )
