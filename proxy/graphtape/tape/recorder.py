"""Takes interactions while they happen, and compiles them into the cassette at the end."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphtape.core.message import Interaction
from graphtape.tape.store import save_cassette

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from graphtape.core.message import Request, Response
    from graphtape.core.redaction import Redactor
    from graphtape.tape.vcr_format import Metadata


@dataclass(slots=True, kw_only=True)
class Recorder:
    """One cassette being recorded.

    Attributes:
        path: The cassette.
        existing: What it holds already, kept before what is new.
        metadata: Written into it.
        other_metadata: The user's own, kept.
        redactor: Cleans what is kept.
        dropped: Why interactions were left off the tape, a line each.
    """

    path: Path
    existing: tuple[Interaction, ...]
    metadata: Metadata
    other_metadata: Mapping[str, object]
    redactor: Redactor
    dropped: list[str] = field(default_factory=list)
    _arrived: int = 0
    _open: list[int] = field(default_factory=list)
    _kept: dict[int, Interaction] = field(default_factory=dict)
    _kept_order: list[int] = field(default_factory=list)

    def begin(self) -> int:
        """Give a request its place: the tape's order is that of arrival."""
        self._arrived += 1
        self._open.append(self._arrived)
        return self._arrived

    def index(self, place: int) -> int:
        """Return the index a place has on the tape, if every earlier request gets an answer."""
        before = bisect.bisect_left(self._kept_order, place) + bisect.bisect_left(self._open, place)
        return len(self.existing) + before

    def keep(self, place: int, request: Request, response: Response) -> None:
        """Put an interaction in its place, cleaned of secrets."""
        self._close(place)
        cleaned = self.redactor.request(request).request
        answered = self.redactor.response(response, url=request.url)
        self._kept[place] = Interaction(request=cleaned, response=answered)
        bisect.insort(self._kept_order, place)

    def drop(self, place: int, reason: str | None = None) -> None:
        """Leave a place empty; `reason` where the user loses something by it."""
        self._close(place)
        if reason is not None:
            self.dropped.append(reason)

    def _close(self, place: int) -> None:
        at = bisect.bisect_left(self._open, place)
        if at < len(self._open) and self._open[at] == place:
            del self._open[at]

    @property
    def recorded(self) -> int:
        """How many interactions this run has put on the tape."""
        return len(self._kept)

    def save(self) -> int | None:
        """Write the cassette; return how many interactions it holds, None where nothing is new.

        Raises:
            CassetteError: It can't be written.
        """
        if not self._kept:
            return None
        new = tuple(self._kept[place] for place in self._kept_order)
        interactions = (*self.existing, *new)
        save_cassette(
            self.path,
            interactions,
            metadata=self.metadata,
            other_metadata=self.other_metadata,
        )
        return len(interactions)
