"""A long JSON body that is redacted while it passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from graphtape.core.redaction.stream.json_windows import (
    MARK,
    STAND_IN,
    WINDOW,
    JsonWindows,
    NoJson,
    StringPiece,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.redaction.stream.json_windows import Event
    from graphtape.core.redaction.stream.streamed import Streamed
    from graphtape.core.redaction.sweep import Sweep


class JsonBody:
    """The windows of one JSON text, each with what tells of its values in front.

    The same comes out as for the text as a whole, unless what tells of a value stands more than a
    window behind it, or beside it among more than a few others.
    """

    def __init__(
        self,
        sweep: Sweep,
        redact: Callable[[Sweep, bytes], bytes],
        *,
        text: Callable[[], Streamed],
        string: Callable[[], Streamed],
        passed: Callable[[Sweep, bytes], None] | None = None,
        window: int = WINDOW,
    ) -> None:
        """Begin with nothing.

        Args:
            sweep: The body's own.
            redact: Redacts a JSON text.
            text: Makes what redacts a text, for what turns out to be no JSON.
            string: Makes what redacts a long string, as written between its quotes.
            passed: Told of each window as it was, once; what was changed in it is in the sweep.
            window: Bytes of one at least.
        """
        self._sweep = sweep
        self._redact = redact
        self._make_text = text
        self._make_string = string
        self._passed = passed
        self._windows = JsonWindows(window=window)
        self._text: Streamed | None = None
        self._string: Streamed | None = None
        self._before = b""
        self._before_changed = 0

    def feed(self, piece: bytes) -> bytes:
        """Take the next bytes; return those that are clean by now."""
        return b"".join(map(self._clean, self._windows.feed(piece)))

    def end(self) -> bytes:
        """Return what is left."""
        rest = [self._clean(event) for event in self._windows.end()]
        if self._string is not None:
            rest.append(self._string.end())
        if self._text is not None:
            rest.append(self._text.end())
        return b"".join(rest)

    @property
    def unopened(self) -> str:
        """Why something in it couldn't be looked into; empty if all was."""
        return self._sweep.unopened

    def _clean(self, event: Event) -> bytes:
        match event:
            case Window():
                clean = self._window(event)
                if self._passed is not None:
                    self._passed(self._sweep, event.data)
                return clean
            case StringPiece():
                return self._string_piece(event)
            case NoJson():
                if self._text is None:
                    self._text = self._make_text()
                return self._text.feed(event.data)
            case _:
                assert_never(event)

    def _window(self, window: Window) -> bytes:
        noted = len(self._sweep.changes)
        clean = self._redact(self._sweep, window.text)
        behind = len(window.after) - (len(STAND_IN) if window.opens else 0)
        if window.before:
            if MARK not in clean:  # it was no JSON, and its text was gone through
                return self._redact(self._sweep, window.data)
            clean = clean.partition(MARK)[2]
            del self._sweep.changes[noted : noted + self._changed(window.before)]
        clean = clean[: len(clean) - behind]
        if not window.opens:
            return clean
        if not clean.endswith(STAND_IN):
            self._string = None  # all of the string is masked
            return clean
        self._string = self._make_string()
        return clean.removesuffix(STAND_IN)

    def _changed(self, before: bytes) -> int:
        """Count what is changed in front of a window: that was counted where it stood."""
        if before != self._before:
            noted = len(self._sweep.changes)
            around = _closed(before)
            self._redact(self._sweep, around)
            self._before, self._before_changed = before, len(self._sweep.changes) - noted
            del self._sweep.changes[noted:]
        return self._before_changed

    def _string_piece(self, piece: StringPiece) -> bytes:
        clean = b""
        if self._string is not None:
            clean = self._string.feed(piece.data)
            if piece.ends:
                clean += self._string.end()
                self._string = None
        return clean + b'"' if piece.ends else clean


def _closed(before: bytes) -> bytes:
    """Close the containers that are opened in front of a window."""
    outside = b"".join(
        before.removesuffix(MARK).replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
    )
    closing = [b"}" if each == 0x7B else b"]" for each in outside if each in b"{["]  # noqa: PLR2004
    return before + b"".join(reversed(closing))
