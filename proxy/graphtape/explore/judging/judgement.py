"""What a run under one failure shows of the command, by facts."""

from __future__ import annotations

import enum
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core.matching.key import writes
from graphtape.core.verdict.verdict import Kind
from graphtape.explore.documented import status_values
from graphtape.explore.fault import LOST, TOLD_TO_WAIT
from graphtape.explore.judging.oracle import difference, normalised
from graphtape.explore.judging.repeats import met_by, outran, repeats_blindly, same_requests
from graphtape.explore.judging.unhandled import SHELL_CODES, error_in_thread, unhandled_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphtape.explore.fault import Fault
    from graphtape.explore.judging.repeats import Met
    from graphtape.explore.judging.run import Run
    from graphtape.explore.watch import Asked

_FIRST_ERROR = 400
_SUCCESS = range(200, 300)
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


_AFTER_TAPE = frozenset({Result.ENDLESS, Result.MISS, Result.WRONG})
"""What may come of answers that are those of before a write."""


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
    met = met_by(fault, base, run)
    found = _judged(fault, base, run, met, tries)
    if found.result in _AFTER_TAPE and met is not None and outran(fault, run, met):
        why = "it came again while its answer was under way: what follows isn't on the tape"
        return Judgement(result=Result.NOT_MET, why=why)
    return found


def _judged(fault: Fault, base: Run, run: Run, met: Met | None, tries: int) -> Judgement:
    if met is None and not run.late and run.code == 0:
        return Judgement(result=Result.NOT_MET, why="the call didn't come in this run")
    for found in (
        _of_tries(fault, met, tries),
        _of_repeats(fault, base, run, met),
        _of_end(base, run),
        _of_giving_up(fault, met),
        _of_misses(run),
    ):
        if found is not None:
            return found
    if run.code:
        return Judgement(result=Result.TOLD, why=f"it exited with {run.code}")
    return _of_result(fault, base, run, met)


def _of_tries(fault: Fault, met: Met | None, tries: int) -> Judgement | None:
    """Judge how often the request came; one whose answer holds another status is polled."""
    if met is None or fault.value or met.tries <= tries:
        return None
    why = f"the same request came {met.tries} times or more, where {tries} are no hammering"
    return Judgement(result=Result.HAMMERED, why=why)


def _of_end(base: Run, run: Run) -> Judgement | None:
    if run.late:
        return Judgement(result=Result.ENDLESS, why=f"no end within {run.limit:g} s")
    if run.signal:
        return Judgement(result=Result.CRASH, why=f"it was killed by {run.signal}")
    if run.code in SHELL_CODES:
        why = f"exit code {run.code}, a shell's for {SHELL_CODES[run.code]}"
        return Judgement(result=Result.CRASH, why=why)
    unhandled = unhandled_error(run.stderr) if run.code else None
    if unhandled is None and error_in_thread(base.stderr) is None:
        unhandled = error_in_thread(run.stderr)
    if unhandled is not None:
        return Judgement(result=Result.CRASH, why=unhandled)
    return None


def _of_repeats(fault: Fault, base: Run, run: Run, met: Met | None) -> Judgement | None:
    more = Counter(run.verdicts)
    more.subtract(base.verdicts)
    # A command that makes the same write twice repeats nothing with the second one.
    if (met is None or met.repeated) and (
        more[Kind.BLIND_RETRY] > 0 or (met is not None and repeats_blindly(fault, run, met))
    ):
        return Judgement(result=Result.BLIND_RETRY, why=_WHY[Kind.BLIND_RETRY])
    if more[Kind.EARLY_RETRY] > 0:
        return Judgement(result=Result.EARLY_RETRY, why=_WHY[Kind.EARLY_RETRY])
    return None


def _of_giving_up(fault: Fault, met: Met | None) -> Judgement | None:
    if met is not None and fault.kind in TOLD_TO_WAIT and not met.later:
        what = "one part was answered" if fault.name != fault.kind else "it was answered"
        why = f"{what} {fault.words[0]} with Retry-After, and the same request never came again"
        return Judgement(result=Result.NO_RETRY, why=why)
    return None


def _of_misses(run: Run) -> Judgement | None:
    if not run.misses:
        return None
    return Judgement(result=Result.MISS, why=f"nothing recorded answers {run.misses[0]}")


def _of_result(fault: Fault, base: Run, run: Run, met: Met | None) -> Judgement:
    told = _told(fault, base, run)
    changed = None
    if base.output is not None and run.output is not None:
        changed = difference(
            base.output,
            run.output,
            base_url=base.base_url,
            other_url=run.base_url,
            repeated=met is not None and met.repeated,
        )
    if fault.value:
        return _of_status(fault, base, run, changed)
    if told is not None and (changed is not None or _lost_write(fault, run, met)):
        return Judgement(result=Result.TOLD, why=f"stderr says {told!r}")
    if changed is not None:
        return Judgement(result=Result.WRONG, why=f"exit 0 with another result: {changed}")
    if _lost_write(fault, run, met):
        why = "exit 0 and nothing on stderr, and the write never succeeded"
        return Judgement(result=Result.WRONG, why=why)
    return Judgement(result=Result.SURVIVED, why="the same result as without the fault")


def _of_status(fault: Fault, base: Run, run: Run, changed: str | None) -> Judgement:
    """Judge a bent status: wrong only where the command printed the one that was replaced.

    One that another answer of the run holds may come from there; and a line that the run without
    faults doesn't print, or beside the new status, may compare the two.
    """
    before, now = normalised(base.stdout, base.base_url), normalised(run.stdout, run.base_url)
    if not _names(fault.value, now):
        bent = same_requests(fault, base)
        replaced = _statuses(base, bent) | set(
            status_values(fault.call.exchange.request, fault.call.exchange.response)
        )
        same = set(before.splitlines()).intersection(now.splitlines())
        for value in sorted(replaced - _statuses(run, run.asked) - {fault.value}):
            if any(_names(value, line) for line in same):
                why = f"exit 0, and it printed {value!r} where {fault.value!r} was answered"
                return Judgement(result=Result.WRONG, why=why)
    why = "the same result" if changed is None else f"exit 0: {changed}"
    return Judgement(result=Result.SURVIVED, why=why)


def _names(value: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None


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


def _lost_write(fault: Fault, run: Run, met: Met | None) -> bool:
    """Tell whether a write failed for certain and never succeeded.

    A conflict may say that all is as wanted; a client may have read how a write ended whose answer
    was lost.
    """
    request = fault.call.exchange.request
    if met is None or not writes(request) or fault.kind in {"409", "slow", "truncate"}:
        return False
    if request.method.upper() == "DELETE" and fault.kind in {"404", "410"}:
        return False
    if fault.call.exchange.response.status not in _SUCCESS:
        return False
    if any(0 < run.statuses.get(each.number, 0) < _FIRST_ERROR for each in met.later):
        return False
    return not (fault.kind in LOST and any(not writes(each.request) for each in met.after))
