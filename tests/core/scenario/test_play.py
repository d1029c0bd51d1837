from __future__ import annotations

import json
import subprocess
import sys

import pytest

from graphtape.core.message import Headers, Request
from graphtape.core.scenario.effect import ConnectionFault, WireFault
from graphtape.core.scenario.play import PASS, Answer, Fault, Parts, Pass, Play
from plays import STAMP, answered, asked, bent, decide, disconnect, playing, status

TEAPOT = "answer: {status: 418}"


@pytest.mark.parametrize(
    ("calls", "hit"),
    [
        ("first", [1]),
        ("{nth: 3}", [3]),
        ("{from: 4}", [4, 5, 6]),
        ("{every: 2}", [2, 4, 6]),
        ("{probability: 0}", []),
        ("{probability: 1}", [1, 2, 3, 4, 5, 6]),
    ],
)
def test_calls_are_counted_from_one(calls: str, hit: list[int]) -> None:
    play = playing(f"- calls: {calls}\n  {TEAPOT}")
    assert [n for n in range(1, 7) if status(decide(play, asked()))] == hit


def test_only_requests_that_match_when_are_counted() -> None:
    play = playing(f"- when: {{method: POST}}\n  calls: {{nth: 2}}\n  {TEAPOT}")
    methods = ["POST", "GET", "GET", "POST", "POST"]
    answers = [status(decide(play, asked(method=method))) for method in methods]
    assert answers == [None, None, None, 418, None]


def test_sessions_count_apart() -> None:
    rules = f"- calls: first\n  {TEAPOT}"
    assert [status(decide(playing(rules), asked())) for _ in range(2)] == [418, 418]


def test_the_first_rule_wins_and_later_ones_count_all_the_same() -> None:
    play = playing(f"- calls: first\n  {TEAPOT}\n- calls: {{nth: 2}}\n  answer: {{status: 500}}")
    assert [status(decide(play, asked())) for _ in range(3)] == [418, 500, None]


def test_each_moment_has_its_own_first_rule() -> None:
    play = playing("- set: {$.a: 1}\n- set: {$.a: 2}\n- calls: first\n  answer: {status: 418}")
    assert status(decide(play, asked())) == 418
    assert bent(decide(play, asked()), answered(b'{"a":0}')).body == b'{"a":1}'


def test_a_timeline_has_one_effect_a_call_and_the_last_one_stays() -> None:
    play = playing(
        "- timeline:\n  - {set: {$.a: 1}}\n  - {}\n  - {answer: {status: 418}}\n  - {set: {$.a: 2}}"
    )
    seen = []
    for _ in range(6):
        decision = decide(play, asked())
        seen.append(status(decision) or bent(decision, answered(b'{"a":0}')).body[5:6])
    assert seen == [b"1", b"0", 418, b"2", b"2", b"2"]


def test_a_timeline_moves_with_the_calls_it_acts_on() -> None:
    play = playing(
        "- calls: {from: 3}\n  timeline: [{answer: {status: 500}}, {answer: {status: 418}}]"
    )
    assert [status(decide(play, asked())) for _ in range(5)] == [None, None, 500, 418, 418]


def drawn(seed: int | None = None, name: str = "mine", head: str = "") -> list[bool]:
    play = playing(f"- calls: {{probability: 0.3}}\n  {TEAPOT}{head}", seed=seed, name=name)
    return [status(decide(play, asked())) is not None for _ in range(200)]


def test_the_same_seed_draws_the_same_calls() -> None:
    assert drawn(7) == drawn(7)
    assert 30 < sum(drawn(7)) < 90


@pytest.mark.parametrize("other", [drawn(8), drawn(7, name="other")], ids=["seed", "scenario"])
def test_another_seed_or_scenario_draws_others(other: list[bool]) -> None:
    assert other != drawn(7)


def test_the_files_seed_holds_unless_the_run_has_one() -> None:
    assert drawn(None, name="mine\nseed: 7") == drawn(7)
    assert drawn(8, name="mine\nseed: 7") == drawn(8)
    assert drawn(None) == drawn(0)


def test_another_process_draws_the_same() -> None:
    code = (
        "from graphtape.core.scenario.random_stream import RandomStream\n"
        "s = RandomStream(seed=3, scenario='x', rule=1, call=2)\n"
        "print(s.fraction('a'), s.normal('a'))"
    )
    runs = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
        for _ in range(2)
    }
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("delay", "least", "most"),
    [
        ("{fixed: 200ms}", 0.2, 0.2),
        ("{fixed: 2}", 2, 2),
        ("{uniform: [100ms, 1s]}", 0.1, 1),
        ("{log_normal: {median: 200ms, sigma: 0.5, max: 300ms}}", 0.01, 0.3),
    ],
)
def test_a_delay_is_drawn_within_its_bounds(delay: str, least: float, most: float) -> None:
    play = playing(f"- delay: {delay}")
    waits = []
    for _ in range(50):
        decision = decide(play, asked())
        assert isinstance(decision, Pass)
        assert decision.bend is not None
        waits.append(decision.bend.wait.seconds)
    assert least <= min(waits) <= max(waits) <= most
    assert len(set(waits)) > 1 or least == most


def test_a_delay_per_byte_is_left_to_the_body() -> None:
    decision = decide(playing("- delay: {per_byte: 1ms}"), asked())
    assert isinstance(decision, Pass)
    assert decision.bend is not None
    assert (decision.bend.wait.seconds, decision.bend.wait.per_byte) == (0, 0.001)


@pytest.mark.parametrize("kind", list(ConnectionFault))
def test_a_connection_fault_comes_before_the_match(kind: ConnectionFault) -> None:
    decision = decide(playing(f"- fault: {kind}\n  delay: {{fixed: 1s}}"), asked())
    assert isinstance(decision, Fault)
    assert (decision.kind, decision.wait.seconds) == (kind, 1)
    assert decision.why == f"scenario 'mine', rule 1: delay, {kind}"


@pytest.mark.parametrize("kind", list(WireFault))
def test_a_fault_of_the_answer_leaves_it_to_tape_or_upstream(kind: WireFault) -> None:
    decision = decide(playing(f"- fault: {kind}"), asked())
    assert isinstance(decision, Pass)
    assert decision.bend is not None
    response = answered(b"{}")
    assert decision.bend.change.fault is kind
    assert decision.bend.apply(response) is response


def test_an_injected_answer_can_have_a_fault_of_its_own() -> None:
    decision = decide(playing(f"- {TEAPOT}\n  fault: drip"), asked())
    assert isinstance(decision, Answer)
    assert decision.fault is WireFault.DRIP


def test_a_change_keeps_the_rest_of_the_recording() -> None:
    play = playing(
        "- set: {$.a: {x: é}}\n  remove: $.b\n  append: {$.c: 2}\n  status: 202\n"
        "  headers: {Retry-After: 5, Content-Type: null}"
    )
    made = bent(decide(play, asked()), answered(b'{"a":1, "b":2, "c":[1] , "d":1.0}'))
    assert made.body == '{"a":{"x": "é"}, "c":[1,2] , "d":1.0}'.encode()
    assert (made.status, made.reason) == (202, "Accepted")
    assert made.headers == Headers.of([("Retry-After", "5")])


def test_a_set_adds_nothing_to_an_error() -> None:
    error = answered(b'{"error":{"code":"x"}}', status=404)
    play = playing("- set: {$.a: 1, $.error.code: y}")
    assert bent(decide(play, asked()), error).body == b'{"error":{"code":"y"}}'


def test_what_is_no_json_stays() -> None:
    photo = answered(b"\x89PNG")
    assert bent(decide(playing("- set: {$.a: 1}"), asked()), photo) is photo


def test_a_budget_refuses_what_goes_beyond_it_until_the_window_has_moved() -> None:
    play = playing("- budget: {writes: 2, any: 4, window: 20s}")
    post = [decide(play, disconnect(), now=now) for now in (0.0, 1.5, 2.0)]
    assert [status(each) for each in post] == [None, None, 429]
    assert isinstance(post[2], Answer)
    assert post[2].response(disconnect(), STAMP).headers.get("Retry-After") == "18"
    reads = [status(decide(play, asked(), now=now)) for now in (3, 4, 5)]
    assert reads == [None, None, 429]
    assert status(decide(play, disconnect(), now=20.0)) is None


def test_after_waits_for_an_action_that_was_let_pass() -> None:
    play = playing(
        "- when: {action: disconnect}\n  calls: first\n  answer: {status: 429}\n"
        "- when: {method: GET, after: microsoft.graph.disconnect}\n  answer: {status: 418}"
    )
    requests = [asked(), disconnect(), asked(), disconnect(), asked()]
    assert [status(decide(play, request)) for request in requests] == [None, 429, None, None, 418]


def test_parts_of_a_batch_are_answered_and_bent_one_by_one() -> None:
    play = playing(
        "- when: {action: disconnect}\n  answer: {error: TooManyRequests}\n"
        "  delay: {fixed: 1s}\n"
        "- when: {path: /me}\n  set: {$.a: 1}\n  delay: {fixed: 2s}\n"
    )
    assert decide(play, asked("/$batch", method="POST")) is PASS
    asking = {"1": disconnect(), "2": asked(), "3": asked("/users")}
    fits = [(name, play.fit(each, session="default")) for name, each in asking.items()]
    parts = play.decide_parts(fits, now=0)
    assert isinstance(parts, Parts)
    assert set(parts.answers) == {"1"}
    assert set(parts.bends) == {"2"}
    assert (parts.wait.seconds, parts.fault) == (2, None)


def test_a_part_whose_connection_breaks_breaks_the_batch() -> None:
    play = playing("- when: {action: disconnect}\n  fault: hang")
    fits = [
        (name, play.fit(each, session="s")) for name, each in (("1", asked()), ("2", disconnect()))
    ]
    broken = play.decide_parts(fits, now=0)
    assert isinstance(broken, Fault)
    assert broken.kind is ConnectionFault.HANG


def test_a_rule_that_matched_nothing_is_named_with_the_reason() -> None:
    play = playing(f"- when: {{method: PUT}}\n  {TEAPOT}\n- when: {{method: GET}}\n  {TEAPOT}")
    decide(play, asked())
    assert play.idle() == (
        "scenario 'mine', rule 1, matched no request; of the last one, the method is GET, not PUT",
    )


def test_a_play_of_no_scenarios_lets_everything_pass() -> None:
    play = Play.over([])
    assert not play
    assert decide(play, asked()) is PASS


def error_of(answer: str, request: Request) -> tuple[Headers, dict[str, object]]:
    decision = decide(playing(f"- answer: {answer}"), request)
    assert isinstance(decision, Answer)
    response = decision.response(request, STAMP)
    error = json.loads(response.body)["error"]
    assert isinstance(error, dict)
    return response.headers, error


def test_an_error_is_written_as_graph_writes_it() -> None:
    headers, error = error_of("{error: TooManyRequests, retry_after: 5}", asked())
    assert error == {
        "code": "TooManyRequests",
        "message": "Too many requests",
        "innerError": {
            "date": "2026-11-23T12:00:00",
            "request-id": STAMP.request_id,
            "client-request-id": STAMP.request_id,
        },
    }
    assert headers.get("Retry-After") == "5"
    assert headers.get("request-id") == STAMP.request_id


def test_an_error_repeats_the_callers_id() -> None:
    headers, error = error_of("{error: BadRequest}", asked(client_request_id="c"))
    assert headers.get("client-request-id") == "c"
    inner = error["innerError"]
    assert isinstance(inner, dict)
    assert inner["client-request-id"] == "c"


def test_intune_writes_its_message_as_json_and_nobody_else() -> None:
    _, error = error_of("{error: Forbidden}", disconnect())
    message = json.loads(str(error["message"]))
    assert message["_version"] == 3
    assert "Activity ID: 11111111" in message["Message"]
    _, plain = error_of("{error: Forbidden}", asked())
    assert str(plain["message"]).startswith("Application is not authorized")


@pytest.mark.parametrize(
    ("spelled", "sent"),
    [("http-date", "Mon, 23 Nov 2026 12:00:05 GMT"), ("none", None), ("0", "0")],
)
def test_retry_after_is_sent_as_told(spelled: str, sent: str | None) -> None:
    headers, _ = error_of(f"{{error: TooManyRequests, retry_after: {spelled}}}", asked())
    assert headers.get("Retry-After") == sent


def test_a_claims_challenge_carries_its_claims() -> None:
    headers, _ = error_of("{error: InvalidAuthenticationToken, claims: {a: 1}}", asked())
    challenge = headers.get("WWW-Authenticate") or ""
    assert challenge.startswith('Bearer realm="", authorization_uri=')
    assert challenge.endswith(', error="insufficient_claims", claims="eyJhIjoxfQ=="')


def test_an_unknown_code_goes_with_a_status() -> None:
    _, error = error_of("{error: Odd, status: 418, message: so}", asked())
    assert (error["code"], error["message"]) == ("Odd", "so")


@pytest.mark.parametrize(
    ("answer", "body", "kind"),
    [
        ("{body: {a: [é]}}", '{"a": ["é"]}', "application/json;odata.metadata=minimal"),
        ("{status: 500, body: {}}", "{}", "application/json"),
        ("{body: hello}", "hello", "text/plain"),
        ("{body: '<x/>', headers: {Content-Type: text/xml}}", "<x/>", "text/xml"),
        ("{status: 204}", "", ""),
    ],
)
def test_any_other_answer_is_as_told(answer: str, body: str, kind: str) -> None:
    decision = decide(playing(f"- answer: {answer}"), asked())
    assert isinstance(decision, Answer)
    response = decision.response(asked(), STAMP)
    assert response.body.decode() == body
    assert (response.headers.get("Content-Type") or "").startswith(kind)
