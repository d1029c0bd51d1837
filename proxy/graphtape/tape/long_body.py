"""A long body that stays on disk: read in pieces, as often as it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, Self

from graphtape.core.message import Interaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphtape.core.message import Request, Response

LONG = 1024 * 1024
"""Bytes of a body from which on it is read and written in pieces."""

PIECE = 64 * 1024
"""Bytes of a body in memory that are written together."""


class LongBody(Protocol):
    """A body, decoded."""

    def __len__(self) -> int:
        """Return its size in bytes."""
        ...

    def pieces(self) -> Iterator[bytes]:
        """Read it, from its start."""
        ...


@dataclass(frozen=True, slots=True)
class HeldBody:
    """A body that is in memory."""

    body: bytes

    def __len__(self) -> int:
        return len(self.body)

    def pieces(self) -> Iterator[bytes]:
        """Give it in pieces."""
        for start in range(0, len(self.body), PIECE):
            yield self.body[start : start + PIECE]


@dataclass(frozen=True, slots=True, kw_only=True)
class WithLongBodies:
    """An interaction with a long body or two.

    Attributes:
        interaction: The rest of it; those bodies are empty in it.
        asked: The request's, where that is long.
        answered: The answer's, where that is long.
    """

    interaction: Interaction
    asked: LongBody | None = None
    answered: LongBody | None = None

    @classmethod
    def of(
        cls,
        request: Request,
        response: Response,
        *,
        asked: LongBody | None,
        answered: LongBody | None,
    ) -> Self:
        """Take the bodies out of the messages that are apart."""
        return cls(
            interaction=Interaction(
                request=request if asked is None else replace(request, body=b""),
                response=response if answered is None else replace(response, body=b""),
            ),
            asked=asked,
            answered=answered,
        )
