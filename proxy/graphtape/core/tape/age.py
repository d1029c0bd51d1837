"""How old a recording may be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from graphtape.core.report.wording import ago

_SPELLED = re.compile(r"([0-9]{1,6})([hdw])", re.ASCII)
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_FAIL = "=fail"


def age_of(text: str) -> timedelta:
    """Read `36h`, `90d` or `12w`.

    Raises:
        ValueError: It is none of these.
    """
    found = _SPELLED.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no age; write 36h, 90d or 12w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeLimit:
    """How old a cassette may be that is played.

    Attributes:
        text: The age as it was spelled.
        most: The age.
        fails: Whether an older one isn't played.
    """

    text: str
    most: timedelta
    fails: bool

    @classmethod
    def parse(cls, text: str) -> AgeLimit:
        """Read `90d`, or `90d=fail`.

        Raises:
            ValueError: It is neither.
        """
        spelled = text.removesuffix(_FAIL)
        return cls(text=spelled, most=age_of(spelled), fails=spelled != text)

    def complaint(self, name: str, recorded_at: str, now: datetime) -> str | None:
        """Say that a cassette is too old; None of one that isn't.

        Args:
            name: What messages call it.
            recorded_at: As its metadata say; what says no time isn't old.
            now: With a time zone.
        """
        age = age_at(recorded_at, now)
        if age is None or age <= self.most:
            return None
        return (
            f"{name}: was recorded {recorded_at[:10]}, {ago(age.days)}, which is more than "
            f"max-age {self.text}; record it anew with `graphtape refresh`"
        )


def age_at(recorded_at: str, now: datetime) -> timedelta | None:
    """Return how long ago a cassette was recorded; None where its metadata don't say."""
    time = time_of(recorded_at)
    return None if time is None else now - time


def time_of(text: str) -> datetime | None:
    """Read a time in ISO 8601, in UTC where it names no zone; None where it is none."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
