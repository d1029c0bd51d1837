"""Every kind of request is answered as its bytes arrive, as a task would answer it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from graphtape.core.tape.outcome import Replay
from graphtape.server.replay.known import Decided
from graphtape.server.replay.responder import Responder
from short_cuts import HOST, TOKEN, Wire, asking, both, counted, expressed, get
from tapes import exchanged, taped

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tapes import Interaction

SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"
JSON = ("Content-Type", "application/json")


def entity(status: str, number: int = 1) -> str:
    return json.dumps({"id": f"s{number}", "onboardingStatus": status})


def settings_tape(folder: Path) -> Path:
    return taped(
        folder,
        exchanged("GET", f"{SETTINGS}/s1", entity("connected")),
        exchanged("GET", f"{SETTINGS}/s2", entity("none", 2)),
        exchanged("POST", f"{SETTINGS}/disconnect", '{"value": "inprogress"}'),
        exchanged("GET", f"{SETTINGS}/s1", entity("disconnecting")),
        exchanged("POST", f"{SETTINGS}/disconnect", '{"value": "failed"}', status=202),
        exchanged("GET", f"{SETTINGS}/s1", entity("disconnected")),
        exchanged("DELETE", "/v1.0/users/u7", "", status=204),
    )


def read(number: int = 1) -> bytes:
    return get(f"{SETTINGS}/s{number}")


def write(**fields: str) -> bytes:
    named = [(name.replace("_", "-"), value) for name, value in fields.items()]
    return asking(f"{SETTINGS}/disconnect", TOKEN, ("Content-Length", "0"), *named, method="POST")


def post(path: str, body: object, *fields: tuple[str, str]) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return asking(path, TOKEN, JSON, *fields, method="POST", body=content)


SESSION = [read(), read(2), read(), read(), write(), read(), read(), write(), read(), read(2)]


def scenario(folder: Path, rules: str) -> str:
    file = folder / "mine.yaml"
    file.write_text(f"name: mine\nrules:\n{rules}\n", encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(
    "rules",
    [
        "- when: {path: /nothing/like/it}\n  answer: {status: 418}",
        "- when: {method: GET}\n  answer: {error: accessDenied}",
        "- when: {method: GET}\n  answer: {error: Forbidden}",
        "- when: {method: GET}\n  calls: {from: 3}\n  answer: {status: 429, retry_after: 7}",
        "- when: {action: disconnect}\n  calls: first\n  answer: {error: ServiceUnavailable}",
        "- calls: {every: 2}\n  set: {$.onboardingStatus: failed}\n  headers: {X-Bent: why}",
        "- when: {method: GET, after: disconnect}\n  status: 207",
        "- timeline: [{set: {$.onboardingStatus: offboarding}}, {}, {answer: {status: 410}}]",
        "- when: {header: {client-request-id: seen}}\n  answer: {status: 409}",
        "- budget: {any: 4, window: 60s}",
        "- when: {method: POST}\n  fault: reset",
        "- when: {method: GET}\n  calls: {nth: 2}\n  delay: {fixed: 20ms}",
        "- when: {method: GET}\n  calls: {nth: 2}\n  fault: truncate",
    ],
)
def test_a_scenario_has_the_same_say(tmp_path: Path, rules: str) -> None:
    requests = [*SESSION, get(f"{SETTINGS}/s2", ("client-request-id", "seen")), *SESSION]
    with counted() as count:
        at_once, by_tasks = both(
            settings_tape(tmp_path), requests, scenario=(scenario(tmp_path, rules),)
        )
    assert at_once == by_tasks
    assert count.first + count.again > 0


@pytest.mark.parametrize("error", ["Forbidden", "Request_ResourceNotFound"])
def test_each_caller_is_given_its_own_id_back(tmp_path: Path, error: str) -> None:
    file = scenario(tmp_path, f"- when: {{method: GET}}\n  answer: {{error: {error}}}")
    ids = ["caller-1", "caller-22", "caller-22", "caller-333", "c-4"]
    requests = [get(f"{SETTINGS}/s1", ("client-request-id", each)) for each in ids]
    with counted() as count:
        at_once, by_tasks = both(settings_tape(tmp_path), requests, scenario=(file,))
    assert at_once == by_tasks
    assert count.again >= 3
    assert [
        answer.count(each.encode()) for answer, each in zip(at_once.answers, ids, strict=True)
    ] == [2] * 5


@pytest.mark.parametrize("status", ["failed", "disconnect=offboarding", "unknownFutureValue"])
@pytest.mark.parametrize("order", ["position", "request"])
def test_a_status_is_put_in_alike(tmp_path: Path, status: str, order: str) -> None:
    with counted() as count:
        at_once, by_tasks = both(
            settings_tape(tmp_path), [*SESSION, *SESSION], status=(status,), order=order
        )
    assert at_once == by_tasks
    assert count.first + count.again > 5


def test_writes_are_answered_as_their_bytes_arrive(tmp_path: Path) -> None:
    gone = asking("/v1.0/users/u7", TOKEN, method="DELETE")
    requests = [*SESSION, gone, write(), write(client_request_id="mine"), gone]
    with counted() as count:
        at_once, by_tasks = both(settings_tape(tmp_path), requests)
    assert at_once == by_tasks
    assert count.first + count.again == len(SESSION) + 1  # the others are misses
    assert at_once.counts == {"replayed": len(SESSION) + 1, "missed": 3}


def test_what_a_post_reads_is_known_again_by_its_body(tmp_path: Path) -> None:
    path = "/v1.0/directoryObjects/getByIds"
    asked = [{"ids": [f"o{number}"], "types": ["group"]} for number in range(3)]
    tape = taped(
        tmp_path,
        *(
            exchanged(
                "POST", path, f'{{"value": [{number}]}}', body=json.dumps(each), asked=dict([JSON])
            )
            for number, each in enumerate(asked)
        ),
    )
    turned = json.dumps({"types": ["group"], "ids": ["o1"]}).encode()
    requests = [post(path, each) for each in (*asked, *asked, turned, turned, {"ids": ["o9"]})]
    with counted() as count:
        at_once, by_tasks = both(tape, requests * 2)
    assert at_once == by_tasks
    assert count.first + count.again == 16
    assert count.again >= 8


def batch(*urls: str) -> dict[str, object]:
    return {"requests": [{"id": str(n), "method": "GET", "url": url} for n, url in enumerate(urls)]}


def batch_answer(*bodies: object, status: int = 200) -> str:
    return json.dumps(
        {
            "responses": [
                {"id": str(n), "status": status, "body": body} for n, body in enumerate(bodies)
            ]
        }
    )


def batches(folder: Path) -> Path:
    both_of = batch("/users/a", "/users/b")
    interactions: Sequence[Interaction] = (
        exchanged("GET", "/v1.0/users/a", '{"id": "a"}'),
        exchanged(
            "POST",
            "/v1.0/$batch",
            batch_answer({"id": "a", "of": 1}, {"id": "b", "of": 1}),
            body=json.dumps(both_of),
            asked=dict([JSON]),
        ),
        exchanged("GET", "/v1.0/users/c", '{"id": "c"}'),
    )
    return taped(folder, *interactions)


@pytest.mark.parametrize(
    "settings", [{}, {"scenario": "part"}, {"order": "request"}], ids=["plain", "part", "request"]
)
def test_batches_are_answered_alike(tmp_path: Path, settings: dict[str, object]) -> None:
    if settings.get("scenario"):
        rule = "- when: {path: /users/c}\n  answer: {error: Request_ResourceNotFound}"
        settings = {"scenario": (scenario(tmp_path, rule),)}
    recorded = post("/v1.0/$batch", batch("/users/a", "/users/b"))
    requests = [
        *[recorded] * 3,
        *[post("/v1.0/$batch", batch("/users/c", "/users/a"))] * 3,
        post("/v1.0/$batch", batch("/users/c", "/users/unheard")),
        post("/v1.0/$batch", {"requests": []}),
        post(
            "/v1.0/$batch",
            {"requests": [{"id": "1", "method": "GET", "url": "/x", "dependsOn": ["2"]}]},
        ),
        recorded,
    ]
    with counted() as count:
        at_once, by_tasks = both(batches(tmp_path), requests, **settings)
    assert at_once == by_tasks
    assert count.first + count.again >= (1 if "order" in settings else 4)


@pytest.mark.parametrize("body", [b"{}", b"null", b"x", b'{"value": "other"}'])
def test_a_body_where_none_was_recorded_is_matched_alike(tmp_path: Path, body: bytes) -> None:
    requests = [post(f"{SETTINGS}/disconnect", body)] * 2
    at_once, by_tasks = both(settings_tape(tmp_path), requests)
    assert at_once == by_tasks


def test_two_tapes_are_asked_alike(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = taped(
        tmp_path / "other",
        exchanged("GET", f"{SETTINGS}/s1", entity("second tape")),
        exchanged("GET", "/v1.0/only", "[]"),
    )
    tapes = [settings_tape(tmp_path), other]
    with counted() as count:
        at_once, by_tasks = both(tapes, [get("/v1.0/only"), *SESSION] * 2)
    assert at_once == by_tasks
    assert count.again > 5


def test_a_head_and_its_body_may_come_apart(tmp_path: Path) -> None:
    path = "/v1.0/directoryObjects/getByIds"
    tape = taped(tmp_path, exchanged("POST", path, "[]", body='{"ids": ["é"]}', asked=dict([JSON])))
    whole = post(path, {"ids": ["é"]})
    head, blank, body = whole.partition(b"\r\n\r\n")
    with expressed(tape) as (proxy, _), Wire(proxy.url) as wire:
        for _ in range(4):
            assert wire.ask(whole).endswith(b"[]")
        for size in range(len(body)):
            wire.send(head + blank + body[:size])
            wire.send(body[size:] + whole)  # and the next one behind it
            assert [wire.answer()[-2:] for _ in range(2)] == [b"[]", b"[]"]


def test_what_was_decided_for_a_client_that_left_plays_to_another(tmp_path: Path) -> None:
    large = json.dumps({"value": "x" * 100_000})  # written by a task, as a reader may be slow
    tape = taped(tmp_path, exchanged("POST", f"{SETTINGS}/disconnect", large))
    with expressed(tape) as (proxy, kept):
        with Wire(proxy.url) as wire:  # it is known by then, but for what it answers
            for _ in range(2):
                wire.ask(asking("/v1.0/me", TOKEN, ("Content-Length", "0"), method="POST"))
        while len(proxy.entries) < 2:  # a task journals after its answer has gone out
            pass
        asked = asking(
            f"{SETTINGS}/disconnect", TOKEN, ("Content-Length", "0"), method="POST", host=HOST
        )
        decided = kept.again(asked)
        assert isinstance(decided, Decided)
        assert isinstance(decided.outcome, Replay)
        kept.leave(decided)
        with Wire(proxy.url) as wire:
            assert wire.ask(asked).startswith(b"HTTP/1.1 200 ")
        entries = proxy.proxy.outcome.session.journal.entries
    assert [each.status for each in entries][-2:] == [0, 200]


def test_an_answer_that_cannot_be_made_ready_is_given_by_a_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise LookupError("made to fail")

    monkeypatch.setattr(Responder, "_made_ready", fails)
    with expressed(settings_tape(tmp_path)) as (proxy, _), Wire(proxy.url) as wire:
        answers = [wire.ask(each) for each in (write(), read(), write())]
        numbers = [each.number for each in proxy.proxy.outcome.session.journal.entries]
    assert [b"inprogress" in each or b"failed" in each for each in answers] == [True, False, True]
    assert b"disconnecting" in answers[1]
    assert numbers == [1, 2, 3]
    assert "made to fail" in caplog.text
