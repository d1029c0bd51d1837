"""Which of the calls a rule matches it acts on; counted per session, from 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, assert_never

if TYPE_CHECKING:
    from graphtape.core.scenario.random_stream import RandomStream


@dataclass(frozen=True, slots=True)
class Always:
    """Every call."""


@dataclass(frozen=True, slots=True)
class Nth:
    """One call alone."""

    number: int


@dataclass(frozen=True, slots=True)
class From:
    """One call and all after it."""

    number: int


@dataclass(frozen=True, slots=True)
class Every:
    """Every nth call: those whose number is a multiple of this one."""

    number: int


@dataclass(frozen=True, slots=True)
class Probably:
    """Each call with this probability, 0 to 1."""

    probability: float


Calls: TypeAlias = Always | Nth | From | Every | Probably


def misses(calls: Calls, stream: RandomStream) -> str | None:
    """Return why a rule doesn't act on a call, None where it does; `stream` has its number."""
    number = stream.call
    match calls:
        case Always():
            return None
        case Nth():
            return None if number == calls.number else f"it is call {number}, not {calls.number}"
        case From():
            return None if number >= calls.number else f"call {number} is before {calls.number}"
        case Every():
            left = number % calls.number
            return f"call {number} is no multiple of {calls.number}" if left else None
        case Probably():
            drawn = stream.fraction("calls")
            return None if drawn < calls.probability else f"call {number} drew {drawn:.3f}"
        case _:
            assert_never(calls)
