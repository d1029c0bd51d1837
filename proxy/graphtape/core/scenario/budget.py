"""A documented throttling limit: so many requests in so many seconds."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much is let through (Microsoft Graph service-specific throttling limits, Intune).

    Attributes:
        writes: Requests that write, per window; None for no limit.
        any: Requests of any kind, per window; None for no limit.
        window: Seconds; a sliding one.
    """

    writes: int | None
    any: int | None
    window: float


@dataclass(slots=True)
class Account:
    """The requests counted against a budget; refused ones aren't counted."""

    budget: Budget
    _writes: deque[float] = field(default_factory=deque)
    _any: deque[float] = field(default_factory=deque)

    def snapshot(self) -> tuple[list[float], list[float]]:
        """Return the times of the requests that count."""
        return list(self._writes), list(self._any)

    def restore(self, writes: Iterable[float], any_: Iterable[float]) -> None:
        """Count what `snapshot` says."""
        self._writes, self._any = deque(writes), deque(any_)

    def spend(self, *, write: bool, now: float) -> int | None:
        """Take one request, or return the whole seconds until one is let through again.

        Args:
            write: Whether it counts as a write as well.
            now: Seconds on a clock that never goes back.
        """
        limits = [(self._any, self.budget.any)]
        if write:
            limits.append((self._writes, self.budget.writes))
        for times, _ in limits:
            while times and times[0] <= now - self.budget.window:
                times.popleft()
        waits = [
            times[0] + self.budget.window - now
            for times, limit in limits
            if limit is not None and len(times) >= limit
        ]
        if waits:
            return max(1, math.ceil(max(waits)))
        for times, limit in limits:
            if limit is not None:
                times.append(now)
        return None
