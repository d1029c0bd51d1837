"""Requests that differ only in what is masked: told apart where nobody can guess it."""

from __future__ import annotations

import json
import os
import random
import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
import requests

from commands import graphtape, serving
from proxies import AUTH, RawServer, recording, replaying

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Sender = Callable[[str, str], requests.Response]

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def token(number: int) -> str:
    letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "fake" + "".join(random.Random(number).choices(letters, k=40))


def as_json(url: str, secret: str) -> requests.Response:
    body = {"name": "x", "passwordProfile": {"password": secret}}
    return requests.post(f"{url}/v1.0/users", json=body, headers=AUTH, timeout=10)


def as_form(url: str, secret: str) -> requests.Response:
    body = urlencode({"a": "1", "client_secret": secret})
    return requests.post(f"{url}/v1.0/x", data=body, headers={**AUTH, **FORM}, timeout=10)


def as_query(url: str, secret: str) -> requests.Response:
    where = f"{url}/v1.0/x?client_secret={secret}"
    return requests.get(where, headers=AUTH, timeout=10)


def as_part(url: str, secret: str) -> requests.Response:
    part = {"id": "1", "method": "POST", "url": "/x", "body": {"password": secret}}
    body = {"requests": [{**part, "headers": {"Content-Type": "application/json"}}]}
    return requests.post(f"{url}/v1.0/$batch", json=body, headers=AUTH, timeout=10)


SENDERS = [as_json, as_form, as_query, as_part]


def counting() -> Callable[[bytes], bytes]:
    numbers = iter(range(1000))

    def answer(request: bytes) -> bytes:
        number = next(numbers)
        told: dict[str, object] = {"n": number}
        if b"/$batch" in request:
            told = {"responses": [{"id": "1", "status": 200, "body": told}]}
        body = json.dumps(told).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        return head % len(body) + body

    return answer


def number(answer: requests.Response) -> int:
    told = answer.json()
    if "responses" in told:
        (part,) = told["responses"]
        told = part["body"]
    return int(told["n"])


def record(tape: Path, send: Sender, *values: str) -> None:
    with RawServer(answer=counting()) as graph, recording(tape, upstream=graph.url) as proxy:
        assert [number(send(proxy.url, value)) for value in values] == [*range(len(values))]


@pytest.mark.parametrize("send", SENDERS)
def test_random_secrets_are_told_apart_in_any_order(tmp_path: Path, send: Sender) -> None:
    tape = tmp_path / "tape.yaml"
    values = [token(n) for n in range(5)]
    record(tape, send, *values)
    text = tape.read_text()
    assert not [value for value in values if value in text]
    with replaying(tape) as proxy:
        for n in (3, 0, 4, 1, 2):
            assert number(send(proxy.url, values[n])) == n
        notes = [entry.note for entry in proxy.entries]
    assert not any("masked" in note for note in notes)


@pytest.mark.parametrize("send", SENDERS)
def test_another_secret_plays_in_order_and_that_is_said(tmp_path: Path, send: Sender) -> None:
    tape = tmp_path / "tape.yaml"
    record(tape, send, token(1), token(2))
    with replaying(tape) as proxy:
        assert number(send(proxy.url, token(3))) == 0
        assert "differ from it only in what was masked" in proxy.entries[0].note


@pytest.mark.parametrize("send", SENDERS)
def test_one_recorded_secret_answers_for_any(tmp_path: Path, send: Sender) -> None:
    tape = tmp_path / "tape.yaml"
    record(tape, send, token(1))
    with replaying(tape) as proxy:
        assert number(send(proxy.url, token(2))) == 0
        assert "masked" not in proxy.entries[0].note


@pytest.mark.parametrize("send", SENDERS)
def test_guessable_secrets_play_in_order_and_that_is_said(tmp_path: Path, send: Sender) -> None:
    tape = tmp_path / "tape.yaml"
    with RawServer(answer=counting()) as graph:
        arguments = ("record", "tape.yaml", "--upstream", graph.url)
        with serving(*arguments, cwd=tmp_path) as served:
            send(served.url, "Winter1!")
            as_other(served.url)
            send(served.url, "Summer2!")
    said = "interactions 0 and 2 differ only in what was masked: they play in order"
    assert said in served.stderr + served.stdout
    assert b"Winter1!" not in tape.read_bytes()
    with replaying(tape) as proxy:
        assert number(send(proxy.url, "Summer2!")) == 0
        assert number(send(proxy.url, "Winter1!")) == 2
        notes = [entry.note for entry in proxy.entries]
    assert all("differ from it only in what was masked" in note for note in notes)
    shown = graphtape("show", "tape.yaml", cwd=tmp_path).stdout.splitlines()[2:]
    assert ["?" in line.partition("/v1.0")[0] for line in shown] == [True, False, True]


def as_other(url: str) -> None:
    requests.get(f"{url}/v1.0/other", headers=AUTH, timeout=10)


def test_the_same_guessable_secret_twice_is_nothing_to_tell(tmp_path: Path) -> None:
    with RawServer(answer=counting()) as graph:
        arguments = ("record", "tape.yaml", "--upstream", graph.url)
        with serving(*arguments, cwd=tmp_path) as served:
            as_json(served.url, "Winter1!")
            as_json(served.url, "Winter1!")
    assert "differ only" not in served.stderr + served.stdout


def test_a_salt_out_of_the_file_tells_secrets_apart_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "GRAPHTAPE_SALT", "not-a-real-salt")
    tape = tmp_path / "tape.yaml"
    record(tape, as_json, token(1), token(2))
    with replaying(tape) as proxy:
        assert number(as_json(proxy.url, token(2))) == 1
    monkeypatch.delitem(os.environ, "GRAPHTAPE_SALT")
    with replaying(tape) as proxy:
        assert number(as_json(proxy.url, token(2))) == 0
        assert "masked" in proxy.entries[0].note


def test_a_cassette_with_plain_masks_plays_as_before(tmp_path: Path) -> None:
    tape = tmp_path / "tape.yaml"
    record(tape, as_json, token(1), token(2))
    tape.write_text(re.sub("REDACTED[0-9a-f]{20}", "REDACTED", tape.read_text()))
    with replaying(tape) as proxy:
        assert [number(as_json(proxy.url, token(n))) for n in (2, 1)] == [0, 1]
