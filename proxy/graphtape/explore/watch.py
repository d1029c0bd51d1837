"""What a client asks in one session, in full and in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core.verdict.call import About
from graphtape.core.verdict.observer import Observer

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.matching.key import MatchOptions
    from graphtape.core.message import Request
    from graphtape.core.verdict.verdict import Kind, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that arrived.

    Attributes:
        number: In the journal.
        identities: Of the request and, of a `$batch`, its parts: what two of the same share.
        at: Seconds on the clock of the observer.
    """

    number: int
    request: Request
    identities: frozenset[bytes]
    at: float


class Watch(Observer):
    """Keeps every request of a session beside what an observer says of it.

    Attributes:
        asked_all: In the order they arrived; they hold secrets.
    """

    def __init__(
        self, clean: Callable[[str], str], *, options: MatchOptions, bearing: bool
    ) -> None:
        """Watch from now on; the arguments are an observer's."""
        super().__init__(clean, options=options, bearing=bearing)
        self.asked_all: list[Asked] = []

    def asked(self, number: int, request: Request, *, now: float) -> tuple[Verdict, ...]:
        """Keep a request that arrives, and say what an observer does."""
        calls = About.all_of(request, str)
        identities = frozenset(each.identity for each in calls)
        asked = Asked(number=number, request=request, identities=identities, at=now)
        self.asked_all.append(asked)
        return super().asked(number, request, now=now)

    def of_each(self, request: Request) -> tuple[Kind, ...] | None:
        """Ask to see every request: none is counted unseen."""
        del request
        return None
