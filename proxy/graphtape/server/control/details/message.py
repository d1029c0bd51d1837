"""What these calls answer; the OpenAPI document is made from these types."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from graphtape.core.journal import Entry  # noqa: TC001 - msgspec reads the annotations
from graphtape.core.redaction.marks import Mark  # noqa: TC001 - likewise

Count = Annotated[int, Meta(ge=0)]


class Place(Struct, frozen=True, kw_only=True):
    """Where on a tape a session is.

    Attributes:
        cassette: Its name.
        write: Index of the write most recently played; null before the first.
        low: Reads come from here,
        high: up to, not including, here: indices of interactions.
    """

    cassette: str
    write: Count | None
    low: Count
    high: Count


class TapeQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which interactions are asked for.

    Attributes:
        cassette: Its number among those of the session, from 0.
        after: The `next` of the page before; 0 begins.
        limit: How many at most.
    """

    cassette: Annotated[int, Meta(ge=0, le=10_000)] = 0
    after: Annotated[int, Meta(ge=0, le=2**53)] = 0
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 1000


class InteractionQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """On which tape it is.

    Attributes:
        cassette: Its number among those of the session, from 0.
    """

    cassette: Annotated[int, Meta(ge=0, le=10_000)] = 0


class TapeRow(Struct, frozen=True, kw_only=True):
    """An interaction in short.

    Attributes:
        url: Without secrets and identities.
        status: Of the answer.
        bytes: Of the answer's body.
        write: Whether it may change the tenant.
        played: Whether its answer went out, or that of a part of it.
    """

    index: Count
    method: str
    url: str
    status: int
    bytes: Count
    write: bool
    played: bool


class TapePage(Struct, frozen=True, kw_only=True):
    """Interactions of a tape.

    Attributes:
        next: What to ask `after` for those that follow.
        size: How many interactions there are.
        played: How many of them were played.
    """

    rows: list[TapeRow]
    next: Count
    size: Count
    played: Count
    position: Place


class Message(Struct, frozen=True, kw_only=True):
    """A request or an answer, without secrets and identities.

    Attributes:
        method: Of a request.
        url: Likewise.
        status: Of an answer.
        headers: Name and value.
        body: As text; what is no UTF-8 is replaced.
        cut: Whether the body is longer.
    """

    headers: list[tuple[str, str]]
    body: str
    cut: bool
    method: str | None = None
    url: str | None = None
    status: int | None = None


class InteractionFacts(Struct, frozen=True, kw_only=True):
    """An interaction of a tape.

    Attributes:
        marks: Where masks and pseudonyms stand in its texts.
    """

    cassette: str
    index: Count
    request: Message
    response: Message
    marks: list[Mark]


class Difference(Struct, frozen=True, kw_only=True):
    """One difference of two requests.

    Attributes:
        place: `method`, `path`, `query.NAME`, `body.settings[0].name`, …
        recorded: Shortened around the difference; null where there is nothing.
        asked: Likewise.
    """

    place: str
    recorded: str | None
    asked: str | None


class NearestRecorded(Struct, frozen=True, kw_only=True):
    """A recorded request that comes near to one that nothing answers.

    Attributes:
        number: Of the cassette among those of the session, from 0.
        differences: Empty where it is the same request, and its answers are used up.
    """

    cassette: str
    number: Count
    index: Count
    request: Message
    differences: list[Difference]


class MissFacts(Struct, frozen=True, kw_only=True):
    """Why nothing recorded answers a request.

    Attributes:
        advice: What to do, a line each.
    """

    message: str
    asked: Message
    nearest: list[NearestRecorded]
    advice: list[str]


class EntryFacts(Struct, frozen=True, kw_only=True):
    """One entry of a journal.

    Attributes:
        why: Where the answer came from, or why there was none; empty where it is plain.
        changed: What scenarios did to the answer.
        misses: Why nothing answers it; of a batch, each part of it. Those of the newest 200
            requests that missed are kept.
    """

    entry: Entry
    why: str
    changed: str
    misses: list[MissFacts]


class ScenarioRow(Struct, frozen=True, kw_only=True):
    """A scenario that is there for the asking.

    Attributes:
        name: What `PUT /sessions/{id}/scenario` takes.
        preset: Whether Graphtape brings it; else it is a file.
    """

    name: str
    preset: bool
    description: str


class ScenarioList(Struct, frozen=True, kw_only=True):
    """The presets, and the scenario files of the folder."""

    scenarios: list[ScenarioRow]


class ScenarioText(Struct, frozen=True, kw_only=True):
    """A preset, or a scenario file.

    Attributes:
        text: Its YAML, or the file's text.
    """

    name: str
    text: str


class CassetteRow(Struct, frozen=True, kw_only=True):
    """A cassette below the folder, or one that a session has.

    Attributes:
        bytes: Of the file; null where it is on no disk any more.
        modified: Unix time.
        sessions: The ids of those that play it.
        interactions: How many it has; null unless a session plays it.
        upstream: What it was recorded from, as it says; null unless a session plays it.
        recorded_at: When, as it says; likewise.
        edited: Whether it was since; likewise.
    """

    name: str
    bytes: Count | None
    modified: float | None
    sessions: list[str]
    interactions: Count | None
    upstream: str | None
    recorded_at: str | None
    edited: bool | None


class FindingRow(Struct, frozen=True, kw_only=True):
    """What may be a secret or an identity, as `graphtape scan` finds it.

    Attributes:
        interaction: Its index on the tape; null outside of interactions.
        place: `request.url`, `response.body.value[0].mail`, …
        excerpt: Masked.
        rule: That found it.
    """

    interaction: Count | None
    place: str
    excerpt: str
    rule: str


class FindingList(Struct, frozen=True, kw_only=True):
    """What is left in a cassette.

    Attributes:
        findings: The first 1000.
        count: How many there are.
        failure: Why it could not be looked at; null where it could.
    """

    name: str
    findings: list[FindingRow]
    count: Count
    failure: str | None


class CassetteList(Struct, frozen=True, kw_only=True):
    """The cassettes, by name."""

    cassettes: list[CassetteRow]
