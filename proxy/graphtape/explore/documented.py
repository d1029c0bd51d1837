"""Which failures Microsoft documents for a call."""

from __future__ import annotations

import json
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from graphtape.core.graph.actions import (
    ONBOARDING_ACTIONS,
    ONBOARDING_STATUSES,
    last_segment,
)
from graphtape.core.graph.batch import is_batch
from graphtape.core.graph.delta import fresh_delta
from graphtape.core.graph.path_template import below_version
from graphtape.core.matching.body import pairs_of
from graphtape.core.matching.key import writes
from graphtape.core.scenario.graph_error import ERRORS
from graphtape.core.scenario.json_path import JsonPath
from graphtape.explore.fault import NAMES, PART, STATUS, UNDOCUMENTED, Fault

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from graphtape.core.message import Request, Response
    from graphtape.explore.call import Call

RETRY_AFTER = 3
"""Seconds; more than the pause of a client that doesn't read the field, usually 1 or 2."""

SLOW = 10
"""Seconds."""

_CLAIMS = {"access_token": {"nbf": {"essential": True, "value": "1700000000"}}}
_DRIVES = frozenset({"drive", "drives", "shares"})
_INTUNE = frozenset({"deviceManagement", "deviceAppManagement"})
_PAGE_TOKENS = frozenset({"$skiptoken", "$skip"})
_DELTA_TOKENS = frozenset({"$deltatoken", "token"})

# How clients name what happened, a part of a word or more; lower case.
_NETWORK = ("connection", "network", "socket", "fetch failed")
_WAITED = ("timeout", "timed out", "time out", "deadline")
_BROKEN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("reset", ("reset", "abort", "hang up")),
    ("close", ("closed", "disconnect", "eof", "empty reply", "hang up", "without response")),
    (
        "truncate",
        (
            "incomplete",
            "truncat",
            "partial",
            "expecting",
            "json",
            "prematurely",
            "closed",
            "not completed",
            "terminated",
            "unexpected e",
            "aborted",
            "eof",
        ),
    ),
    ("garbage", ("bad status", "invalid", "http/0.9", "malformed", "protocol", "garbage", "parse")),
)
_OTHER_WORDS = {401: ("unauthori",), 403: ("denied",), 429: ("throttl", "rate limit")}


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
    return replace(fault, name=PART + fault.name)


def _faults(call: Call) -> Iterator[Fault]:
    yield from _statuses(call)
    for name, words in _BROKEN:
        if name != "truncate" or call.exchange.response.body:
            yield Fault(name=name, effect={"fault": name}, words=(*words, *_NETWORK), call=call)
    slow = {"delay": {"fixed": SLOW}}
    yield Fault(name="slow", effect=slow, words=_WAITED, call=call, again=_again(call))
    yield Fault(name="hang", effect={"fault": "hang"}, words=_WAITED, call=call)
    failed = _error("500", "InternalServerError", call)
    yield replace(failed, name="outage", stays=True)
    reset, words = _BROKEN[0]
    effect = {"fault": reset}
    lasting = (*words, *_NETWORK)
    yield Fault(name="outage-reset", effect=effect, words=lasting, call=call, stays=True)
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
    write, batch = writes(request), is_batch(request)
    yield _error("400", bad, call)
    yield _error("401", "InvalidAuthenticationToken", call, claims=_CLAIMS)
    yield _error("403", forbidden, call)
    if not batch and (write or not _is_collection(response)):
        yield _error("404", missing, call)
    if write and not batch:
        yield _error("409", "Conflict", call)
    if last_segment(request.url) == "delta":
        code = "resyncRequired" if _root(request) in _DRIVES else "SyncStateNotFound"
        yield _error("410", code, call)
    if _is_conditional(request):
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
    words = (
        str(error.status),
        code.lower(),
        *filter(None, [error.message.lower().rstrip(".")]),
        HTTPStatus(error.status).phrase.lower(),
        *_OTHER_WORDS.get(error.status, ()),
    )
    return Fault(name=name, effect={"answer": {"error": code, **more}}, words=words, call=call)


def _is_conditional(request: Request) -> bool:
    """Tell whether a condition may fail: a read with If-None-Match is answered 304 (RFC 9110)."""
    names: tuple[str, ...] = ("If-Match", "If-Unmodified-Since")
    if writes(request):
        names += ("If-None-Match",)
    return any(name in request.headers for name in names)


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
                name=STATUS + value,
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
