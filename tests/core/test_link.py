from __future__ import annotations

import json
import time

import pytest

from graphtape.core.graph.link import (
    canonical,
    links_in_body,
    links_in_headers,
    replace_header_links,
    replace_links,
)
from graphtape.core.message import Headers

GRAPH = "https://graph.microsoft.com"
ROOTS = (GRAPH, "https://graph.microsoft.us")
BASE = "http://127.0.0.1:8787/_session/a"


def _turned(body: bytes) -> bytes:
    return replace_links(body, links_in_body(body, ROOTS), BASE)


def _value(key: str, url: str) -> object:
    read: dict[str, object] = json.loads(_turned(json.dumps({key: url}).encode()))
    return read[key]


@pytest.mark.parametrize(
    "key",
    [
        "@odata.nextLink",
        "@odata.deltaLink",
        "@odata.navigationLink",
        "@odata.associationLink",
        "@odata.readLink",
        "@odata.editLink",
        "@odata.mediaReadLink",
        "members@odata.navigationLink",
        "members@odata.nextLink",
        "@nextLink",
    ],
)
@pytest.mark.parametrize(
    "rest", ["/beta/me", "/v1.0/users?$skiptoken=a%2Fb", "/odd/path", "", "?a"]
)
def test_odata_links_at_any_path_of_any_root_turn(key: str, rest: str) -> None:
    for root in ROOTS:
        assert _value(key, root + rest) == BASE + rest


@pytest.mark.parametrize("key", ["@odata.id", "url", "resourceUrl", "contentUrl", "value"])
@pytest.mark.parametrize(
    "path", ["/v1.0/users/1", "/beta/$metadata", "/v2/tenant/directoryObjects/1/User", "/v1.0/"]
)
def test_versioned_graph_urls_turn_under_other_keys(key: str, path: str) -> None:
    assert _value(key, GRAPH + path) == BASE + path


@pytest.mark.parametrize(
    "url",
    [
        GRAPH,
        GRAPH + "/",
        GRAPH + "/.default",
        GRAPH + "/User.Read",
        GRAPH + "/v1.0",
        GRAPH + "/v3/me",
        GRAPH + "/v1.0/me is where it lies",
        "see " + GRAPH + "/v1.0/me",
        "http://graph.microsoft.com/v1.0/me",
        "https://graph.microsoft.com.example.org/v1.0/me",
        "https://graph.microsoft.community/v1.0/me",
        "https://graph.microsoft.com@example.org/v1.0/me",
        "https://graph.microsoft.com:8443/v1.0/me",
        "https://example.org/v1.0/me",
    ],
)
def test_what_only_resembles_a_link_stays(url: str) -> None:
    assert _value("description", url) == url


@pytest.mark.parametrize(
    "key",
    [
        "webUrl",
        "replyUrls",
        "redirectUris",
        "homePageUrl",
        "logoutUrl",
        "identifierUris",
        "@odata.context",
        "members@odata.context",
        "@odata.type",
    ],
)
def test_data_stays_alone_and_in_lists(key: str) -> None:
    url = GRAPH + "/v1.0/me"
    body = json.dumps({key: url, "list": [{key: [url, url]}]}).encode()

    assert _turned(body) == body


def test_items_of_other_lists_turn() -> None:
    body = json.dumps({"members@odata.bind": [GRAPH + "/v1.0/users/1"]}).encode()

    assert json.loads(_turned(body)) == {"members@odata.bind": [BASE + "/v1.0/users/1"]}


@pytest.mark.parametrize(
    "key", ["uploadUrl", "@microsoft.graph.downloadUrl", "@content.downloadUrl", "monitorUrl"]
)
@pytest.mark.parametrize(
    ("url", "local"),
    [
        (
            "https://contoso.sharepoint.com/a/b?tempauth=x",
            "/_origin/contoso.sharepoint.com/a/b?tempauth=x",
        ),
        ("https://up.example:8443/s", "/_origin/up.example:8443/s"),
        ("https://[::1]:9/s", "/_origin/[::1]:9/s"),
        ("http://127.0.0.1:5000/s", "/_origin/127.0.0.1:5000/s"),
        ("http://plain.example/s", "/_origin/plain.example:80/s"),
        ("https://bare.example", "/_origin/bare.example"),
        (GRAPH + "/v1.0/up", "/v1.0/up"),
        (GRAPH, ""),
    ],
)
def test_addresses_handed_to_the_client_turn_wherever_they_lead(
    key: str, url: str, local: str
) -> None:
    assert _value(key, url) == BASE + local


@pytest.mark.parametrize(
    "url", ["https://u:p@up.example/s", "ftp://up.example/s", "/s", "https://"]
)
def test_addresses_that_cannot_be_reached_through_the_proxy_stay(url: str) -> None:
    assert _value("uploadUrl", url) == url


def test_foreign_urls_under_other_keys_stay() -> None:
    assert _value("@odata.nextLink", "https://example.org/v1.0/me") == "https://example.org/v1.0/me"


def test_off_graph_links_name_their_origin_in_canonical_form() -> None:
    body = b'{"uploadUrl":"https://Up.Example:443/s","monitorUrl":"http://127.0.0.1:80/m"}'

    assert [link.origin for link in links_in_body(body, ROOTS)] == [
        "https://up.example",
        "http://127.0.0.1",
    ]


def test_the_parts_of_a_batch_turn_headers_and_bodies() -> None:
    parts = [
        {"id": "1", "status": 202, "headers": {"Location": "https://api.onedrive.com/m/1"}},
        {"id": "2", "status": 201, "headers": {"location": GRAPH}, "body": {}},
        {"id": "3", "status": 200, "body": {"@odata.nextLink": GRAPH + "/beta/x", "value": []}},
    ]
    body = json.dumps({"responses": parts}).encode()

    turned = json.loads(_turned(body))["responses"]

    assert turned[0]["headers"]["Location"] == BASE + "/_origin/api.onedrive.com/m/1"
    assert turned[1]["headers"]["location"] == BASE
    assert turned[2]["body"]["@odata.nextLink"] == BASE + "/beta/x"


def test_a_batch_with_nothing_but_a_foreign_location_turns() -> None:
    body = b'{"responses":[{"headers":{"Operation-Location":"https://ops.example/1"}}]}'

    assert b"/_origin/ops.example/1" in _turned(body)


@pytest.mark.parametrize("slash", ["/", "\\/", "\\u002f", "\\u002F"])
def test_escaped_slashes_are_read_and_what_follows_keeps_its_bytes(slash: str) -> None:
    url = f"https:{slash}{slash}graph.microsoft.com"
    rest = f"{slash}v1.0{slash}users?$skip=1\\u0026a"
    body = f'{{"@odata.nextLink" :\t"{url}{rest}", "other":"{url}{rest}"}}'.encode()

    turned = _turned(body).decode()

    assert turned == f'{{"@odata.nextLink" :\t"{BASE}{rest}", "other":"{BASE}{rest}"}}'


def test_the_usual_port_belongs_to_the_root() -> None:
    assert _value("@odata.nextLink", GRAPH + ":443/beta/me") == BASE + "/beta/me"


@pytest.mark.parametrize("path", ["/_session/b/v1.0/me", "/_origin/example.org/x", "/_origin"])
def test_paths_the_proxy_keeps_for_itself_stay(path: str) -> None:
    assert _value("@odata.nextLink", GRAPH + path) == GRAPH + path


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a href='https://graph.microsoft.com/v1.0/me'>",
        b'{"@odata.nextLink":"https://graph.microsoft.com/v1.0/me"',
        b'\xff\xd8{"uploadUrl":"https://up.example/s"}',
    ],
)
def test_what_is_no_json_has_no_links(body: bytes) -> None:
    assert links_in_body(body, ROOTS) == ()


def test_a_context_alone_costs_no_scan() -> None:
    row = {"members@odata.context": GRAPH + "/v1.0/$metadata#directoryObjects", "name": "x" * 500}
    body = json.dumps({"@odata.context": GRAPH + "/v1.0/$metadata#users", "value": [row] * 5000})
    plain = body.replace("graph.", "graf.").encode()
    named = body.encode()

    def spent(text: bytes) -> float:
        started = time.process_time()
        assert links_in_body(text, ROOTS) == ()
        return time.process_time() - started

    scan = b'{"webUrl":"https://graph.microsoft.com",' + named[1:]
    assert spent(plain) < 0.25
    assert min(spent(named) for _ in range(3)) < min(spent(scan) for _ in range(3)) / 2


def test_link_fields_turn_whatever_their_letter_case_and_other_fields_stay() -> None:
    challenge = 'Bearer authorization_uri="https://graph.microsoft.com/v1.0/x"'
    headers = Headers.of(
        [
            ("location", GRAPH),
            ("Content-Location", GRAPH + "/v2/tenant/directoryObjects/1"),
            ("Operation-Location", "https://ops.example:444/1"),
            ("AZURE-ASYNCOPERATION", "/relative"),
            ("Location", "https://graph.microsoft.us/beta/a%2Fb/../c"),
            ("WWW-Authenticate", challenge),
            ("X-Url", GRAPH + "/v1.0/me"),
        ]
    )

    turned = replace_header_links(headers, links_in_headers(headers, ROOTS), BASE)

    assert [value for _, value in turned] == [
        BASE,
        BASE + "/v2/tenant/directoryObjects/1",
        BASE + "/_origin/ops.example:444/1",
        "/relative",
        BASE + "/beta/a%2Fb/../c",
        challenge,
        GRAPH + "/v1.0/me",
    ]
    assert [name for name, _ in turned] == [name for name, _ in headers]


def test_links_found_once_turn_for_any_base() -> None:
    body = b'{"@odata.nextLink":"https://graph.microsoft.com/beta/me"}'
    links = links_in_body(body, ROOTS)

    for base in ("http://localhost:1", "https://[::1]:2/_session/x"):
        turned = replace_links(body, links, base)
        assert json.loads(turned) == {"@odata.nextLink": base + "/beta/me"}


@pytest.mark.parametrize(
    ("authority", "origin"),
    [
        ("Example.ORG", "https://example.org"),
        ("example.org:443", "https://example.org"),
        ("example.org:80", "https://example.org:80"),
        ("127.0.0.1:5000", "https://127.0.0.1:5000"),
        ("[0:0:0:0:0:0:0:1]:9", "https://[::1]:9"),
        ("my_service", "https://my_service"),
        ("xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_origins_have_one_form(authority: str, origin: str) -> None:
    assert canonical("https", authority) == origin
