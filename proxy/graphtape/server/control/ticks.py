"""What happened since one looked last, in one event: nothing is done for it while requests pass."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from graphtape.server.control.details.message import Place  # noqa: TC001 - msgspec reads it
from graphtape.server.control.details.tape import place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from graphtape.core.journal import Entry, Journal
    from graphtape.server.session.live_session import LiveSession
    from graphtape.server.session.sessions import Sessions


_ID = re.compile(r"([A-Za-z0-9._-]{1,64})=([0-9]{1,15})")


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
    cassette: int | None
    at: float

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
            entry.cassette,
            entry.at,
        )


class SessionEvent(Struct, frozen=True, kw_only=True):
    """What became of a session.

    Attributes:
        what: `opened`, `directed`, `rewound` or `ended`.
    """

    session: str
    what: str


class Tick(Struct, frozen=True, kw_only=True):
    """What happened.

    Attributes:
        id: What `Last-Event-ID` takes to go on from here.
        sessions: What became of sessions.
        positions: Where those sessions are on their first tape, by id.
        counts: Of each session in which anything did, by id: requests so far, by source.
        dropped: How many entries happened that `entries` doesn't tell.
        entries: The newest.
    """

    id: str
    sessions: list[SessionEvent]
    positions: dict[str, Place]
    counts: dict[str, dict[str, int]]
    dropped: int
    entries: list[Line]


class Ticks:
    """One who looks at journals now and then, and what it has seen.

    Attributes:
        every: Seconds from one look to the next.
    """

    def __init__(
        self,
        sessions: Sessions,
        *,
        session: str | None,
        newest: int,
        every: float,
        since: str = "",
    ) -> None:
        """Begin with what happens from now on.

        Args:
            sessions: Those that are open, and those that have ended.
            session: Whose journal is looked at; None for all.
            newest: Entries that one tick tells at most.
            every: Seconds from one look to the next.
            since: The `id` of a tick: begin with what happened after it.
        """
        self.every = every
        self._sessions = sessions
        self._session = session
        self._newest = newest
        self._ended = len(sessions.ended)
        known = dict(_ID.findall(since))
        self._seen = {
            journal: min(int(known.get(session, 0 if known else journal.done)), journal.done)
            for session, journal in self._journals()
        }
        self._states = self._look()

    @property
    def id(self) -> str:
        """What has been seen, as `since` takes it."""
        return ";".join(
            f"{session}={self._seen.get(journal, 0)}" for session, journal in self._journals()
        )

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
        before, self._states = self._states, self._look()
        told = list(_told(before, self._states))
        if not happened and not told:
            return None
        entries = lines[len(lines) - min(len(lines), self._newest) :]
        changed = {*counts, *(each.session for each in told)}
        return Tick(
            id=self.id,
            sessions=told,
            positions={
                live.play.id: place(live.play.playbacks[0])
                for live in self._wanted()
                if live.play.id in changed and live.play.playbacks
            },
            counts=counts,
            dropped=happened - len(entries),
            entries=entries,
        )

    def _wanted(self) -> list[LiveSession]:
        wanted = self._session
        return [live for live in self._sessions if wanted is None or live.play.id == wanted]

    def _look(self) -> dict[str, tuple[object, int, int]]:
        """Return what of each session tells whether it is another, was directed or rewound."""
        return {
            live.play.id: (live.play.journal, live.play.configuration, live.rewound)
            for live in self._wanted()
        }

    def _journals(self) -> list[tuple[str, Journal]]:
        """Return the journals to look at, those of sessions that ended meanwhile included."""
        ended = [outcome.session for outcome in self._sessions.ended[self._ended :]]
        plays = (*ended, *(live.play for live in self._sessions))
        wanted = self._session
        return [(play.id, play.journal) for play in plays if wanted is None or play.id == wanted]


def _told(
    before: Mapping[str, tuple[object, int, int]], now: Mapping[str, tuple[object, int, int]]
) -> Iterator[SessionEvent]:
    for session, (journal, _, _) in before.items():
        if session not in now or now[session][0] is not journal:
            yield SessionEvent(session=session, what="ended")
    for session, (journal, configuration, rewound) in now.items():
        was = before.get(session)
        if was is None or was[0] is not journal:
            yield SessionEvent(session=session, what="opened")
            continue
        if was[1] != configuration:
            yield SessionEvent(session=session, what="directed")
        if was[2] != rewound:
            yield SessionEvent(session=session, what="rewound")
