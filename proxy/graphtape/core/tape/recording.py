"""A cassette in memory, ready to be matched; shared by every session that plays it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from graphtape.core.graph.batch import Part, recorded_parts
from graphtape.core.graph.cloud import off_graph_origin
from graphtape.core.matching.echo import echoed
from graphtape.core.matching.key import Aspect, Key, MatchOptions, key_of, writes
from graphtape.core.matching.masked import key_digest, keys_of
from graphtape.core.message import Interaction, Request, Response
from graphtape.core.tape.index import BatchedKey, Index

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from graphtape.core.redaction import Redactor
    from graphtape.core.tape.position import Hit


_NOBODY: Mapping[str, str] = MappingProxyType({})
_WHOLE = {Aspect.METHOD, Aspect.HOST, Aspect.PATH, Aspect.QUERY, Aspect.BODY}
"""What of a request redaction looks into, but for its headers."""


@dataclass(slots=True, kw_only=True)  # not frozen: one is made for each request
class Asked:
    """A request as a recording sees it.

    Attributes:
        key: What it is found by.
        exact: What tells its secrets from others, too; None where nothing does.
        answers: The slots that answer it; None where none does.
        write: Whether it may change the tenant.
        sent: Pseudonym to identity as the client sent it, so that it gets its own back.
    """

    key: Key
    exact: Key | None
    answers: Sequence[int] | None
    write: bool
    sent: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """How an interaction is found on a tape.

    Attributes:
        key: That of its redacted request.
        exact: As in `Asked`.
        write: Whether it may change the tenant.
        parts: Of a batch, what is found one by one too.
        origin: The host off Graph it went to, in canonical form.
    """

    key: Key
    exact: Key | None
    write: bool
    parts: tuple[BatchedKey, ...]
    origin: str | None

    @classmethod
    def of(
        cls,
        interaction: Interaction,
        parts: Sequence[tuple[Part, Response]],
        *,
        redactor: Redactor,
        options: MatchOptions,
    ) -> Self:
        """Key an interaction.

        Args:
            interaction: As it is on tape.
            parts: Its `recorded_parts`; each is keyed as the same request asked alone.
            redactor: With its tape's salt.
            options: What takes part in matching.
        """
        asked = interaction.request
        key, exact = keys_of(redactor.request(asked).request, options)
        return cls(
            key=key,
            exact=exact,
            write=writes(asked, options),
            parts=tuple(_batched(part, redactor=redactor, options=options) for part, _ in parts),
            origin=off_graph_origin(asked.url),
        )


def _batched(part: Part, *, redactor: Redactor, options: MatchOptions) -> BatchedKey:
    key, exact = keys_of(redactor.request(part.request).request, options)
    return BatchedKey(id=part.id, key=key, exact=exact, write=writes(part.request, options))


@dataclass(frozen=True, kw_only=True)
class Recording:
    """The interactions of one cassette and how they are found.

    Attributes:
        name: What messages call it: its path as given.
        upstream: What it was recorded from, as its metadata say; None where they don't.
        interactions: In tape order.
        index: Over their keys.
        playable: Likewise, and over those of the parts of batches; the same one where no batch is.
        parts: Of recorded batches, by their slots in `playable`.
        origins: The hosts off Graph that requests on it went to, in canonical form.
        redactor: With this cassette's salt; keys are made from the redacted form of both sides.
        options: What takes part in matching.
        alike: Keys, by `key_digest`, of recorded requests that differ only in what was masked.
    """

    name: str
    upstream: str | None
    interactions: Sequence[Interaction]
    index: Index
    playable: Index
    parts: Mapping[int, Interaction]
    origins: frozenset[str]
    redactor: Redactor
    options: MatchOptions
    alike: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        interactions: Sequence[Interaction],
        *,
        name: str,
        upstream: str | None = None,
        redactor: Redactor,
        options: MatchOptions,
        alike: Iterable[str] = (),
    ) -> Self:
        """Index interactions."""
        batches = [recorded_parts(each) for each in interactions]
        keyed = [
            Keyed.of(each, pairs, redactor=redactor, options=options)
            for each, pairs in zip(interactions, batches, strict=True)
        ]
        keys, writing = [each.key for each in keyed], [each.write for each in keyed]
        exact = [each.exact for each in keyed]
        index = Index.of(keys, writing, exact=exact)
        batched = {number: each.parts for number, each in enumerate(keyed) if each.parts}
        playable = Index.of(keys, writing, batched, exact=exact) if batched else index
        of_batches = (as_asked_alone(*pair) for pairs in batches for pair in pairs)
        return cls(
            name=name,
            upstream=upstream,
            interactions=tuple(interactions),
            index=index,
            playable=playable,
            parts=dict(zip(playable.parts, of_batches, strict=True)),
            origins=frozenset(each.origin for each in keyed if each.origin is not None),
            redactor=redactor,
            options=options,
            alike=frozenset(alike),
        )

    def ask(self, request: Request) -> Asked:
        """Look up a request as the client sent it."""
        return self._as_recorded(request) or self._as_redacted(request)

    def _as_recorded(self, request: Request) -> Asked | None:
        """Look a request up as it is; None where it isn't on the tape, or takes redaction.

        The keys of a tape are those of redacted requests, and redacting twice is redacting once:
        one that has such a key would be left as it is.
        """
        if self._looks_through or "REDACTED" in request.url or b"REDACTED" in request.body:
            return None
        if self.redactor.names_somebody(request.headers):
            return None
        key = key_of(request, self.options)
        answers = self.playable.answers.get(key)
        if answers is None:
            return None
        return Asked(
            key=key,
            exact=None,
            answers=answers,
            write=writes(request, self.options),
            sent=_NOBODY,
        )

    @cached_property
    def _looks_through(self) -> bool:
        """Whether a request may have a key that leaves out what redaction would find."""
        return self.ignores or any(
            each.ignore_query or not set(each.match_on) >= _WHOLE for each in self._every_options
        )

    @cached_property
    def ignores(self) -> bool:
        """Whether some field of a body takes no part in a match, of whatever request."""
        return any(each.ignore_body for each in self._every_options)

    @property
    def _every_options(self) -> tuple[MatchOptions, ...]:
        return (self.options, *(route.options for route in self.options.routes))

    def _as_redacted(self, request: Request) -> Asked:
        redacted = self.redactor.request(request)
        key, exact = keys_of(redacted.request, self.options)
        return Asked(
            key=key,
            exact=exact,
            answers=self.playable.find(key, exact),
            write=writes(request, self.options),
            sent=redacted.sent,
        )

    def by_order(self, asked: Asked, answers: Sequence[int]) -> bool:
        """Tell whether an answer may be that of a request which differs in what was masked."""
        if asked.exact is not None:
            if self.alike and key_digest(asked.exact) in self.alike:
                return True
            if asked.exact in self.playable.variants:
                return False
        return self.told_apart(asked.key, answers)

    def told_apart(self, key: Key, answers: Sequence[int]) -> bool:
        """Tell whether the recorded requests of a key differ in the secrets that were masked."""
        if answers[0] in self.playable.varied:
            return True
        return bool(self.alike) and key_digest(key) in self.alike

    def answer(self, hit: Hit, request: Request, sent: Mapping[str, str]) -> Response:
        """Return a recorded answer, with what the client itself sent as it sent it.

        That is: fields left out of matching which the answer repeats, and identities.
        """
        source = self.parts[hit.slot] if hit.part is not None else self.interactions[hit.index]
        ignored = self.options.at(source.request).ignore_body
        response = source.response
        if ignored:
            response = echoed(source.request, request, response, ignored)
        if not sent:
            return response
        restore = self.redactor.restore_text
        return replace(
            response,
            headers=response.headers.map(lambda _, value: restore(value, sent)),
            body=self.redactor.restore(response.body, sent),
        )


def as_asked_alone(part: Part, response: Response) -> Interaction:
    """Return a part of a recorded batch as the interaction it would have been without it."""
    return Interaction(request=part.request, response=response)
