"""Where the proxy lets itself be sent: never to itself, nor to where only this machine gets."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import requests

from graphtape.core.errors import RequestError
from graphtape.server.upstream.reach import Range, Reach, Toward, range_of
from proxies import AUTH, RawServer, exchange, recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxies import Running


@pytest.fixture(autouse=True)
def no_corporate_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def redirect(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


def upload(to: str) -> bytes:
    body = f'{{"uploadUrl": "{to}"}}'
    return (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


@contextmanager
def sent_to(place: str, path: Path, **settings: object) -> Iterator[tuple[Running, str]]:
    """Record from an upstream that sends its client on; yield the way the client is given."""
    with RawServer() as graph, recording(path, upstream=graph.url, **settings) as proxy:
        ports = {name: url.rpartition(":")[2] for name, url in _own(proxy).items()}
        graph.answer = lambda _: redirect(place.format(**ports))
        got = requests.get(f"{proxy.url}/v1.0/x", headers=AUTH, timeout=10, allow_redirects=False)
        yield proxy, got.headers["Location"]


def _own(proxy: Running) -> dict[str, str]:
    return {"data": proxy.url, "control": proxy.control}


def raw(proxy: Running, method: str, way: str, body: bytes = b"") -> bytes:
    """Ask with the path as it is: clients write brackets as %5B."""
    head = (
        f"{method} {way.removeprefix(proxy.url)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return exchange(proxy.url, head.encode() + body)


@pytest.mark.parametrize("port", ["data", "control"])
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.7.6",
        "0.0.0.0",  # noqa: S104 - asked for, not bound
        "localhost",
        "LocalHost",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f08:0706]",
        "[::]",
        socket.gethostname(),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_answer_can_not_send_a_client_to_the_proxys_own_ports(
    tmp_path: Path, host: str, port: str, method: str
) -> None:
    place = f"http://{host}:{{{port}}}/sessions"
    with sent_to(place, tmp_path / "tape.yaml") as (proxy, way):
        got = raw(proxy, method, way, b'{"id": "in"}')
        opened = requests.get(f"{proxy.control}/sessions", timeout=10).text
    assert got.startswith(b"HTTP/1.1 403 ")
    assert b"Graphtape-Result: refused" in got
    assert b'"GraphtapeOwnPort"' in got
    assert '"in"' not in opened


def test_an_upload_url_can_not_name_the_control_port(tmp_path: Path) -> None:
    with RawServer() as graph, recording(tmp_path / "tape.yaml", upstream=graph.url) as proxy:
        graph.answer = lambda _: upload(f"{proxy.control}/sessions/default/rewind")
        way = requests.post(f"{proxy.url}/v1.0/up", headers=AUTH, timeout=10).json()["uploadUrl"]
        got = requests.put(way, data=b"x", timeout=10)
    assert got.status_code == 403
    assert got.json()["error"]["code"] == "GraphtapeOwnPort"


def test_upstream_can_not_be_the_proxy_itself(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    with recording(tmp_path / "t.yaml", upstream=f"http://{listen}", listen=listen) as proxy:
        got = requests.get(f"{proxy.url}/v1.0/me", headers=AUTH, timeout=10)
    assert got.json()["error"]["code"] == "GraphtapeOwnPort"


@pytest.mark.parametrize("host", ["169.254.169.254", "169.254.7.7", "[fe80::1]", "100.100.100.200"])
def test_no_setting_opens_link_local_and_metadata_addresses(tmp_path: Path, host: str) -> None:
    settings = {"allow_private_origins": True, "connect_timeout": 2.0}
    with sent_to(f"http://{host}/latest", tmp_path / "tape.yaml", **settings) as (proxy, way):
        got = raw(proxy, "GET", way)
    assert got.startswith(b"HTTP/1.1 403 ")
    assert b'"GraphtapeLinkLocal"' in got


@pytest.mark.parametrize("host", ["10.1.2.3", "172.31.0.9", "192.168.9.9", "[fd12::7]"])
def test_a_private_network_is_closed_where_upstream_is_not_in_one(
    tmp_path: Path, host: str
) -> None:
    with sent_to(f"http://{host}:81/x", tmp_path / "tape.yaml") as (proxy, way):
        got = raw(proxy, "GET", way)
    assert got.startswith(b"HTTP/1.1 403 ")
    assert b'"GraphtapePrivateOrigin"' in got
    assert b"--allow-private-origins" in got


@pytest.mark.parametrize("allowed", [False, True])
def test_a_tunnel_to_this_machine_needs_leave_where_upstream_is_elsewhere(
    tmp_path: Path, *, allowed: bool
) -> None:
    settings = {"forward": True, "allow_private_origins": allowed}
    with (
        RawServer(close_after=True) as inside,
        recording(tmp_path / "tape.yaml", upstream="global", **settings) as proxy,
    ):
        asked = inside.url.removeprefix("http://")
        got = exchange(
            proxy.url,
            f"CONNECT {asked} HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n".encode(),
        )
        reached = len(inside.requests)
    assert got.startswith(b"HTTP/1.1 200 " if allowed else b"HTTP/1.1 403 ")
    assert reached == allowed


@pytest.mark.parametrize(
    "host",
    [
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "[::1]",
        "localhost.",
        "169.254.169.254",
        "[::ffff:a9fe:a9fe]",
        "metadata.google.internal",
        "Metadata.",
    ],
)
def test_a_corporate_proxy_is_not_asked_for_what_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    with RawServer() as corporate:
        monkeypatch.setenv("HTTPS_PROXY", corporate.url)
        with recording(tmp_path / "tape.yaml", upstream="global", forward=True) as proxy:
            port = proxy.control.rpartition(":")[2]
            asked = f"CONNECT {host}:{port} HTTP/1.1\r\nHost: x\r\n\r\n"
            got = exchange(proxy.url, asked.encode())
    # Some of these are no HOST:PORT in the first place.
    assert got.partition(b" ")[2][:3] in {b"400", b"403"}
    assert b'"Graphtape' in got
    assert corporate.requests == []


def test_a_link_through_a_corporate_proxy_is_checked_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer() as corporate:
        monkeypatch.setenv("HTTP_PROXY", corporate.url)
        corporate.answer = lambda _: redirect("http://169.254.169.254/latest")
        upstream = "http://graph.example"
        with recording(tmp_path / "tape.yaml", upstream=upstream) as proxy:
            monkeypatch.delenv("HTTP_PROXY")  # read at the start; not for this test's own client
            got = requests.get(f"{proxy.url}/v1.0/x", headers=AUTH, timeout=10)
    assert got.json()["error"]["code"] == "GraphtapeLinkLocal"
    assert len(corporate.requests) == 1


def test_a_corporate_proxy_may_be_anywhere_and_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer() as corporate, RawServer() as inside:
        monkeypatch.setenv("HTTP_PROXY", corporate.url)
        corporate.answer = lambda _: redirect(f"{inside.url}/x")
        upstream = "http://graph.example"
        with recording(tmp_path / "tape.yaml", upstream=upstream) as proxy:
            monkeypatch.delenv("HTTP_PROXY")  # read at the start; not for this test's own client
            got = requests.get(f"{proxy.url}/v1.0/x", headers=AUTH, timeout=10)
    assert got.json()["error"]["code"] == "GraphtapePrivateOrigin"
    assert inside.requests == []
    assert len(corporate.requests) == 1


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("20.190.128.1", Range.PUBLIC),
        ("2603:1006::1", Range.PUBLIC),
        ("127.0.0.1", Range.LOOPBACK),
        ("::1", Range.LOOPBACK),
        ("::", Range.LOOPBACK),
        ("::ffff:127.3.2.1", Range.LOOPBACK),
        ("64:ff9b::127.0.0.1", Range.LOOPBACK),
        ("2002:7f00:1::", Range.LOOPBACK),
        ("172.15.0.1", Range.PUBLIC),
        ("172.16.0.1", Range.PRIVATE),
        ("100.64.0.1", Range.PRIVATE),
        ("100.128.0.1", Range.PUBLIC),
        ("fdff::1", Range.PRIVATE),
        ("::ffff:10.0.0.1", Range.PRIVATE),
        ("fe80::1%lo", Range.LINK_LOCAL),
        ("febf::1", Range.LINK_LOCAL),
        ("::ffff:169.254.1.1", Range.LINK_LOCAL),
        ("fd00:ec2::254", Range.METADATA),
        ("168.63.129.16", Range.METADATA),
    ],
)
def test_an_address_lies_in_one_range(address: str, where: Range) -> None:
    assert range_of(address) is where


def test_an_upstream_in_a_private_network_opens_it_once_it_is_connected_to() -> None:
    reach = Reach(own_ports=())
    reach.upstream_is("https://graph.corp.example:8443/base")
    other = ("10.0.0.9", 443)
    with pytest.raises(RequestError, match="--allow-private-origins"):
        reach.check(*other, host="files.corp.example", toward=Toward.OTHER)
    toward = reach.toward("graph.corp.example", 8443)
    reach.check("10.0.0.8", 8443, host="graph.corp.example", toward=toward)
    reach.check(*other, host="files.corp.example", toward=Toward.OTHER)
