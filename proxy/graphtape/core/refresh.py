"""A recorded answer brought up to the present: its Date, and how long it says to wait."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from graphtape.core import json_text
from graphtape.core.graph.actions import CALLER_ID
from graphtape.core.message import Headers, Response

if TYPE_CHECKING:
    from graphtape.core.json_text import Scalar

FAST_RETRY_AFTER = 1
"""Seconds that every client measured waits at most, and none waits longer.

At 0 the Python SDK falls back to its own wait of three to five seconds, and a fraction is no
delay-seconds (RFC 9110 section 10.2.3), which urllib3 refuses.
"""

_RETRY_AFTER = "retry-after"
_KEPT = frozenset({CALLER_ID, "date"})
_TOUCHED = _KEPT | {_RETRY_AFTER, "connection", "content-length", "keep-alive", "transfer-encoding"}
_NO_CONTENT = 204
"""Its answer has no Content-Length (RFC 9110 section 8.6)."""

_IN_BODY = re.compile(rb"retry-after", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What becomes of an answer's times.

    Expires, Last-Modified and the dates in bodies are data of the resource, and stay.

    Attributes:
        retry_after: Seconds that each Retry-After answered becomes; None leaves those in seconds
            as recorded, and moves dates with Date. It is never added.
        frozen: Whether Date stays as recorded, and dates in Retry-After with it.
    """

    retry_after: int | None = None
    frozen: bool = False

    def refreshed(
        self, response: Response, *, batch: bool, now: datetime, caller: str | None = None
    ) -> Response:
        """Answer as if it were answered now, and this caller.

        Args:
            response: From the tape, or of a scenario.
            batch: Whether it answers a `$batch`.
            now: Aware.
            caller: The client-request-id that the client sent, which Graph repeats.
        """
        fresh = {} if self.frozen else {"date": ("Date", http_date(now))}
        if caller is not None:
            fresh[CALLER_ID] = CALLER_ID, caller
        placed: set[str] = set()
        pairs: list[tuple[str, str]] = []
        for pair in response.headers.pairs:
            lower = pair[0].lower()
            if lower not in _TOUCHED:
                pairs.append(pair)
            elif lower in fresh:
                if lower not in placed:
                    placed.add(lower)
                    pairs.append((pair[0], fresh[lower][1]))
            elif lower == _RETRY_AFTER:
                pairs.append((pair[0], self.wait(pair[1], self._late(response.headers, now))))
            elif lower in _KEPT or (lower == "content-length" and response.status != _NO_CONTENT):
                pairs.append(pair)
        pairs += (fresh[name] for name in (CALLER_ID, "date") if name in fresh.keys() - placed)
        body = response.body
        if batch and _IN_BODY.search(body):
            body = self._in_parts(body, self._late(response.headers, now))
        return Response(
            status=response.status, reason=response.reason, headers=Headers(tuple(pairs)), body=body
        )

    def lasts(self, response: Response, *, batch: bool) -> bool:
        """Tell whether nothing of an answer but its Date is another one later."""
        if self.frozen or self.retry_after is not None:
            return True
        waits = [
            value
            for name, value in response.headers.pairs
            if len(name) == len(_RETRY_AFTER) and name.lower() == _RETRY_AFTER
        ]
        if any(parsed_date(value) is not None for value in waits):
            return False
        return not (batch and _IN_BODY.search(response.body))

    def wait(self, recorded: str, late: timedelta) -> str:
        """Return what a Retry-After becomes; `late` is how long ago it was recorded."""
        if self.retry_after is not None:
            return str(self.retry_after)
        moment = parsed_date(recorded)
        if moment is None or not late:
            return recorded
        try:
            return http_date(moment + late)
        except OverflowError:  # the year 9999 is some servers' "never"
            return recorded

    def _late(self, headers: Headers, now: datetime) -> timedelta:
        date = headers.get("Date")
        moment = parsed_date(date) if date is not None and not self.frozen else None
        # Without a recorded Date nobody knows what a date in Retry-After was counted from.
        return now.replace(microsecond=0) - moment if moment is not None else timedelta()

    def _in_parts(self, body: bytes, late: timedelta) -> bytes:
        """Change the Retry-After of each part of a `$batch` answer."""
        try:
            waits = [s for s in json_text.scalars(body) if _is_part_wait(s)]
        except json_text.NotJsonError:
            return body
        edits: list[tuple[int, int, bytes]] = []
        for scalar in waits:
            recorded = json_text.text(body, scalar)
            if scalar.string:
                new = json_text.quote(self.wait(recorded, late))
                edits.append((scalar.start, scalar.end, new))
            elif recorded.isdigit():
                edits.append((scalar.start, scalar.end, self.wait(recorded, late).encode()))
        return json_text.splice(body, edits)


def _is_part_wait(scalar: Scalar) -> bool:
    match scalar.path:
        case ("responses", int(), "headers", str(name)):
            return name.lower() == _RETRY_AFTER
        case _:
            return False


@lru_cache(maxsize=16)
def http_date(moment: datetime) -> str:
    """Write a moment as HTTP does (IMF-fixdate, RFC 9110 section 5.6.7)."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def parsed_date(text: str) -> datetime | None:
    """Read any of HTTP's three forms of a date; None where it is none."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
