"""What happened since one looked last, in one event: nothing is done for it while requests pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from graphtape.core.journal import Entry, Journal
    from graphtape.server.session.sessions import Sessions


class Line(Struct, frozen=True, array_like=True):
    """An entry of a journal, written as an array in this order."""

    session: str
    number: int
    method: str
    url: str
    status: int
    source: str
    interaction: int | None
    milliseconds: float
    note: str

    @classmethod
    def of(cls, session: str, entry: Entry) -> Line:
        """Write an entry."""
        return cls(
            session,
            entry.number,
            entry.method,
            entry.url,
            entry.status,
            entry.source,
            entry.interaction,
            entry.milliseconds,
            entry.note,
        )


class Tick(Struct, frozen=True, kw_only=True):
    """What happened.

    Attributes:
        counts: Of each session in which anything did, by id: requests so far, by source.
        dropped: How many entries happened that `entries` doesn't tell.
        entries: The newest.
    """

    counts: dict[str, dict[str, int]]
    dropped: int
    entries: list[Line]


class Ticks:
    """One who looks at journals now and then, and what it has seen.

    Attributes:
        every: Seconds from one look to the next.
    """

    def __init__(
        self, sessions: Sessions, *, session: str | None, newest: int, every: float
    ) -> None:
        """Begin with what happens from now on.

        Args:
            sessions: Those that are open, and those that have ended.
            session: Whose journal is looked at; None for all.
            newest: Entries that one tick tells at most.
            every: Seconds from one look to the next.
        """
        self.every = every
        self._sessions = sessions
        self._session = session
        self._newest = newest
        self._ended = len(sessions.ended)
        self._seen = {journal: journal.done for _, journal in self._journals()}

    def take(self) -> Tick | None:
        """Return what happened since the last time; None where nothing did."""
        counts: dict[str, dict[str, int]] = {}
        lines: list[Line] = []
        happened = 0
        seen: dict[Journal, int] = {}
        for session, journal in self._journals():
            seen[journal] = done = journal.done
            new = done - self._seen.get(journal, 0)
            if new:
                happened += new
                counts[session] = {source.value: n for source, n in journal.counts.items()}
                newest = journal.newest(min(new, self._newest))
                lines += [Line.of(session, entry) for entry in newest]
        self._seen, self._ended = seen, len(self._sessions.ended)
        if not happened:
            return None
        entries = lines[len(lines) - min(len(lines), self._newest) :]
        return Tick(counts=counts, dropped=happened - len(entries), entries=entries)

    def _journals(self) -> list[tuple[str, Journal]]:
        """Return the journals to look at, those of sessions that ended meanwhile included."""
        ended = [outcome.session for outcome in self._sessions.ended[self._ended :]]
        plays = (*ended, *(live.play for live in self._sessions))
        wanted = self._session
        return [(play.id, play.journal) for play in plays if wanted is None or play.id == wanted]
