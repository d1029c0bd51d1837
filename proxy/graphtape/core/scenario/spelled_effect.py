"""What happens to a call, as a scenario's file spells it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal, cast

from msgspec import UNSET, Meta, Struct, field

from graphtape.core.graph.actions import METADATA_CONTENT_TYPE
from graphtape.core.scenario.canned_answer import CannedAnswer, ErrorAnswer, PlainAnswer, RetryAfter
from graphtape.core.scenario.duration import (
    SPELLING,
    Delay,
    Fixed,
    LogNormal,
    PerByte,
    Uniform,
    seconds,
)
from graphtape.core.scenario.effect import (
    Breakage,
    Change,
    ConnectionFault,
    Effect,
    Injection,
    WireFault,
)
from graphtape.core.scenario.graph_error import ERRORS, GraphError
from graphtape.core.scenario.json_path import AppendValue, Edit, JsonPath, RemoveValue, SetValue
from graphtape.core.scenario.key_fault import KeyFault
from graphtape.core.scenario.spelled_notice import SpelledNotice  # noqa: TC001 - msgspec reads it

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphtape.core.matching.body import Json

Duration = (
    Annotated[str, Meta(extra_json_schema={"pattern": SPELLING}, examples=["200ms", "1.5s"])]
    | Annotated[float, Meta(description="seconds")]
)
Status = Annotated[int, Meta(ge=200, le=599)]
Scalar = str | bool | int | float
Pairs = tuple[tuple[str, str | None], ...]
Fields = dict[str, str | bool | int | float | None]
FaultName = Literal["reset", "close", "hang", "garbage", "truncate", "drip", "bad_chunk"]

_JSON_TYPE = "application/json"


def written(value: str | bool | float) -> str:  # noqa: FBT001 - a value, not a switch
    """Return a scalar as it stands in a query or header."""
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _fields(spelled: Mapping[str, str | bool | int | float | None]) -> Pairs:
    for name, value in spelled.items():
        text = "" if value is None else written(value)
        if not name.isascii() or not name or set(name) & set(" \t\r\n:") or set(text) & set("\r\n"):
            raise KeyFault(f"{name!r}: {text!r} is no header field", "headers", name)
    return tuple((name, None if v is None else written(v)) for name, v in spelled.items())


def wait_of(spelled: str | float, *keys: str | int) -> float:
    """Read a duration, in seconds, that stands under these keys.

    Raises:
        KeyFault: It is none.
    """
    try:
        return seconds(spelled)
    except ValueError as exc:
        raise KeyFault(str(exc), *keys) from exc


def json_path(text: str, *keys: str | int) -> JsonPath:
    """Read a path that stands under these keys.

    Raises:
        KeyFault: It is none.
    """
    try:
        return JsonPath.parse(text)
    except ValueError as exc:
        raise KeyFault(str(exc), *keys) from exc


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")


class Spelled(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A mapping of a scenario file; a key that it doesn't know is an error."""


class SpelledLogNormal(Spelled, frozen=True, kw_only=True):
    """A log-normal distribution."""

    median: Duration
    sigma: Annotated[float, Meta(ge=0, le=10, description="of the logarithm; 0: the median")] = 0.5
    max: Annotated[Duration, Meta(description="what is drawn beyond it becomes it")] = 60.0


class SpelledDelay(Spelled, frozen=True, kw_only=True):
    """How long an answer waits: one of these."""

    fixed: Annotated[Duration | None, Meta(description="always the same")] = None
    uniform: Annotated[tuple[Duration, Duration] | None, Meta(description="least and most")] = None
    log_normal: SpelledLogNormal | None = None
    per_byte: Annotated[Duration | None, Meta(description="for each byte of the body")] = None

    def __post_init__(self) -> None:
        self.read()

    def read(self) -> Delay:
        """Make the delay.

        Raises:
            KeyFault: It isn't exactly one, or a duration is none.
        """
        match (self.fixed, self.uniform, self.log_normal, self.per_byte):
            case (str() | float() | int() as fixed, None, None, None):
                return Fixed(seconds=wait_of(fixed, "fixed"))
            case (None, (low, high), None, None):
                uniform = Uniform(low=wait_of(low, "uniform", 0), high=wait_of(high, "uniform", 1))
                if uniform.low > uniform.high:
                    raise KeyFault("the first duration is the least, write it first", "uniform")
                return uniform
            case (None, None, SpelledLogNormal() as log_normal, None):
                return LogNormal(
                    median=wait_of(log_normal.median, "log_normal", "median"),
                    sigma=log_normal.sigma,
                    longest=wait_of(log_normal.max, "log_normal", "max"),
                )
            case (None, None, None, str() | float() | int() as per_byte):
                return PerByte(seconds=wait_of(per_byte, "per_byte"))
            case _:
                raise KeyFault("write exactly one of fixed, uniform, log_normal, per_byte")


class SpelledAnswer(Spelled, frozen=True, kw_only=True):
    """An answer in Graph's place: an error by its code, or a status with headers and a body."""

    error: Annotated[
        str | None,
        Meta(description="error.code; with a status, any", examples=sorted(ERRORS)),
    ] = None
    message: Annotated[str | None, Meta(description="error.message")] = None
    retry_after: Annotated[
        Annotated[int, Meta(ge=0, le=86400)] | Literal["http-date", "none"],
        Meta(description="seconds, a date 5 seconds ahead, or not sent"),
    ] = "none"
    claims: Annotated[
        dict[str, object] | None, Meta(description="of a claims challenge, decoded")
    ] = None
    status: Status | None = None
    headers: Annotated[Fields, Meta(description="null takes a field away")] = {}
    body: Annotated[
        object, Meta(description="JSON; a text is sent as it is", extra_json_schema={})
    ] = UNSET

    def __post_init__(self) -> None:
        self.read()

    def read(self) -> CannedAnswer:
        """Make the answer.

        Raises:
            KeyFault: Its keys contradict each other, or an error's status isn't known.
        """
        headers = _fields(self.headers)
        waits = (
            self.retry_after if isinstance(self.retry_after, int) else RetryAfter(self.retry_after)
        )
        if self.error is None:
            return self._plain(headers, waits)
        if self.body is not UNSET:
            raise KeyFault("error writes the body itself; drop one of the two", "body")
        known = ERRORS.get(self.error)
        status = self.status or (known.status if known else None)
        if status is None:
            raise KeyFault(
                f"the status of {self.error!r} is not known; say status as well, or use one of "
                f"{', '.join(sorted(ERRORS))}",
                "error",
            )
        if self.claims is not None and status != 401:  # noqa: PLR2004 - Unauthorized
            raise KeyFault(
                "a claims challenge is a 401: error: InvalidAuthenticationToken", "claims"
            )
        default = known.message if known else ""
        error = GraphError(
            code=self.error,
            status=status,
            message=default if self.message is None else self.message,
            intune=known is not None and known.intune,
        )
        claims = cast("Json", self.claims)
        return ErrorAnswer(error=error, retry_after=waits, claims=claims, headers=headers)

    def _plain(self, headers: Pairs, waits: int | RetryAfter) -> PlainAnswer:
        for key in ("message", "claims"):
            if getattr(self, key) is not None:
                raise KeyFault("it belongs to an error; say error as well", key)
        if self.status is None and self.body is UNSET:
            raise KeyFault("write error, or status, or body, or the last two")
        status = 200 if self.status is None else self.status
        if self.body is UNSET:
            return PlainAnswer(status=status, headers=headers, retry_after=waits)
        if isinstance(self.body, str):
            body, kind = self.body.encode("utf-8", "backslashreplace"), "text/plain"
        else:
            body = _json(self.body)
            kind = METADATA_CONTENT_TYPE if status < 400 else _JSON_TYPE  # noqa: PLR2004 - errors
        return PlainAnswer(
            status=status, headers=headers, body=body, content_type=kind, retry_after=waits
        )


class SpelledEffect(Spelled, frozen=True, kw_only=True):
    """What happens to one call; an empty one leaves it alone."""

    answer: SpelledAnswer | None = None
    set_: Annotated[
        dict[str, object], Meta(description="new values by JSON path, in the answer's body")
    ] = field(default_factory=dict, name="set")
    remove: Annotated[
        list[str] | str, Meta(description="JSON paths of what to take out of the answer's body")
    ] = []
    append: Annotated[
        dict[str, object], Meta(description="an item more, by JSON path of the list")
    ] = {}
    status: Annotated[Status | None, Meta(description="of the answer of tape or upstream")] = None
    headers: Annotated[Fields, Meta(description="of that answer; null takes a field away")] = {}
    delay: SpelledDelay | None = None
    fault: Annotated[
        FaultName | None,
        Meta(description="reset, close, hang, garbage: no answer; the others act on one"),
    ] = None
    notify: Annotated[
        SpelledNotice | list[SpelledNotice],
        Meta(description="changes the app is notified of under --notify, after the answer"),
    ] = []

    def __post_init__(self) -> None:
        self.effect()

    @property
    def changes(self) -> tuple[str, ...]:
        """The keys given that change an answer of tape or upstream."""
        given = {
            "set": self.set_,
            "remove": self.remove,
            "append": self.append,
            "status": self.status,
            "headers": self.headers,
        }
        return tuple(key for key, value in given.items() if value)

    def effect(self) -> Effect | None:
        """Make the effect; None where nothing is to happen.

        Raises:
            KeyFault: The keys contradict each other, or a path is none.
        """
        delay = None if self.delay is None else self.delay.read()
        told = self.notify if isinstance(self.notify, list) else [self.notify]
        notices = tuple(each.read() for each in told)
        connection, wire = _faults(self.fault)
        if connection is not None:
            for key in (*self.changes, *(("answer",) if self.answer else ())):
                raise KeyFault(f"fault: {connection} leaves no answer to change; drop {key}", key)
            return Breakage(fault=connection, delay=delay, notices=notices)
        if self.answer is not None:
            for key in self.changes:
                inside = " put it inside answer" if key in {"status", "headers"} else " drop it"
                raise KeyFault(f"it changes a recorded answer, answer replaces it;{inside}", key)
            return Injection(answer=self.answer.read(), fault=wire, delay=delay, notices=notices)
        if not (self.changes or wire or delay or notices):
            return None
        return Change(
            edits=self._edits(),
            status=self.status,
            headers=_fields(self.headers),
            fault=wire,
            delay=delay,
            notices=notices,
        )

    def _edits(self) -> tuple[Edit, ...]:
        """Return the edits in the order they are made: set, remove, append."""
        removed = [self.remove] if isinstance(self.remove, str) else self.remove
        return (
            *(SetValue(path=json_path(p, "set", p), json=_json(v)) for p, v in self.set_.items()),
            *(RemoveValue(path=_inner(p, "remove")) for p in removed),
            *(
                AppendValue(path=json_path(p, "append", p), json=_json(v))
                for p, v in self.append.items()
            ),
        )


def _inner(text: str, key: str) -> JsonPath:
    path = json_path(text, key)
    if not path.steps:
        raise KeyFault("$ is the whole body, which can't be removed; answer gives another", key)
    return path


def _faults(name: FaultName | None) -> tuple[ConnectionFault | None, WireFault | None]:
    if name is None:
        return None, None
    if name in set(ConnectionFault):
        return ConnectionFault(name), None
    return None, WireFault(name)
