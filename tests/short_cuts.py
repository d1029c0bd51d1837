"""Asks a proxy in raw bytes, with its short cut and without."""

from __future__ import annotations

import re
import socket
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import pytest

from graphtape.server import aiohttp_private
from graphtape.server.replay.responder import Responder
from proxies import AUTH, replaying
from unused import left_unused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from aiohttp.http_parser import RawRequestMessage

    from graphtape.server.replay.known import Decided
    from proxies import Running

HOST = "graph.test:8080"
TOKEN = ("Authorization", AUTH["Authorization"])

_DATE = re.compile(rb"(?im)^date: [^\r\n]*")
_UNTIL = re.compile(rb"(?im)^(retry-after): [a-z][^\r\n]*")
_UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MOMENT = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_SECONDS = re.compile(r"(?:(?<=came back )|(?<=to wait ))[0-9.]+ s")
_LENGTH = re.compile(rb"(?im)^content-length: *(\d+)")
_BODYLESS = (b"HTTP/1.1 204", b"HTTP/1.1 304", b"HTTP/1.1 1")


def asking(
    target: str, *fields: tuple[str, str], method: str = "GET", host: str = HOST, body: bytes = b""
) -> bytes:
    """Write a request; one with a body says how long it is."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{n}: {v}" for n, v in fields)]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def get(target: str, *fields: tuple[str, str]) -> bytes:
    """Write a read as a client with a token does."""
    return asking(target, TOKEN, *fields)


class Wire:
    """A connection that raw bytes go over."""

    def __init__(self, url: str, *, timeout: float = 20) -> None:
        """Connect."""
        host, port = url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=timeout)
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def answer(self, *, head: bool = False) -> bytes:
        """Read one answer, or what there is of it; `head` is of a HEAD."""
        while b"\r\n\r\n" not in self._rest:
            if not self._more():
                return self._take(len(self._rest))
        end = self._rest.index(b"\r\n\r\n") + 4
        length = _LENGTH.search(self._rest[:end])
        bare = head or self._rest.startswith(_BODYLESS) or length is None
        end += 0 if bare or length is None else int(length[1])
        while len(self._rest) < end:
            if not self._more():
                break
        return self._take(end)

    def ask(self, data: bytes) -> bytes:
        """Send one request, read its answer."""
        self.send(data)
        return self.answer(head=data.startswith(b"HEAD"))

    def closed(self) -> bool:
        """Tell whether the other side ends the connection, with nothing more to say."""
        return not self._rest and not self._more()

    def _more(self) -> bool:
        try:
            more = self.socket.recv(65536)
        except ConnectionError:
            return False
        self._rest += more
        return bool(more)

    def _take(self, size: int) -> bytes:
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


@dataclass(slots=True)
class Shortened:
    """How many requests took the short cut: parsed, and known again."""

    first: int = 0
    again: int = 0


@contextmanager
def counted() -> Iterator[Shortened]:
    """Count those that take the short cut while the block runs."""
    count = Shortened()
    first, again = Responder.first, Responder.again

    def counting_first(
        self: Responder, message: RawRequestMessage, body: bytes, data: bytes | None, scheme: str
    ) -> bytes | Decided | None:
        answer = first(self, message, body, data, scheme)
        count.first += isinstance(answer, bytes)
        return answer

    def counting_again(self: Responder, data: bytes) -> bytes | Decided | None:
        answer = again(self, data)
        count.again += isinstance(answer, bytes)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Responder, "first", counting_first)
        patch.setattr(Responder, "again", counting_again)
        yield count


@contextmanager
def expressed(tape: Path, **settings: object) -> Iterator[tuple[Running, Responder]]:
    """Run a proxy; what its short cut keeps is at hand."""
    made: list[Responder] = []
    begin = Responder.__init__

    def begun(self: Responder, *given: object) -> None:
        begin(self, *given)  # type: ignore[arg-type] # whatever it is made of
        made.append(self)

    async def nothing(*_: object) -> None:
        """Make nothing ready ahead: what is counted is what requests do."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Responder, "__init__", begun)
        patch.setattr(Responder, "prepare", nothing)
        with replaying(tape, **settings) as proxy:
            yield proxy, made[0]


@contextmanager
def normal_way() -> Iterator[None]:
    """Start proxies as on an aiohttp that the short cut doesn't fit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aiohttp_private, "FITS", False)
        yield


@dataclass(slots=True, kw_only=True)
class Told:
    """What a run came to, but for what is another in each."""

    answers: list[bytes] = field(default_factory=list)
    journal: list[tuple[object, ...]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    injected: dict[tuple[str, int], int] = field(default_factory=dict)
    heard: list[tuple[object, ...]] = field(default_factory=list)
    unused: dict[str, tuple[int, ...]] = field(default_factory=dict)
    verdicts: tuple[str, ...] = ()


def told(tape: Path | list[Path], requests: Sequence[bytes], **settings: object) -> Told:
    """Ask a proxy over one connection, as long as it lasts, then over another."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("GRAPHTAPE_SALT", "x")  # else a tape that has none gets another in each run
        proxy = stack.enter_context(replaying(tape, **settings))
        answers = list(_asked(proxy, requests))
    outcome = proxy.proxy.outcome
    journal = outcome.session.journal
    port = proxy.url.rpartition(":")[2].encode()
    return Told(
        answers=[_masked(each).replace(port, b"PORT") for each in answers],
        journal=[_lasting(each, port) for each in journal.entries],
        counts={str(source): count for source, count in journal.counts.items()},
        injected=dict(journal.injected),
        heard=[_lasting(each, port) for each in proxy.entries],
        unused=left_unused(outcome.session),
        verdicts=tuple(_SECONDS.sub("SOON", each) for each in outcome.verdicts.lines()),
    )


def both(
    tape: Path | list[Path], requests: Sequence[bytes], **settings: object
) -> tuple[Told, Told]:
    """Ask a proxy that answers at once, and one that answers by tasks alone."""
    shortened = told(tape, requests, **settings)
    with normal_way():
        return shortened, told(tape, requests, **settings)


def _asked(proxy: Running, requests: Sequence[bytes]) -> Iterator[bytes]:
    wire = Wire(proxy.url)
    try:
        for request in requests:
            try:
                answer = wire.ask(request)
            except ConnectionError:
                answer = b""
            if not answer or b"\r\nConnection: close\r\n" in answer:
                wire.socket.close()
                wire = Wire(proxy.url)
            yield answer
    finally:
        wire.socket.close()


def _masked(answer: bytes) -> bytes:
    masked = _UNTIL.sub(rb"\1: LATER", _DATE.sub(b"Date: NOW", answer))
    whole = b"\r\nGraphtape-Result: replayed\r\n" in answer and b'"responses":[' not in answer
    if whole:  # a batch may have parts of our own, and is then written by ourselves
        return masked
    return _MOMENT.sub(b"MOMENT", _UUID.sub(b"UUID", masked))


def _lasting(entry: object, port: bytes) -> tuple[object, ...]:
    names = ("number", "method", "url", "status", "source", "interaction", "note", "effects")
    text = tuple(getattr(entry, name) for name in names)
    return tuple(v.replace(port.decode(), "PORT") if isinstance(v, str) else v for v in text)
