"""What a run under one failure shows of the command, by facts."""

from __future__ import annotations

import enum
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphtape.core.matching.key import writes
from graphtape.core.verdict.call import About
from graphtape.core.verdict.verdict import Kind
from graphtape.explore.call import meant
from graphtape.explore.fault import BROKEN, LOST, TOLD_TO_WAIT, status_values
from graphtape.explore.oracle import difference, normalised

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graphtape.core.message import Response
    from graphtape.core.verdict.verdict import Verdict
    from graphtape.explore.fault import Fault
    from graphtape.explore.watch import Asked

_FIRST_ERROR = 400
_SUCCESS = range(200, 300)
# Each runtime's own words for an error that nobody caught.
_UNHANDLED = (
    (re.compile(r"^ +\+ Exception Group Traceback", re.MULTILINE), "an unhandled ExceptionGroup"),
    (re.compile(r"^panic: ", re.MULTILINE), "a Go panic"),
    (re.compile(r"^thread '.*' panicked at", re.MULTILINE), "a Rust panic"),
    (re.compile(r'^Exception in thread "', re.MULTILINE), "an unhandled Java exception"),
    (re.compile(r"^Unhandled [Ee]xception[.:]", re.MULTILINE), "an unhandled .NET exception"),
    (re.compile(r"^Node\.js v\d+", re.MULTILINE), "an uncaught error of Node.js"),
    (re.compile(r"^\S+\.rb:\d+:in .*\(\w+\)$", re.MULTILINE), "an uncaught Ruby error"),
    (re.compile(r"^PHP Fatal error: +Uncaught", re.MULTILINE), "an uncaught PHP error"),
)
_SHELL_CODES = {
    132: "SIGILL",
    134: "SIGABRT",
    135: "SIGBUS",
    136: "SIGFPE",
    137: "SIGKILL",
    139: "SIGSEGV",
}
"""By what a script whose child was killed ends with."""

_PYTHON = "Traceback (most recent call last):"
_SENTENCE = re.compile(r"[A-Za-z][\x20-\x7e]*\Z")
_LOGGED = re.compile(
    r"\b(?:DEBUG|INFO|WARNING|ERROR|CRITICAL|FATAL)\b|^future: |^task: |^Exception ignored in",
    re.IGNORECASE,
)
"""Stands before a traceback that is logged, by asyncio or as the interpreter ends, too."""


_WHY = {
    Kind.BLIND_RETRY: "a write arrived again after its answer was lost, without a look between",
    Kind.EARLY_RETRY: "the same request came back before Retry-After was over",
}


class Result(enum.StrEnum):
    """What a run shows; the value stands in reports."""

    SURVIVED = "survived"
    TOLD = "told"
    BLIND_RETRY = "blind retry"
    EARLY_RETRY = "early retry"
    NO_RETRY = "no retry"
    HAMMERED = "hammered"
    WRONG = "wrong"
    ENDLESS = "endless"
    CRASH = "crash"
    MISS = "miss"
    NOT_MET = "not met"

    @property
    def finding(self) -> bool:
        """Whether it is something to mend."""
        return self not in {Result.SURVIVED, Result.TOLD, Result.NOT_MET}


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
        statuses: By the number of the request; 0 where the client got no answer.
        whole: By the number of the request, whether its answer was out before the next one came.
        misses: Requests that nothing recorded answers: number, and a name for each.
        verdicts: What the client did that Graph advises against.
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
    statuses: dict[int, int] = field(default_factory=dict)
    whole: dict[int, bool] = field(default_factory=dict)
    misses: tuple[tuple[int, str], ...] = ()
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A result and why, one line."""

    result: Result
    why: str


def judge(fault: Fault, base: Run, run: Run, *, tries: int) -> Judgement:
    """Judge a run by what it did beyond the run without faults.

    Args:
        fault: That the run met.
        base: Without faults.
        run: With this one.
        tries: Of the same request, the first included, that are no hammering.
    """
    place = meant(fault.call, (each.request for each in run.asked))
    if place is None and not run.late and run.code == 0:
        return Judgement(result=Result.NOT_MET, why="the call didn't come in this run")
    for found in (
        _of_end(run),
        _of_repeats(fault, base, run, place, tries),
        _of_misses(run),
    ):
        if found is not None:
            return found
    if run.code:
        return Judgement(result=Result.TOLD, why=f"it exited with {run.code}")
    return _of_result(fault, base, run, place)


def _of_end(run: Run) -> Judgement | None:
    if run.late:
        return Judgement(result=Result.ENDLESS, why=f"no end within {run.limit:g} s")
    if run.signal:
        return Judgement(result=Result.CRASH, why=f"it was killed by {run.signal}")
    if run.code in _SHELL_CODES:
        why = f"exit code {run.code}, a shell's for {_SHELL_CODES[run.code]}"
        return Judgement(result=Result.CRASH, why=why)
    unhandled = unhandled_error(run.stderr) if run.code else None
    if unhandled is not None:
        return Judgement(result=Result.CRASH, why=unhandled)
    return None


def unhandled_error(stderr: str) -> str | None:
    """Say which error nobody caught, from what a runtime prints of it; None where it prints none.

    A traceback that the program itself prints stands behind a line with the level of a message, or
    is followed by a line of the program's.
    """
    lines = stderr.rstrip().splitlines()
    starts = [place for place, line in enumerate(lines) if line == _PYTHON]
    if starts:
        last = first = starts[-1]
        for earlier in reversed(starts[:-1]):
            if not _chained(lines, earlier, first):
                break
            first = earlier
        error, *rest = [line for line in lines[last + 1 :] if line[:1].strip()] or [""]
        logged = first > 0 and _LOGGED.search(lines[first - 1])
        exits = error.startswith("SystemExit")  # somebody's exit code, from a task or a group
        if error and not exits and not logged and not any(_SENTENCE.match(line) for line in rest):
            return f"an unhandled traceback: {error.partition(':')[0][:200]}"
    for pattern, name in _UNHANDLED:
        if pattern.search(stderr):
            return name
    return None


def _chained(lines: Sequence[str], earlier: int, later: int) -> bool:
    between = "\n".join(lines[earlier:later])
    return "direct cause of the following" in between or "another exception occurred" in between


def _of_repeats(
    fault: Fault, base: Run, run: Run, place: int | None, tries: int
) -> Judgement | None:
    identity = About(fault.call.exchange.request, str).identity
    after = usual = 0
    if place is not None:
        after = sum(identity in each.identities for each in run.asked[place + 1 :])
        usual = sum(identity in each.identities for each in base.asked[place + 1 :])
    before = Counter(each.kind for each in base.verdicts)
    more = {
        kind
        for kind, count in Counter(each.kind for each in run.verdicts).items()
        if count > before[kind]
    }
    # A command that makes the same write twice repeats nothing with the second one.
    blind = Kind.BLIND_RETRY in more or (place is not None and _blind(fault, run, place, identity))
    if blind and (place is None or after > usual):
        return Judgement(result=Result.BLIND_RETRY, why=_WHY[Kind.BLIND_RETRY])
    if Kind.EARLY_RETRY in more:
        return Judgement(result=Result.EARLY_RETRY, why=_WHY[Kind.EARLY_RETRY])
    return None if place is None else _of_tries(fault, after, usual, tries)


def _of_tries(fault: Fault, after: int, usual: int, tries: int) -> Judgement | None:
    """Judge how often the request came again after the failure.

    Args:
        fault: That it met.
        after: How often it came.
        usual: How often it does without the failure.
        tries: That are no hammering.
    """
    if not fault.value and 1 + after - usual > tries:  # else it polls
        why = f"the same request came {1 + after - usual} times, more than {tries}"
        return Judgement(result=Result.HAMMERED, why=why)
    if fault.kind in TOLD_TO_WAIT and not after:
        what = "one part was answered" if fault.name != fault.kind else "it was answered"
        why = f"{what} {fault.words[0]} with Retry-After, and the same request never came again"
        return Judgement(result=Result.NO_RETRY, why=why)
    return None


def _blind(fault: Fault, run: Run, place: int, identity: bytes) -> bool:
    """Tell whether a write came again though its answer was lost, with no read between.

    The observer sees a connection break when the proxy writes to it; a client that has given up
    waiting may be back before.
    """
    request = fault.call.exchange.request
    if fault.kind not in BROKEN or request.method.upper() != "POST" or not writes(request):
        return False
    if b'"transactionId"' in request.body:
        return False
    for each in run.asked[place + 1 :]:
        if identity in each.identities:
            # A slow answer may have come after all, to a client that waited.
            return fault.kind != "slow" or not run.whole.get(run.asked[place].number, False)
        if not writes(each.request):
            return False
    return False


def _of_misses(run: Run) -> Judgement | None:
    if not run.misses:
        return None
    return Judgement(result=Result.MISS, why=f"nothing recorded answers {run.misses[0][1]}")


def _of_result(fault: Fault, base: Run, run: Run, place: int | None) -> Judgement:
    told = _told(fault, base, run)
    changed = None
    if base.output is not None and run.output is not None:
        changed = difference(
            base.output, run.output, base_url=base.base_url, other_url=run.base_url
        )
    if fault.value:
        return _of_status(fault, base, run, changed)
    if told is not None and (changed is not None or _lost_write(fault, run, place)):
        return Judgement(result=Result.TOLD, why=f"stderr says {told!r}")
    if changed is not None:
        return Judgement(result=Result.WRONG, why=f"exit 0 with another result: {changed}")
    if _lost_write(fault, run, place):
        why = "exit 0 and nothing on stderr, and the write never succeeded"
        return Judgement(result=Result.WRONG, why=why)
    return Judgement(result=Result.SURVIVED, why="the same result as without the fault")


def _of_status(fault: Fault, base: Run, run: Run, changed: str | None) -> Judgement:
    """Judge a bent status: wrong only where the command printed one that was replaced.

    One that another answer of the run holds may come from there.
    """
    if difference(base.stdout, run.stdout, base_url=base.base_url, other_url=run.base_url) is None:
        place = meant(fault.call, (each.request for each in base.asked)) or 0
        identity = About(fault.call.exchange.request, str).identity
        bent = [each for each in base.asked[place:] if identity in each.identities]
        replaced = _statuses(base, bent) | set(
            status_values(fault.call.exchange.request, fault.call.exchange.response)
        )
        for value in sorted(replaced - _statuses(run, run.asked) - {fault.value}):
            if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", run.stdout):
                why = f"exit 0, and it printed {value!r} where {fault.value!r} was answered"
                return Judgement(result=Result.WRONG, why=why)
    same = "the same result" if changed is None else f"exit 0: {changed}"
    return Judgement(result=Result.SURVIVED, why=same)


def _statuses(run: Run, asked: Iterable[Asked]) -> set[str]:
    """Return the values of chromeOSOnboardingStatus that were answered as recorded."""
    found: set[str] = set()
    for each in asked:
        answer = run.answers.get(each.number)
        if answer is not None:
            found |= set(status_values(each.request, answer))
    return found


def _told(fault: Fault, base: Run, run: Run) -> str | None:
    """Return the line of stderr that names the fault; None where none does."""
    usual = set(normalised(base.stderr, base.base_url).splitlines())
    for line in run.stderr.splitlines():
        if normalised(line, run.base_url) in usual:
            continue
        lower = line.lower()
        if any(re.search(rf"(?<!\w){re.escape(word)}", lower) for word in fault.words):
            return normalised(line, run.base_url).strip()[:200]
    return None


def _lost_write(fault: Fault, run: Run, place: int | None) -> bool:
    """Tell whether a write failed for certain and never succeeded.

    A conflict may say that all is as wanted; a client may have read how a write ended whose answer
    was lost.
    """
    request = fault.call.exchange.request
    if place is None or not writes(request) or fault.kind in {"409", "slow", "truncate"}:
        return False
    if request.method.upper() == "DELETE" and fault.kind in {"404", "410"}:
        return False
    if fault.call.exchange.response.status not in _SUCCESS:
        return False
    identity = About(request, str).identity
    later = run.asked[place + 1 :]
    if any(
        identity in each.identities and 0 < run.statuses.get(each.number, 0) < _FIRST_ERROR
        for each in later
    ):
        return False
    return not (fault.kind in LOST and any(not writes(each.request) for each in later))
