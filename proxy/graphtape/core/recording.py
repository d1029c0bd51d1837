"""A cassette in memory, ready to be matched; shared by every session that plays it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from graphtape.core.batch import recorded_parts
from graphtape.core.echo import echoed
from graphtape.core.index import BatchedKey, Index
from graphtape.core.matching import key_of, writes, writes_of
from graphtape.core.message import Interaction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphtape.core.batch import Part
    from graphtape.core.matching import Key, MatchOptions
    from graphtape.core.message import Request, Response
    from graphtape.core.position import Hit
    from graphtape.core.redaction import Redactor


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as a recording sees it.

    Attributes:
        request: As the client sent it.
        key: What it is found by.
        write: Whether it may change the tenant.
        sent: Pseudonym to identity as the client sent it, so that it gets its own back.
    """

    request: Request
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
        playable: Likewise, and over those of the parts of batches; the same one where no batch is.
        parts: Of recorded batches, by their slots in `playable`.
        redactor: With this cassette's salt; keys are made from the redacted form of both sides.
        options: What takes part in matching.
    """

    name: str
    upstream: str | None
    interactions: tuple[Interaction, ...]
    index: Index
    playable: Index
    parts: Mapping[int, Interaction]
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
        writing = writes_of(interactions, options)
        index = Index.of(keys, writing)
        batches = {number: recorded_parts(each) for number, each in enumerate(interactions)}
        batched = {
            number: [_batched(part, redactor, options) for part, _ in pairs]
            for number, pairs in batches.items()
            if pairs
        }
        playable = Index.of(keys, writing, batched) if batched else index
        of_batches = (
            Interaction(request=part.request, response=response)
            for pairs in batches.values()
            for part, response in pairs
        )
        return cls(
            name=name,
            upstream=upstream,
            interactions=tuple(interactions),
            index=index,
            playable=playable,
            parts=dict(zip(playable.parts, of_batches, strict=True)),
            redactor=redactor,
            options=options,
        )

    def ask(self, request: Request) -> Asked:
        """Return what a request as the client sent it is found by."""
        redacted = self.redactor.request(request)
        return Asked(
            request=request,
            key=key_of(redacted.request, self.options),
            write=writes(request, self.options),
            sent=redacted.sent,
        )

    def answer(self, hit: Hit, asked: Asked) -> Response:
        """Return a recorded answer, with what the client itself sent as it sent it.

        That is: fields left out of matching which the answer repeats, and identities.
        """
        source = self.parts[hit.slot] if hit.part is not None else self.interactions[hit.index]
        ignored = self.options.at(source.request).ignore_body
        response = source.response
        if ignored:
            response = echoed(source.request, asked.request, response, ignored)
        if not asked.sent:
            return response
        restore = self.redactor.restore_text
        return replace(
            response,
            headers=response.headers.map(lambda _, value: restore(value, asked.sent)),
            body=self.redactor.restore(response.body, asked.sent),
        )


def _batched(part: Part, redactor: Redactor, options: MatchOptions) -> BatchedKey:
    """Key a part as the same request is keyed where it is asked alone."""
    return BatchedKey(
        id=part.id,
        key=key_of(redactor.request(part.request).request, options),
        write=writes(part.request, options),
    )
