"""The steps of a path into JSON.

A subset of RFC 9535: `$`, `.name`, `['name']`, `[0]`, `[-1]`, `[*]` or `.*`, and `..name` at any
depth. Names may hold `@` and, after one, dots: `$.@odata.nextLink` is one member.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_STEP = re.compile(
    r"""(?P<deep>\.\.(?=[^.]))?
    (?:
        \[(?P<number>-?[0-9]+)\]
      | (?P<any>\[\*\]|(?:(?<=\.\.)|\.)\*)
      | \[(?P<quote>['"])(?P<quoted>.+?)(?P=quote)\]
      | (?:(?<=\.\.)|\.)
        (?P<name>[^.\[\]@*'"]*@(?:odata|microsoft\.graph)\.[^.\[\]*'"]+|[^.\[\]*'"]+)
    )""",
    re.VERBOSE,
)


class Step(NamedTuple):
    """One step of a path.

    Attributes:
        name: A member's name, an item's number, or None for any member or item.
        deep: From any value below as well as from this one.
    """

    name: str | int | None
    deep: bool


def steps_of(path: str) -> tuple[Step, ...]:
    """Read a path; `$` alone has no steps.

    Raises:
        ValueError: It is none.
    """
    steps: list[Step] = []
    at = 1
    while path.startswith("$") and at < len(path) and (found := _STEP.match(path, at)):
        number, name = found["number"], found["quoted"] or found["name"]
        steps.append(Step(int(number) if number else name, found["deep"] is not None))
        at = found.end()
    if not path.startswith("$") or at < len(path):
        raise ValueError(
            f"{path!r} is no path; write $.name, $.list[0], $.list[*].name, $['name'] "
            "or $..name for any depth"
        )
    return tuple(steps)
