"""Links end to end: Graph's on tape, the proxy's on the wire, whatever upstream calls itself."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import httpx
import pytest
import requests

from graphtape.tape.store import open_cassette
from proxies import AUTH, RawServer, recording, replaying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from graphtape.core.message import Interaction
    from proxies import Running

GRAPH = "https://graph.microsoft.com"
USERS = "/v1.0/users"
NEXT = "/v1.0/users?$skiptoken=abc%2Fd&$top=1"
DELTA = "/v1.0/users/delta?$deltatoken=e"
LINK_FIELDS = ("Location", "Content-Location", "Operation-Location", "Azure-AsyncOperation")


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    return tmp_path / "tape.yaml"


@pytest.fixture(params=["graph", "upstream"])
def upstream(request: pytest.FixtureRequest) -> Iterator[Upstream]:
    """Serve what names its links by Graph's root, or by its own address."""
    with Upstream(own=request.param == "upstream") as server:
        yield server


class Upstream(RawServer):
    """Answers users in pages; `answers` by path come first."""

    def __init__(self, *, own: bool) -> None:
        super().__init__(answer=self.page)
        self.own = own
        self.answers: dict[str, Callable[[str], bytes]] = {}

    @property
    def root(self) -> str:
        """What its links begin with."""
        return self.url if self.own else GRAPH

    def page(self, request: bytes) -> bytes:
        path = request.split(b" ")[1].decode()
        if path in self.answers:
            return self.answers[path](self.root)
        if path == NEXT:
            body = {"value": [{"id": "2"}], "@odata.deltaLink": self.root + DELTA}
        elif path == DELTA:
            body = {"value": []}
        else:
            body = {"value": [{"id": "1"}], "@odata.nextLink": self.root + NEXT}
        return answer(json.dumps(body).encode())


def answer(body: bytes, *fields: str, status: str = "200 OK", media: str = "json") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: application/{media}", *fields]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def named(proxy: Running, host: str) -> str:
    return proxy.url.replace("127.0.0.1", host)


def get(url: str) -> requests.Response:
    return requests.get(url, headers=AUTH, timeout=20, allow_redirects=False)


def interactions(cassette: Path) -> tuple[Interaction, ...]:
    return open_cassette(cassette).interactions


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_pages_are_followed_inside_at_the_address_the_client_used(
    upstream: Upstream, cassette: Path, host: str
) -> None:
    def walk(root: str) -> list[object]:
        """Follow nextLink and deltaLink, as kiota's page iterators do."""
        pages: list[object] = []
        link: str | None = root + USERS
        with httpx.Client(headers=AUTH, trust_env=False, timeout=20) as client:
            while link is not None:
                assert link.startswith(root + "/")
                page = client.get(link).json()
                pages.append(page)
                link = page.get("@odata.nextLink") or page.get("@odata.deltaLink")
        return pages

    with recording(cassette, upstream=upstream.url) as proxy:
        root = named(proxy, host)
        recorded = [json.dumps(page).replace(root, "") for page in walk(root)]
    with replaying(cassette) as proxy:
        root = named(proxy, host)
        replayed = [json.dumps(page).replace(root, "") for page in walk(root)]
    assert len(recorded) == 3
    assert replayed == recorded
    assert [request.split(b" ")[1].decode() for request in upstream.requests] == [
        USERS,
        NEXT,
        DELTA,
    ]


def test_the_tape_has_graphs_address_and_never_the_upstreams(
    upstream: Upstream, cassette: Path
) -> None:
    upstream.answers["/beta/thing"] = lambda root: answer(
        json.dumps({"@odata.context": f"{root}/beta/$metadata", "webUrl": f"{root}/page"}).encode(),
        *(f"{name}: {root}/beta/{name}" for name in LINK_FIELDS),
    )
    with recording(cassette, upstream=upstream.url) as proxy:
        get(proxy.url + USERS)
        get(proxy.url + "/beta/thing")
    text = cassette.read_text(encoding="utf-8")
    assert "127.0.0.1" not in text
    assert "localhost" not in text
    assert [i.request.url for i in interactions(cassette)] == [
        GRAPH + USERS,
        GRAPH + "/beta/thing",
    ]
    assert f"{GRAPH}{NEXT}" in text
    assert f"{GRAPH}/beta/Azure-AsyncOperation" in text


@pytest.mark.parametrize("media", ["json", "octet-stream"], ids=["read-whole", "streamed"])
@pytest.mark.parametrize("name", LINK_FIELDS)
def test_a_link_in_a_header_points_at_the_proxy(
    upstream: Upstream, cassette: Path, name: str, media: str
) -> None:
    upstream.answers["/beta/work"] = lambda root: answer(
        b"{}", f"{name}: {root}/beta/operations('1')", status="202 Accepted", media=media
    )
    with recording(cassette, upstream=upstream.url) as proxy:
        got = get(named(proxy, "localhost") + "/beta/work")
        assert got.headers[name] == named(proxy, "localhost") + "/beta/operations('1')"
    with replaying(cassette) as proxy:
        got = get(proxy.url + "/beta/work")
        assert got.headers[name] == proxy.url + "/beta/operations('1')"


@pytest.mark.parametrize("path", ["", "/v2/contoso.onmicrosoft.com/directoryObjects/1/x.User"])
def test_both_forms_of_location_after_a_create_survive(
    upstream: Upstream, cassette: Path, path: str
) -> None:
    upstream.answers[USERS] = lambda root: answer(
        b'{"id": "1"}', f"Location: {root}{path}", status="201 Created"
    )
    with recording(cassette, upstream=upstream.url) as proxy:
        got = requests.post(proxy.url + USERS, json={}, timeout=20)
        assert got.headers["Location"] == proxy.url + path
    assert interactions(cassette)[0].response.headers.get("Location") == GRAPH + path
    with replaying(cassette) as proxy:
        got = requests.post(proxy.url + USERS, json={}, timeout=20)
        assert got.headers["Location"] == proxy.url + path


def test_a_redirect_to_graph_is_followed_inside_with_its_token(
    upstream: Upstream, cassette: Path
) -> None:
    upstream.answers["/beta/me"] = lambda root: answer(
        b"", f"Location: {root}{DELTA}", status="302 Found"
    )
    with recording(cassette, upstream=upstream.url) as proxy:
        got = requests.get(named(proxy, "localhost") + "/beta/me", headers=AUTH, timeout=20)
    assert got.url == named(proxy, "localhost") + DELTA
    assert got.json() == {"value": []}
    assert AUTH["Authorization"].encode() in upstream.requests[1]


def test_what_is_data_stays(cassette: Path) -> None:
    challenge = f'Bearer realm="", authorization_uri="{GRAPH}/common/oauth2/authorize"'
    data = {
        "webUrl": f"{GRAPH}/v1.0/page",
        "replyUrls": [f"{GRAPH}/v1.0/callback", "http://localhost/callback"],
        "description": f"see {GRAPH}/v1.0/users",
        "@odata.nextLink": f"{GRAPH}{NEXT}",
    }
    with Upstream(own=False) as upstream:
        upstream.answers[USERS] = lambda _: answer(
            json.dumps(data).encode(), f"WWW-Authenticate: {challenge}"
        )
        with recording(cassette, upstream=upstream.url) as proxy:
            got = get(proxy.url + USERS)
    assert got.headers["WWW-Authenticate"] == challenge
    assert got.json() == data | {"@odata.nextLink": proxy.url + NEXT}


def test_a_link_off_graph_does_not_lead_to_upstream(cassette: Path) -> None:
    other = f"{GRAPH}.attacker.invalid/v1.0/users"
    with Upstream(own=False) as upstream:
        upstream.answers[USERS] = lambda _: answer(json.dumps({"@odata.nextLink": other}).encode())
        with recording(cassette, upstream=upstream.url) as proxy:
            assert get(proxy.url + USERS).json() == {"@odata.nextLink": other}


def test_a_gzip_body_with_a_link_arrives_turned_and_readable(
    upstream: Upstream, cassette: Path
) -> None:
    upstream.answers[USERS] = lambda root: answer(
        gzip.compress(json.dumps({"@odata.nextLink": root + NEXT}).encode()),
        "Content-Encoding: gzip",
    )
    with recording(cassette, upstream=upstream.url) as proxy:
        assert get(proxy.url + USERS).json() == {"@odata.nextLink": proxy.url + NEXT}
    with replaying(cassette) as proxy:
        assert get(proxy.url + USERS).json() == {"@odata.nextLink": proxy.url + NEXT}


def test_links_in_the_parts_of_a_batch_point_at_the_proxy(
    upstream: Upstream, cassette: Path
) -> None:
    upstream.answers["/v1.0/$batch"] = lambda root: answer(
        json.dumps(
            {
                "responses": [
                    {
                        "id": "1",
                        "status": 201,
                        "headers": {"Location": f"{root}/v1.0/users/1"},
                        "body": {"@odata.nextLink": root + NEXT},
                    }
                ]
            }
        ).encode()
    )
    batch = {"requests": [{"id": "1", "method": "GET", "url": "/users"}]}
    with recording(cassette, upstream=upstream.url) as proxy:
        (part,) = requests.post(proxy.url + "/v1.0/$batch", json=batch, timeout=20).json()[
            "responses"
        ]
    assert part["headers"]["Location"] == f"{proxy.url}/v1.0/users/1"
    assert part["body"]["@odata.nextLink"] == proxy.url + NEXT


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
def test_a_link_a_client_sends_back_is_graphs_upstream_and_on_tape(
    cassette: Path, *, zipped: bool
) -> None:
    with Upstream(own=False) as upstream, recording(cassette, upstream=upstream.url) as proxy:
        root = named(proxy, "localhost")
        body = json.dumps({"@odata.id": f"{root}/v1.0/users/1", "note": "à"}).encode()
        requests.post(
            root + "/v1.0/groups/1/members/$ref",
            data=gzip.compress(body) if zipped else body,
            headers={"Content-Type": "application/json"}
            | ({"Content-Encoding": "gzip"} if zipped else {}),
            timeout=20,
        )
    head, _, sent = upstream.requests[0].partition(b"\r\n\r\n")
    expected = {"@odata.id": f"{GRAPH}/v1.0/users/1", "note": "à"}
    assert json.loads(sent) == expected
    assert f"content-length: {len(sent)}".encode() in head.lower()
    assert b"content-encoding" not in head.lower()
    assert json.loads(interactions(cassette)[0].request.body) == expected


def test_a_link_a_client_sends_back_is_found_again_from_another_port(cassette: Path) -> None:
    def refer(root: str) -> int:
        body = {"@odata.id": f"{root}/v1.0/users/1"}
        return requests.post(root + "/v1.0/groups/1/$ref", json=body, timeout=20).status_code

    with Upstream(own=False) as upstream, recording(cassette, upstream=upstream.url) as proxy:
        assert refer(proxy.url) == 200
    with replaying(cassette) as proxy:
        assert refer(named(proxy, "localhost")) == 200


def test_an_upstream_below_a_path_is_asked_there_and_its_links_come_back(cassette: Path) -> None:
    with Upstream(own=True) as upstream:
        prefix = upstream.url + "/graph/api"
        upstream.answers["/graph/api/v1.0/users?a=b"] = lambda root: answer(
            json.dumps({"@odata.nextLink": f"{root}/graph/api{NEXT}"}).encode(),
            f"Content-Location: {root}/graph/api/v1.0/users",
        )
        with recording(cassette, upstream=prefix + "/") as proxy:
            got = get(f"{proxy.url}{USERS}?a=b")
            get(got.json()["@odata.nextLink"])
    assert got.json() == {"@odata.nextLink": proxy.url + NEXT}
    assert got.headers["Content-Location"] == proxy.url + USERS
    assert upstream.requests[1].startswith(f"GET /graph/api{NEXT} HTTP/1.1\r\n".encode())
    assert [i.request.url for i in interactions(cassette)] == [
        f"{GRAPH}{USERS}?a=b",
        GRAPH + NEXT,
    ]
    text = cassette.read_text(encoding="utf-8")
    assert "127.0.0.1" not in text
    assert "/graph/api" not in text


def test_the_head_of_a_json_body_too_large_to_read_still_points_at_the_proxy(
    upstream: Upstream, cassette: Path
) -> None:
    upstream.answers[USERS] = lambda root: answer(
        json.dumps({"big": "x" * 5000}).encode(), f"Location: {root}/v1.0/users/1"
    )
    with recording(cassette, upstream=upstream.url, max_body=1000) as proxy:
        got = get(proxy.url + USERS)
    assert got.headers["Location"] == f"{proxy.url}/v1.0/users/1"
    assert len(got.json()["big"]) == 5000
    assert not cassette.exists()
