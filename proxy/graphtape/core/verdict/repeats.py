"""Which calls should come again and when, and which should not come again just so."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from graphtape.core.matching.key import MatchOptions, writes
from graphtape.core.refresh import parsed_date
from graphtape.core.verdict.verdict import Kind, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphtape.core.message import Response
    from graphtape.core.verdict.call import Call

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

LENIENCE = 0.1
"""Seconds a client may come too early: its timer and the proxy's clock aren't one."""

_MOST_WAITS = 10_000
_MOST_WAITS_OF_ONE = 100
_MOST_AREAS = 1_000
_MOST_DOUBTS_OF_AREA = 100

_MISS = 599
_THROTTLED = frozenset({429, 503})
# Whether the call took effect is open. 501, 507 and 509 refuse it.
_OPEN_END = frozenset({500, 502, 503, 504})
_TELLS = frozenset({404, 410})
_FIRST_ERROR = 400
_REDIRECT = 300
_SECONDS = re.compile(r"[0-9]{1,9}")
_BATCH = ("$batch",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A client that was told when to come back.

    Attributes:
        since: When its answer went out.
        until: Not before.
        owed: Whether coming back is expected, and hasn't happened.
        who: The call that was told.
        what: The operation.
        status: That it was answered with.
    """

    number: int
    since: float
    until: float
    owed: bool
    who: str
    what: str
    status: int

    @property
    def told(self) -> str:
        """Say how long it was told to wait."""
        return f"to wait {_seconds(max(0.0, self.until - self.since))}"

    @property
    def text(self) -> str:
        """Say what became of it."""
        answered = f"{self.who} ({self.what}) was answered {self.status} and told {self.told}"
        return f"{answered}; the same request never came again"


class Repeats:
    """What is outstanding: waits that answers asked for, and writes whose outcome is unknown.

    It holds a bounded number of either and forgets the oldest: then there are verdicts less,
    never wrong ones.

    Attributes:
        waits: By the call that is to come back.
        doubts: By what a client would read to learn how a write ended, then by the write.
    """

    def __init__(self, options: MatchOptions) -> None:
        """Know nothing yet; `options` say which POSTs only read."""
        self._options = options
        self.waits: dict[bytes, deque[Wait]] = {}
        self.doubts: dict[tuple[str, ...], dict[bytes, str]] = {}

    def __bool__(self) -> bool:
        """Tell whether anything is outstanding."""
        return bool(self.waits or self.doubts)

    def asked(self, call: Call, *, now: float) -> Iterator[Verdict]:
        """See a call come."""
        if not self:
            return
        same = call.about.identity
        wait = self._met(same, now)
        if wait is not None:
            after = _seconds(max(0.0, now - wait.since))
            text = f"({call.what}) came back {after} after {wait.who} was told {wait.told}"
            yield call.verdict(Kind.EARLY_RETRY, text)
        area = _area(call)
        doubts = self.doubts.get(area, {})
        doubt = doubts.pop(same, None)
        if doubt is not None:
            if not doubts:
                del self.doubts[area]
            yield call.verdict(Kind.BLIND_RETRY, f"({call.what}) repeats {doubt}")

    def answered(self, call: Call, response: Response, *, now: float) -> None:
        """See the answer to a call go out."""
        if response.status == _MISS:
            return
        told = response.headers.get("Retry-After")
        if told is None:
            if response.status in _OPEN_END:
                self._doubt(call, f"{call.who}, answered {response.status} without Retry-After")
        elif (until := _until(told, response, now)) is not None and _of_itself(
            call, response.status
        ):
            self._wait(call, response.status, since=now, until=until)
        if self.doubts and not writes(call.request, self._options):
            self._look(call, response.status)

    @staticmethod
    def judges(response: Response) -> bool:
        """Tell whether an answer leaves something outstanding."""
        return response.status in _OPEN_END or "Retry-After" in response.headers

    def broke(self, call: Call) -> None:
        """See a call whose answer never went out whole."""
        self._doubt(call, f"{call.who}, whose connection broke before its answer was whole")

    def ended(self, *, now: float) -> Iterator[Verdict]:
        """See the run end; a client that is still to wait isn't late."""
        for waits in self.waits.values():
            for wait in waits:
                if wait.owed and wait.until <= now:
                    yield Verdict(kind=Kind.NO_RETRY, number=wait.number, text=wait.text)

    def _met(self, same: bytes, now: float) -> Wait | None:
        """Take the wait that a call ends; return it where the call came too early.

        Several clients may have been told: only one that no wait explains came too early.
        """
        waits = self.waits.pop(same, None)
        if waits is None:
            return None
        met = min(waits, key=lambda wait: wait.until)
        waits.remove(met)
        if waits:
            rest = (replace(wait, owed=False) for wait in waits)
            self.waits[same] = deque(rest, _MOST_WAITS_OF_ONE)
        return met if now < met.until - LENIENCE else None

    def _wait(self, call: Call, status: int, *, since: float, until: float) -> None:
        same = call.about.identity
        waits = self.waits.pop(same, None) or deque(maxlen=_MOST_WAITS_OF_ONE)
        wait = Wait(
            number=call.number,
            since=since,
            until=until,
            owed=status in _THROTTLED,
            who=call.who,
            what=call.what,
            status=status,
        )
        waits.append(wait)
        self.waits[same] = waits
        _forget(self.waits, _MOST_WAITS)

    def _doubt(self, call: Call, text: str) -> None:
        request = call.request
        if request.method.upper() != "POST" or not writes(request, self._options):
            return
        # Outlook drops a second event of the same one (Graph, "event resource type").
        if b'"transactionId"' in request.body:
            return
        area = _area(call)
        doubts = self.doubts.setdefault(area, {})
        doubts[call.about.identity] = text
        _forget(doubts, _MOST_DOUBTS_OF_AREA)
        _forget(self.doubts, _MOST_AREAS)

    def _look(self, call: Call, status: int) -> None:
        """See a client read: what it read of isn't repeated blindly."""
        if status >= _FIRST_ERROR and status not in _TELLS:
            return
        path = call.path
        self.doubts.pop(_BATCH, None)  # whatever it wrote
        for length in range(1, len(path) + 1):
            self.doubts.pop(path[:length], None)


def _of_itself(call: Call, status: int) -> bool:
    """Tell whether a Retry-After speaks of the same call again.

    In a redirect it speaks of the next one (RFC 9110 section 10.2.3), in the answer to an
    accepted write of its monitor.
    """
    return status >= _FIRST_ERROR or (status < _REDIRECT and call.request.method.upper() == "GET")


def _area(call: Call) -> tuple[str, ...]:
    """Return the path that an action acts on, or an item is added below."""
    path = call.path
    return path[:-1] if len(path) > 1 else path


def _until(told: str, response: Response, now: float) -> float | None:
    """Read a Retry-After, in either of its forms; None where it is none.

    A date may be counted by the clock or from the answer's Date, which differs from the clock
    where Graph's is another, or frozen: the earlier one counts.
    """
    if _SECONDS.fullmatch(told.strip()):
        return now + int(told)
    moment, date = parsed_date(told), parsed_date(response.headers.get("Date") or "")
    if moment is None:
        return None
    until = moment.timestamp()
    return until if date is None else min(until, now + until - date.timestamp())


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}".removesuffix(".0") + " s"


def _forget(kept: dict[_Key, _Value], most: int) -> None:
    """Drop what was kept first."""
    while len(kept) > most:
        del kept[next(iter(kept))]
