"""How long to wait, as a scenario spells it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, assert_never

if TYPE_CHECKING:
    from graphtape.core.scenario.random_stream import RandomStream

LONGEST = 3600.0
"""Seconds no wait exceeds: a slip in a scenario would else stop a test run without a word."""

SPELLING = r"^[0-9]+(\.[0-9]+)?(ms|s)$"
_SPELLED = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s)", re.ASCII)


def seconds(spelled: str | float) -> float:
    """Read `200ms`, `1.5s`, or a plain number of seconds.

    Raises:
        ValueError: It is none of these, negative, or longer than `LONGEST`.
    """
    if isinstance(spelled, str):
        found = _SPELLED.fullmatch(spelled)
        if found is None:
            raise ValueError(
                f"{spelled!r} is no duration; write 200ms, 1.5s or a number of seconds"
            )
        value = float(found[1]) / (1000 if found[2] == "ms" else 1)
    else:
        value = float(spelled)
    if not 0 <= value <= LONGEST:
        raise ValueError(f"{value:g} s is out of range; a duration is from 0 to {LONGEST:g} s")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """Always the same."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform:
    """Evenly spread between two durations in seconds."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LogNormal:
    """Mostly near the median in seconds, now and then much longer; what real services look like.

    Attributes:
        sigma: Of the logarithm; 0 is always the median.
        longest: Seconds; what is drawn beyond it becomes it.
    """

    median: float
    sigma: float
    longest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PerByte:
    """In proportion to the answer's body, each byte of which takes `seconds`."""

    seconds: float


Delay: TypeAlias = Fixed | Uniform | LogNormal | PerByte


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A delay drawn for one call.

    Attributes:
        seconds: Before the answer's first byte.
        per_byte: Seconds each byte of its body takes.
    """

    seconds: float = 0.0
    per_byte: float = 0.0

    def longer(self, other: Wait) -> Wait:
        """Return what covers both: parts of a batch are answered together."""
        return Wait(
            seconds=max(self.seconds, other.seconds), per_byte=max(self.per_byte, other.per_byte)
        )


NO_WAIT = Wait()


def draw(delay: Delay | None, stream: RandomStream) -> Wait:
    """Say how long a delay is for one call."""
    match delay:
        case None:
            return NO_WAIT
        case Fixed():
            return Wait(seconds=delay.seconds)
        case Uniform():
            spread = delay.high - delay.low
            return Wait(seconds=delay.low + spread * stream.fraction("delay"))
        case LogNormal():
            drawn = delay.median * math.exp(delay.sigma * stream.normal("delay"))
            return Wait(seconds=min(drawn, delay.longest))
        case PerByte():
            return Wait(per_byte=delay.seconds)
        case _:
            assert_never(delay)
