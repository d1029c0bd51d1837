"""Pseudorandom numbers: the same for the same seed, in every process."""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import blake2b

_BITS = 53
"""What a float's mantissa holds: every fraction drawn is exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomStream:
    """The draws of one call of one rule; no draw depends on another, nor on their order.

    Attributes:
        seed: The run's.
        scenario: The scenario's name.
        rule: Its rule's index, from 0.
        call: Which of the calls the rule matched, from 1.
    """

    seed: int
    scenario: str
    rule: int
    call: int

    def fraction(self, purpose: str) -> float:
        """Draw evenly from [0, 1), the same for the same purpose."""
        what = "\0".join((str(self.seed), self.scenario, str(self.rule), str(self.call), purpose))
        digest = blake2b(what.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        number: int = int.from_bytes(digest, "big") >> (64 - _BITS)
        return math.ldexp(number, -_BITS)

    def normal(self, purpose: str) -> float:
        """Draw from the standard normal distribution (Box and Muller, 1958)."""
        # 1 - fraction is in (0, 1], where the logarithm is defined.
        radius = math.sqrt(-2.0 * math.log(1.0 - self.fraction(f"{purpose}.radius")))
        return radius * math.cos(math.tau * self.fraction(f"{purpose}.angle"))
