"""A recorder is killed under load, and what a client has received whole is on the tape."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import vcr
import yaml

from commands import GRAPHTAPE, environment, serving
from graphtape.tape.recovery import recover
from graphtape.tape.store import open_cassette, part_path
from proxies import RawServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KILLS = 50 if os.environ.get("GRAPHTAPE_FULL") == "1" else 10
CLIENTS = 4
PER_TAPE = 5
"""Kills that one cassette lives through: each recorder takes up what the one before left."""

SERVING, STARTING, STOPPING = "serving", "starting", "stopping"
MOMENTS = (SERVING, SERVING, STARTING, SERVING, STOPPING)
assert len(MOMENTS) == PER_TAPE
LARGE = 300 * 1024  # is redacted in a thread
HUGE = 1200 * 1024  # takes several records


def answer(request: bytes) -> bytes:
    """Answer by what the path asks for: small, chunked, large or huge."""
    path = request.split(b" ", 2)[1]
    if b"/chunked" in path:
        body = b"".join(b"5\r\nabcde\r\n" for _ in range(20)) + b"0\r\n\r\n"
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    size = LARGE if b"/large" in path else HUGE if b"/huge" in path else 40
    kind = b"application/octet-stream" if b"/huge" in path else b"application/json"
    body = b'"' + b"x" * size + b'"'
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n" % (kind, len(body))
        + body
    )


@dataclass(slots=True)
class Client:
    """Sends one request after the other, each with an id of its own, and notes whole answers."""

    number: int
    seed: int
    sent: int = 0
    whole: list[str] = field(default_factory=list)

    def run(self, url: str, part: Path, late: list[str]) -> None:
        """Ask until the proxy is gone.

        Args:
            url: The proxy.
            part: Its append file, which is looked into now and then.
            late: Takes the ids that weren't in it when their answer was whole.
        """
        chance = random.Random(f"{self.seed}-{self.number}-{self.sent}")
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            contextlib.closing(connection),
        ):
            while True:
                self.sent += 1
                name = f"c{self.number}-{self.sent}-"
                (kind,) = chance.choices(
                    ("small", "chunked", "large", "huge"), weights=(60, 30, 3, 1)
                )
                if chance.random() < 0.5:
                    connection.request("GET", f"/v1.0/{kind}?id={name}")
                else:
                    connection.request("POST", f"/v1.0/{kind}?id={name}", body=b'{"a": 1}')
                got = connection.getresponse()
                got.read()
                if got.status != 200:
                    return
                self.whole.append(name)
                if self.sent % 10 == 0 and name.encode() not in part.read_bytes():
                    late.append(name)
                time.sleep(0.004)  # noqa: TID251 - the load is bounded


@dataclass(slots=True)
class Load:
    """Several clients on one cassette, through all its recorders."""

    tape: Path
    clients: list[Client]
    late: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def on(self, url: str) -> Iterator[None]:
        """Ask while the block runs, and until the proxy is gone."""
        threads = [
            threading.Thread(target=client.run, args=(url, part_path(self.tape), self.late))
            for client in self.clients
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            for thread in threads:
                thread.join(20)

    @property
    def whole(self) -> set[str]:
        return {name for client in self.clients for name in client.whole}


def ids(urls: Iterator[str]) -> list[str]:
    return [re.findall(r"[?&]id=(c\d+-\d+-)", url)[0] for url in urls]


def on_disk(tape: Path) -> set[str]:
    """Return the ids in the append file and in the cassette, as a next run would find them."""
    left = recover(part_path(tape))
    held = open_cassette(tape).interactions if tape.exists() else ()
    return set(ids(each.request.url for each in (*held, *(left or ()))))


def kill_while_it_starts(load: Load, upstream: RawServer, chance: random.Random) -> None:
    """Kill a recorder that may just be taking up what another left."""
    process = subprocess.Popen(
        [
            *(*GRAPHTAPE, "record", load.tape, "--upstream", upstream.url),
            *("--mode", "new_episodes", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"),
        ],
        env=environment(),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    time.sleep(chance.uniform(0.2, 0.6))  # noqa: TID251 - a random moment
    process.kill()
    process.wait(10)


def kill_under_load(
    load: Load, upstream: RawServer, chance: random.Random, *, stopping: bool
) -> None:
    with serving(
        *("record", load.tape, "--upstream", upstream.url, "--mode", "new_episodes", "--quiet"),
        cwd=load.tape.parent,
    ) as recorder:
        with load.on(recorder.url):
            time.sleep(chance.uniform(0.05, 0.7))  # noqa: TID251 - a random moment
            if stopping:
                recorder.process.send_signal(signal.SIGINT)
                time.sleep(chance.uniform(0, 0.3))  # noqa: TID251 - likewise
            recorder.process.kill()
        recorder.stop(signal.SIGKILL)
    assert "Traceback" not in recorder.stderr


def check_tape(load: Load) -> None:
    tape = open_cassette(load.tape)
    found = ids(each.request.url for each in tape.interactions)
    assert [name for name, times in Counter(found).items() if times > 1] == []
    assert load.whole - set(found) == set()
    for client in load.clients:
        own = [int(name.split("-")[1]) for name in found if name.startswith(f"c{client.number}-")]
        assert own == sorted(own)
    for each in tape.interactions:
        expected = LARGE if "/large" in each.request.url else 40
        expected = HUGE if "/huge" in each.request.url else expected
        size = 100 if "/chunked" in each.request.url else expected + 2
        assert len(each.response.body) == size
    with vcr.use_cassette(str(load.tape), record_mode="none") as stock:
        assert len(stock) == len(found)


def seed() -> int:
    return int(os.environ.get("GRAPHTAPE_SEED") or random.SystemRandom().randrange(2**32))


@pytest.mark.timeout(60 + 6 * KILLS)
def test_what_a_client_received_whole_survives_a_kill(tmp_path: Path) -> None:
    start = seed()
    print(f"GRAPHTAPE_SEED={start} repeats the moments of this run")  # noqa: T201 - pytest shows it on failure
    with RawServer(answer=answer) as upstream:
        for round_number in range(KILLS // PER_TAPE):
            chance = random.Random(f"{start}-{round_number}")
            folder = tmp_path / str(round_number)
            folder.mkdir()
            load = Load(folder / "t.yaml", [Client(n, start) for n in range(CLIENTS)])
            for moment in chance.sample(MOMENTS, k=PER_TAPE):
                if moment == STARTING:
                    kill_while_it_starts(load, upstream, chance)
                else:
                    kill_under_load(load, upstream, chance, stopping=moment == STOPPING)
                assert load.late == []
                assert load.whole - on_disk(load.tape) == set()
            assert len(load.whole) > 50
            with serving(
                *("record", load.tape, "--upstream", upstream.url, "--mode", "new_episodes"),
                cwd=folder,
            ) as last:
                pass
            assert last.code == 0, last.stderr
            assert not part_path(load.tape).exists()
            check_tape(load)


def test_a_leftover_of_once_is_taken_up_by_the_next_run(tmp_path: Path) -> None:
    load = Load(tmp_path / "t.yaml", [Client(0, 1)])
    with RawServer(answer=answer) as upstream:
        with serving("record", "t.yaml", "--upstream", upstream.url, cwd=tmp_path) as recorder:
            with load.on(recorder.url):
                time.sleep(0.3)  # noqa: TID251 - some requests long
                recorder.process.kill()
            recorder.stop(signal.SIGKILL)
        assert not load.tape.exists()
        with serving("record", "t.yaml", "--upstream", upstream.url, cwd=tmp_path) as again:
            pass
    assert "interactions of it are now in t.yaml" in again.stderr
    check_tape(load)
    assert yaml.safe_load(load.tape.read_text())["version"] == 1
