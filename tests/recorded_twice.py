"""Records raw requests, read as their bytes arrive and by a task."""

from __future__ import annotations

import re
import socket
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from graphtape.tape.store import open_cassette
from proxies import RawServer, recording
from short_cuts import normal_way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from io import BufferedRWPair
    from pathlib import Path

    from graphtape.core.message import Interaction

SALT = "x"
_LENGTH = re.compile(rb"(?im)^content-length: *(\d+)")
_CHUNKED = re.compile(rb"(?im)^transfer-encoding: *chunked")
_BODYLESS = (b"HTTP/1.1 204", b"HTTP/1.1 304", b"HTTP/1.1 1")
_DATE = re.compile(rb"(?m)^Date: [^\r\n]*")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SECONDS = re.compile(r"(?:(?<=came back )|(?<=to wait ))[0-9.]+ s")
_PSEUDONYM = re.compile(r"user-[a-z2-7]{8}@[a-z2-7]{8}\.example")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


@dataclass(slots=True, kw_only=True)
class Recorded:
    """What a recording came to, but for what is another in each.

    Attributes:
        answers: To the clients.
        asked: What upstream was sent.
        tape: What was recorded.
    """

    answers: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    tape: tuple[Interaction, ...] = ()
    journal: list[tuple[object, ...]] = field(default_factory=list)
    heard: list[tuple[object, ...]] = field(default_factory=list)
    verdicts: tuple[str, ...] = ()
    redacted: dict[str, int] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)


def recorded(
    tape: Path, requests: Sequence[bytes], answer: Callable[[bytes], bytes], **settings: object
) -> Recorded:
    """Record requests over one connection, as long as it lasts, then over another."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("GRAPHTAPE_SALT", SALT)
        graph = stack.enter_context(RawServer(answer))
        proxy = stack.enter_context(recording(tape, **{"upstream": graph.url, **settings}))
        own = {proxy.url.rpartition(":")[2]: "PROXY", graph.url.rpartition(":")[2]: "UPSTREAM"}
        answers = list(_asked(proxy.url, requests))

    def lasting(text: str) -> str:
        for port, name in own.items():
            text = text.replace(f":{port}", f":{name}")
        return _MOMENT.sub("MOMENT", text)

    def line(entry: object) -> tuple[object, ...]:
        names = ("number", "method", "url", "status", "source", "interaction", "note")
        values = (getattr(entry, name) for name in names)
        return tuple(lasting(each) if isinstance(each, str) else each for each in values)

    outcome = proxy.proxy.outcome
    return Recorded(
        answers=[lasting(_masked(each)) for each in answers],
        asked=[lasting(each.decode("latin-1")) for each in graph.requests],
        tape=open_cassette(tape).interactions if tape.exists() else (),
        journal=[line(each) for each in outcome.session.journal.entries],
        heard=[line(each) for each in proxy.entries],
        verdicts=tuple(
            _SECONDS.sub("SOON", _PSEUDONYM.sub("SOMEBODY", each))
            for each in outcome.verdicts.lines()
        ),
        redacted=dict(outcome.redacted),
        dropped=[lasting(each) for each in outcome.dropped],
        named=sorted(proxy.proxy.sessions.default.named),
    )


def both(
    folder: Path, requests: Sequence[bytes], answer: Callable[[bytes], bytes], **settings: object
) -> tuple[Recorded, Recorded]:
    """Record requests read as their bytes arrive, and read by a task."""
    at_once = recorded(folder / "at_once.yaml", requests, answer, **settings)
    with normal_way():
        return at_once, recorded(folder / "by_task.yaml", requests, answer, **settings)


def _masked(answer: bytes) -> str:
    text = _DATE.sub(b"Date: NOW", answer).decode("latin-1")
    recorded_answer = "\r\nGraphtape-Result: recorded\r\n" in text
    return text if recorded_answer else _UUID.sub("UUID", text)


def _asked(url: str, requests: Sequence[bytes]) -> Iterator[bytes]:
    host, port = url.removeprefix("http://").split(":")
    stack = ExitStack()
    wire: BufferedRWPair | None = None
    with stack:
        for request in requests:
            if wire is None:
                stack.close()
                connection = stack.enter_context(socket.create_connection((host, int(port)), 20))
                wire = stack.enter_context(connection.makefile("rwb"))
            wire.write(request)
            wire.flush()
            answer = _answer(wire, head=request.startswith(b"HEAD"))
            if not answer or b"\r\nConnection: close\r\n" in answer:
                wire = None
            yield answer


def _answer(wire: BufferedRWPair, *, head: bool) -> bytes:
    """Read one answer to its end, or as much as there is of it."""
    try:
        read = b""
        while not read.endswith(b"\r\n\r\n"):
            line = wire.readline()
            if not line:
                return read
            read += line
        length = _LENGTH.search(read)
        if head or read.startswith(_BODYLESS):
            return read
        if length is not None:
            return read + wire.read(int(length[1]))
        while _CHUNKED.search(read) and not read.endswith(b"\r\n0\r\n\r\n"):
            read += wire.readline()
    except ConnectionError:
        return b""
    return read
