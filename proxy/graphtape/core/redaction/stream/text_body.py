"""A long text that is redacted while it passes: lines of CSV, NDJSON and logs, elements of XML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphtape.core.redaction import assignments, bodies
from graphtape.core.redaction.elements import Elements
from graphtape.core.redaction.stream.cut import AHEAD, LONGEST_CANDIDATE, find_cut, forced_cut

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.redaction.gate import Gate
    from graphtape.core.redaction.sweep import Sweep

WINDOW = 32 * 1024
"""Bytes that are redacted together at least: a few milliseconds."""

LONGEST_WINDOW = 512 * 1024
"""Bytes of a text that can't be parted well which are looked at together."""

_TABLE = 4
"""A window of a table with secret columns is as many times smaller."""

_SLICE = 64 * 1024


class TextBody:
    """The windows of one text, parted where no rule reaches over the cut.

    The same comes out as for the text as a whole, but in three cases: a stretch of more than
    `LONGEST_WINDOW` in which there is no such place; a word that says something of all that is
    in a text (`curl`), which says it of its window here; and a table that breaks off, which is
    taken up again.
    """

    line = b"\n"
    """A line break, as the text writes it."""

    def __init__(
        self,
        sweep: Sweep,
        gate: Gate,
        content_type: str,
        passed: Callable[[Sweep, bytes], None] | None = None,
        *,
        window: int = WINDOW,
    ) -> None:
        """Begin with nothing.

        Args:
            sweep: The body's own.
            gate: Tells which windows may stay as they are.
            content_type: Of its message.
            passed: Told of each window as it was, once; what was changed in it is in the sweep.
            window: Bytes of one at least.
        """
        self._between = self.line + b"." + self.line
        self._sweep = sweep
        self._gate = gate
        self._type = content_type
        self._passed = passed
        self._held = b""
        self._window = window
        self._sought = window
        self._before: bytes | None = None
        self._quoted: bool | None = None  # not known yet
        sweep.elements = self._elements = Elements()

    def feed(self, piece: bytes) -> bytes:
        """Take the next bytes; return those that are clean by now."""
        clean: list[bytes] = []
        for start in range(0, len(piece), _SLICE):
            self._held += piece[start : start + _SLICE]
            while (at := self._cut()) is not None:
                window, self._held = self._held[:at], self._held[at:]
                self._sought = self._window
                clean.append(self._clean(window))
        return b"".join(clean)

    def end(self) -> bytes:
        """Return what is left."""
        rest, self._held = self._held, b""
        return self._clean(rest) if rest else b""

    @property
    def unopened(self) -> str:
        """Why something in it couldn't be looked into; empty if all was."""
        return self._sweep.unopened

    def _cut(self) -> int | None:
        held = len(self._held)
        if held < self._sought + AHEAD:
            return None
        if self._quoted is None:
            self._quoted = assignments.heads_secrets(
                self._sweep, self._view(self._held[: self._window]).decode("utf-8", "replace")
            )
            if self._quoted:  # each cell is looked at
                self._window //= _TABLE
        most = min(held, LONGEST_WINDOW + AHEAD)
        found = find_cut(
            self._view(self._held[:most]),
            least=self._sought,
            quoted=self._quoted,
            personal=self._sweep.rules.personal,
        )
        if found is not None:
            return found
        # A place that was refused once is refused for good.
        self._sought = max(self._sought, most - AHEAD - LONGEST_CANDIDATE)
        return self._forced_cut() if most < held else None

    def _forced_cut(self) -> int:
        return forced_cut(self._held, most=LONGEST_WINDOW)

    def _clean(self, window: bytes) -> bytes:
        before = self._before
        if before is None:  # the first
            heading = window.partition(self.line)[0].rstrip(b"\r").removesuffix(b"\\r")
            self._before = heading + self._between if self._quoted else self.line
        told = self._quoted or self._elements.tell(self._sweep.rules)
        if not told and self._gate.lets_by(window):
            clean = window
        elif before is None:
            clean = self._redacted(window)
        else:
            # Behind a line break, so that its first line isn't taken for a heading; or behind the
            # heading of the table that it goes on with.
            clean = self._redacted(before + window)
            clean = clean.partition(self._between)[2] if self._quoted else clean[len(before) :]
        if self._passed is not None:
            self._passed(self._sweep, window)
        return clean

    def _view(self, text: bytes) -> bytes:
        """Return a text as it reads, of the same length."""
        return text

    def _redacted(self, text: bytes) -> bytes:
        clean = self._sweep.settled(self._once, text)
        self._elements = self._sweep.elements or self._elements
        return clean

    def _once(self, text: bytes) -> bytes:
        self._sweep.elements = self._elements
        return bodies.unformatted(self._sweep, text, self._type)
