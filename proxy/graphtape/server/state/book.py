"""The journal of a session at one of several proxies, as the others read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from graphtape.core.journal import Entry  # noqa: TC001 - msgspec reads it

if TYPE_CHECKING:
    from graphtape.core.journal import Journal


class Pages(Struct, frozen=True):
    """What a proxy has in its journal.

    Attributes:
        name: Of the proxy.
        done: How many entries there have been.
        entries: Those that are kept.
    """

    name: str
    done: int
    entries: list[Entry]

    @classmethod
    def of(cls, name: str, journal: Journal) -> Pages:
        """Take what is there now."""
        return cls(name, journal.done, list(journal.entries))

    @classmethod
    def read(cls, data: bytes) -> Pages | None:
        """Read what another proxy told; None where it doesn't serve the session."""
        return msgspec.json.decode(data, type=cls) if data else None
