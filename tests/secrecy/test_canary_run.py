"""Secrets go through a recording and a replaying process, and are nowhere afterwards."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import requests

from commands import graphtape, serving
from graphtape.tape.store import open_cassette, save_cassette
from proxies import AUTH, RawServer, exchange
from secrecy.callers import MARK, Got, everything
from secrecy.plants import CANARIES, PLANTS, canary, forms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

FOLLOWED = {name: canary(name) for name in ("download followed", "upload followed", "opaque path")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A recording and a replay of everything.

    Attributes:
        folder: Where both worked.
        running: What the files held while the recorder ran, by name.
        said: All that was printed, by what printed it.
        codes: Of the recorder and of the replay.
    """

    folder: Path
    running: dict[str, bytes]
    recorded: dict[str, Got]
    replayed: dict[str, Got]
    missed: dict[str, Got]
    said: dict[str, bytes]
    codes: tuple[int | None, int | None]


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def leaks(texts: dict[str, bytes], secrets: dict[str, str] = CANARIES | FOLLOWED) -> list[str]:
    found: list[str] = []
    for where, text in texts.items():
        whole = re.sub(rb"\s", b"", text)  # YAML folds binary values
        for name, secret in secrets.items():
            found += [
                f"{name}, {how}, in {where}"
                for how, form in forms(secret).items()
                if form in text or form in whole
            ]
    return found


def planted(request: bytes) -> bytes:
    found = re.search(rf"\r\n{MARK}: ([^\r]*)\r\n".encode(), request, re.IGNORECASE)
    assert found is not None, request
    return PLANTS[found[1].decode()].answer()


def follow(url: str) -> list[int]:
    """Follow a download's redirect and an upload's URL, which lead off Graph."""
    answer = requests.get(f"{url}/v1.0/drive/content", headers=AUTH, timeout=20)
    session = requests.post(f"{url}/v1.0/drive/up", headers=AUTH, timeout=20).json()["uploadUrl"]
    upload = requests.put(session, data=b"\x00x", timeout=20)
    return [answer.status_code, *(each.status_code for each in answer.history), upload.status_code]


def off_graph(graph: RawServer, files: RawServer) -> None:
    """Script what `follow` is answered; anything else is a plant."""
    down = f"{files.url}/{FOLLOWED['opaque path']}/f?tempauth={FOLLOWED['download followed']}"
    up = json.dumps({"uploadUrl": f"{files.url}/up?authtoken={FOLLOWED['upload followed']}"})
    to_file = f"HTTP/1.1 302 Found\r\nLocation: {down}\r\nContent-Length: 0\r\n\r\n".encode()
    session = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(up)}\r\n\r\n{up}"
    ).encode()

    def answer(request: bytes) -> bytes:
        if request.startswith(b"GET /v1.0/drive/content"):
            return to_file
        return session if request.startswith(b"POST /v1.0/drive/up") else planted(request)

    graph.answer = answer


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("canaries")
    with RawServer() as graph, RawServer() as files:
        off_graph(graph, files)
        with serving(
            *("record", "t.yaml", "--record-signin", "--upstream", graph.url), cwd=folder
        ) as recorder:
            recorded = everything(recorder.url)
            assert follow(recorder.url) == [200, 302, 200]
            running = files_in(folder)
    assert recorder.code == 0, recorder.stderr
    with serving("replay", "t.yaml", cwd=folder) as player:
        replayed = everything(player.url)
        assert follow(player.url) == [200, 302, 200]
        missed = everything(player.url, beyond="/missed")
    said = {
        f"{who} of {what}": text.encode()
        for what, process in (("record", recorder), ("replay", player))
        for who, text in (("stdout", process.stdout), ("stderr", process.stderr))
    }
    return Run(
        folder=folder,
        running=running,
        recorded=recorded,
        replayed=replayed,
        missed=missed,
        said=said,
        codes=(recorder.code, player.code),
    )


def test_there_are_as_many_as_promised() -> None:
    assert len(set(CANARIES.values())) == len(CANARIES) >= 40


def test_each_was_answered_and_is_on_the_tape(run: Run) -> None:
    assert {n: g.status for n, g in run.recorded.items()} == {
        n: p.status for n, p in PLANTS.items()
    }
    assert run.codes[0] == 0
    tape = open_cassette(run.folder / "t.yaml")
    assert len(tape.interactions) == len(PLANTS) + 4


def test_none_is_in_a_file_while_the_recorder_runs(run: Run) -> None:
    assert len(run.running["t.yaml.part"]) > 10_000
    assert leaks(run.running) == []


def test_none_is_in_a_file_afterwards(run: Run) -> None:
    left = files_in(run.folder)
    assert "t.yaml" in left
    assert leaks(left) == []


def test_none_is_printed(run: Run) -> None:
    assert b"GET /v1.0/" in run.said["stderr of record"]
    assert b"Nothing recorded answers" in run.said["stderr of replay"]
    assert leaks(run.said) == []


def test_masked_requests_still_match(run: Run) -> None:
    unmatched = [
        name
        for name, got in run.replayed.items()
        if (got.status, "replayed" in got.head) != (PLANTS[name].status, True)
    ]
    assert unmatched == []


def test_no_answer_of_the_replay_holds_one(run: Run) -> None:
    answers = {name: got.head.encode() + got.body for name, got in run.replayed.items()}
    assert leaks(answers) == []


def test_no_miss_quotes_one(run: Run) -> None:
    assert {got.status for got in run.missed.values()} == {599}
    assert leaks({name: got.head.encode() + got.body for name, got in run.missed.items()}) == []
    assert run.codes[1] == 3


def test_scan_finds_nothing_on_the_tape(run: Run) -> None:
    done = graphtape("scan", "t.yaml", cwd=run.folder)
    assert (done.returncode, done.stdout) == (0, "")


# One is written half in percents, which `forms` doesn't list.
VISIBLE = set(PLANTS) - {"query, percent-encoded"}
"""Whose secret the search sees before redaction; or it would prove nothing."""


def seen(lines: list[str]) -> set[str]:
    return {name for name in PLANTS if any(line.startswith(f"{name}, ") for line in lines)}


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("twin") / "raw.yaml"
    save_cassette(path, [plant.interaction() for plant in PLANTS.values()], metadata=None)
    return path


def test_scan_finds_each_on_the_unredacted_twin_and_shows_none(twin: Path) -> None:
    assert seen(leaks(files_in(twin.parent), CANARIES)) == VISIBLE
    done = graphtape("scan", "raw.yaml", "--format", "json", cwd=twin.parent)
    assert done.returncode == 1
    sighted = {finding["interaction"] for finding in json.loads(done.stdout)}
    assert [name for n, name in enumerate(PLANTS) if n not in sighted] == []
    plain = graphtape("scan", "raw.yaml", cwd=twin.parent)
    assert leaks(printed(done.stdout, done.stderr, plain.stdout, plain.stderr)) == []


def printed(*texts: str) -> dict[str, bytes]:
    return {f"output {n}": text.encode() for n, text in enumerate(texts)}


def test_redact_cleans_the_twin(twin: Path, tmp_path: Path) -> None:
    shutil.copy(twin, tmp_path / "raw.yaml")
    done = graphtape("redact", "raw.yaml", cwd=tmp_path)
    assert done.returncode == 0
    assert leaks(files_in(tmp_path) | printed(done.stdout, done.stderr)) == []
    assert graphtape("scan", "raw.yaml", cwd=tmp_path).returncode == 0


def told(texts: Iterable[str], *, secret: str) -> list[str]:
    return leaks({f"text {n}": text.encode() for n, text in enumerate(texts)}, {"it": secret})


def garbled(secret: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nSet-Cookie fpc={secret}\r\n{secret}\x01: x\r\n\r\n".encode()


def broken_off(secret: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ntoken={secret}".encode()


@pytest.mark.parametrize("wrong", [garbled, broken_off])
def test_an_upstream_that_goes_wrong_gives_none_away(
    tmp_path: Path, wrong: Callable[[str], bytes]
) -> None:
    secret = canary("upstream goes wrong")
    fields = {"Authorization": f"Bearer {secret}"}
    with (
        RawServer(answer=lambda _: wrong(secret), close_after=True) as graph,
        serving("record", "t.yaml", "--upstream", graph.url, cwd=tmp_path) as recorder,
    ):
        url = f"{recorder.url}/v1.0/x?client_secret={secret}"
        with contextlib.suppress(requests.RequestException):
            requests.get(url, headers=fields, timeout=20)
    assert "GET /v1.0/x?client_secret=" in recorder.stderr
    assert told((recorder.stdout, recorder.stderr), secret=secret) == []
    assert leaks(files_in(tmp_path), {"it": secret}) == []


def test_what_is_left_off_the_tape_is_told_without_it(tmp_path: Path) -> None:
    secret = canary("left off the tape")
    with RawServer() as graph:
        graph.answer = lambda _: (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3000\r\n\r\n"
            + secret.encode() * 125
        )
        with serving(
            "record", "t.yaml", "--upstream", graph.url, "--max-body", "1000", cwd=tmp_path
        ) as recorder:
            url = f"{recorder.url}/v1.0/x?access_token={secret}"
            assert len(requests.get(url, headers=AUTH, timeout=20).content) == 3000
    assert "is NOT on the tape" in recorder.stderr
    assert recorder.code == 1
    assert told((recorder.stdout, recorder.stderr), secret=secret) == []
    assert leaks(files_in(tmp_path), {"it": secret}) == []


def test_a_request_that_is_no_http_is_refused_without_it(tmp_path: Path) -> None:
    secret = canary("no HTTP")
    requests_sent = (
        f"GET /v1.0/x HTTP/1.1\r\nHost: x\r\nAuthorization Bearer {secret}\r\n\r\n",
        f"GET /v1.0/x?token={secret} HTTP/9.{secret}\r\nHost: x\r\n\r\n",
        f"GET /v1.0/{secret}\x01 HTTP/1.1\r\nHost: x\r\nCookie: {secret}\x02\r\n\r\n",
    )
    with (
        RawServer() as graph,
        serving("record", "t.yaml", "--upstream", graph.url, cwd=tmp_path) as recorder,
    ):
        answers = [exchange(recorder.url, each.encode()) for each in requests_sent]
    assert all(answer.split(b" ")[1] == b"400" for answer in answers)
    said = (recorder.stdout, recorder.stderr, *(answer.decode() for answer in answers))
    assert told(said, secret=secret) == []
