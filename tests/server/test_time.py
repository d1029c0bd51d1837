"""Replay's clock: Date, Retry-After, and the flags that bend them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest
import requests

from commands import graphtape, serving
from graphtape.core.errors import UsageError
from graphtape.settings import load
from proxies import replaying
from tapes import exchanged, taped

if TYPE_CHECKING:
    from pathlib import Path

RECORDED = "Wed, 12 Aug 2020 06:52:20 GMT"
MINUTE_LATER = "Wed, 12 Aug 2020 06:53:20 GMT"


def answered(path: Path, **settings: object) -> requests.Response:
    with replaying(path, **settings) as proxy:
        return requests.get(f"{proxy.url}/v1.0/me", timeout=5)


@pytest.mark.parametrize(
    ("settings", "recorded", "expected"),
    [
        pytest.param({}, "30", "30", id="kept-by-default"),
        pytest.param({"retry_after": "keep"}, "30", "30", id="kept"),
        pytest.param({"retry_after": 7}, "30", "7", id="seconds"),
        pytest.param({"retry_after": 0}, "30", "0", id="zero"),
        pytest.param({"retry_after": 7}, MINUTE_LATER, "7", id="seconds-for-a-date"),
        pytest.param({"fast": True}, "30", "1", id="fast"),
        pytest.param({"fast": True}, "0", "1", id="fast-for-zero-that-backs-off"),
        pytest.param({"fast": True}, MINUTE_LATER, "1", id="fast-for-a-date"),
        pytest.param({"fast": True, "retry_after": 7}, "30", "7", id="seconds-beat-fast"),
        pytest.param({}, "soon", "soon", id="what-isn't-a-wait-is-kept"),
        pytest.param({"freeze_time": True}, MINUTE_LATER, MINUTE_LATER, id="frozen"),
    ],
)
def test_retry_after_becomes_what_was_asked_for(
    tmp_path: Path, settings: dict[str, object], recorded: str, expected: str
) -> None:
    tape = taped(
        tmp_path, exchanged("GET", "/v1.0/me", status=429, Date=RECORDED, Retry_After=recorded)
    )
    assert answered(tape, **settings).headers["Retry-After"] == expected


def test_a_date_to_retry_after_moves_as_date_does(tmp_path: Path) -> None:
    tape = taped(
        tmp_path, exchanged("GET", "/v1.0/me", status=503, date=RECORDED, Retry_After=MINUTE_LATER)
    )
    got = answered(tape)
    date = parsedate_to_datetime(got.headers["Date"])
    assert abs(datetime.now(UTC) - date) < timedelta(seconds=30)
    assert parsedate_to_datetime(got.headers["Retry-After"]) - date == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("date", "wait"),
    [
        pytest.param(None, MINUTE_LATER, id="no-date-to-count-from"),
        pytest.param("yesterday", MINUTE_LATER, id="no-readable-date"),
        pytest.param(RECORDED, "Fri, 31 Dec 9999 23:59:59 GMT", id="end-of-time"),
    ],
)
def test_a_date_to_retry_after_that_cannot_be_moved_stays(
    tmp_path: Path, date: str | None, wait: str
) -> None:
    dated = {"Date": date} if date is not None else {}
    tape = taped(tmp_path, exchanged("GET", "/v1.0/me", status=503, fields=dated, Retry_After=wait))
    got = answered(tape)
    assert got.headers["Retry-After"] == wait
    assert abs(datetime.now(UTC) - parsedate_to_datetime(got.headers["Date"])) < timedelta(
        seconds=30
    )


def test_no_flag_adds_a_retry_after(tmp_path: Path) -> None:
    tape = taped(tmp_path, exchanged("GET", "/v1.0/me", status=429))
    assert "Retry-After" not in answered(tape, fast=True, retry_after=5).headers


def test_frozen_time_answers_the_recorded_date(tmp_path: Path) -> None:
    tape = taped(tmp_path, exchanged("GET", "/v1.0/me", date=RECORDED))
    assert answered(tape, freeze_time=True).headers["Date"] == RECORDED


def test_dates_of_the_resource_stay_as_recorded(tmp_path: Path) -> None:
    tape = taped(
        tmp_path,
        exchanged("GET", "/v1.0/me", Date=RECORDED, Expires=MINUTE_LATER, Last_Modified=RECORDED),
    )
    headers = answered(tape, fast=True).headers
    assert (headers["Expires"], headers["Last-Modified"]) == (MINUTE_LATER, RECORDED)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({}, ["30", 30, "x", None], id="keep"),
        pytest.param({"fast": True}, ["1", 1, "1", None], id="fast"),
    ],
)
def test_the_parts_of_a_batch_are_told_to_wait_likewise(
    tmp_path: Path, settings: dict[str, object], expected: list[str | int | None]
) -> None:
    batch = json.dumps(
        {"requests": [{"id": str(n), "method": "GET", "url": f"/users/{n}"} for n in range(4)]}
    )
    answer = (
        '{"responses": [{"id": "0", "status": 429, "headers": {"Retry-After": "30"}},\n'
        ' {"id": "1", "status": 429, "headers": {"retry-after": 30}},'
        ' {"id": "2", "status": 429, "headers": {"RETRY-AFTER": "x"}},'
        ' {"id": "3", "status": 200, "headers": {"Retry-After": null},'
        ' "body": {"headers": {"Retry-After": "data"}}}]}'
    )
    tape = taped(
        tmp_path,
        exchanged(
            "POST", "/v1.0/$batch", answer, body=batch, asked={"Content-Type": "application/json"}
        ),
    )
    with replaying(tape, **settings) as proxy:
        got = requests.post(f"{proxy.url}/v1.0/$batch", json=json.loads(batch), timeout=5).json()
    waits = [next(iter(part["headers"].values())) for part in got["responses"]]
    assert waits == expected
    assert got["responses"][3]["body"] == {"headers": {"Retry-After": "data"}}


def test_the_flags_reach_the_answer(tmp_path: Path) -> None:
    tape = taped(
        tmp_path, exchanged("GET", "/v1.0/me", status=429, Date=RECORDED, Retry_After="30")
    )
    variables = {"GRAPHTAPE_RETRY_AFTER": "7"}
    with serving("replay", tape, "--freeze-time", cwd=tmp_path, env=variables) as served:
        headers = requests.get(f"{served.url}/v1.0/me", timeout=5).headers
    assert (headers["Retry-After"], headers["Date"]) == ("7", RECORDED)


@pytest.mark.parametrize("value", ["0.001", "-1", "soon"])
def test_a_flag_that_is_no_wait_is_a_usage_error(tmp_path: Path, value: str) -> None:
    done = graphtape("replay", "tape.yaml", f"--retry-after={value}", cwd=tmp_path)
    assert done.returncode == 2
    assert f"{value!r} is neither `keep` nor whole seconds" in done.stderr


@pytest.mark.parametrize("value", ["soon", -1, 0.5, "1"])
def test_a_setting_that_is_no_wait_is_refused(value: object) -> None:
    with pytest.raises(UsageError, match=r"retry-after"):
        load({"retry_after": value})
