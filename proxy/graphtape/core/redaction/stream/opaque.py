"""A body of no known text that is redacted while it passes, a piece at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphtape.core.redaction.bodies import binary
from graphtape.core.redaction.sweep import settled

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.redaction.sweep import Sweep

_PRINTABLE = bytes((*b"\0\t\n\r", *range(0x20, 0x7F)))
_TOKEN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_=.~%-"
LONGEST_RUN = 1024 * 1024
"""Bytes of a run of printable characters that are looked at together."""


class OpaqueBody:
    """The pieces of one body, cut where no secret can stand on both sides.

    The same comes out as for the body as a whole, but where printable characters run on for
    longer than `LONGEST_RUN`: those are cut between two words.
    """

    def __init__(self, sweep: Sweep, passed: Callable[[Sweep, bytes], None] | None = None) -> None:
        """Begin with nothing.

        Args:
            sweep: The body's own.
            passed: Told of each piece as it was, once; what was changed in it is in the sweep.
        """
        self._sweep = sweep
        self._passed = passed
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """Take the next bytes; return those that are clean by now."""
        data = self._held + piece if self._held else piece
        ready = len(data.rstrip(_PRINTABLE))
        if len(data) - ready > LONGEST_RUN:
            # Between words; a word of that size is no secret that has a shape.
            ready = len(data.rstrip(_TOKEN)) or len(data)
        self._held = data[ready:]
        return self._clean(data[:ready])

    def end(self) -> bytes:
        """Return what is left."""
        rest, self._held = self._clean(self._held), b""
        return rest

    @property
    def unopened(self) -> str:
        """Why something in it couldn't be looked into; empty if all was."""
        return self._sweep.unopened

    def _clean(self, data: bytes) -> bytes:
        if not data:
            return data
        clean = settled(lambda value: binary(self._sweep, value), data)
        if self._passed is not None:
            self._passed(self._sweep, data)
        return clean
