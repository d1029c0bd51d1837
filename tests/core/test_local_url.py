from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from graphtape.core.errors import RequestError, UsageError
from graphtape.core.graph.cloud import (
    CLOUDS,
    GRAPH_HOSTS,
    GRAPH_ROOTS,
    Cloud,
    Upstream,
    upstream_named,
)
from graphtape.core.graph.link import shown
from graphtape.core.graph.local_url import (
    Target,
    localise,
    restore_body,
    split_session,
    to_graph,
    to_tape,
)
from graphtape.core.message import Headers, Response

GRAPH = "https://graph.microsoft.com"
OWN = "http://127.0.0.1:8787"
RECORDINGS = Path(__file__).parents[3] / "shared" / "cassettes" / "azure-cli"

_SEGMENT = st.lists(
    st.sampled_from([*"azAZ09-._~!$&'()*+,;=:@", "%2F", "%24", "%25", "..", "é", '"']), max_size=6
).map("".join)
_REST = st.builds(
    lambda segments, query: "".join(f"/{s}" for s in segments) + query,
    st.lists(_SEGMENT, max_size=4),
    st.sampled_from(["", "?", "?$top=5", "?%24filter=a%20eq%20'b/c'&x=", "?a=https://b?c#d", "#f"]),
)
_BASES = st.sampled_from([OWN, "https://localhost:8443", "http://[::1]:1", f"{OWN}/_session/a-1._"])


def local_url(url: str, base: str) -> str:
    """Return what a client is told where an answer's Location is a URL."""
    answer = Response(status=302, headers=Headers.of([("Location", url)]))
    return localise(answer, base).headers.get("Location") or ""


@given(st.sampled_from(CLOUDS), _REST, _BASES)
def test_a_graph_url_there_and_back_is_the_same(cloud: Cloud, rest: str, base: str) -> None:
    root = cloud.graph
    local = local_url(root + rest, base)

    assert local == base + rest
    own, _, session = base.partition("/_session/")
    back = to_graph(local, tape_root=root, own=own)
    assert back == Target(url=root + rest, off_graph=False, session=session or None)


@given(_REST.filter(lambda rest: rest.startswith("/")), st.sampled_from([None, "a", "A.b-c_9"]))
def test_a_path_as_sent_is_graphs_path(rest: str, session: str | None) -> None:
    prefix = "" if session is None else f"/_session/{session}"

    assert to_graph(prefix + rest, tape_root=GRAPH, own=OWN) == Target(
        url=GRAPH + rest, off_graph=False, session=session
    )


@given(
    st.sampled_from(
        ["https://up.example", "https://u.example:444", "http://127.0.0.1:5", "https://[::1]"]
    ),
    _REST,
    _BASES,
)
def test_a_named_url_off_graph_there_and_back_is_the_same(
    origin: str, rest: str, base: str
) -> None:
    local = local_url(origin + rest, base)

    target = to_graph(local, tape_root=GRAPH, own=base.partition("/_s")[0], named={origin})

    assert (target.url, target.off_graph) == (origin + rest, True)


@given(_REST, _BASES, st.booleans())
def test_a_body_there_and_back_is_the_same(rest: str, base: str, indent: bool) -> None:  # noqa: FBT001 -- hypothesis draws it
    text = json.dumps(
        {
            "@odata.context": GRAPH + "/v1.0/$metadata#x",
            "@odata.nextLink": GRAPH + rest,
            "uploadUrl": "https://up.example" + rest,
            "webUrl": GRAPH + "/v1.0/me",
            "value": [{"@odata.id": GRAPH + "/v1.0" + rest, "n": 1.50}, GRAPH + "/beta/" + rest],
        },
        indent=2 if indent else None,
    )
    tape = Response(status=200, body=text.encode())

    local = localise(tape, base)

    assert restore_body(local.body, base, GRAPH) == tape.body
    assert json.loads(local.body)["@odata.nextLink"] == base + rest


def test_recorded_bodies_there_and_back_are_the_same() -> None:
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recordings at {RECORDINGS.name}: they lie beside the repository")
    turned = 0
    for file in sorted(RECORDINGS.glob("*.yaml")):
        for interaction in yaml.safe_load(file.read_bytes())["interactions"]:
            text = interaction["response"]["body"]["string"]
            body = text if isinstance(text, bytes) else text.encode()
            fields = interaction["response"]["headers"]
            tape = Response(
                status=200,
                headers=Headers.of((name, value) for name in fields for value in fields[name]),
                body=body,
            )

            local = localise(tape, OWN)

            assert restore_body(local.body, OWN, GRAPH) == body
            assert (local.body == body) is (b"Link" not in body and b'"@odata.id"' not in body)
            for name, url in local.headers:
                if name.lower() == "location":
                    back = to_graph(url, tape_root=GRAPH, own=OWN)
                    assert back.url == tape.headers.get("location")
                    turned += 1
    assert turned >= 30


def test_the_bare_root_is_the_proxys_bare_address_and_back() -> None:
    tape = Response(status=201, headers=Headers.of([("Location", GRAPH)]))

    assert localise(tape, OWN).headers.get("Location") == OWN
    assert to_graph(OWN, tape_root=GRAPH, own=OWN).url == GRAPH


def test_what_has_no_links_is_passed_on_as_it_is() -> None:
    tape = Response(status=200, headers=Headers.of([("ETag", "x")]), body=b'{"value":"failed"}')

    assert localise(tape, OWN) is tape


@pytest.mark.parametrize(
    ("target", "url", "off_graph"),
    [
        ("https://graph.microsoft.com/v1.0/me?$top=5", GRAPH + "/v1.0/me?$top=5", False),
        ("http://graph.microsoft.us/beta", "https://graph.microsoft.us/beta", False),
        ("HTTPS://Graph.Microsoft.Com:443/a%2Fb", GRAPH + "/a%2Fb", False),
        ("http://127.0.0.1:8787/beta/me", GRAPH + "/beta/me", False),
        ("http://127.0.0.1:8787?x", GRAPH + "?x", False),
        ("https://example.org/v1.0/../x", "https://example.org/v1.0/../x", True),
        ("http://127.0.0.1:8788/health", "http://127.0.0.1:8788/health", True),
        ("https://graph.microsoft.com:8443/x", "https://graph.microsoft.com:8443/x", True),
        ("/_origin/up.example/a/../b?c=%2F", "https://up.example/a/../b?c=%2F", True),
        ("/_origin/up.example:8443", "https://up.example:8443", True),
        ("/_origin/[::1]:9/", "https://[::1]:9/", True),
        ("/_session/a/_origin/up.example/x", "https://up.example/x", True),
        ("//example.org/x", GRAPH + "//example.org/x", False),
        ("/%5Forigin/example.org/x", GRAPH + "/%5Forigin/example.org/x", False),
        ("/v1.0/_origin/example.org/x", GRAPH + "/v1.0/_origin/example.org/x", False),
        ("/_originals/x", GRAPH + "/_originals/x", False),
        ("/..%2f_origin/x", GRAPH + "/..%2f_origin/x", False),
        ("/@example.org/", GRAPH + "/@example.org/", False),
    ],
)
def test_targets_lead_where_they_say(target: str, url: str, off_graph: bool) -> None:  # noqa: FBT001 -- a column of the table
    found = to_graph(target, tape_root=GRAPH, own=OWN)

    assert (found.url, found.off_graph) == (url, off_graph)


@pytest.mark.parametrize(
    "authority",
    [
        "",
        ":443",
        "user@up.example",
        "user:password@up.example",
        "up.example@127.0.0.1",
        "up.example%40127.0.0.1",
        "up.example\\@127.0.0.1",
        "up.example\\127.0.0.1",
        "127.0.0.1%00.up.example",
        "%31%32%37.0.0.1",
        "up.example%2Fx",
        "up.example%252Fx",
        "up.example:",
        "up.example:0",
        "up.example:080",
        "up.example:65536",
        "up.example:1:2",
        "up.example:-1",
        "up.example:8o",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.2",
        "256.0.0.1",
        "1.2.3.0x",
        "::1",
        "[::1",
        "[::1%25eth0]",
        "[127.0.0.1]",
        "[::g]",
        "..",
        ".",
        "up..example",
        ".up.example",
        "up.example.",
        "-up.example",
        "up.example ",
        "up\t.example",
        "up.example\r\nX: y",
        "https:",
        "\u212aelvin.example",
        "\uff11\uff12\uff17.0.0.1",
        "bücher.example",
    ],
)
def test_what_is_no_host_is_refused(authority: str) -> None:
    with pytest.raises(RequestError, match="is no host") as caught:
        to_graph(f"/_origin/{authority}/x", tape_root=GRAPH, own=OWN)

    assert (caught.value.status, caught.value.code) == (400, "GraphtapeOrigin")


@pytest.mark.parametrize("target", ["/_origin", "/_origin/", "/_origin?x", "/_origin//x"])
def test_an_origin_without_a_host_is_refused(target: str) -> None:
    with pytest.raises(RequestError, match="is no host"):
        to_graph(target, tape_root=GRAPH, own=OWN)


@pytest.mark.parametrize("target", ["*", "v1.0/me", "", "ftp://example.org/", "?x", "up.example:1"])
def test_a_target_of_no_known_form_is_refused(target: str) -> None:
    with pytest.raises(RequestError, match="is no path"):
        to_graph(target, tape_root=GRAPH, own=OWN)


def test_an_absolute_target_with_a_user_is_refused() -> None:
    with pytest.raises(RequestError, match="is no host"):
        to_graph("https://graph.microsoft.com@example.org/", tape_root=GRAPH, own=OWN)


def test_only_named_hosts_are_reached_by_plain_http_and_only_with_their_port() -> None:
    named = {"http://up.example", "http://127.0.0.1:5000"}

    def url(target: str) -> str:
        return to_graph(target, tape_root=GRAPH, own=OWN, named=named).url

    assert url("/_origin/127.0.0.1:5000/x") == "http://127.0.0.1:5000/x"
    assert url("/_origin/up.example:80/x") == "http://up.example/x"
    assert url("/_origin/up.example/x") == "https://up.example/x"
    assert url("/_origin/127.0.0.1:5001/x") == "https://127.0.0.1:5001/x"


@pytest.mark.parametrize(
    ("path", "session", "rest"),
    [
        ("/_session/a/v1.0/me", "a", "/v1.0/me"),
        ("/_session/A.b-c_9?x", "A.b-c_9", "?x"),
        ("/_session/a", "a", ""),
        ("/_session/a/", "a", "/"),
        ("/_session/" + "a" * 64 + "/x", "a" * 64, "/x"),
        ("/_session/a/_session/b/x", "a", "/_session/b/x"),
        ("/_sessions/a/x", None, "/_sessions/a/x"),
        ("/v1.0/_session/a", None, "/v1.0/_session/a"),
        ("/", None, "/"),
    ],
)
def test_a_session_prefix_comes_off(path: str, session: str | None, rest: str) -> None:
    assert split_session(path) == (session, rest)


@pytest.mark.parametrize(
    "name", ["", "a" * 65, "a%20b", "a b", ".", "..", "é", "a:b", "a\\b", "a\n", "a;b"]
)
def test_a_malformed_session_id_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match="session id") as caught:
        split_session(f"/_session/{name}/v1.0/me")

    assert caught.value.code == "GraphtapeSession"


@pytest.mark.parametrize("path", ["/_session", "/_session?x"])
def test_a_session_prefix_without_an_id_is_refused(path: str) -> None:
    with pytest.raises(RequestError, match="session id ''"):
        split_session(path)


@pytest.mark.parametrize("prefix", ["", "/_session/a", "/_session/other"])
@pytest.mark.parametrize("base", [OWN, f"{OWN}/_session/a"])
def test_links_a_client_sends_become_graphs(base: str, prefix: str) -> None:
    sent = {
        "@odata.id": f"{OWN}{prefix}/v1.0/directoryObjects/x",
        "requests": [{"id": "1", "url": f"{OWN}{prefix}/beta/me?$top=%35"}],
        "root": f"{OWN}{prefix}",
        "source": f"{OWN}{prefix}/_origin/up.example:444/a?b",
        "redirectUris": [f"{OWN}/callback"],
        "note": f"see {OWN}/v1.0/me",
        "near": "http://127.0.0.1:87871/v1.0/me",
    }

    assert json.loads(restore_body(json.dumps(sent).encode(), base, GRAPH)) == sent | {
        "@odata.id": f"{GRAPH}/v1.0/directoryObjects/x",
        "requests": [{"id": "1", "url": f"{GRAPH}/beta/me?$top=%35"}],
        "root": GRAPH,
        "source": "https://up.example:444/a?b",
    }


def test_links_a_client_sends_may_have_escaped_slashes() -> None:
    body = rb'{"@odata.id":"http:\/\/127.0.0.1:8787\/_session\/a\/v1.0\/users\/1"}'

    assert (
        restore_body(body, OWN, GRAPH)
        == rb'{"@odata.id":"https://graph.microsoft.com\/v1.0\/users\/1"}'
    )


@pytest.mark.parametrize(
    "body",
    [b"", b"to=http://127.0.0.1:8787/v1.0/me", b'{"a":"http://127.0.0.1:8787/v1.0/me"', b'{"a":1}'],
)
def test_other_bodies_a_client_sends_stay(body: bytes) -> None:
    assert restore_body(body, OWN, GRAPH) is body


@pytest.mark.parametrize("root", ["http://127.0.0.1:5000", "http://mock.example/graph"])
def test_the_address_of_an_upstream_never_stands_on_tape(root: str) -> None:
    upstream = Upstream(name="custom", root=root, tape_root=GRAPH)
    host = "{0.scheme}://{0.netloc}".format(urlsplit(root))
    body = {
        "@odata.context": f"{root}/v1.0/$metadata#users",
        "@odata.nextLink": f"{root}/v1.0/users?$skip=1",
        "webUrl": f"{root}/web",
        "beside": f"{host}/elsewhere",
        "root": root,
        "escaped": "\\",
    }
    answer = Response(
        status=200,
        headers=Headers.of([("location", f"{root}/v1.0/users/1"), ("Server", "mock")]),
        body=json.dumps(body).replace("//", "\\/\\/").encode(),
    )

    tape = to_tape(answer, upstream)

    assert tape.headers.pairs == (("location", f"{GRAPH}/v1.0/users/1"), ("Server", "mock"))
    assert json.loads(tape.body) == {
        "@odata.context": f"{GRAPH}/v1.0/$metadata#users",
        "@odata.nextLink": f"{GRAPH}/v1.0/users?$skip=1",
        "webUrl": f"{GRAPH}/web",
        "beside": f"{GRAPH}/elsewhere",
        "root": GRAPH,
        "escaped": "\\",
    }


def test_what_a_cloud_answers_stands_on_tape_as_it_is() -> None:
    answer = Response(status=200, body=b'{"@odata.nextLink":"https://graph.microsoft.us/v1.0/a"}')

    assert to_tape(answer, upstream_named("usgov")) is answer


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.name)
def test_clouds_are_upstreams_by_name_and_by_root(cloud: Cloud) -> None:
    root = cloud.graph
    expected = Upstream(name=cloud.name, root=root, tape_root=root)

    assert upstream_named(cloud.name.upper()) == upstream_named(root + "/") == expected
    assert urlsplit(root).hostname in GRAPH_HOSTS
    assert expected.address(f"{GRAPH}/a%2Fb/..?c") == f"{root}/a%2Fb/..?c"


def test_the_sandbox_is_placed_once_it_listens() -> None:
    sandbox = upstream_named("sandbox")

    assert (sandbox.name, sandbox.root, sandbox.tape_root) == ("sandbox", "", GRAPH)
    assert sandbox.at("http://127.0.0.1:9/").address(f"{GRAPH}/v1.0/me") == (
        "http://127.0.0.1:9/v1.0/me"
    )


@pytest.mark.parametrize(
    ("value", "root"),
    [
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("HTTP://Mock.Example:80/Graph/", "http://mock.example/Graph"),
        ("https://[::1]:8443/", "https://[::1]:8443"),
    ],
)
def test_a_url_is_a_custom_upstream(value: str, root: str) -> None:
    assert upstream_named(value) == Upstream(name="custom", root=root, tape_root=GRAPH)


def test_urls_off_graph_keep_their_address_on_the_way_up() -> None:
    upstream = upstream_named("http://127.0.0.1:5000/graph")

    assert upstream.address("https://up.example/v1.0/me") == "https://up.example/v1.0/me"
    assert upstream.address(GRAPH_ROOTS[1]) == "http://127.0.0.1:5000/graph"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "gcc-high",
        "127.0.0.1:5000",
        "ftp://mock.example",
        "http://",
        "http://user@mock.example",
        "http://mock.example?x=1",
        "http://mock.example/#x",
        "http://mock.example/a b",
        "http://mock.example:99999",
    ],
)
def test_an_unknown_upstream_is_refused_with_the_names_there_are(value: str) -> None:
    with pytest.raises(UsageError, match="global, usgov, usgov-dod, china, sandbox") as caught:
        upstream_named(value)

    assert repr(shown(value)) in str(caught.value)
