"""Clients that set HTTPS_PROXY: tunnels to Graph and to sign-in end at the proxy."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
import sys
import time
import warnings
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import httpx
import msal  # type: ignore[import-untyped]  # ships no py.typed
import pytest
import requests

from graphtape.core.signin.place import is_sign_in_place
from graphtape.server.tls import Authority
from graphtape.server.tunnel import FORWARD_HOSTS
from graphtape.server.tunnel.destination import SIGN_IN_HOSTS
from graphtape.settings import Settings
from proxies import AUTH, RawServer, exchange, recording, replaying
from sdk import app_at
from tls_servers import bare_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxies import Running

pytestmark = pytest.mark.skipif(
    "forward" not in Settings.__struct_fields__, reason="needs the setting `forward`"
)
TAPE = Path(__file__).parents[2] / "cassettes" / "disconnect-documentation.yaml"
SANDBOX = TAPE.with_name("disconnect-sandbox.yaml")
GRAPH = "https://graph.microsoft.com"
DISCONNECT = f"{GRAPH}/beta/deviceManagement/chromeOSOnboardingSettings/disconnect"
TENANT = "11111111-2222-4333-8444-555555555555"
CLIENT = "99999999-2222-4333-8444-555555555555"


@pytest.fixture(params=["uvloop", "asyncio"])
def any_loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "asyncio":
        monkeypatch.setitem(sys.modules, "uvloop", None)
    else:
        pytest.importorskip("uvloop", reason="uvloop isn't made for this platform")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take out of the environment what would lead clients elsewhere."""
    for name in ("NO_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def ca() -> str:
    authority = Authority.open(say=lambda _: None)
    authority.permit(FORWARD_HOSTS)
    return str(authority.certificate)


@contextmanager
def client(proxy: str) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"https": proxy}
        session.verify = ca()
        yield session


@contextmanager
def tunnel(proxy: Running, host: str, *, fields: str = "") -> Iterator[ssl.SSLSocket]:
    """Speak TLS inside a tunnel by hand."""
    address = proxy.url.removeprefix("http://").split(":")
    context = ssl.create_default_context(cafile=ca())
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection((address[0], int(address[1])), timeout=10) as raw:
        raw.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n{fields}\r\n".encode())
        assert raw.recv(65536).startswith(b"HTTP/1.1 200 ")
        with context.wrap_socket(raw, server_hostname=host) as secured:
            yield secured


def read(secured: socket.socket, answers: int) -> bytes:
    data = b""
    while data.count(b"HTTP/1.1 ") < answers or not data.endswith(b"}"):
        more = secured.recv(65536)
        assert more, data
        data += more
    return data


@pytest.mark.usefixtures("any_loop")
def test_a_client_with_a_proxy_disconnects_at_graphs_own_address() -> None:
    with replaying(TAPE, forward=True) as proxy, client(proxy.url) as http:
        answers = [http.post(DISCONNECT, headers=AUTH, timeout=10) for _ in range(2)]
    assert answers[0].json() == {"value": "inprogress"}
    assert answers[1].status_code == 599
    assert [entry.source for entry in proxy.entries] == ["replayed", "missed"]
    assert proxy.entries[0].url == DISCONNECT


def test_httpx_finds_the_proxy_in_its_environment(
    monkeypatch: pytest.MonkeyPatch, environment: None
) -> None:
    del environment
    with replaying(TAPE, forward=True) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with httpx.Client(verify=ssl.create_default_context(cafile=ca()), http2=True) as http:
            answer = http.post(DISCONNECT, headers=AUTH)
    assert answer.json() == {"value": "inprogress"}
    assert answer.http_version == "HTTP/1.1"


async def test_aiohttp_takes_it_as_its_proxy() -> None:
    with replaying(TAPE, forward=True) as proxy:
        context = ssl.create_default_context(cafile=ca())
        async with (
            aiohttp.ClientSession() as http,
            http.post(DISCONNECT, headers=AUTH, proxy=proxy.url, ssl=context) as answer,
        ):
            assert await answer.json() == {"value": "inprogress"}
        await asyncio.sleep(0.1)  # TLS says goodbye after aiohttp has


@pytest.mark.parametrize("tls", [False, True], ids=["over http", "over https"])
def test_curl_takes_it_as_its_proxy(*, tls: bool) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    with replaying(TAPE, forward=True, tls=tls) as proxy:
        assert proxy.url.startswith("https" if tls else "http:")
        trust = ["--cacert", ca(), *(["--proxy-cacert", ca()] if tls else [])]
        command = ["curl", "-sS", "-x", proxy.url, "--noproxy", "", *trust, "-X", "POST"]
        done = subprocess.run([*command, DISCONNECT], capture_output=True, check=True, timeout=30)
    assert json.loads(done.stdout) == {"value": "inprogress"}


async def test_the_sdk_follows_pages_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: None
) -> None:
    del environment
    tape = tmp_path / "tape.yaml"

    async def walk(proxy: Running) -> list[list[str]]:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("SSL_CERT_FILE", ca())
        async with app_at(GRAPH) as app:
            pages = [page async for page in app.pages(2)]
            await app.disconnect()
            for mounted in app.adapter._http_client._mounts.values():  # noqa: SLF001 - the SDK leaves them open
                if mounted is not None:
                    await getattr(mounted, "transport", mounted).aclose()
            await asyncio.sleep(0.1)  # TLS says goodbye after httpx has
        return pages

    with warnings.catch_warnings():
        with recording(tape, upstream="sandbox", forward=True) as proxy:
            recorded = await walk(proxy)
            assert {entry.source for entry in proxy.entries} == {"recorded"}
        assert len(recorded) > 1
        with replaying(tape, forward=True) as proxy:
            assert await walk(proxy) == recorded
            assert {entry.source for entry in proxy.entries} == {"replayed"}


def test_msal_signs_in_unchanged_and_offline() -> None:
    with replaying(TAPE, forward=True) as proxy, client(proxy.url) as http:
        app = msal.ConfidentialClientApplication(
            CLIENT,
            authority=f"https://login.microsoftonline.com/{TENANT}",
            client_credential="not-a-real-secret",
            http_client=http,
        )
        result = app.acquire_token_for_client([f"{GRAPH}/.default"])
        assert "access_token" in result, result
        bearer = {"Authorization": f"Bearer {result['access_token']}"}
        assert http.post(DISCONNECT, headers=bearer, timeout=10).ok
    assert {entry.source for entry in proxy.entries} == {"injected", "replayed"}


def test_azure_identity_signs_in_unchanged_and_offline() -> None:
    program = (
        "from azure.identity import ClientSecretCredential as Credential\n"
        f"credential = Credential({TENANT!r}, {CLIENT!r}, 'not-a-real-secret')\n"
        f"print(credential.get_token('{GRAPH}/.default').token)"
    )
    with replaying(TAPE, forward=True) as proxy:
        # In a process of its own: it keeps connections open as long as it lives.
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=bare_environment(HTTPS_PROXY=proxy.url, REQUESTS_CA_BUNDLE=ca(), NO_PROXY=""),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(".") == 2
    assert {entry.source for entry in proxy.entries} == {"injected"}


def test_every_host_of_sign_in_answers_some() -> None:
    for host in SIGN_IN_HOSTS:
        places = (
            f"https://{host}/common/oauth2/v2.0/token",
            f"https://{host}/tenants?api-version=1",
        )
        assert any(map(is_sign_in_place, places)), host


def test_requests_are_pipelined_inside_a_tunnel_and_it_is_kept_open() -> None:
    asked = b"GET /beta/nope HTTP/1.1\r\nHost: graph.microsoft.com\r\n\r\n"
    with replaying(TAPE, forward=True) as proxy, tunnel(proxy, "graph.microsoft.com") as secured:
        assert secured.selected_alpn_protocol() == "http/1.1"
        secured.sendall(asked * 3)
        assert read(secured, 3).count(b"599") >= 3
        secured.sendall(asked)
        read(secured, 1)
    assert [entry.status for entry in proxy.entries] == [599] * 4


@pytest.mark.usefixtures("any_loop")
def test_a_client_may_begin_tls_right_behind_its_connect() -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=ca())
    tls = context.wrap_bio(incoming, outgoing, server_hostname="graph.microsoft.com")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with replaying(TAPE, forward=True) as proxy:
        host, port = proxy.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as raw:
            head = b"CONNECT graph.microsoft.com:443 HTTP/1.1\r\nHost: x\r\n\r\n"
            raw.sendall(head + outgoing.read())
            data = b""
            while b"\r\n\r\n" not in data:
                data += raw.recv(65536)
            incoming.write(data.partition(b"\r\n\r\n")[2])
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    raw.sendall(outgoing.read())
                    more = raw.recv(65536)
                    assert more
                    incoming.write(more)
            assert tls.version() is not None


@pytest.mark.usefixtures("any_loop")
@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 4096])
def test_a_broken_handshake_ends_that_tunnel_alone(said: bytes) -> None:
    with replaying(TAPE, forward=True) as proxy:
        host, port = proxy.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as raw:
            raw.sendall(b"CONNECT graph.microsoft.com:443 HTTP/1.1\r\nHost: x\r\n\r\n")
            assert raw.recv(65536).startswith(b"HTTP/1.1 200 ")
            raw.sendall(said)
            raw.shutdown(socket.SHUT_WR)
            try:
                while raw.recv(65536):
                    pass
            except ConnectionResetError:
                pass
        with client(proxy.url) as http:
            assert http.post(DISCONNECT, headers=AUTH, timeout=10).ok


def test_links_stay_graphs_own_and_lead_off_graph_through_it(tmp_path: Path) -> None:
    tape = tmp_path / "tape.yaml"
    with RawServer() as files, RawServer() as graph:
        link = f'{{"@odata.nextLink": "{graph.url}/v1.0/me/x?$skip=1", "uploadUrl": '
        body = (link + f'"{files.url}/up?authtoken=s3cr3t-upload"}}').encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        graph.answer = lambda _: head.encode() + b"\r\n\r\n" + body

        def upload(proxy: Running) -> None:
            with client(proxy.url) as http:
                answer = http.post(f"{GRAPH}/v1.0/me/drive/up", headers=AUTH, timeout=10).json()
                assert answer["@odata.nextLink"] == f"{GRAPH}/v1.0/me/x?$skip=1"
                assert answer["uploadUrl"].startswith(f"{GRAPH}/_origin/127.0.0.1:")
                assert http.put(answer["uploadUrl"], data=b"ab", timeout=10).ok

        with recording(tape, upstream=graph.url, forward=True) as proxy:
            upload(proxy)
    with replaying(tape, forward=True) as proxy:
        upload(proxy)
        assert {entry.source for entry in proxy.entries} == {"replayed"}


def test_a_session_is_named_as_the_user_of_the_proxy() -> None:
    with replaying(SANDBOX, forward=True) as proxy:
        wanted = {"id": "mine", "cassettes": [str(TAPE)]}
        made = requests.post(f"{proxy.control}/sessions", json=wanted, timeout=10)
        if made.status_code == 403:  # cassettes are resolved below the working folder
            pytest.skip("runs from the project's folder")
        with client(proxy.url.replace("//", "//mine:any@")) as http:
            assert http.post(DISCONNECT, headers=AUTH, timeout=10).ok
        report = requests.get(f"{proxy.control}/sessions/mine/report", timeout=10).json()
    assert report["requests"] == 1
    assert not proxy.proxy.sessions.default.play.journal.arrived


def test_an_unknown_session_is_refused_by_name() -> None:
    asked = b"CONNECT graph.microsoft.com:443 HTTP/1.1\r\nHost: x\r\n"
    with replaying(TAPE, forward=True) as proxy:
        got = exchange(proxy.url, asked + b"Proxy-Authorization: Basic bm9uZTo=\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 404 ")
        assert b"GraphtapeUnknownSession" in got
        assert b"session 'none'" in got
        garbled = exchange(proxy.url, asked + b"Proxy-Authorization: Bearer x\r\n\r\n")
        assert garbled.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "authority",
    [
        "www.example.org:443",
        "graph.microsoft.com:8443",
        "graph.microsoft.com.example:443",
        "[::1]:443",
    ],
)
def test_replay_refuses_other_hosts_and_says_so(authority: str) -> None:
    with replaying(TAPE, forward=True) as proxy:
        got = exchange(proxy.url, f"CONNECT {authority} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert got.startswith(b"HTTP/1.1 403 ")
    assert b"GraphtapeOffline" in got
    assert b"NO_PROXY" in got
    (entry,) = proxy.entries
    assert (entry.method, entry.source, entry.url) == ("CONNECT", "refused", f"https://{authority}")


def test_without_the_option_connect_is_refused_and_the_option_named() -> None:
    with replaying(TAPE) as proxy:
        got = exchange(proxy.url, b"CONNECT graph.microsoft.com:443 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 403 ")
    assert b"GraphtapeNoForward" in got
    assert b"--forward" in got


def test_another_cloud_than_the_one_recorded_is_refused_in_graphs_shape(tmp_path: Path) -> None:
    tape = tmp_path / "tape.yaml"
    with recording(tape, upstream="usgov", forward=True) as proxy, client(proxy.url) as http:
        answer = http.get(f"{GRAPH}/v1.0/me", headers=AUTH, timeout=10)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "GraphtapeWrongCloud"
    assert "--upstream global" in answer.json()["error"]["message"]


def test_every_cloud_is_one_host_in_replay() -> None:
    url = DISCONNECT.replace("graph.microsoft.com", "microsoftgraph.chinacloudapi.cn")
    with replaying(TAPE, forward=True) as proxy, client(proxy.url) as http:
        assert http.post(url, headers=AUTH, timeout=10).json() == {"value": "inprogress"}


def test_a_target_of_another_host_inside_a_tunnel_is_misdirected() -> None:
    asked = b"GET https://graph.microsoft.us/v1.0/me HTTP/1.1\r\nHost: x\r\n\r\n"
    with replaying(TAPE, forward=True) as proxy, tunnel(proxy, "graph.microsoft.com") as secured:
        secured.sendall(asked)
        assert b"HTTP/1.1 421 " in read(secured, 1)


def test_stopping_does_not_wait_for_a_client_that_keeps_its_tunnel() -> None:
    with ExitStack() as kept:
        with replaying(TAPE, forward=True) as proxy:
            secured = kept.enter_context(tunnel(proxy, "graph.microsoft.com"))
            began = time.monotonic()
        assert time.monotonic() - began < 5
        with pytest.raises((OSError, ssl.SSLError)):
            raise OSError(secured.recv(1))
