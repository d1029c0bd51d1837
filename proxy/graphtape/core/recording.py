"""A cassette in memory, ready to be matched; shared by every session that plays it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from graphtape.core.matching import Index, key_of, writes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphtape.core.matching import Key, MatchOptions
    from graphtape.core.message import Interaction, Request
    from graphtape.core.redaction import Redactor


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The interactions of one cassette and how they are found.

    Attributes:
        name: What messages call it: its path as given.
        interactions: In tape order.
        index: Over their keys.
        redactor: With this cassette's salt; keys are made from the redacted form of both sides.
        options: What takes part in matching.
    """

    name: str
    interactions: tuple[Interaction, ...]
    index: Index
    redactor: Redactor
    options: MatchOptions

    @classmethod
    def of(
        cls,
        interactions: Sequence[Interaction],
        *,
        name: str,
        redactor: Redactor,
        options: MatchOptions,
    ) -> Self:
        """Index interactions."""
        keys = [key_of(redactor.request(i.request).request, options) for i in interactions]
        return cls(
            name=name,
            interactions=tuple(interactions),
            index=Index.of(keys, writes_of(interactions, options)),
            redactor=redactor,
            options=options,
        )

    def key(self, request: Request) -> Key:
        """Return what a request as the client sent it is found by."""
        return key_of(self.redactor.request(request).request, self.options)
