"""Where a run met a failure, and whether the same request came again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core.matching.key import writes
from graphtape.explore.call import meant
from graphtape.explore.fault import BROKEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphtape.explore.fault import Fault
    from graphtape.explore.judging.run import Run
    from graphtape.explore.watch import Asked

_NOT_IDEMPOTENT = frozenset({"POST", "PATCH"})
"""A client may repeat other writes whose answer is lost (RFC 9110 section 9.2.2, RFC 5789)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """The request of a run that met the failure, and what came after it.

    Attributes:
        first: That request.
        after: Every request behind it.
        later: Those of them that are the same, or hold the same part.
        usual: How many the same there are behind it without the failure.
    """

    first: Asked
    after: Sequence[Asked]
    later: Sequence[Asked]
    usual: int

    @property
    def repeated(self) -> bool:
        """Whether it came again more often than it does anyway."""
        return len(self.later) > self.usual

    @property
    def tries(self) -> int:
        """How often it came for its one purpose."""
        return 1 + len(self.later) - self.usual


def met_by(fault: Fault, base: Run, run: Run) -> Met | None:
    """Find the request of a run that met a failure; None where none did."""
    found = meant(fault.call, (each.request for each in run.asked))
    if found is None:
        return None
    place, part = found
    first, after = run.asked[place], run.asked[place + 1 :]
    same = first.identities[part]
    # Counted, not looked up: calls that are made at once arrive in another order each time.
    usual = sum(same in each.identities for each in base.asked)
    usual -= sum(same in each.identities for each in run.asked[: place + 1])
    return Met(
        first=first,
        after=after,
        later=[each for each in after if same in each.identities],
        usual=max(0, usual),
    )


def same_requests(fault: Fault, base: Run) -> Sequence[Asked]:
    """Return the request of the run without faults that a failure is for, and all like it later."""
    found = meant(fault.call, (each.request for each in base.asked))
    if found is None:
        return ()
    place, part = found
    same = base.asked[place].identities[part]
    return [each for each in base.asked[place:] if same in each.identities]


def repeats_blindly(fault: Fault, run: Run, met: Met) -> bool:
    """Tell whether a write came again though its answer was lost, with no read between.

    The observer sees a connection break when the proxy writes to it; a client that has given up
    waiting may be back before.
    """
    request = fault.call.exchange.request
    if fault.kind not in BROKEN or not writes(request):
        return False
    if request.method.upper() not in _NOT_IDEMPOTENT or "If-Match" in request.headers:
        return False
    if b'"transactionId"' in request.body:  # Outlook drops the second one
        return False
    for each in met.after:
        if each in met.later:
            # A slow answer may have come after all, to a client that waited.
            return fault.kind != "slow" or not run.whole.get(met.first.number, False)
        if not writes(each.request):
            return False
    return False


def outran(fault: Fault, run: Run, met: Met) -> bool:
    """Tell whether a write came again while its first answer was under way.

    It is answered then, but the tape goes on only once the first answer is out.
    """
    return fault.again is not None and met.repeated and not run.whole.get(met.first.number, False)
