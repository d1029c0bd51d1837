"""What goes in and out of the control API; its OpenAPI document is made from these types."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from graphtape.core.journal import Entry, Source
from graphtape.core.tape.outcome import Mode  # noqa: TC001 - likewise

REF = "#/components/schemas/"
"""Where the OpenAPI document keeps types, by name."""

SCENARIO = {
    "anyOf": [
        {"type": "string", "minLength": 1, "description": "a preset's name, or a file's path"},
        {"$ref": f"{REF}Scenario"},
        {
            "type": "object",
            "description": "a preset",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
            "additionalProperties": False,
        },
    ]
}
SCENARIOS = {"anyOf": [*SCENARIO["anyOf"], {"type": "array", "items": SCENARIO}]}
"""The forms of one scenario, or a list of them."""

_DIRECTION = {"allOf": [{"$ref": f"{REF}Direction"}, {"minProperties": 1}]}
DIRECTIONS = {"anyOf": [_DIRECTION, *SCENARIOS["anyOf"]]}
"""What directs a session: these, or statuses with them."""

Scenarios = Annotated[
    object, Meta(extra_json_schema={"anyOf": [*SCENARIOS["anyOf"], {"type": "null"}]})
]
Texts: TypeAlias = str | list[str]
SessionId = Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,64}$")]
Count = Annotated[int, Meta(ge=0)]


_SOURCES = f"^({'|'.join(Source)})?$"


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing is asked for."""


class NewSession(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session to be opened.

    Attributes:
        id: In the path prefix of its requests; made up where it isn't said. A replica puts its
            name and a dot before it.
        cassettes: One path or several, under the folder the proxy was started in; those of the
            proxy where it isn't said.
        mode: The proxy's own where it isn't said.
        scenario: One or several: a preset's name, a scenario file's path, or a scenario itself;
            the proxy's own where it isn't said.
        status: Likewise, as `--status` takes them: `failed`, `disconnect=failed`.
    """

    id: SessionId | None = None
    cassettes: Texts = []
    mode: Mode | None = None
    scenario: Scenarios = None
    status: Texts | None = None


class Direction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a session's answers are to become, in place of what was said before.

    Attributes:
        scenario: One or several: a preset's name, a scenario file's path, or a scenario itself.
        status: One or several, as `--status` takes them: `failed`, `disconnect=failed`.
    """

    scenario: Scenarios = None
    status: Texts | None = None


class Opened(Struct, frozen=True, kw_only=True):
    """A session that is open now.

    Attributes:
        base_url: In Graph's place for its clients, without a version.
    """

    id: SessionId
    base_url: str


class RecordingFacts(Struct, frozen=True, kw_only=True):
    """What a session records.

    Attributes:
        upstream: Where from: a cloud's name, `sandbox` or `custom`.
        cassette: The file it is saved to.
        new: How many interactions so far.
        dropped: How many were left off the tape.
        secrets: How many values were masked.
        identities: How many were replaced by pseudonyms.
        part_bytes: Of the file that they are kept in until they are saved.
    """

    upstream: str
    cassette: str
    new: Count
    dropped: Count
    secrets: Count
    identities: Count
    part_bytes: Count


class SessionFacts(Struct, frozen=True, kw_only=True):
    """An open session.

    Attributes:
        base_url: In Graph's place for its clients, without a version.
        mode: Where its answers may come from.
        cassettes: That it plays, or records into.
        scenario: The names of the scenarios it has.
        status: The status rules it has, as `--status` takes them.
        requests: How many arrived.
        answers: How many were given, by where they came from.
        recording: What it records; null where it only replays.
    """

    id: SessionId
    base_url: str
    mode: Mode
    cassettes: list[str]
    scenario: list[str]
    status: list[str]
    requests: Count
    answers: dict[str, int]
    recording: RecordingFacts | None = None


class SessionList(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The open sessions, in the order they were opened; of several replicas, one after another.

    Attributes:
        unreachable: The replicas that didn't answer, by name.
    """

    sessions: list[SessionFacts]
    unreachable: list[str] = []


class Health(Struct, frozen=True, kw_only=True):
    """That the proxy serves, and what.

    Attributes:
        status: `ok`.
        graphtape: Its version.
        proxy: The data port, as reached by the name this call used.
        mode: Of the default session.
        cassettes: Likewise.
        sessions: How many are open.
        requests: How many arrived in them.
        listeners: How many listen to events.
    """

    status: str
    graphtape: str
    proxy: str
    mode: Mode
    cassettes: list[str]
    sessions: Count
    requests: Count
    listeners: Count


class Directed(Struct, frozen=True, kw_only=True):
    """What bends a session's answers now.

    Attributes:
        scenario: Names, in the order they are asked.
        status: As `--status` takes them.
    """

    scenario: list[str]
    status: list[str]


class JournalQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries are asked for.

    Attributes:
        after: The `next` of the page before; 0 begins.
        limit: How many are looked at, at most.
        source: Those alone whose answer came from there; of any where it is empty.
    """

    after: Annotated[int, Meta(ge=0, le=2**53)] = 0
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 1000
    source: Annotated[str, Meta(pattern=_SOURCES)] = ""


class JournalPage(Struct, frozen=True, kw_only=True):
    """Entries of a journal, in the order the requests were done.

    Attributes:
        next: What to ask `after` for those that follow.
        gone: How many between `after` and the first one here are kept no longer.
    """

    entries: list[Entry]
    next: Count
    gone: Count


class EventsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose events are asked for.

    Attributes:
        session: An open session's id; all of them where it isn't said.
        every: 50ms to 60s: one event tells of all that happened in this time.
        newest: How many entries it tells at most.
    """

    session: SessionId | None = None
    every: Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?(ms|s)$")] | None = None
    newest: Annotated[int, Meta(ge=0, le=1000)] | None = None


class Fault(Struct, frozen=True, kw_only=True):
    """What is wrong.

    Attributes:
        code: Begins with `Graphtape`.
        message: What was asked, what was found, what to do.
    """

    code: str
    message: str


class Refused(Struct, frozen=True, kw_only=True):
    """A request that was refused; nothing was changed."""

    error: Fault
