"""The documented failures of a call, each as the effect of a scenario's rule."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from graphtape.core.errors import UsageError
from graphtape.core.graph.actions import (
    ONBOARDING_ACTIONS,
    ONBOARDING_STATUSES,
    last_segment,
)
from graphtape.core.graph.delta import fresh_delta
from graphtape.core.graph.path_template import below_version
from graphtape.core.matching.body import pairs_of
from graphtape.core.matching.key import writes
from graphtape.core.scenario.graph_error import ERRORS
from graphtape.core.scenario.json_path import JsonPath
from graphtape.core.scenario.schema import scenario_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from graphtape.core.message import Request, Response
    from graphtape.core.scenario.rule import Scenario
    from graphtape.explore.call import Call

RETRY_AFTER = 3
"""Seconds; more than the pause of a client that doesn't read the field, usually 1 or 2."""

SLOW = 10
"""Seconds."""

UNDOCUMENTED = "undocumentedValue"
TOLD_TO_WAIT = frozenset({"429", "429-date", "503"})
"""Answers after which Graph wants the same request again."""

BROKEN = frozenset({"reset", "close", "truncate", "garbage", "slow", "hang"})
"""Of these the connection is lost, or taken for it."""

LOST = BROKEN | {"500", "502", "504", "outage"}
"""After these a client can't know whether its write took effect."""

_CLAIMS = {"access_token": {"nbf": {"essential": True, "value": "1700000000"}}}
_DRIVES = frozenset({"drive", "drives", "shares"})
_INTUNE = frozenset({"deviceManagement", "deviceAppManagement"})
_CONDITIONS = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")
_PAGE_TOKENS = frozenset({"$skiptoken", "$skip"})
_DELTA_TOKENS = frozenset({"$deltatoken", "token"})
_STATUS = "status="
_PART = "part-"

NAMES = (
    "400",
    "401",
    "403",
    "404",
    "409",
    "410",
    "412",
    "429",
    "429-date",
    "429-bare",
    "500",
    "502",
    "503",
    "504",
    "reset",
    "close",
    "truncate",
    "garbage",
    "slow",
    "hang",
    "outage",
    "expired-next-link",
    "expired-delta-link",
)
"""In the order of the table; `part-` goes before that of a status for one part of a `$batch`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One failure.

    Attributes:
        name: In tables, reports and `--faults`.
        effect: As a rule spells it.
        words: What a message that names it holds, one of them; lower case.
        value: The status it puts in place of a recorded one; '' where it isn't that.
        stays: Whether later calls of the same request meet it too.
        again: Answers the same request after it, where the tape has no answer left for it.
        call: It is about: a part's, where one part of a `$batch` fails.
    """

    name: str
    effect: Mapping[str, object]
    call: Call
    words: tuple[str, ...] = ()
    value: str = ""
    stays: bool = False
    again: Mapping[str, object] | None = None

    @property
    def kind(self) -> str:
        """Its name, without saying that it meets a part."""
        return self.name.removeprefix(_PART)

    def spelled(self) -> dict[str, object]:
        """Write the scenario that makes this failure alone, as a file has it."""
        call = self.call
        when: dict[str, object] = {"method": call.when.method, "path": call.when.path}
        if call.when.query:
            when["query"] = dict(call.when.query)
        calls = {"from" if self.stays else "nth": call.nth}
        rules = [{"when": when, "calls": calls, **self.effect}]
        if self.again is not None:
            rules.append({"when": when, "calls": {"from": call.nth + 1}, "answer": self.again})
        return {
            "name": f"explore-{call.index}-{self.name}",
            "description": f"{self.name} at {call.name}",
            "rules": rules,
        }

    def scenario(self) -> Scenario:
        """Make the scenario."""
        return scenario_of(self.spelled())


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which faults are wanted, by name or family; none chooses all.

    Attributes:
        names: `429` is also `429-date` and `429-bare`, `status` every status, `part` every part.
    """

    names: tuple[str, ...] = ()
    _known: frozenset[str] = field(
        default=frozenset(
            {*NAMES, "expired", "status", "part", *(n.partition("-")[0] for n in NAMES)}
        )
    )

    def __post_init__(self) -> None:
        """Refuse what there isn't.

        Raises:
            UsageError: No fault has that name.
        """
        for name in self.names:
            plain = name.removeprefix(_PART)
            if plain not in self._known and not plain.startswith(_STATUS):
                raise UsageError(
                    f"--faults: no fault {name!r}; there are {', '.join(NAMES)}, part-STATUS, "
                    "status and status=VALUE"
                )

    def __contains__(self, fault: object) -> bool:
        """Tell whether a fault is wanted."""
        if not self.names:
            return True
        if not isinstance(fault, Fault):
            return False
        plain = fault.kind
        families = {fault.name, plain, plain.partition("-")[0], plain.partition("=")[0]}
        if fault.name != plain:
            families |= {"part", _PART + plain.partition("-")[0]}
        return not families.isdisjoint(self.names)


def in_order(faults: Iterable[Fault]) -> list[str]:
    """Return the names of faults, each once, in the order of the table."""
    values = [f"{_STATUS}{value}" for value in (*ONBOARDING_STATUSES, UNDOCUMENTED)]
    order = {name: place for place, name in enumerate((*NAMES, *values))}
    found = {each.name: (each.name != each.kind, order[each.kind]) for each in faults}
    return sorted(found, key=lambda name: found[name])


def faults_of(call: Call, *, seed: int = 0) -> tuple[Fault, ...]:
    """Return the documented failures of a call, in the order of the table.

    Args:
        call: Of the run without faults.
        seed: Chooses which part of a `$batch` meets which failure; each in its turn.
    """
    found = list(_faults(call))
    if call.parts:
        own = [{fault.name: fault for fault in _statuses(part)} for part in call.parts]
        for place, name in enumerate(NAMES):
            able = [faults[name] for faults in own if name in faults]
            if able:
                found.append(_of_part(able[(place + seed) % len(able)]))
        for part in call.parts:
            found += (_of_part(each) for each in _bent(part))
    return tuple(found)


def _of_part(fault: Fault) -> Fault:
    return replace(fault, name=_PART + fault.name)


def _faults(call: Call) -> Iterator[Fault]:
    yield from _statuses(call)
    broken: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("reset", ("reset", "abort")),
        ("close", ("closed", "disconnect", "eof", "empty reply")),
        ("truncate", ("incomplete", "truncat", "partial", "expecting", "json", "prematurely")),
        ("garbage", ("bad status", "invalid", "http/0.9", "malformed", "protocol", "garbage")),
    )
    for name, words in broken:
        if name != "truncate" or call.exchange.response.body:
            effect = {"fault": name}
            yield Fault(name=name, effect=effect, words=(*words, "connection"), call=call)
    waits = ("timeout", "timed out", "time out")
    slow = {"delay": {"fixed": SLOW}}
    yield Fault(name="slow", effect=slow, words=waits, call=call, again=_again(call))
    yield Fault(name="hang", effect={"fault": "hang"}, words=waits, call=call)
    failed = _error("500", "InternalServerError", call)
    yield replace(failed, name="outage", stays=True)
    yield from _expired(call)
    yield from _bent(call)


def _again(call: Call) -> dict[str, object] | None:
    """Return what a write is answered that comes again while its first answer is under way.

    Its recorded answer is taken until then, and another one isn't on the tape.
    """
    response = call.exchange.response
    if not call.last or not writes(call.exchange.request) or not response.status:
        return None
    answer: dict[str, object] = {"status": response.status}
    if response.body:
        answer["headers"] = {"Content-Type": response.headers.get("Content-Type")}
        try:
            answer["body"] = json.loads(response.body)
        except ValueError:
            return None
    return answer


def _statuses(call: Call) -> Iterator[Fault]:
    request, response = call.exchange.request, call.exchange.response
    bad, forbidden, missing, throttled = _codes(request)
    write = writes(request)
    yield _error("400", bad, call)
    yield _error("401", "InvalidAuthenticationToken", call, claims=_CLAIMS)
    yield _error("403", forbidden, call)
    if write or not _is_collection(response):
        yield _error("404", missing, call)
    if write:
        yield _error("409", "Conflict", call)
    if last_segment(request.url) == "delta":
        code = "resyncRequired" if _root(request) in _DRIVES else "SyncStateNotFound"
        yield _error("410", code, call)
    if any(name in request.headers for name in _CONDITIONS):
        yield _error("412", "PreconditionFailed", call)
    yield _error("429", throttled, call, retry_after=RETRY_AFTER)
    yield _error("429-date", throttled, call, retry_after="http-date")
    yield _error("429-bare", throttled, call)
    yield _error("500", "InternalServerError", call)
    yield _error("502", "BadGateway", call)
    yield _error("503", "ServiceUnavailable", call, retry_after=RETRY_AFTER)
    yield _error("504", "GatewayTimeout", call)


def _error(name: str, code: str, call: Call, **more: object) -> Fault:
    error = ERRORS[code]
    words = (str(error.status), code.lower(), error.message.lower().rstrip("."))
    return Fault(name=name, effect={"answer": {"error": code, **more}}, words=words, call=call)


def _root(request: Request) -> str:
    names = [name for name in below_version(request.url) if name not in {"me", "users", "sites"}]
    return next((name for name in names if name in _DRIVES), names[0] if names else "")


def _codes(request: Request) -> tuple[str, str, str, str]:
    """Return the codes of a 400, 403, 404 and 429, which differ between the services."""
    root = _root(request)
    if root in _INTUNE:
        return "BadRequest", "Forbidden", "ResourceNotFound", "TooManyRequests"
    if root in _DRIVES:
        return "BadRequest", "accessDenied", "itemNotFound", "activityLimitReached"
    return (
        "Request_BadRequest",
        "Authorization_RequestDenied",
        "Request_ResourceNotFound",
        "TooManyRequests",
    )


def _expired(call: Call) -> Iterator[Fault]:
    names = {name.lower() for name, _ in pairs_of(call.exchange.request.url.partition("?")[2])}
    if names & _PAGE_TOKENS:
        answer = {
            "status": 400,
            "error": "Directory_ExpiredPageToken",
            "message": "The specified page token value has expired and can no longer be included "
            "in your request.",
        }
        words = ("400", "directory_expiredpagetoken", "expired")
        yield Fault(name="expired-next-link", effect={"answer": answer}, words=words, call=call)
    url = call.exchange.request.url
    fresh = fresh_delta(url)
    if names & _DELTA_TOKENS or (fresh is not None and len(fresh) < len(url)):
        gone = _error("410", "resyncRequired", call)
        yield replace(gone, name="expired-delta-link")


def _bent(call: Call) -> Iterator[Fault]:
    """Yield each status that an answer of Intune's may have in place of its own."""
    found = status_values(call.exchange.request, call.exchange.response)
    if not found:
        return
    path = (
        "$.value"
        if last_segment(call.exchange.request.url) in ONBOARDING_ACTIONS
        else "$..onboardingStatus"
    )
    for value in (*ONBOARDING_STATUSES, UNDOCUMENTED):
        if found != {value}:
            yield Fault(
                name=_STATUS + value,
                effect={"set": {path: value}},
                words=(value.lower(),),
                value=value,
                stays=True,
                call=call,
            )


def status_values(request: Request, response: Response) -> Collection[str]:
    """Return the chromeOSOnboardingStatus values that an answer holds."""
    if "chromeOSOnboardingSettings" not in below_version(request.url):
        return frozenset()
    if not 200 <= response.status < 300 or not response.body:  # noqa: PLR2004 - 2xx
        return frozenset()
    action = last_segment(request.url) in ONBOARDING_ACTIONS
    path = JsonPath.parse("$.value" if action else "$..onboardingStatus")
    try:
        values: Sequence[object] = list(path.values(response.body))
    except ValueError:
        return frozenset()
    return frozenset(value for value in values if isinstance(value, str))


def _is_collection(response: Response) -> bool:
    try:
        value = json.loads(response.body)
    except ValueError:
        return False
    return isinstance(value, dict) and isinstance(value.get("value"), list)
