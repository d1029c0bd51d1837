from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from graphtape.core.tape.age import AgeLimit, age_at, age_of

WHICH = "which is more than max-age 90d; record it anew with `graphtape refresh`"
NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "hours"), [("36h", 36), ("90d", 90 * 24), ("12w", 12 * 7 * 24), ("0d", 0)]
)
def test_an_age_has_a_unit(text: str, hours: int) -> None:
    assert age_of(text) == timedelta(hours=hours)


@pytest.mark.parametrize(
    "text", ["", "90", "d", "1y", "-1d", "1.5d", "90 d", "9999999d", "\u0661d"]
)
def test_what_is_no_age_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no age; write 36h, 90d or 12w"):
        age_of(text)


def test_a_limit_may_fail() -> None:
    assert AgeLimit.parse("90d") == AgeLimit(text="90d", most=timedelta(days=90), fails=False)
    assert AgeLimit.parse("90d=fail").fails
    with pytest.raises(ValueError, match="is no age"):
        AgeLimit.parse("90d=warn")


@pytest.mark.parametrize(
    ("recorded_at", "said"),
    [
        ("2026-04-30T00:00:00Z", None),
        ("2026-01-31T00:00:00Z", None),
        ("2026-01-30T23:59:59Z", f"t.yaml: was recorded 2026-01-30, 90 days ago, {WHICH}"),
        ("2027-01-01T00:00:00Z", None),
        ("", None),
        ("yesterday", None),
    ],
)  # fmt: skip
def test_what_is_older_than_the_limit_is_too_old(recorded_at: str, said: str | None) -> None:
    assert AgeLimit.parse("90d").complaint("t.yaml", recorded_at, NOW) == said


def test_a_time_without_a_zone_is_utc() -> None:
    assert age_at("2026-04-30T23:00:00", NOW) == timedelta(hours=1)
