"""Apps that are notified, and proxies that notify them; on 127.0.0.1 and free ports."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from graphtape import runner
from graphtape.core.notification.conduct import Conduct
from graphtape.core.tape.outcome import Mode
from graphtape.settings import Settings
from proxies import AUTH, Running
from tapes import exchanged, taped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from graphtape.core.journal import Entry

BEGAN = 1_800_000_000.0
"""Where the clocks of tests begin, Unix seconds: 2027-01-15T08:00:00Z."""

PATIENT = Conduct(limit=5, first=0.02, longest=0.2)


@dataclass(slots=True)
class Clock:
    """A clock that stands still until it is moved."""

    now: float = BEGAN

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Arrived:
    """A request that reached the app."""

    path: str
    token: str | None
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, list[dict[str, object]]]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


Answer = tuple[int, str, bytes]


def repeats(arrived: Arrived) -> Answer:
    """Answer as Microsoft's documentation asks for."""
    if arrived.token is not None:
        return 200, "text/plain; charset=utf-8", arrived.token.encode()
    return 202, "text/plain", b""


@dataclass(slots=True)
class ListeningApp:
    """An app that keeps what reaches it, and answers what it is told."""

    answer: Callable[[Arrived], Answer] = repeats
    fields: dict[str, str] = field(default_factory=dict)
    arrived: list[Arrived] = field(default_factory=list)
    _server: ThreadingHTTPServer = field(init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def notified(self) -> list[Arrived]:
        """Without validations."""
        return [each for each in self.arrived if each.token is None]

    def wait(self, count: int, *, longest: float = 20) -> list[Arrived]:
        """Wait for notifications, and return all there are."""
        end = time.monotonic() + longest
        while len(self.notified) < count and time.monotonic() < end:
            threading.Event().wait(0.01)
        assert len(self.notified) >= count, f"{len(self.notified)} of {count} notifications came"
        return self.notified

    def __enter__(self) -> Self:
        app = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                query = parse_qs(urlsplit(self.path).query)
                arrived = Arrived(
                    path=self.path,
                    token=query.get("validationToken", [None])[0],
                    headers=dict(self.headers),
                    body=self.rfile.read(length),
                )
                app.arrived.append(arrived)
                status, media, body = app.answer(arrived)
                self.send_response(status)
                self.send_header("Content-Type", media)
                for name, value in app.fields.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                """Say nothing: a proxy that gave up on an answer has left."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of an app, and its key."""

    key: rsa.RSAPrivateKey
    der: bytes

    @property
    def text(self) -> str:
        return b64encode(self.der).decode()


@cache
def certificate(bits: int) -> Certificate:
    """Make a certificate that signs itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "notifications.test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return Certificate(key, made.public_bytes(serialization.Encoding.DER))


def rich(bits: int = 2048) -> dict[str, object]:
    """Return what a subscription says that asks for resource data."""
    return {
        "includeResourceData": True,
        "encryptionCertificate": certificate(bits).text,
        "encryptionCertificateId": "first",
    }


@contextmanager
def notifying(
    folder: Path,
    app: ListeningApp | str,
    *interactions: dict[str, object],
    clock: Callable[[], float] = time.time,
    conduct: Conduct = PATIENT,
    tape: Path | None = None,
    **settings: object,
) -> Iterator[Running]:
    """Replay a tape with `--notify` while the block runs; one with a read where none is given."""
    if tape is None:
        tape = taped(folder, *(interactions or (exchanged("GET", "/v1.0/me"),)))
    entries: list[Entry] = []
    given = {
        "listen": "127.0.0.1:0",
        "control": "127.0.0.1:0",
        "notify": app if isinstance(app, str) else app.url,
        **settings,
    }
    proxy = runner.Proxy(
        settings=Settings(**given),  # type: ignore[arg-type]
        cassettes=(tape,),
        mode=Mode.NONE,
        on_entry=lambda _, entry: entries.append(entry),
        clock=clock,
        conduct=conduct,
    )
    with runner.InThread(proxy) as thread:
        addresses = thread.addresses
        assert addresses.control is not None
        yield Running(proxy, addresses.proxy, addresses.control, entries)


def at(minutes: float, since: float = BEGAN) -> str:
    """Write the time so many minutes after the clocks began."""
    moment = time.gmtime(since + minutes * 60)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)


def wanted(app: ListeningApp | str, **changes: object) -> dict[str, object]:
    """Return the body of a subscription to messages for two hours, or what is said instead."""
    url = app if isinstance(app, str) else f"{app.url}/hook"
    body: dict[str, object] = {
        "changeType": "created,updated,deleted",
        "notificationUrl": url,
        "resource": "/me/messages",
        "expirationDateTime": at(120),
        "clientState": "not-a-real-state",
    }
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


def subscribe(
    proxy: Running, app: ListeningApp | str, *, session: str = "", **changes: object
) -> requests.Response:
    """POST a subscription."""
    url = f"{proxy.url}{session}/v1.0/subscriptions"
    return requests.post(url, json=wanted(app, **changes), headers=AUTH, timeout=30)


def subscribed(
    proxy: Running, app: ListeningApp | str, *, session: str = "", **changes: object
) -> dict[str, str]:
    """POST a subscription that is to succeed, and return it."""
    answer = subscribe(proxy, app, session=session, **changes)
    assert answer.status_code == 201, answer.text
    found = answer.json()
    assert isinstance(found, dict)
    return found
