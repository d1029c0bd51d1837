"""Two results of a command compared."""

from __future__ import annotations

import pytest

from graphtape.explore.judging.oracle import difference, normalised


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("took 0.31 s\n", "took 12.90 s\n"),
        ("at 2026-03-01T10:11:12.1234567Z", "at 2027-12-31T23:59:59Z"),
        ("on Sun, 01 Mar 2026 10:11:12 GMT", "on Mon, 02 Mar 2026 00:00:00 GMT"),
        ("id 7f3b8f3e-0000-4aaa-8bbb-123456789abc", "id 00000000-1111-2222-3333-444444444444"),
        ("deleted after 2 tries", "deleted after 1 tries"),
        ("3 requests", "2 requests"),
        ("3 users in 2 s", "3 users in 1 s"),
        ("retries: 4", "retries: 0"),
        ("<Group at 0x7fa91c0b>", "<Group at 0x55e0ddd2f>"),
        ("next: /_session/a-1/v1.0/groups", "next: /_session/b-22/v1.0/groups"),
        ("pid 4711 is done", "pid 12 is done"),
        ("a\r\nb  \n", "a\nb"),
        ("seen 2 devices", "seen 4 devices"),
        ("user 1\nuser 2\nuser 3\n", "user 2\nuser 3\nuser 1\n"),
    ],
)
def test_what_differs_from_run_to_run_is_no_difference(before: str, now: str) -> None:
    assert difference(before, now) is None


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        ("wiped\n", "", "missing"),
        ("wiped\n", "wiped\nbut not all\n", "new"),
        ("state: off", "state: on", "'state: on' in place of 'state: off'"),
        ("5 devices", "0 devices", "a count of 5 became 0"),
        ("groups: 12 in 3 s", "groups: 8 in 9 s", "a count of 12 became 8"),
        ('{"total": 3}', '{"total": 2}', "a count of 3 became 2"),
        ("b\na\nc\n", "c\na\n", "the line 'b' is missing"),
        ("wiped\n", "wiped\nretrying in 3 s\n", "is new"),
    ],
)
def test_another_result_is_named(before: str, now: str, why: str) -> None:
    found = difference(before, now)
    assert found is not None
    assert why in found


def test_of_a_long_line_what_differs_is_shown() -> None:
    names = [f"name-{chr(97 + number % 26)}" for number in range(60)]
    found = difference(" ".join(names), " ".join([*names[:40], "other", *names[41:]]))
    assert found is not None
    assert "other" in found
    assert len(found) < 220


def test_the_address_of_a_session_is_no_part_of_a_result() -> None:
    one, other = "http://127.0.0.1:1234/_session/a-1", "http://127.0.0.1:1234/_session/b-22"
    assert normalised(f"asked {one}/v1.0/me", one) == "asked <base>/v<n>/me"
    assert difference(f"at {one}/x", f"at {other}/x", base_url=one, other_url=other) is None


@pytest.mark.parametrize(
    "told",
    ["throttled, waiting 3 s", "attempt 2 of 4", "asking again", "503: backing off for 4.2 s"],
)
def test_a_line_about_a_repeat_is_no_result_of_a_run_that_repeated(told: str) -> None:
    assert difference("found 4\nwiped\n", f"found 4\n{told}\nwiped\n", repeated=True) is None
    assert difference("found 4\nwiped\n", f"found 4\n{told}\n", repeated=True) is not None
    assert difference("found 4\n", f"{told}\nfound 3\n", repeated=True) is not None
