"""Bodies that go onto disk while they pass, so that nobody has to hold them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphtape.core.message import Interaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.message import Headers
    from graphtape.core.redaction import Redactor
    from graphtape.core.redaction.opaque import OpaqueBody
    from graphtape.tape.part import Part, Stream


class Spooled:
    """One body on its way onto disk. Nothing it does raises: what went wrong shows at its end."""

    def __init__(self, opaque: OpaqueBody, write: Callable[[bytes], None]) -> None:
        """Begin with nothing.

        Args:
            opaque: Cleans the pieces.
            write: Puts a clean piece on disk.
        """
        self._opaque = opaque
        self._write = write
        self._failed: Exception | None = None

    def write(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._put(lambda: self._opaque.feed(piece))

    def end(self) -> None:
        """Put what is left on disk.

        Raises:
            Exception: Whatever was the first to go wrong.
        """
        self._put(self._opaque.end)
        if self._failed is not None:
            raise self._failed

    def _put(self, clean: Callable[[], bytes]) -> None:
        if self._failed is not None:
            return
        try:
            self._write(clean())
        except Exception as exc:  # noqa: BLE001 - a full disk, and every body there is
            self._failed = exc


class Spool:
    """The place of one interaction on the tape, for bodies that come in pieces."""

    def __init__(self, part: Part, place: int, redactor: Redactor) -> None:
        """Write nothing yet.

        Args:
            part: Where to.
            place: The interaction's.
            redactor: Cleans the pieces.
        """
        self._part = part
        self._place = place
        self._redactor = redactor
        self._stream: Stream | None = None
        self._asked: Spooled | None = None
        self._answered: Spooled | None = None

    def request(self, begins: bytes, headers: Headers) -> Spooled | None:
        """Take a request's body in pieces; None where it must be redacted as a whole.

        Args:
            begins: Its first bytes, enough to tell what it is; they are written again.
            headers: Of its message.
        """
        opaque = self._redactor.opaque(begins, headers, answer=False)
        if opaque is not None:
            self._asked = Spooled(opaque, self._opened().write_request)
        return self._asked

    def response(self, begins: bytes, headers: Headers) -> Spooled | None:
        """Take an answer's body in pieces; as `request`."""
        opaque = self._redactor.opaque(begins, headers, answer=True)
        if opaque is not None:
            self._answered = Spooled(opaque, self._opened().write)
        return self._answered

    def _opened(self) -> Stream:
        if self._stream is None:
            self._stream = self._part.begin(self._place)
        return self._stream

    def commit(self, interaction: Interaction) -> None:
        """Put the interaction in its place; bodies that came in pieces are empty in it.

        Raises:
            OSError: It isn't there.
            Exception: A piece couldn't be redacted.
        """
        if self._stream is None:
            self._part.append(self._place, interaction)
            return
        for spooled in (self._asked, self._answered):
            if spooled is not None:
                spooled.end()
        request, response = interaction.request, interaction.response
        self._stream.write_request(request.body)
        self._stream.write(response.body)
        self._stream.commit(
            Interaction(request=replace(request, body=b""), response=replace(response, body=b""))
        )
