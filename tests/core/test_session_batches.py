from __future__ import annotations

import json

from graphtape.core.matching.key import MatchOptions
from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.core.redaction import Redactor
from graphtape.core.tape.outcome import Assemble, Forward, Mode, Outcome, Refuse, Replay
from graphtape.core.tape.position import Order
from graphtape.core.tape.recording import Recording
from graphtape.core.tape.session import Session
from unused import left_unused

ROOT = "https://graph.microsoft.com/v1.0"
JSON = Headers.of([("Content-Type", "application/json")])


def batch(*urls: str) -> Request:
    parts = [
        {"id": str(number), "method": "POST" if url.endswith("!") else "GET", "url": url.strip("!")}
        for number, url in enumerate(urls)
    ]
    body = json.dumps({"requests": parts}).encode()
    return Request(method="POST", url=f"{ROOT}/$batch", headers=JSON, body=body)


def recorded(*urls: str, tag: int) -> Interaction:
    answers = [
        {"id": str(number), "status": 200, "body": {"tag": tag}} for number in range(len(urls))
    ]
    body = json.dumps({"responses": answers}).encode()
    return Interaction(request=batch(*urls), response=Response(status=200, headers=JSON, body=body))


def tape() -> Recording:
    interactions = [recorded("/p!", "/a", tag=number) for number in range(2)]
    redactor = Redactor(salt="0" * 32)
    return Recording.of(interactions, name="t", redactor=redactor, options=MatchOptions())


def session(recording: Recording, mode: Mode = Mode.NONE) -> Session:
    return Session.over([recording], mode=mode, order=Order.POSITION)


def decided(play: Session, request: Request) -> Outcome:
    return play.decide(play.compile(request))


def tags(plan: object) -> list[int | None]:
    assert isinstance(plan, Assemble)
    return [
        json.loads(found.answer.body)["tag"] if isinstance(found, Replay) else None
        for found in plan.found.values()
    ]


def test_two_batches_at_the_same_time_get_different_answers_to_their_writes() -> None:
    play = session(tape())
    one, two, three = (decided(play, batch("/a", "/p!")) for _ in range(3))
    assert [tags(plan)[1] for plan in (one, two, three)] == [0, 1, None]


def test_a_read_after_a_write_in_one_batch_sees_what_it_did() -> None:
    play = session(tape())
    plan = decided(play, batch("/p!", "/a", "/p!", "/a"))
    assert tags(plan) == [0, 0, 1, 1]


def test_a_batch_that_was_released_plays_again() -> None:
    play = session(tape())
    plan = decided(play, batch("/a", "/p!"))
    assert isinstance(plan, Assemble)
    play.release(plan)
    whole = decided(play, batch("/p!", "/a"))
    assert isinstance(whole, Replay)
    assert (whole.index, whole.hit.part) == (0, None)


def test_a_batch_that_was_played_in_parts_does_not_play_whole() -> None:
    play = session(tape())
    plan = decided(play, batch("/a", "/p!"))
    assert isinstance(plan, Assemble)
    play.played(plan)
    whole = decided(play, batch("/p!", "/a"))
    assert isinstance(whole, Replay)
    assert whole.index == 1


def test_two_sessions_play_the_parts_of_one_recording_apart() -> None:
    recording = tape()
    one, two = session(recording), session(recording)
    for play in (one, two):
        plan = decided(play, batch("/a", "/p!"))
        assert isinstance(plan, Assemble)
        play.played(plan)
    assert left_unused(one) == left_unused(two) == {"t": (1,)}


def test_several_cassettes_answer_parts_of_one_batch() -> None:
    play = Session.over([tape(), tape()], mode=Mode.NONE, order=Order.POSITION)
    plan = decided(play, batch("/p!", "/p!", "/p!", "/p!", "/p!"))
    assert tags(plan) == [0, 1, 0, 1, None]
    assert isinstance(plan, Assemble)
    assert plan.index is None


def test_a_batch_that_is_forwarded_reserves_nothing() -> None:
    play = session(tape(), Mode.NEW_EPISODES)
    assert isinstance(decided(play, batch("/p!", "/unknown")), Forward)
    assert tags(decided(play, batch("/a", "/p!"))) == [0, 0]


def test_a_batch_that_cannot_be_read_is_forwarded_where_anything_is() -> None:
    play = session(tape(), Mode.NEW_EPISODES)
    assert isinstance(decided(play, Request(method="POST", url=f"{ROOT}/$batch")), Forward)


def test_parts_miss_where_no_cassette_is_loaded() -> None:
    play = Session.over([], mode=Mode.NONE, order=Order.POSITION)
    plan = decided(play, batch("/a"))
    assert isinstance(plan, Assemble)
    assert plan.found == {"0": Refuse(misses=())}
    assert plan.misses


def test_a_tape_without_batches_has_one_index() -> None:
    plain = Recording.of([], name="t", redactor=Redactor(salt="0" * 32), options=MatchOptions())
    assert plain.playable is plain.index
    assert tape().playable is not tape().index
