"""Long JSON answers: edited for the client and redacted for the tape while they pass."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import random
from typing import TYPE_CHECKING

import pytest
import requests

from commands import serving
from graphtape.tape.record import Kind
from graphtape.tape.store import open_cassette, part_path
from long_bodies import answered, endless, grown_by, waiting
from proxies import AUTH, RawServer, recording
from recorded_parts import spans

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024 * 1024
GRAPH = "https://graph.microsoft.com/v1.0"
SETTINGS = "/v1.0/deviceManagement/chromeOSOnboardingSettings"
ROWS = 9000


def page(rows: int = ROWS, **more: str) -> dict[str, object]:
    """Return a long page of a list, with addresses and secrets in it."""
    items = [
        {
            "id": n,
            "displayName": f"Person {n}" + " of the staff" * 3,
            "mail": f"p{n}@acme.test",
            "password": f"Fake-{n}",
            "manager@odata.navigationLink": f"{GRAPH}/users/{n}/manager",
        }
        for n in range(rows)
    ]
    return {
        "@odata.context": f"{GRAPH}/$metadata#users",
        "value": items,
        "@odata.nextLink": f"{GRAPH}/users?$skiptoken=abc",
        **more,
    }


def answer_of(body: bytes, *fields: bytes) -> bytes:
    return answered(body, b"Content-Type: application/json", *fields)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return tmp_path / "t.yaml"


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_links_lead_to_the_proxy_and_the_tape_is_redacted(tape: Path, coding: str) -> None:
    body = json.dumps(page()).encode()
    assert len(body) > MIB
    fields = [b"Content-Encoding: gzip"] if coding else []
    answer = answer_of(gzip.compress(body) if coding else body, *fields)
    if coding:  # what arrives decides whether it is waited for
        noise = base64.b64encode(random.Random(1).randbytes(2 * MIB)).decode()
        body = json.dumps(page(photo=noise)).encode()
        answer = answer_of(gzip.compress(body), *fields)
    with (
        RawServer(answer=lambda _: answer) as upstream,
        recording(tape, upstream=upstream.url) as proxy,
    ):
        got = requests.get(proxy.url + "/v1.0/users", headers=AUTH, timeout=60)
        kinds = [span.kind for span in spans(part_path(tape))]
        base = proxy.url
    assert got.json() == json.loads(
        body.replace(GRAPH.encode() + b"/users", f"{base}/v1.0/users".encode())
    )
    assert kinds.count(Kind.RESPONSE_CHUNK) > 10
    (interaction,) = open_cassette(tape).interactions
    clean = json.loads(interaction.response.body)
    assert clean["@odata.nextLink"] == f"{GRAPH}/users?$skiptoken=abc"
    assert {item["password"] for item in clean["value"]} == {"REDACTED"}
    assert b"acme.test" not in interaction.response.body
    assert base.encode() not in interaction.response.body


def test_a_long_page_is_replayed_as_it_was_answered(tape: Path) -> None:
    answer = answer_of(json.dumps(page(4000, note="x" * MIB)).encode())
    with (
        RawServer(answer=lambda _: answer) as upstream,
        serving("record", tape, "--upstream", upstream.url, cwd=tape.parent) as recorder,
    ):
        first = requests.get(recorder.url + "/v1.0/users", headers=AUTH, timeout=60).json()
    with serving("replay", tape, cwd=tape.parent) as player:
        again = requests.get(player.url + "/v1.0/users", headers=AUTH, timeout=60).json()
    assert first["value"][7]["id"] == again["value"][7]["id"]
    assert again["note"] == first["note"]
    assert again["@odata.nextLink"] == first["@odata.nextLink"].replace(recorder.url, player.url)


def test_statuses_bend_in_a_long_answer(tape: Path) -> None:
    rows = [{"id": n, "onboardingStatus": "connected", "x": "y" * 99} for n in range(9000)]
    answer = answer_of(json.dumps({"value": rows}).encode())
    with (
        RawServer(answer=lambda _: answer) as upstream,
        serving(
            *("record", tape, "--upstream", upstream.url, "--status", "failed"), cwd=tape.parent
        ) as recorder,
    ):
        got = requests.get(recorder.url + SETTINGS, headers=AUTH, timeout=60).json()
    assert {row["onboardingStatus"] for row in got["value"]} == {"failed"}
    (interaction,) = open_cassette(tape).interactions
    assert interaction.response.body.count(b'"connected"') == 9000


def test_the_first_items_reach_the_client_before_the_last_are_there(tape: Path) -> None:
    body = json.dumps(page()).encode()
    first = 2 * MIB if len(body) > 2 * MIB else len(body) - 1000
    head = b"Content-Type: application/json"
    with waiting(body[:first], body[first:], head) as (url, go):  # noqa: SIM117 - upstream first
        with recording(tape, upstream=url) as proxy:
            connection = http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=20)
            connection.request("GET", "/v1.0/users")
            answer = connection.getresponse()
            assert answer.read(MIB // 2).startswith(b'{"@odata.context"')
            go.set()
            rest = answer.read()
            connection.close()
    assert rest.endswith(b'skiptoken=abc"}')
    (interaction,) = open_cassette(tape).interactions
    assert interaction.response.body.count(b"REDACTED") == ROWS


def test_what_is_no_json_after_all_reaches_the_client_as_it_came(tape: Path) -> None:
    body = json.dumps(page()).encode()[:-500] + b"\npassword=Fake-0\n" + b"words\n" * 20_000
    with (
        RawServer(answer=lambda _: answer_of(body)) as upstream,
        recording(tape, upstream=upstream.url) as proxy,
    ):
        got = requests.get(proxy.url + "/v1.0/users", headers=AUTH, timeout=60)
        own = f"{proxy.url}/v1.0/users".encode()
    assert got.content.replace(own, f"{GRAPH}/users".encode()) == body
    (interaction,) = open_cassette(tape).interactions
    assert b"Fake-" not in interaction.response.body


def test_memory_does_not_grow_with_a_list(tape: Path) -> None:
    row = b",\n" + json.dumps({"id": "x" * 40, "displayName": "Person", "n": 12}).encode()
    start = b'{"@odata.context": "c", "value": [{"id": "first"}'
    kind = b"Content-Type: application/json"
    with endless(start, row * 800, b"]}", mib=20, field=kind) as upstream:
        assert grown_by(tape, upstream) < 30 * MIB
