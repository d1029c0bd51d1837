"""TLS with the local CA: what real clients make of it."""

from __future__ import annotations

import asyncio
import http.client
import shutil
import socket
import ssl
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
import requests
from cryptography import x509

from graphtape.core.errors import RequestError, UsageError
from graphtape.server.tls import Authority
from graphtape.server.tls.context import context_of
from graphtape.server.tls.issuer import LEAF_LIFE
from graphtape.server.tls.name import name_of
from tls_servers import ANSWER, bare_environment, fetch, opened, served, strict_client

if TYPE_CHECKING:
    from pathlib import Path

DISCONNECT_HOST = "graph.test"


def need(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"needs {program}")
    return found


def output(*command: str, **variables: str) -> str:
    done = subprocess.run(
        command,
        env=bare_environment(NO_PROXY="*", no_proxy="*", **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def shown(port: int) -> x509.Certificate:
    """Return the leaf a server shows."""
    return x509.load_pem_x509_certificate(
        ssl.get_server_certificate(("127.0.0.1", port), timeout=10).encode()
    )


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_strict_python_client_reaches_the_server_by(host: str, tmp_path: Path) -> None:
    authority = opened(tmp_path)
    with served(authority.server_context()) as port:
        assert fetch(host, port, strict_client(authority)) == ANSWER


@pytest.mark.skipif(not has_ipv6(), reason="needs ::1")
def test_a_strict_python_client_reaches_the_server_by_ipv6(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    with served(authority.server_context(), "::1") as port:
        assert fetch("::1", port, strict_client(authority)) == ANSWER


def test_uvloop_serves_it_too(tmp_path: Path) -> None:
    uvloop = pytest.importorskip("uvloop", reason="uvloop isn't made for this platform")
    authority = opened(tmp_path)
    with served(authority.server_context(), loop_factory=uvloop.new_event_loop) as port:
        assert fetch("localhost", port, strict_client(authority)) == ANSWER


def test_requests_reaches_it_with_the_bundle(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    with served(authority.server_context()) as port, requests.Session() as session:
        session.trust_env = False
        answer = session.get(
            f"https://localhost:{port}/", verify=str(authority.bundle()), timeout=10
        )
        assert answer.text == ANSWER


def test_httpx_that_offers_http2_falls_back(tmp_path: Path) -> None:
    pytest.importorskip("h2", reason="needs httpx[http2]")
    authority = opened(tmp_path)
    with (
        served(authority.server_context()) as port,
        httpx.Client(http2=True, verify=strict_client(authority), trust_env=False) as client,
    ):
        answer = client.get(f"https://127.0.0.1:{port}/")
        assert (answer.text, answer.http_version) == (ANSWER, "HTTP/1.1")


def test_only_http_1_1_is_agreed_on(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    client = strict_client(authority)
    client.set_alpn_protocols(["h2", "http/1.1"])
    with (
        served(authority.server_context()) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        client.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        assert connection.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize("trust", ["certificate", "bundle"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_curl_reaches_it(trust: str, host: str, tmp_path: Path) -> None:
    curl = need("curl")
    authority = opened(tmp_path)
    roots = authority.bundle() if trust == "bundle" else authority.certificate
    with served(authority.server_context()) as port:
        url = f"https://{host}:{port}/"
        assert output(curl, "-sS", "--http2", url, CURL_CA_BUNDLE=str(roots)) == ANSWER


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_node_reaches_it(host: str, tmp_path: Path) -> None:
    node = need("node")
    authority = opened(tmp_path)
    script = "require('https').get(process.argv[1], r => r.pipe(process.stdout))"
    with served(authority.server_context()) as port:
        url = f"https://{host}:{port}/"
        trust = str(authority.certificate)
        assert output(node, "-e", script, url, NODE_EXTRA_CA_CERTS=trust) == ANSWER


JAVA = """
import java.net.URI;
import java.net.http.*;
class Fetch {
  public static void main(String[] args) throws Exception {
    var client = HttpClient.newHttpClient();
    var request = HttpRequest.newBuilder(URI.create(args[0])).build();
    System.out.print(client.send(request, HttpResponse.BodyHandlers.ofString()).body());
  }
}
"""


def test_java_reaches_it_with_the_truststore(tmp_path: Path) -> None:
    java = need("java")
    if "jdk.compiler" not in output(java, "--list-modules"):
        pytest.skip("needs a JDK: this Java can't run a source file")
    authority = opened(tmp_path)
    store = tmp_path / "trust.p12"
    authority.write_truststore(store)
    source = tmp_path / "Fetch.java"
    source.write_text(JAVA, encoding="utf-8")
    with served(authority.server_context()) as port:
        trust = f"-Djavax.net.ssl.trustStore={store}"
        word = "-Djavax.net.ssl.trustStorePassword=changeit"
        url = f"https://localhost:{port}/"
        assert output(java, trust, word, str(source), url) == ANSWER


def test_keytool_reads_the_truststore(tmp_path: Path) -> None:
    keytool = need("keytool")
    store = tmp_path / "trust.p12"
    opened(tmp_path).write_truststore(store)
    listed = output(keytool, "-list", "-keystore", str(store), "-storepass", "changeit")
    assert "graphtape, " in listed
    assert listed.count("trustedCertEntry") > 100


def test_openssl_verifies_a_leaf_strictly(tmp_path: Path) -> None:
    openssl = need("openssl")
    authority = opened(tmp_path)
    leaf = tmp_path / "leaf.pem"
    with served(authority.server_context([DISCONNECT_HOST])) as port:
        leaf.write_text(ssl.get_server_certificate(("127.0.0.1", port), timeout=10))
    command = (openssl, "verify", "-x509_strict", "-purpose", "sslserver")
    trust = ("-no-CApath", "-CAfile", str(authority.certificate))
    for check in (("-verify_hostname", DISCONNECT_HOST), ("-verify_ip", "::1")):
        assert "OK" in output(*command, *trust, *check, str(leaf))


def test_a_name_of_the_users_own_is_served(tmp_path: Path) -> None:
    curl = need("curl")
    authority = opened(tmp_path)
    with served(authority.server_context(["graph.test", "*.graph.test", "192.0.2.7"])) as port:
        for host in ("graph.test", "eu.graph.test"):
            found = output(
                *(curl, "-sS", "--cacert", str(authority.certificate)),
                *("--resolve", f"{host}:{port}:127.0.0.1", f"https://{host}:{port}/"),
            )
            assert found == ANSWER
        names = shown(port).extensions.get_extension_for_class(x509.SubjectAlternativeName)
        assert "192.0.2.7" in map(str, names.value.get_values_for_type(x509.IPAddress))


def test_a_name_the_leaf_does_not_bear_is_refused(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    client = strict_client(authority)
    with (
        served(authority.server_context()) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"),
    ):
        client.wrap_socket(plain, server_hostname="graph.microsoft.com")


def test_a_stolen_key_passes_for_no_host_the_ca_was_not_permitted(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    forged = authority._issuer.leaf(  # noqa: SLF001 - what a thief would do
        [name_of("graph.microsoft.com")], now=datetime.now(UTC)
    )
    with (
        served(context_of(forged)) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"),
    ):
        strict_client(authority).wrap_socket(plain, server_hostname="graph.microsoft.com")


def test_a_leaf_lives_no_longer_than_apple_allows(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    with served(authority.server_context()) as port:
        leaf = shown(port)
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc < timedelta(days=398)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def test_a_leaf_near_its_end_is_renewed_while_the_server_runs(tmp_path: Path) -> None:
    clock = Clock()
    authority = Authority.open(tmp_path / "ca", say=lambda _: None, clock=clock)
    with served(authority.server_context()) as port:
        first = shown(port)
        assert shown(port) == first
        clock.ahead = LEAF_LIFE - timedelta(days=20)
        shown(port)
        deadline = time.monotonic() + 10
        while (second := shown(port)) == first and time.monotonic() < deadline:
            pass
    assert second.not_valid_after_utc > first.not_valid_after_utc + timedelta(days=60)


def test_a_leaf_that_has_ended_is_never_shown(tmp_path: Path) -> None:
    clock = Clock()
    authority = Authority.open(tmp_path / "ca", say=lambda _: None, clock=clock)
    with served(authority.server_context()) as port:
        clock.ahead = LEAF_LIFE + timedelta(days=1)
        assert shown(port).not_valid_after_utc > clock()


def test_a_proxy_that_runs_for_years_has_its_ca_renewed(tmp_path: Path) -> None:
    clock = Clock()
    said: list[str] = []
    authority = Authority.open(tmp_path / "ca", say=said.append, clock=clock)
    with served(authority.server_context()) as port:
        clock.ahead = timedelta(days=365 * 6)
        assert shown(port).not_valid_after_utc > clock()
    assert "the local CA ends on" in said[-1]


def test_a_host_of_forward_mode_has_one_context(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    authority.permit(["graph.microsoft.com"])
    context = authority.context_for("graph.microsoft.com")
    assert authority.context_for("GRAPH.microsoft.com") is context
    client = strict_client(authority)
    with (
        served(context) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        client.wrap_socket(plain, server_hostname="graph.microsoft.com") as connection,
    ):
        assert connection.version() == "TLSv1.3"


def test_a_client_cannot_make_the_ca_sign_for_another_host(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"not for 'bank\.example'") as caught:
        opened(tmp_path).context_for("bank.example")
    assert caught.value.status == 403


def test_a_client_that_names_no_host_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is no name") as caught:
        opened(tmp_path).context_for("a b")
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "name", ["https://graph.test", "graph.test:8787", "a b", "", "*", "a..b", "300.1.1.1", "x" * 64]
)
def test_what_is_no_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no name a certificate can bear"):
        opened(tmp_path).server_context([name])


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("[::1]", "::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("Graph.Test.", "graph.test"),
        ("büro.test", "xn--bro-hoa.test"),
        ("my_proxy", "my_proxy"),
    ],
)
def test_names_are_read_as_users_write_them(name: str, read: str) -> None:
    assert str(name_of(name)) == read


def test_addresses_that_are_only_listened_on_are_left_out(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    authority.server_context(["0.0.0.0", "::"])  # noqa: S104 - a name here
    assert authority.permitted == ("127.0.0.0/8", "::1", "localhost")


def test_handshakes_at_once_are_all_served_while_a_leaf_is_renewed(tmp_path: Path) -> None:
    clock = Clock()
    authority = Authority.open(tmp_path / "ca", say=lambda _: None, clock=clock)
    # Trusts whatever its time: this clock runs ahead of OpenSSL's.
    client = strict_client(authority)
    client.verify_flags |= 0x200000  # X509_V_FLAG_NO_CHECK_TIME
    answers: list[str] = []
    with served(authority.server_context()) as port:
        clock.ahead = LEAF_LIFE - timedelta(days=20)
        threads = [
            threading.Thread(target=lambda: answers.append(fetch("localhost", port, client)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert answers == [ANSWER] * 8


async def test_a_context_serves_aiohttps_own_client(tmp_path: Path) -> None:
    import aiohttp  # noqa: PLC0415 - this test's alone

    authority = await asyncio.to_thread(opened, tmp_path)
    context = await asyncio.to_thread(authority.server_context)
    with served(context) as port:
        client = strict_client(authority)
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"https://localhost:{port}/", ssl=client) as answer,
        ):
            assert await answer.text() == ANSWER


def test_plain_http_on_the_tls_port_is_refused(tmp_path: Path) -> None:
    with served(opened(tmp_path).server_context()) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/")
        with pytest.raises((http.client.HTTPException, OSError)):
            connection.getresponse()
        connection.close()
