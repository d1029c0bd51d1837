"""Long texts pass while they are redacted, in bounded memory, onto a whole tape."""

from __future__ import annotations

import gzip
import http.client
import threading
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
LIMIT = 270_000
ROWS = 9_000


def csv(rows: int = ROWS) -> bytes:
    """Return a table of people, with a secret in it."""
    lines = [b"Id,Name,Mail,Password\n"]
    lines += [b"%d,Person %d,p%d@acme.test,Fake-%d\n" % (n, n, n, n) for n in range(rows)]
    return b"".join(lines)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return tmp_path / "t.yaml"


@pytest.mark.parametrize("coded", [False, True], ids=["plain", "gzip"])
def test_a_long_table_is_on_the_tape_redacted(tape: Path, coded: bool) -> None:  # noqa: FBT001 - pytest gives it by name
    body = csv()
    fields = [b"Content-Type: text/csv", *([b"Content-Encoding: gzip"] if coded else [])]
    answer = answered(gzip.compress(body) if coded else body, *fields)
    with (
        RawServer(answer=lambda _: answer) as upstream,
        recording(tape, upstream=upstream.url) as proxy,
    ):
        got = requests.get(proxy.url + "/v1.0/reports", headers=AUTH, timeout=30)
        kinds = [span.kind for span in spans(part_path(tape))]
    assert got.content == body
    assert kinds.count(Kind.RESPONSE_CHUNK) > 5
    (interaction,) = open_cassette(tape).interactions
    clean = interaction.response.body
    assert "Content-Encoding" not in interaction.response.headers
    assert clean.count(b"\n") == body.count(b"\n")
    assert clean.count(b"REDACTED") == ROWS
    assert b"Fake-" not in clean
    assert b"acme.test" not in clean


@pytest.mark.parametrize("coded", [False, True], ids=["plain", "gzip"])
def test_a_long_upload_of_text_is_on_the_tape_redacted(tape: Path, coded: bool) -> None:  # noqa: FBT001 - pytest gives it by name
    body = csv()
    fields = {"Content-Type": "text/csv", **({"Content-Encoding": "gzip"} if coded else {})}
    sent = gzip.compress(body) if coded else body
    with RawServer() as upstream, recording(tape, upstream=upstream.url) as proxy:
        url = proxy.url + "/v1.0/me/drive/root:/a.csv:/content"
        requests.put(url, data=sent, headers={**AUTH, **fields}, timeout=30)
        assert upstream.requests[0].partition(b"\r\n\r\n")[2] == sent
    (interaction,) = open_cassette(tape).interactions
    assert "Content-Encoding" not in interaction.request.headers
    assert interaction.request.body.count(b"\n") == body.count(b"\n")
    assert b"Fake-" not in interaction.request.body


def test_a_long_upload_matches_what_was_recorded_of_it(tape: Path) -> None:
    body = csv()
    fields = {**AUTH, "Content-Type": "text/csv"}
    with (
        RawServer() as upstream,
        serving("record", tape, "--upstream", upstream.url, cwd=tape.parent) as recorder,
    ):
        requests.put(recorder.url + "/v1.0/a", data=body, headers=fields, timeout=30)
    with serving("replay", tape, cwd=tape.parent) as player:
        again = requests.put(player.url + "/v1.0/a", data=body, headers=fields, timeout=30)
        other = requests.put(player.url + "/v1.0/a", data=body + b"x", headers=fields, timeout=30)
    assert again.headers["Graphtape-Result"] == "replayed"
    assert other.status_code == 599


@pytest.mark.parametrize(
    ("kept", "noise"), [(-20, b""), (-20_000, b"\xff" * 900)], ids=["cut-short", "garbled"]
)
def test_a_long_text_whose_coding_is_broken_reaches_the_client_alone(
    tape: Path, caplog: pytest.LogCaptureFixture, kept: int, noise: bytes
) -> None:
    coded = gzip.compress(csv())[:kept] + noise
    answer = answered(coded, b"Content-Type: text/csv", b"Content-Encoding: gzip")
    with (
        RawServer(answer=lambda _: answer) as upstream,
        recording(tape, upstream=upstream.url) as proxy,
    ):
        connection = http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=20)
        connection.request("GET", "/v1.0/reports")
        assert connection.getresponse().read() == coded
        connection.close()
    assert not tape.exists()
    assert "NOT on the tape: the answer's body is not in the content coding" in caplog.text


def test_the_limit_counts_what_would_be_on_the_tape(
    tape: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answer = answered(gzip.compress(csv()), b"Content-Type: text/csv", b"Content-Encoding: gzip")
    assert len(answer) < LIMIT < len(csv())
    with (
        RawServer(answer=lambda _: answer) as upstream,
        recording(tape, upstream=upstream.url, max_body=LIMIT) as proxy,
    ):
        got = requests.get(proxy.url + "/v1.0/reports", headers=AUTH, timeout=30)
        assert got.content == csv()
    assert "NOT on the tape: the answer's body is larger than 270000 bytes" in caplog.text


def test_the_first_rows_reach_the_client_before_the_last_are_there(tape: Path) -> None:
    body = csv()
    first = body[:LIMIT]
    with (
        waiting(first, body[LIMIT:], b"Content-Type: text/csv") as (url, go),
        recording(tape, upstream=url) as proxy,
    ):
        connection = http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=20)
        connection.request("GET", "/v1.0/reports")
        answer = connection.getresponse()
        assert answer.read(LIMIT) == first
        go.set()
        assert answer.read() == body[LIMIT:]
        connection.close()
    (interaction,) = open_cassette(tape).interactions
    assert interaction.response.body.count(b"REDACTED") == ROWS


def test_memory_does_not_grow_with_a_text(tape: Path) -> None:
    row, kind = b"1,Person,of the staff,\n", b"Content-Type: text/csv"
    with endless(b"Id,Name,Mail,Note\n", row * 2500, b"", mib=20, field=kind) as upstream:
        assert grown_by(tape, upstream) < 30 * MIB


def test_a_long_multipart_upload_is_on_the_tape_redacted(tape: Path) -> None:
    photo = b"\x00\xff" + bytes(range(256)) * 3000
    head = b'--bnd\r\nContent-Disposition: form-data; name="%b"\r\nContent-Type: %b\r\n\r\n'
    body = b"".join(
        (head % (b"table", b"text/csv"), csv(), b"\r\n", head % (b"photo", b"image/png"), photo)
    )
    body += b"\r\n--bnd--\r\n"
    fields = {**AUTH, "Content-Type": "multipart/form-data; boundary=bnd"}
    with RawServer() as upstream, recording(tape, upstream=upstream.url) as proxy:
        requests.post(proxy.url + "/v1.0/me/x", data=body, headers=fields, timeout=60)
        assert upstream.requests[0].partition(b"\r\n\r\n")[2] == body
        kinds = [span.kind for span in spans(part_path(tape))]
    assert kinds.count(Kind.REQUEST_CHUNK) > 3
    (interaction,) = open_cassette(tape).interactions
    clean = interaction.request.body
    assert clean.endswith(photo + b"\r\n--bnd--\r\n")
    assert clean.count(b"REDACTED") == ROWS
    assert b"Fake-" not in clean


def test_a_client_that_does_not_read_holds_upstream_up(tape: Path) -> None:
    row, kind = b"1,Person,of the staff,\n", b"Content-Type: text/csv"
    block = row * 2500
    sent: list[int] = []
    with (
        endless(b"Id,Name,Mail,Note\n", block, b"", mib=32, field=kind, sent=sent) as upstream,
        recording(tape, upstream=upstream) as proxy,
    ):
        connection = http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=60)
        connection.request("GET", "/v1.0/long")
        answer = connection.getresponse()
        answer.read(1)
        held = settled(sent)
        rest = len(answer.read())
        connection.close()
    assert held < 24 * MIB  # what the sockets on the way hold, and no more
    assert rest == len(b"Id,Name,Mail,Note\n") - 1 + 32 * MIB // len(block) * len(block)


def settled(sent: list[int]) -> int:
    """Wait until upstream sends no more; return how many bytes it has sent."""
    before, still = -1, 0
    while still < 20:
        now = sum(sent)
        still = still + 1 if now == before and now else 0
        before = now
        threading.Event().wait(0.1)
    return before
