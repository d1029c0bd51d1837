"""How long Graph waits for an app, and for how long it tries again.

After "Receive change notifications through webhooks".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOURS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """Times, in seconds.

    Attributes:
        limit: An answer that takes longer is none: to a validation, and to a notification.
        advised: An app is to answer a notification within this time.
        first: Before the first retry; each further wait is twice as long as the one before.
        longest: What has not been delivered after this time is dropped.
        warning: Before the end of a subscription its app is asked to reauthorize it.
        watch: Between two looks at whether one is due.
        late: How late a notification comes that a scenario wants to be.
        hurry: How many times as fast retries follow; under `--fast` a thousand.
    """

    limit: float = 10.0
    advised: float = 3.0
    first: float = 10.0
    longest: float = 4 * _HOURS
    warning: float = 15 * 60.0
    watch: float = 1.0
    late: float = 60.0
    hurry: float = 1.0

    def waits(self) -> Iterator[float]:
        """Give the wait before each retry, in seconds."""
        wait, waited = self.first, 0.0
        while waited + wait <= self.longest:
            yield wait / self.hurry
            waited += wait
            wait *= 2
