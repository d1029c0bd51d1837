"""What a client asks in one session, in full and in order."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from graphtape.core.journal import KEPT
from graphtape.core.matching.key import key_of
from graphtape.core.verdict.observer import Observer
from graphtape.explore.call import requests_in

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
        identities: Of what `requests_in` it, in that order: what two of the same share.
        at: Seconds on the clock of the observer.
    """

    number: int
    request: Request
    identities: tuple[bytes, ...]
    at: float


class Watch(Observer):
    """Keeps every request of a session beside what an observer says of it.

    Attributes:
        asked_all: The first `KEPT`, in the order they arrived; they hold secrets.
    """

    def __init__(
        self, clean: Callable[[str], str], *, options: MatchOptions, bearing: bool
    ) -> None:
        """Watch from now on; the arguments are an observer's."""
        super().__init__(clean, options=options, bearing=bearing)
        self._options = options
        self.asked_all: list[Asked] = []

    def asked(self, number: int, request: Request, *, now: float) -> tuple[Verdict, ...]:
        """Keep a request that arrives, and say what an observer does."""
        if len(self.asked_all) < KEPT:
            identities = tuple(self._identity(each) for each in requests_in(request))
            self.asked_all.append(
                Asked(number=number, request=request, identities=identities, at=now)
            )
        return super().asked(number, request, now=now)

    def _identity(self, request: Request) -> bytes:
        key = repr(key_of(request, self._options)).encode("utf-8", "surrogatepass")
        return blake2b(key, digest_size=16).digest()

    def of_each(self, request: Request) -> tuple[Kind, ...] | None:
        """Ask to see every request: none is counted unseen."""
        del request
        return None
