from __future__ import annotations

import gzip
import json
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.tape.rerecording import keep_volatile
from graphtape.tape.store import open_cassette, save_cassette
from graphtape.tape.vcr_format import Cassette, Metadata, load
from tapes import written_out

ROOT = "https://graph.microsoft.com/beta"
OLD = Metadata(graphtape="0.1", upstream="global", recorded_at="2025-01-01T00:00:00Z", salt="s")
NEW = Metadata(graphtape="0.2", upstream="global", recorded_at="2026-01-01T00:00:00Z", salt="s")

SAMPLES = Path(__file__).parents[2].parent / "shared" / "cassettes"


def call(
    at: int,
    path: str = "/me",
    *,
    method: str = "GET",
    status: int = 200,
    answer: bytes = b'{"a":1}',
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
) -> Interaction:
    """Return what one call of a run looks like; `at` tells the runs apart."""
    return Interaction(
        request=Request(
            method=method,
            url=ROOT + path,
            headers=Headers.of([("Accept", "application/json"), ("client-request-id", f"c{at}")]),
            body=body,
        ),
        response=Response(
            status=status,
            reason="OK",
            headers=Headers.of(
                [
                    ("Date", f"day {at}"),
                    ("request-id", f"r{at}"),
                    ("client-request-id", f"c{at}"),
                    ("x-ms-ags-diagnostic", f'{{"ServerInfo":{{"Slice":"{at}"}}}}'),
                    *headers,
                ]
            ),
            body=answer,
        ),
    )


def tape(*interactions: Interaction, metadata: Metadata | None = None) -> Cassette:
    return Cassette(interactions=interactions, metadata=metadata)


def kept(old: list[Interaction], new: list[Interaction]) -> list[int | None]:
    """Return for each new interaction which old one stands in its place."""
    result = keep_volatile(tape(*old), tape(*new)).interactions
    assert len(result) == len(new)
    numbers: list[int | None] = []
    for given_one, got in zip(new, result, strict=True):
        numbers.append(None if got is given_one else [o is got for o in old].index(True))
    return numbers


def test_an_unchanged_tenant_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "tape.yaml"
    save_cassette(path, [call(1), call(2, "/users")], metadata=OLD)
    before = path.read_bytes()
    again = keep_volatile(open_cassette(path), tape(call(5), call(6, "/users"), metadata=NEW))
    save_cassette(path, again.interactions, metadata=again.metadata)
    assert path.read_bytes() == before


def test_one_changed_answer_changes_that_interaction_alone() -> None:
    old = [call(1), call(2, "/users"), call(3, "/groups")]
    new = [call(4), call(5, "/users", answer=b'{"a":2}'), call(6, "/groups")]
    assert kept(old, new) == [0, None, 2]


def test_metadata_is_new_where_anything_changed() -> None:
    old, new = tape(call(1), metadata=OLD), tape(call(2), call(3), metadata=NEW)
    assert keep_volatile(old, new).metadata == NEW


@pytest.mark.parametrize(
    "different", [{"upstream": "usgov"}, {"salt": "t"}], ids=["upstream", "salt"]
)
def test_metadata_is_new_where_it_says_something_else(different: dict[str, str]) -> None:
    now = replace(NEW, **different)  # type: ignore[arg-type]  # only fields that are text
    result = keep_volatile(tape(call(1), metadata=OLD), tape(call(2), metadata=now))
    assert result.metadata == now


def test_metadata_is_new_for_a_cassette_that_had_none() -> None:
    assert keep_volatile(tape(call(1)), tape(call(2), metadata=NEW)).metadata == NEW


@pytest.mark.parametrize(
    "changed",
    [
        call(9, status=201),
        call(9, method="HEAD"),
        call(9, "/me?$top=1"),
        call(9, answer=b'{"a": 1}'),
        call(9, body=b"x"),
        call(9, headers=(("Retry-After", "5"),)),
        call(9, headers=(("ETag", '"2"'),)),
        call(9, headers=(("Location", ROOT),)),
    ],
    ids=["status", "method", "url", "spelling", "body", "retry-after", "etag", "location"],
)
def test_what_a_client_acts_on_is_never_kept(changed: Interaction) -> None:
    assert kept([call(1)], [changed]) == [None]


def error(at: int, *, key: str = "innerError", message: str = "no", nested: bool = False) -> bytes:
    inner: dict[str, object] = {
        "date": f"2026-11-2{at}T12:00:00",
        "request-id": "r" * at,
        "client-request-id": f"c{at}",
    }
    inner = {"code": "Deep", key: inner} if nested else inner
    body = {"error": {"code": "BadRequest", "message": message, key: inner}}
    return json.dumps(body, indent=2).encode()


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
@pytest.mark.parametrize("key", ["innerError", "innererror"])
def test_times_and_ids_inside_an_error_are_volatile(key: str, *, nested: bool) -> None:
    old = call(1, status=400, answer=error(1, key=key, nested=nested))
    new = call(2, status=400, answer=error(2, key=key, nested=nested))
    assert kept([old], [new]) == [0]


def test_the_length_of_a_volatile_id_does_not_matter() -> None:
    answers = (error(1), error(2))
    old, new = (
        call(at, answer=each, headers=(("Content-Length", str(len(each))),))
        for at, each in enumerate(answers)
    )
    assert len(answers[0]) != len(answers[1])
    assert kept([old], [new]) == [0]


def test_the_message_of_an_error_is_not_volatile() -> None:
    old = call(1, status=400, answer=error(1, message="no"))
    assert kept([old], [call(2, status=400, answer=error(2, message="never"))]) == [None]


def test_a_date_elsewhere_in_a_body_is_not_volatile() -> None:
    old = call(1, answer=b'{"date": "1", "innerError": {}}')
    assert kept([old], [call(2, answer=b'{"date": "2", "innerError": {}}')]) == [None]


def test_a_packed_error_is_unpacked_to_compare_it() -> None:
    old, new = (
        call(at, answer=gzip.compress(error(at)), headers=(("Content-Encoding", "gzip"),))
        for at in (1, 2)
    )
    assert kept([old], [new]) == [0]


def test_a_body_that_is_no_json_is_compared_as_it_is() -> None:
    assert kept([call(1, answer=b'innerError {"')], [call(2, answer=b'innerError {"')]) == [0]


def batch(at: int, *, value: int = 1) -> Interaction:
    asked = {"requests": [{"id": "1", "url": "/me", "headers": {"client-request-id": f"c{at}"}}]}
    parts: list[dict[str, object]] = [
        {"id": "1", "status": 200, "headers": {"Date": f"d{at}"}, "body": {"value": value}},
        {"id": "2", "status": 400, "body": json.loads(error(at))},
    ]
    return call(
        at,
        "/$batch",
        method="POST",
        body=json.dumps(asked).encode(),
        answer=json.dumps({"responses": parts}).encode(),
    )


def test_the_parts_of_a_batch_have_volatile_values_too() -> None:
    assert kept([batch(1)], [batch(2)]) == [0]


def test_the_values_in_the_parts_of_a_batch_are_not_volatile() -> None:
    assert kept([batch(1)], [batch(2, value=2)]) == [None]


def state(at: int, name: str) -> Interaction:
    return call(at, "/status", answer=json.dumps({"value": name}).encode())


def test_fewer_polls_keep_those_that_are_left() -> None:
    old = [call(0, "/a"), *(state(at, "inprogress") for at in (1, 2, 3)), state(4, "done")]
    new = [call(5, "/a"), *(state(at, "inprogress") for at in (6, 7)), state(8, "done")]
    assert kept(old, new) == [0, 1, 2, 4]


def test_more_polls_keep_all_there_were() -> None:
    old = [state(1, "inprogress"), state(2, "done"), call(3, "/b")]
    new = [state(4, "inprogress"), state(5, "inprogress"), state(6, "done"), call(7, "/b")]
    assert kept(old, new) == [0, None, 1, 2]


def test_added_and_removed_interactions_leave_the_others() -> None:
    old = [call(n, f"/{n}") for n in range(6)]
    new = [call(9, "/new"), call(9, "/0"), call(9, "/2"), call(9, "/x"), call(9, "/5")]
    assert kept(old, new) == [None, 0, 2, None, 5]


def test_repeated_calls_around_changes_keep_their_places() -> None:
    old = [call(n, f"/{n % 3}") for n in range(30)]
    new = [call(n + 50, f"/{n % 3}") for n in range(30)]
    new[7] = call(57, "/1", answer=b"changed")
    new[20] = call(70, "/2", answer=b"changed")
    assert kept(old, new) == [None if n in {7, 20} else n for n in range(30)]


@given(st.lists(st.sampled_from("abc"), max_size=30), st.lists(st.sampled_from("abc"), max_size=30))
def test_what_is_kept_fits_and_stays_in_order(one: list[str], two: list[str]) -> None:
    old = [call(n, f"/{name}") for n, name in enumerate(one)]
    new = [call(n + 50, f"/{name}") for n, name in enumerate(two)]
    numbers = kept(old, new)
    chosen = [number for number in numbers if number is not None]
    assert chosen == sorted(set(chosen))
    assert all(one[o] == two[n] for n, o in enumerate(numbers) if o is not None)
    # As much as the same beginning at least; and something, where anything is in both.
    assert bool(chosen) == bool(set(one) & set(two))


@pytest.mark.parametrize("kinds", [2, 300])
def test_a_long_tape_of_repeated_calls_takes_no_quadratic_time(kinds: int) -> None:
    dice = random.Random(1)
    paths = [f"/{dice.randrange(kinds)}" for _ in range(10_000)]
    old = [call(1, path) for path in paths]
    new = [call(2, path) for path in paths if dice.random() > 0.1]
    began = time.process_time()
    result = keep_volatile(tape(*old), tape(*new)).interactions
    assert time.process_time() - began < 10
    changed = sum(got is recorded for got, recorded in zip(result, new, strict=True))
    assert changed < len(new) / 20


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"the sample cassettes are not at {SAMPLES}")
def test_real_recordings_made_again_on_another_day_come_out_the_same() -> None:
    for path in sorted(SAMPLES.glob("azure-cli/*.yaml")):
        old = load(written_out(open_cassette(path).interactions, metadata=OLD), name=path.name)
        new = [_on_another_day(each) for each in old.interactions]
        again = keep_volatile(old, tape(*new, metadata=NEW))
        assert written_out(again.interactions, metadata=again.metadata) == written_out(
            old.interactions, metadata=old.metadata
        )


def _on_another_day(interaction: Interaction) -> Interaction:
    volatile = {"date", "request-id", "client-request-id", "x-ms-ags-diagnostic"}

    def change(name: str, value: str) -> str:
        return f"another {value}" if name.lower() in volatile else value

    response = interaction.response
    return replace(interaction, response=replace(response, headers=response.headers.map(change)))
