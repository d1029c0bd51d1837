"""Which session a request belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core.errors import RequestError

if TYPE_CHECKING:
    from graphtape.core.redaction import Redactor
    from graphtape.core.session import Session
    from graphtape.tape.recorder import Recorder


@dataclass(slots=True, kw_only=True)
class LiveSession:
    """A session and where what it records goes.

    Attributes:
        play: Decides and bends.
        clean: Keeps secrets out of journal and log.
        recorder: Takes what is forwarded; None where nothing may be.
    """

    play: Session
    clean: Redactor
    recorder: Recorder | None = None


class Sessions:
    """The open sessions, by id."""

    def __init__(self, default: LiveSession) -> None:
        """Open the default session."""
        self.default = default
        self._open = {default.play.id: default}

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
