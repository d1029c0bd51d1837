"""A cassette in memory, ready to be matched; shared by every session that plays it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from graphtape.core.matching import Index, key_of, writes, writes_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphtape.core.matching import Key, MatchOptions
    from graphtape.core.message import Interaction, Request, Response
    from graphtape.core.redaction import Redactor


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as a recording sees it.

    Attributes:
        key: What it is found by.
        write: Whether it may change the tenant.
        sent: Pseudonym to identity as the client sent it, so that it gets its own back.
    """

    key: Key
    write: bool
    sent: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The interactions of one cassette and how they are found.

    Attributes:
        name: What messages call it: its path as given.
        upstream: What it was recorded from, as its metadata say; None where they don't.
        interactions: In tape order.
        index: Over their keys.
        redactor: With this cassette's salt; keys are made from the redacted form of both sides.
        options: What takes part in matching.
    """

    name: str
    upstream: str | None
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
        upstream: str | None = None,
        redactor: Redactor,
        options: MatchOptions,
    ) -> Self:
        """Index interactions."""
        keys = [key_of(redactor.request(i.request).request, options) for i in interactions]
        return cls(
            name=name,
            upstream=upstream,
            interactions=tuple(interactions),
            index=Index.of(keys, writes_of(interactions, options)),
            redactor=redactor,
            options=options,
        )

    def ask(self, request: Request) -> Asked:
        """Return what a request as the client sent it is found by."""
        redacted = self.redactor.request(request)
        return Asked(
            key=key_of(redacted.request, self.options),
            write=writes(request, self.options),
            sent=redacted.sent,
        )

    def answer(self, index: int, asked: Asked) -> Response:
        """Return a recorded answer, with the identities that the client itself sent as it did."""
        response = self.interactions[index].response
        if not asked.sent:
            return response
        restore = self.redactor.restore_text
        return replace(
            response,
            headers=response.headers.map(lambda _, value: restore(value, asked.sent)),
            body=self.redactor.restore(response.body, asked.sent),
        )
