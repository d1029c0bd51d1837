"""The way up: what upstream, TLS, corporate proxies and clients do wrong, and what comes of it."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import socket
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import pytest
import requests
import trustme

from graphtape.core.errors import UsageError
from graphtape.core.tape.outcome import Mode
from graphtape.tape.store import open_cassette
from proxies import AUTH, OK, TOKEN, RawServer, proxied, read_request, recording, replaying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

ME = "/v1.0/me"
PHOTO = "/v1.0/me/photo/$value"
NAMED = "graph.corp.invalid"
JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
JPEG = "Content-Type: image/jpeg"
PHOTO_HEAD = f"HTTP/1.1 200 OK\r\n{JPEG}\r\n".encode()


@pytest.fixture(autouse=True)
def _no_proxies_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    return tmp_path / "tape.yaml"


def ask(method: str, url: str) -> requests.Response:
    """Ask without the environment's proxies, which are the upstream client's business here."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, headers=AUTH, timeout=20)


def get(url: str, path: str = ME) -> requests.Response:
    return ask("GET", url + path)


# --- Upstreams that fail ---------------------------------------------------------------------


@dataclass(kw_only=True)
class TlsServer(RawServer):
    """A raw server behind TLS; its certificate is `ca`'s, for 127.0.0.1 and NAMED."""

    ca: trustme.CA = field(default_factory=trustme.CA)

    @property
    def url(self) -> str:
        return super().url.replace("http:", "https:")

    def _serve(self, connection: socket.socket) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert("127.0.0.1", NAMED).configure_cert(context)
        connection.settimeout(10)
        try:
            tls = context.wrap_socket(connection, server_side=True)
        except OSError:
            connection.close()
            return
        super()._serve(tls)


@contextmanager
def refused() -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def nameless() -> Iterator[str]:
    yield f"https://{NAMED}"


@contextmanager
def untrusted() -> Iterator[str]:
    with TlsServer() as server:
        yield server.url


@dataclass(kw_only=True)
class Script(RawServer):
    """Takes what comes first, sends its pieces with pauses between them, and closes or hangs."""

    pieces: tuple[bytes, ...]
    close: bool = True

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with connection:
            self.requests.append(connection.recv(65536))
            for number, piece in enumerate(self.pieces):
                if number:
                    threading.Event().wait(0.1)
                connection.sendall(piece)
            while not self.close and connection.recv(65536):
                pass


@contextmanager
def without_tls() -> Iterator[str]:
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url:
        yield url.replace("http:", "https:")


@contextmanager
def deaf() -> Iterator[str]:
    """Accept connections and never shake hands."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"https://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def answering(*pieces: bytes, close: bool = True) -> Iterator[str]:
    with Script(pieces=pieces, close=close) as server:
        yield server.url


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An upstream that fails, and what a client is to be told.

    Attributes:
        says: In the message: what to do.
    """

    upstream: Callable[[], AbstractContextManager[str]]
    code: str
    says: str
    status: int = 502


UNREACHABLE = "GraphtapeUpstreamUnreachable"
LOST = "GraphtapeUpstreamLost"
TIMEOUT = "GraphtapeUpstreamTimeout"
TLS = "GraphtapeUpstreamTls"
GARBLED = "GraphtapeUpstreamGarbled"
MAY_HAVE = "may have taken effect"

FAILURES = {
    "refused": Failure(upstream=refused, code=UNREACHABLE, says="is it running?"),
    "name-not-found": Failure(upstream=nameless, code=UNREACHABLE, says="check --upstream, DNS"),
    "certificate-not-trusted": Failure(upstream=untrusted, code=TLS, says="--upstream-ca FILE"),
    "speaks-no-tls": Failure(upstream=without_tls, code=TLS, says="http://"),
    "handshake-never-comes": Failure(
        upstream=deaf, code=TIMEOUT, says="--connect-timeout", status=504
    ),
    "answer-never-comes": Failure(
        upstream=partial(answering, b"", close=False),
        code=TIMEOUT,
        says="--read-timeout",
        status=504,
    ),
    "lost-before-the-head": Failure(upstream=partial(answering, b""), code=LOST, says=MAY_HAVE),
    "lost-in-the-head": Failure(
        upstream=partial(answering, b"HTTP/1.1 200 OK\r\nContent-Ty"), code=LOST, says=MAY_HAVE
    ),
    "lost-in-counted-json": Failure(
        upstream=partial(answering, JSON_HEAD + b'Content-Length: 99\r\n\r\n{"id": '),
        code=LOST,
        says=MAY_HAVE,
    ),
    "lost-in-chunked-json": Failure(
        upstream=partial(
            answering, JSON_HEAD + b'Transfer-Encoding: chunked\r\n\r\n7\r\n{"id": \r\n'
        ),
        code=LOST,
        says=MAY_HAVE,
    ),
    "stalls-in-json": Failure(
        upstream=partial(answering, JSON_HEAD + b"Content-Length: 9\r\n\r\n{", close=False),
        code=TIMEOUT,
        says="--read-timeout",
        status=504,
    ),
    "speaks-no-http": Failure(
        upstream=partial(answering, b"SSH-2.0-OpenSSH_9.6\r\n"), code=GARBLED, says="--upstream"
    ),
    "garbles-the-first-chunk": Failure(
        upstream=partial(answering, JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
        code=GARBLED,
        says="--upstream",
    ),
    "garbles-a-later-chunk": Failure(
        upstream=partial(
            answering, JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", b"zz\r\n"
        ),
        code=GARBLED,
        says="--upstream",
    ),
}
failures = pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
IMPATIENT = {"connect_timeout": 0.5, "read_timeout": 0.5}


@failures
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_failing_upstream_is_told_as_graph_tells_errors(
    failure: Failure, method: str, cassette: Path
) -> None:
    with (
        failure.upstream() as url,
        recording(cassette, upstream=url, **IMPATIENT) as proxy,
    ):
        got = requests.request(
            method,
            proxy.url + ME,
            headers={"client-request-id": "00000000-0000-0000-0000-0000000000c1"},
            timeout=20,
        )
    error = got.json()["error"]
    assert (got.status_code, error["code"]) == (failure.status, failure.code)
    assert failure.says in error["message"]
    assert url in error["message"]
    assert error["innerError"]["client-request-id"] == "00000000-0000-0000-0000-0000000000c1"
    assert got.headers["Graphtape-Result"] == "refused"


@failures
def test_a_failing_upstream_is_one_line_in_the_log(
    failure: Failure, cassette: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        failure.upstream() as url,
        recording(cassette, upstream=url, **IMPATIENT) as proxy,
    ):
        got = get(proxy.url)
    (line,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert line.getMessage() == got.json()["error"]["message"]
    assert "\n" not in line.getMessage()
    assert line.exc_info is None


@failures
def test_a_failing_upstream_leaves_no_cassette(failure: Failure, cassette: Path) -> None:
    with (
        failure.upstream() as url,
        recording(cassette, upstream=url, **IMPATIENT) as proxy,
    ):
        get(proxy.url)
    assert not cassette.exists()


@failures
def test_what_is_recorded_already_is_served_on_and_kept(failure: Failure, cassette: Path) -> None:
    with RawServer() as server, recording(cassette, upstream=server.url) as proxy:
        get(proxy.url)
    before = cassette.read_bytes()
    with (
        failure.upstream() as url,
        proxied(cassette, mode=Mode.NEW_EPISODES, upstream=url, **IMPATIENT) as proxy,
    ):
        failed, replayed = get(proxy.url, "/v1.0/users"), get(proxy.url)
    assert (failed.status_code, replayed.status_code) == (failure.status, 200)
    assert cassette.read_bytes() == before


def test_the_next_request_is_forwarded_and_recorded_after_a_failure(cassette: Path) -> None:
    answers = iter([b"", OK, b"SSH-2.0-OpenSSH_9.6\r\n", OK])
    with (
        RawServer(answer=lambda _: next(answers), close_after=True) as server,
        recording(cassette, upstream=server.url) as proxy,
    ):
        statuses = [
            requests.post(f"{proxy.url}/v1.0/{number}", timeout=20).status_code
            for number in range(4)
        ]
    assert statuses == [502, 200, 502, 200]
    urls = [i.request.url.rpartition("/")[2] for i in open_cassette(cassette).interactions]
    assert urls == ["1", "3"]


def test_a_failure_does_not_tell_the_query_of_its_request(
    cassette: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        answering(b"no HTTP\r\n") as url,
        recording(cassette, upstream=url) as proxy,
    ):
        got = get(proxy.url, "/v1.0/drive/items/1/content?tempauth=not-a-real-secret")
    assert got.status_code == 502
    assert "not-a-real-secret" not in got.text + caplog.text


# --- Bodies that break while they stream -----------------------------------------------------


def received(url: str, path: str, *, version: str = "1.1") -> tuple[bytes, bool]:
    """Return all the bytes that came, and whether the connection was reset after them."""
    host, port = url.removeprefix("http://").split(":")
    data = b""
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(
            f"GET {path} HTTP/{version}\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        )
        try:
            while chunk := connection.recv(65536):
                data += chunk
        except ConnectionResetError:
            return data, True
    return data, False


COUNTED = PHOTO_HEAD + b"Content-Length: 10\r\n\r\nabc"
CHUNKED = PHOTO_HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
BROKEN = {
    "counted-lost": (COUNTED, b"d"),
    "chunked-lost": (CHUNKED, b"1\r\nd\r\n"),
    "chunk-lost-in-the-middle": (CHUNKED, b"9\r\nd"),
    "chunk-garbled": (CHUNKED, b"zz\r\n"),
}
broken_bodies = pytest.mark.parametrize("pieces", BROKEN.values(), ids=BROKEN.keys())


@broken_bodies
def test_a_body_lost_while_it_streams_does_not_look_whole(
    pieces: tuple[bytes, ...], cassette: Path
) -> None:
    with answering(*pieces) as url, recording(cassette, upstream=url) as proxy:
        got, _ = received(proxy.url, PHOTO)
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"abc" in body
    if b"Content-Length: 10" in head:
        assert len(body) < 10
    else:
        assert not body.endswith(b"0\r\n\r\n")


def test_a_body_lost_while_it_streams_to_http_1_0_ends_in_a_reset(cassette: Path) -> None:
    with (
        answering(*BROKEN["chunked-lost"]) as url,
        recording(cassette, upstream=url) as proxy,
    ):
        _, reset = received(proxy.url, PHOTO, version="1.0")
    assert reset


@pytest.mark.parametrize("close", [True, False], ids=["lost", "stalled"])
def test_a_body_lost_while_it_streams_is_left_off_the_tape_and_said(
    *, close: bool, cassette: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        answering(COUNTED, close=close) as url,
        recording(cassette, upstream=url, read_timeout=0.5) as proxy,
    ):
        received(proxy.url, PHOTO)
        received(proxy.url, PHOTO)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert all(line.startswith(f"upstream {url} ") for line in lines)
    assert [(entry.status, entry.interaction) for entry in proxy.entries] == [(0, None)] * 2
    assert not cassette.exists()


# --- Clients that fail -----------------------------------------------------------------------


def test_a_client_that_leaves_leaves_the_interaction_whole_on_the_tape(cassette: Path) -> None:
    body, gone = b"p" * 300_000, threading.Event()

    @dataclass(kw_only=True)
    class Slow(RawServer):
        def _serve(self, connection: socket.socket) -> None:
            with connection:
                self.requests.append(read_request(connection))
                connection.sendall(PHOTO_HEAD + b"Content-Length: 300000\r\n\r\n" + body[:1000])
                gone.wait(10)
                connection.sendall(body[1000:])

    with Slow() as server, recording(cassette, upstream=server.url) as proxy:
        host, port = proxy.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(f"GET {PHOTO} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert connection.recv(100)
        gone.set()
    (interaction,) = open_cassette(cassette).interactions
    assert interaction.response.body == body
    assert "client left" in proxy.entries[0].note


@pytest.mark.parametrize(
    "framing", ["Transfer-Encoding: chunked", "Content-Length: 3000000"], ids=["chunked", "counted"]
)
def test_an_upload_its_client_gives_up_is_neither_whole_upstream_nor_on_tape(
    framing: str, cassette: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ends: list[bytes] = []
    done = threading.Event()

    @dataclass(kw_only=True)
    class Reading(RawServer):
        def _serve(self, connection: socket.socket) -> None:
            connection.settimeout(10)
            data = b""
            with connection:
                try:
                    while chunk := connection.recv(65536):
                        data += chunk
                        started.set()
                except OSError:
                    pass
            ends.append(data)
            done.set()

    started = threading.Event()
    with Reading() as server, recording(cassette, upstream=server.url) as proxy:
        host, port = proxy.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            first = b"a" * 0x10000
            connection.sendall(
                f"PUT {PHOTO} HTTP/1.1\r\nHost: x\r\n{JPEG}\r\n{framing}\r\n\r\n".encode()
                + (b"10000\r\n" + first + b"\r\n" if "chunked" in framing else first)
            )
            assert started.wait(10)
        assert done.wait(10)
    assert not ends[0].endswith(b"0\r\n\r\n")
    assert not cassette.exists()
    assert "upstream" not in caplog.text


def test_an_answer_that_comes_before_the_upload_is_whole_is_passed_on_and_left_off_the_tape(
    cassette: Path, caplog: pytest.LogCaptureFixture
) -> None:
    denied = b"HTTP/1.1 413 Content Too Large\r\nContent-Type: application/json\r\n"

    @dataclass(kw_only=True)
    class Early(RawServer):
        def _serve(self, connection: socket.socket) -> None:
            connection.settimeout(10)
            with connection:
                connection.recv(65536)
                connection.sendall(denied + b"Content-Length: 2\r\n\r\n{}")
                answered.wait(10)

    answered = threading.Event()
    with Early() as server, recording(cassette, upstream=server.url) as proxy:
        host, port = proxy.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(
                f"PUT {PHOTO} HTTP/1.1\r\nHost: x\r\n{JPEG}\r\n".encode()
                + b"Content-Length: 3000000\r\n\r\n"
                + b"a" * 1000
            )
            assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
        answered.set()
    assert not cassette.exists()
    assert "the request's body was not whole" in proxy.proxy.outcome.dropped[0]
    assert proxy.proxy.outcome.dropped[0] in caplog.text


# --- TLS -------------------------------------------------------------------------------------


@pytest.fixture
def ca_file(tmp_path: Path) -> tuple[trustme.CA, str]:
    ca = trustme.CA()
    path = tmp_path / "root.pem"
    ca.cert_pem.write_to_path(str(path))
    return ca, str(path)


def test_a_private_root_is_trusted_when_upstream_ca_names_it(
    ca_file: tuple[trustme.CA, str], cassette: Path
) -> None:
    ca, path = ca_file
    with (
        TlsServer(ca=ca) as server,
        recording(cassette, upstream=server.url, upstream_ca=path) as proxy,
    ):
        assert get(proxy.url).status_code == 200
    assert server.requests[0].startswith(b"GET /v1.0/me HTTP/1.1\r\n")


def test_a_private_root_is_trusted_when_ssl_cert_file_names_it(
    ca_file: tuple[trustme.CA, str], cassette: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca, path = ca_file
    monkeypatch.setenv("SSL_CERT_FILE", path)
    with (
        TlsServer(ca=ca) as server,
        recording(cassette, upstream=server.url) as proxy,
    ):
        assert get(proxy.url).status_code == 200


def test_a_certificate_for_another_host_is_refused(
    ca_file: tuple[trustme.CA, str], cassette: Path
) -> None:
    ca, path = ca_file
    with (
        TlsServer(ca=ca) as server,
        recording(
            cassette, upstream=server.url.replace("127.0.0.1", "localhost"), upstream_ca=path
        ) as proxy,
    ):
        got = get(proxy.url)
    assert (got.status_code, got.json()["error"]["code"]) == (502, TLS)
    assert server.requests == []


@pytest.mark.parametrize("text", [None, "no PEM"], ids=["missing", "no-pem"])
def test_an_upstream_ca_that_is_none_is_refused_at_the_start(
    text: str | None, tmp_path: Path, cassette: Path
) -> None:
    path = tmp_path / "root.pem"
    if text is not None:
        path.write_text(text)
    with (
        pytest.raises(UsageError, match=r"--upstream-ca .*root\.pem"),
        recording(cassette, upstream="https://127.0.0.1:1", upstream_ca=str(path)),
    ):
        pass


# --- Corporate proxies -----------------------------------------------------------------------


@dataclass(kw_only=True)
class CorporateProxy(RawServer):
    """Tunnels any CONNECT to `to`; answers other requests as a raw server does.

    Attributes:
        to: Port on 127.0.0.1.
        connects: The bytes of each CONNECT.
        refusal: Is answered instead.
    """

    to: int = 0
    connects: list[bytes] = field(default_factory=list)
    refusal: bytes = b""

    def _serve(self, connection: socket.socket) -> None:
        if not connection.recv(8, socket.MSG_PEEK).startswith(b"CONNECT"):
            super()._serve(connection)
            return
        with connection:
            self.connects.append(read_request(connection))
            if self.refusal or not self.to:
                connection.sendall(self.refusal)
                return
            with socket.create_connection(("127.0.0.1", self.to)) as onward:
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                self._start(partial(pump, connection, onward))
                pump(onward, connection)


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.fixture
def behind_tls(ca_file: tuple[trustme.CA, str]) -> Iterator[TlsServer]:
    with TlsServer(ca=ca_file[0]) as server:
        yield server


@pytest.fixture
def corporate(behind_tls: TlsServer) -> Iterator[CorporateProxy]:
    with CorporateProxy(to=int(behind_tls.url.rpartition(":")[2])) as server:
        yield server


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_https_upstream_is_reached_through_https_proxy(
    method: str,
    corporate: CorporateProxy,
    behind_tls: TlsServer,
    ca_file: tuple[trustme.CA, str],
    cassette: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    credentials = "us%40er:p%3Aw"
    monkeypatch.setenv("HTTPS_PROXY", corporate.url.replace("//", f"//{credentials}@"))
    with recording(cassette, upstream=f"https://{NAMED}", upstream_ca=ca_file[1]) as proxy:
        got = ask(method, proxy.url + ME)
    assert got.status_code == 200
    head = corporate.connects[0].lower()
    assert head.startswith(f"connect {NAMED}:443 http/1.1\r\n".encode())
    basic = base64.b64encode(b"us@er:p:w")
    assert b"Proxy-Authorization: Basic " + basic in corporate.connects[0]
    assert TOKEN.encode() not in corporate.connects[0]
    (request,) = behind_tls.requests
    assert request.startswith(f"{method} {ME} HTTP/1.1\r\n".encode())
    assert b"proxy-authorization" not in request.lower()


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "*", "127.0.0.1:{port}", "a.example,127.0.0.1"])
def test_an_upstream_that_no_proxy_names_is_reached_directly(
    no_proxy: str,
    corporate: CorporateProxy,
    behind_tls: TlsServer,
    ca_file: tuple[trustme.CA, str],
    cassette: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", corporate.url)
    monkeypatch.setenv("NO_PROXY", no_proxy.format(port=behind_tls.url.rpartition(":")[2]))
    with recording(cassette, upstream=behind_tls.url, upstream_ca=ca_file[1]) as proxy:
        assert get(proxy.url).status_code == 200
    assert corporate.connects == []


def test_an_http_upstream_is_asked_of_http_proxy_in_absolute_form(
    cassette: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CorporateProxy() as corporate:
        monkeypatch.setenv("http_proxy", corporate.url.replace("//", "//user:pass@"))
        with recording(cassette, upstream=f"http://{NAMED}") as proxy:
            assert get(proxy.url, "/v1.0/users?%24top=1&$filter=a%2Fb").status_code == 200
    (request,) = corporate.requests
    target = f"http://{NAMED}/v1.0/users?%24top=1&$filter=a%2Fb"
    assert request.startswith(f"GET {target} HTTP/1.1\r\n".encode())
    assert f"host: {NAMED}".encode() in request.lower()
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"user:pass") in request
    assert "Proxy-Authorization" not in open_cassette(cassette).interactions[0].request.headers


@contextmanager
def denying() -> Iterator[str]:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with CorporateProxy(refusal=refusal, answer=lambda _: refusal) as corporate:
        yield corporate.url.replace("//", "//user:not-a-real-password@")


@contextmanager
def socks() -> Iterator[str]:
    yield "socks5://user:not-a-real-password@127.0.0.1:1080"


@contextmanager
def mistyped() -> Iterator[str]:
    yield "http://user:not-a-real-password@[::1"


@contextmanager
def silent() -> Iterator[str]:
    with deaf() as url:
        yield url.replace("https:", "http:")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("corporate_proxy", "status", "code"),
    [
        pytest.param(refused, 502, UNREACHABLE, id="refused"),
        pytest.param(denying, 502, UNREACHABLE, id="407"),
        pytest.param(socks, 502, UNREACHABLE, id="socks"),
        pytest.param(mistyped, 502, UNREACHABLE, id="mistyped"),
        pytest.param(silent, 504, TIMEOUT, id="silent"),
    ],
)
def test_a_corporate_proxy_that_fails_is_named_without_its_password(
    scheme: str,
    corporate_proxy: Callable[[], AbstractContextManager[str]],
    status: int,
    code: str,
    cassette: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with corporate_proxy() as url:
        monkeypatch.setenv(f"{scheme}_proxy", url)
        with recording(cassette, upstream=f"{scheme}://{NAMED}", **IMPATIENT) as proxy:
            got = get(proxy.url)
    error = got.json()["error"]
    assert (got.status_code, error["code"]) == (status, code)
    if status == 502:
        assert "_PROXY" in error["message"]
    assert "not-a-real-password" not in got.text + caplog.text
    assert len(caplog.records) == 1
    assert not cassette.exists()


def test_the_sandbox_is_reached_without_the_corporate_proxy(
    cassette: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refused() as url:
        monkeypatch.setenv("http_proxy", url)
        with recording(cassette, upstream="sandbox") as proxy:
            assert get(proxy.url).status_code == 200


# --- Secrets ---------------------------------------------------------------------------------

SECRET = "not-a-real-s3cret"
CONNECT = "/beta/deviceManagement/chromeOSOnboardingSettings/connect"
CREDENTIALS = {
    "ownerUserPrincipalName": "owner@contoso.com",
    "ownerAccessToken": SECRET,
    "serviceAccountCredentials": SECRET,
}
IN_BATCH = {"requests": [{"id": "1", "method": "POST", "url": CONNECT[5:], "body": CREDENTIALS}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """An exchange that holds SECRET."""

    path: str = ME
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    fields: tuple[str, ...] = ()
    answer: bytes = b"{}"
    settings: dict[str, object] = field(default_factory=dict)


JSON_TYPE = {"Content-Type": "application/json"}
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}
GZIP = {"Content-Encoding": "gzip"}
TELLING = {
    "authorization": Telling(headers={"Authorization": f"Bearer {SECRET}"}),
    "cookie": Telling(headers={"Cookie": f"session={SECRET}"}),
    "set-cookie": Telling(fields=(f"Set-Cookie: a={SECRET}; path=/", f"Set-Cookie: b={SECRET}")),
    "connect": Telling(path=CONNECT, headers=JSON_TYPE, body=json.dumps(CREDENTIALS).encode()),
    "connect-gzip": Telling(
        path=CONNECT,
        headers=JSON_TYPE | GZIP,
        body=gzip.compress(json.dumps(CREDENTIALS).encode()),
    ),
    "connect-in-batch": Telling(
        path="/beta/$batch", headers=JSON_TYPE, body=json.dumps(IN_BATCH).encode()
    ),
    "connect-in-gzip-batch": Telling(
        path="/beta/$batch",
        headers=JSON_TYPE | GZIP,
        body=gzip.compress(json.dumps(IN_BATCH).encode()),
    ),
    "credentials-answered": Telling(answer=json.dumps({"value": [CREDENTIALS]}).encode()),
    "credentials-answered-gzip": Telling(
        fields=("Content-Encoding: gzip",),
        answer=gzip.compress(json.dumps({"value": [CREDENTIALS]}).encode()),
    ),
    "token-endpoint": Telling(
        path="/common/oauth2/v2.0/token",
        headers=FORM_TYPE,
        body=f"grant_type=client_credentials&client_secret={SECRET}&refresh_token={SECRET}".encode(),
        answer=json.dumps({"token_type": "Bearer", "access_token": SECRET}).encode(),
        settings={"record_signin": True},
    ),
}


@pytest.mark.parametrize("telling", TELLING.values(), ids=TELLING.keys())
def test_a_secret_passes_and_is_not_in_the_cassette(telling: Telling, cassette: Path) -> None:
    lines = ["HTTP/1.1 200 OK", "Content-Type: application/json", *telling.fields]
    head = "\r\n".join([*lines, f"Content-Length: {len(telling.answer)}", "", ""]).encode()
    with (
        RawServer(answer=lambda _: head + telling.answer) as server,
        recording(cassette, upstream=server.url, **telling.settings) as proxy,
    ):
        requests.post(
            proxy.url + telling.path, data=telling.body, headers=telling.headers, timeout=20
        )
    (sent,) = server.requests
    assert telling.body is None or sent.endswith(telling.body)
    assert len(open_cassette(cassette).interactions) == 1
    assert SECRET not in cassette.read_text(encoding="utf-8")
    assert proxy.entries[0].note == ""


def test_a_sign_in_passes_and_is_not_on_tape(cassette: Path) -> None:
    answer = b'{"token_type": "Bearer", "access_token": "not-a-real-token"}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    with (
        RawServer(answer=lambda _: head % len(answer) + answer) as server,
        recording(cassette, upstream=server.url) as proxy,
    ):
        form = {"grant_type": "client_credentials", "client_secret": SECRET}
        url = f"{proxy.url}/common/oauth2/v2.0/token"
        assert requests.post(url, data=form, timeout=20).content == answer
    assert SECRET.encode() in server.requests[0]
    assert not cassette.exists()
    assert "not recorded" in proxy.entries[0].note


# --- Many at once ----------------------------------------------------------------------------


def test_concurrent_requests_are_on_tape_in_the_order_they_arrived(cassette: Path) -> None:
    many = 50
    all_there = threading.Event()

    def last_first(request: bytes) -> bytes:
        number = int(request.split(b" ")[1].rpartition(b"/")[2])
        all_there.wait(20)
        released[number].wait(20)
        if number:
            released[number - 1].set()
        return OK

    released = [threading.Event() for _ in range(many)]
    released[-1].set()
    with RawServer(answer=last_first) as server, recording(cassette, upstream=server.url) as proxy:
        clients = [
            threading.Thread(target=get, args=(proxy.url, f"/v1.0/{number}"))
            for number in range(many)
        ]
        for number, client in enumerate(clients):
            client.start()
            while len(server.requests) <= number:
                all_there.wait(0.001)
        all_there.set()
        for client in clients:
            client.join(20)
    urls = [i.request.url.rpartition("/")[2] for i in open_cassette(cassette).interactions]
    assert urls == [str(number) for number in range(many)]


def test_the_index_an_answer_names_is_where_it_stands_on_tape(cassette: Path) -> None:
    with RawServer() as server, recording(cassette, upstream=server.url) as proxy:
        named = [get(proxy.url, f"/v1.0/{n}").headers["Graphtape-Interaction"] for n in range(3)]
    assert named == ["0", "1", "2"]
    with replaying(cassette) as proxy:
        assert get(proxy.url, "/v1.0/2").headers["Graphtape-Interaction"] == "2"
