"""Which session a request belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphtape.core.errors import RequestError
from graphtape.core.matching import DEFAULT
from graphtape.core.origin import off_graph_origin
from graphtape.core.verdict import Tally, Witness

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from graphtape.core.matching import MatchOptions
    from graphtape.core.redaction import Redactor
    from graphtape.core.session import Session
    from graphtape.tape.recorder import Recorder


_REMEMBERED = 1000
"""Messages a session knows again."""


@dataclass(slots=True, kw_only=True)
class LiveSession:
    """A session and where what it records goes.

    Attributes:
        play: Decides and bends.
        clean: Keeps secrets out of journal and log.
        recorder: Takes what is forwarded; None where nothing may be.
        named: The hosts off Graph that upstream's answers named, in canonical form; no other is
            reached.
        options: What makes two requests the same one.
        witness: Sees what the client does that Graph advises against.
        verdicts: What it has seen.
        saved: The variables of its cassettes, by name.
        taped: Those that were reached when the tapes were recorded: they can be replayed.
    """

    play: Session
    clean: Redactor
    recorder: Recorder | None = None
    options: MatchOptions = DEFAULT
    named: set[str] = field(default_factory=set)
    taped: frozenset[str] = field(init=False)
    saved: Mapping[str, str] = field(default_factory=dict)
    witness: Witness = field(init=False)
    verdicts: Tally = field(default_factory=Tally)
    _told: set[int] = field(default_factory=set)

    def first_told(self, message: str) -> bool:
        """Tell whether a message is new in this session; what repeats is told in short."""
        known = hash(message) in self._told
        if len(self._told) < _REMEMBERED:
            self._told.add(hash(message))
        return not known

    @property
    def variables(self) -> Mapping[str, str]:
        """Values that a test made up while recording, by name."""
        return self.saved if self.recorder is None else self.recorder.variables

    def __post_init__(self) -> None:
        """Note the hosts off Graph that the tapes were recorded from."""
        self.witness = Witness(self.clean.url, options=self.options)
        tapes = (deck.recording.interactions for deck in self.play.decks)
        origins = (off_graph_origin(each.request.url) for tape in tapes for each in tape)
        self.taped = frozenset(origin for origin in origins if origin is not None)


class Sessions:
    """The open sessions, by id."""

    def __init__(self, default: LiveSession) -> None:
        """Open the default session."""
        self.default = default
        self._open = {default.play.id: default}

    def hosts(self, session_id: str | None) -> Collection[str]:
        """Return the hosts off Graph that a session knows."""
        session = self.default if session_id is None else self._open.get(session_id)
        return session.named | session.taped if session is not None else ()

    def identify(self, session_id: str | None) -> LiveSession:
        """Return the session a request names, else the default one.

        Raises:
            RequestError: No session of that id is open.
        """
        if session_id is None:
            return self.default
        session = self._open.get(session_id)
        if session is None:
            raise RequestError(
                f"no session {session_id!r} is open; open it with POST /sessions on the control "
                "port, or leave the /_session prefix out",
                status=404,
                code="GraphtapeUnknownSession",
            )
        return session
