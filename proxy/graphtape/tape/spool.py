"""Bodies that go onto disk while they pass, so that nobody has to hold them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphtape.core.message import Interaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.message import Headers
    from graphtape.core.redaction import Redactor
    from graphtape.core.redaction.stream.streamed import Streamed
    from graphtape.tape.part import Part, Stream


class Spooled:
    """One body on its way onto disk. Nothing it does raises: what went wrong shows at its end."""

    def __init__(self, streamed: Streamed, write: Callable[[bytes], None]) -> None:
        """Begin with nothing.

        Args:
            streamed: Cleans the pieces.
            write: Puts a clean piece on disk.
        """
        self._streamed = streamed
        self._write = write
        self._failed: Exception | None = None

    def write(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._put(lambda: self._streamed.feed(piece))

    def end(self) -> str:
        """Put what is left on disk; return why it must not be kept, empty if it may.

        Raises:
            Exception: Whatever was the first to go wrong.
        """
        self._put(self._streamed.end)
        if self._failed is not None:
            raise self._failed
        return self._streamed.unopened

    def _put(self, clean: Callable[[], bytes]) -> None:
        if self._failed is not None:
            return
        try:
            piece = clean()
            if piece:
                self._write(piece)
        except Exception as exc:  # noqa: BLE001 - a full disk, and every body there is
            self._failed = exc


class Spool:
    """The place of one interaction on the tape, for bodies that come in pieces."""

    def __init__(self, part: Part, place: int, redactor: Redactor, *, url: str = "") -> None:
        """Write nothing yet.

        Args:
            part: Where to.
            place: The interaction's.
            redactor: Cleans the pieces.
            url: Of the request.
        """
        self._part = part
        self._url = url
        self._place = place
        self._redactor = redactor
        self._stream: Stream | None = None
        self._asked: Spooled | None = None
        self._answered: Spooled | None = None

    def request(self, begins: bytes, headers: Headers) -> Spooled | None:
        """Take a request's body in pieces; None where it must be redacted as a whole.

        Args:
            begins: Its first bytes, decoded, enough to tell what it is; they are written again.
            headers: Of its message.
        """
        kind = headers.get("Content-Type") or ""
        streamed = self._redactor.in_pieces(begins, kind, answer=False)
        if streamed is not None:
            self._asked = Spooled(streamed, self._opened().write_request)
        return self._asked

    def response(self, begins: bytes, headers: Headers) -> Spooled | None:
        """Take an answer's body in pieces; as `request`."""
        kind = headers.get("Content-Type") or ""
        streamed = self._redactor.in_pieces(begins, kind, answer=True, url=self._url)
        if streamed is not None:
            self._answered = Spooled(streamed, self._opened().write)
        return self._answered

    def _opened(self) -> Stream:
        if self._stream is None:
            self._stream = self._part.begin(self._place)
        return self._stream

    def end(self) -> str:
        """Put what is left of the bodies on disk; return why they must not be kept, or nothing.

        Raises:
            OSError: It isn't there.
            Exception: A piece couldn't be redacted.
        """
        told = [each.end() for each in (self._asked, self._answered) if each is not None]
        return next(filter(None, told), "")

    def commit(self, interaction: Interaction) -> None:
        """Put the interaction in its place; bodies that came in pieces, and ended, are empty in it.

        Raises:
            OSError: It isn't there.
        """
        if self._stream is None:
            self._part.append(self._place, interaction)
            return
        request, response = interaction.request, interaction.response
        self._stream.write_request(request.body)
        self._stream.write(response.body)
        self._stream.commit(
            Interaction(request=replace(request, body=b""), response=replace(response, body=b""))
        )
