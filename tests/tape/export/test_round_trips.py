"""What is written in another tool's format is read back as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphtape.core.message import HOP_BY_HOP, Headers, Interaction, Request, Response
from graphtape.tape import entry
from graphtape.tape.conversion import Target, convert
from graphtape.tape.export import dev_proxy, har, wiremock
from graphtape.tape.formats.registry import read
from graphtape.tape.formats.source import Source
from graphtape.tape.store import open_cassette
from proxies import SHARED, needs_recordings

if TYPE_CHECKING:
    from pathlib import Path

    from graphtape.tape.export.answers import Exported

ROOT = "https://graph.microsoft.com"
JSON = Headers((("Content-Type", "application/json"),))
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
BODIES = st.one_of(
    st.binary(max_size=40),
    TEXTS.map(str.encode),
    st.dictionaries(TEXTS, st.one_of(TEXTS, st.integers(), st.none())).map(
        lambda tree: json.dumps(tree, ensure_ascii=False).encode()
    ),
)
MEDIA = st.sampled_from(
    [
        "application/json",
        "text/plain; charset=iso-8859-1",
        "image/jpeg",
        "text/xml; charset=utf-16",
        "",
    ]
)


def headers(media: str) -> Headers:
    return Headers.of([("Content-Type", media)] if media else [])


@st.composite
def tapes(draw: st.DrawFn) -> tuple[Interaction, ...]:
    made = []
    for _ in range(draw(st.integers(1, 6))):
        method = draw(st.sampled_from(["GET", "POST", "PATCH", "DELETE"]))
        path = draw(st.sampled_from(["/v1.0/me", "/beta/a?$top=1", "/v1.0/a%20b/$value"]))
        sent = draw(BODIES) if method in {"POST", "PATCH"} else b""
        request = Request(
            method=method, url=ROOT + path, headers=headers(draw(MEDIA) if sent else ""), body=sent
        )
        status = draw(st.sampled_from([200, 201, 204, 302, 404, 429, 503]))
        body = b"" if status == 204 else draw(BODIES)
        several = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")] if draw(st.booleans()) else []
        answer = Response(
            status=status,
            reason=draw(st.sampled_from(["", "OK", "Too Many"])),
            headers=Headers.of([*headers(draw(MEDIA) if body else ""), *several]),
            body=body,
        )
        made.append(entry.settled(Interaction(request=request, response=answer)))
    return tuple(made)


def again(made: Exported, folder: Path) -> tuple[Interaction, ...]:
    found = read(Source(name="t", path=folder / "t.json", data=made.data))
    assert found.skipped == ()
    return tuple(map(entry.settled, found.interactions))


@given(tape=tapes())
@settings(max_examples=150, deadline=None)
def test_har_holds_all_of_a_tape(tape: tuple[Interaction, ...]) -> None:
    assert again(har.write(tape, started_at=None), SHARED) == tape


def without_headers(interaction: Interaction) -> Interaction:
    request = interaction.request
    return replace(interaction, request=replace(request, headers=Headers()))


@given(tape=tapes())
@settings(max_examples=150, deadline=None)
def test_wiremock_holds_all_but_the_headers_of_requests(tape: tuple[Interaction, ...]) -> None:
    expected = tuple(map(without_headers, tape))
    assert again(wiremock.write(tape), SHARED) == expected


def tape_of(*calls: tuple[str, str, object]) -> tuple[Interaction, ...]:
    return tuple(
        Interaction(
            request=Request(method=method, url=ROOT + path),
            response=Response(status=200, headers=JSON, body=json.dumps(body).encode()),
        )
        for method, path, body in calls
    )


def test_several_answers_to_a_request_are_a_scenario_of_wiremock() -> None:
    tape = tape_of(
        ("GET", "/v1.0/a", 1), ("POST", "/v1.0/b", 2), ("GET", "/v1.0/a", 3), ("GET", "/v1.0/c", 4)
    )
    made = wiremock.write(tape)
    stubs = json.loads(made.data)["mappings"]
    states = [(s.get("requiredScenarioState"), s.get("newScenarioState")) for s in stubs]
    assert states == [("Started", "answer 2"), (None, None), ("answer 2", None), (None, None)]
    (lost,) = made.lost
    assert lost.startswith("interactions 0, 2: answered in turn, each request by itself")


def test_wiremock_asks_for_the_host_only_off_graph() -> None:
    call = Interaction(
        request=Request(
            method="GET",
            url="http://files.example.com:8443?a=b",
            headers=Headers((("Range", "bytes=0-1"), ("User-Agent", "x"))),
        ),
        response=Response(status=206, body=b"ab"),
    )
    (stub,) = json.loads(wiremock.write((call,)).data)["mappings"]
    assert stub["request"] == {
        "method": "GET",
        "url": "/?a=b",
        "scheme": "http",
        "host": {"equalTo": "files.example.com"},
        "port": 8443,
        "headers": {"Range": {"equalTo": "bytes=0-1"}},
    }


def test_dev_proxy_counts_several_answers_to_a_request(tmp_path: Path) -> None:
    tape = tape_of(
        ("GET", "/v1.0/a", {"n": 1}),
        ("GET", "/v1.0/a", {"n": 2}),
        ("GET", "/v1.0/a", {"n": 3}),
        ("GET", "/v1.0/b", {"n": 4}),
        ("GET", "/v1.0/b", {"n": 4}),
    )
    made = dev_proxy.write(tape, folder="bodies")
    mocks = json.loads(made.data)["mocks"]
    assert [mock["request"].get("nth") for mock in mocks] == [1, 2, None, None]
    assert made.beside == {}
    found = read(Source(name="t", path=tmp_path / "t.json", data=made.data))
    assert [rule.nth for rule in found.rules] == [1, 2]
    assert [json.loads(i.response.body)["n"] for i in found.interactions] == [3, 4]
    (lost,) = made.lost
    assert lost.startswith("interactions 0, 1, 2: answered in turn, each request by itself")


def test_dev_proxy_reads_what_is_no_json_from_files_beside_the_mocks(tmp_path: Path) -> None:
    photo = Interaction(
        request=Request(method="GET", url=f"{ROOT}/v1.0/me/photo/$value"),
        response=Response(
            status=200,
            headers=Headers((("Content-Type", "image/jpeg"), ("Content-Length", "3"))),
            body=b"\xff\xd8\x00",
        ),
    )
    (text,) = tape_of(("GET", "/v1.0/users/$count", "@3"))
    (scalar,) = tape_of(("GET", "/v1.0/users/7/$count", 7))
    made = dev_proxy.write((photo, text, scalar), folder="bodies")
    (tmp_path / "bodies").mkdir()
    for name, body in made.beside.items():
        (tmp_path / name).write_bytes(body)
    bodies = [each.response.body for each in again(made, tmp_path)]
    assert bodies == [b"\xff\xd8\x00", b'"@3"', b"7"]


def test_dev_proxy_tells_bodies_apart_where_it_must() -> None:
    def sent(body: bytes, answer: int, method: str = "POST") -> Interaction:
        (made,) = tape_of((method, "/v1.0/a", {"n": answer}))
        return replace(made, request=replace(made.request, body=body))

    tape = (sent(b'{"a": 1}', 1), sent(b'{"a": 2}', 2), sent(b"", 3, "GET"), sent(b"", 4, "GET"))
    made = dev_proxy.write(tape, folder="bodies")
    fragments = [m["request"].get("bodyFragment") for m in json.loads(made.data)["mocks"]]
    assert fragments == ['{"a": 1}', '{"a": 2}', None, None]
    assert [line.partition(": ")[0] for line in made.lost] == [
        "interactions 0, 1",
        "interactions 2, 3",
        "interactions 2, 3",
    ]
    assert "whatever their method" in made.lost[1]


RECORDINGS = sorted(
    path
    for pattern in ("har/*.har", "azure-cli/*.yaml", "quirks/*.yaml")
    for path in SHARED.glob(pattern)
    if "old_cassette" not in path.name
)


def end_to_end(interaction: Interaction) -> Interaction:
    """Leave out what was of the connection, as every way in does."""
    plain = entry.settled(interaction)
    asked, answered = plain.request, plain.response
    return Interaction(
        request=replace(asked, headers=asked.headers.without(*HOP_BY_HOP)),
        response=replace(answered, headers=answered.headers.without(*HOP_BY_HOP)),
    )


@needs_recordings
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_real_recordings_go_there_and_back(path: Path) -> None:
    tape = tuple(map(end_to_end, open_cassette(path).interactions))
    assert again(har.write(tape, started_at=None), path) == tape
    there = again(wiremock.write(tape), path)
    assert there == tuple(map(without_headers, tape))


def test_requests_begin_when_the_cassette_was_recorded(tmp_path: Path) -> None:
    source, target = tmp_path / "a.har", tmp_path / "b.har"
    started = "2026-03-04T05:06:07.000Z"
    request = {"method": "GET", "url": "https://graph.microsoft.com/v1.0/me", "headers": []}
    response = {"status": 200, "statusText": "OK", "headers": [], "content": {"text": "{}"}}
    entry = {"startedDateTime": started, "request": request, "response": response}
    source.write_text(json.dumps({"log": {"version": "1.2", "entries": [entry]}}), encoding="utf-8")
    convert(source, tmp_path / "t.yaml", to=Target.CASSETTE, salt=None, force=False)
    convert(tmp_path / "t.yaml", target, to=Target.HAR, salt=None, force=False)
    (found,) = json.loads(target.read_text(encoding="utf-8"))["log"]["entries"]
    assert found["startedDateTime"] == started
