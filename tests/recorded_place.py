"""A folder with a cassette to record into, run after run."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import requests

from commands import serving
from graphtape.tape.store import open_cassette, part_path
from proxies import AUTH

if TYPE_CHECKING:
    from pathlib import Path

    from commands import Serving
    from proxies import RawServer


@dataclass(slots=True)
class Counter:
    """An upstream that answers each request with its number."""

    asked: list[str] = field(default_factory=list)

    def __call__(self, request: bytes) -> bytes:
        self.asked.append(request.split(b" ", 2)[1].decode())
        body = b'{"n": %d}' % len(self.asked)
        return (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), body)
        )


@dataclass(slots=True)
class Place:
    """A folder with a cassette to record into, and an upstream.

    Attributes:
        counter: What upstream was asked so far.
    """

    folder: Path
    upstream: RawServer
    counter: Counter

    @property
    def tape(self) -> Path:
        return self.folder / "t.yaml"

    def record(self, mode: str, *paths: str, options: tuple[str, ...] = ()) -> Serving:
        """Record GETs in one run to its end."""
        arguments = ("--upstream", self.upstream.url, "--mode", mode, *options)
        with serving("record", "t.yaml", *arguments, cwd=self.folder) as served:
            self.answers = self.ask(served.url, *paths)
        return served

    def kill(self, mode: str, *paths: str) -> None:
        """Record GETs in a run that is killed."""
        arguments = ("--upstream", self.upstream.url, "--mode", mode)
        with serving("record", "t.yaml", *arguments, cwd=self.folder) as served:
            self.ask(served.url, *paths)
            served.stop(signal.SIGKILL)
        assert part_path(self.tape).exists()

    answers: list[int | str] = field(default_factory=list)

    def ask(self, url: str, *paths: str) -> list[int | str]:
        """Return the number of each answer, or the code of an error."""
        found: list[int | str] = []
        for path in paths:
            body = requests.get(f"{url}/v1.0/{path}", headers=AUTH, timeout=10).json()
            found.append(body["n"] if "n" in body else body["error"]["code"])
        return found

    def on_tape(self) -> list[str]:
        """Return path and answer of each interaction."""
        return [
            f"{each.request.url.rpartition('/')[2]}{each.response.body[6:-1].decode()}"
            for each in open_cassette(self.tape).interactions
        ]
