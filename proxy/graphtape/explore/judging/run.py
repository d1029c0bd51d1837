"""One run of the command, and what its session saw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphtape.core.message import Response
    from graphtape.core.verdict.verdict import Kind
    from graphtape.explore.watch import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the command, and what its session saw.

    Attributes:
        code: As a shell has it; 128+N for signal N.
        signal: That ended it; '' where none did.
        late: Whether it was killed at the time limit.
        milliseconds: From start to end.
        limit: Seconds it was given.
        output: What the oracle compares; None where the exit code alone counts.
        stdout, stderr: As printed.
        base_url: Of its session.
        asked: The requests, in the order they arrived.
        answers: The answers by the number of the request, as far as they came from tape; those
            that a scenario bent aren't among them.
        interactions: Their indices on the tape, by the number of the request.
        statuses: By the number of the request; 0 where the client got no answer.
        whole: By the number of the request, whether its answer was out before the next one came.
        misses: A name for each request that nothing recorded answers.
        verdicts: How often the client did what Graph advises against.
    """

    code: int
    signal: str = ""
    late: bool = False
    milliseconds: int = 0
    limit: float = 0.0
    output: str | None = None
    stdout: str = ""
    stderr: str = ""
    base_url: str = ""
    asked: tuple[Asked, ...] = ()
    answers: dict[int, Response] = field(default_factory=dict)
    interactions: dict[int, int] = field(default_factory=dict)
    statuses: dict[int, int] = field(default_factory=dict)
    whole: dict[int, bool] = field(default_factory=dict)
    misses: tuple[str, ...] = ()
    verdicts: Mapping[Kind, int] = field(default_factory=dict)
