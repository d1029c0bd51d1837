"""What a body is redacted by while it passes."""

from __future__ import annotations

from typing import Protocol


class Streamed(Protocol):
    """A body on its way through the redactor."""

    def feed(self, piece: bytes) -> bytes:
        """Take the next bytes; return those that are clean by now."""
        ...

    def end(self) -> bytes:
        """Return what is left."""
        ...

    @property
    def unopened(self) -> str:
        """Why something in it couldn't be looked into; empty if all was."""
        ...
