"""Mocks of Dev Proxy and WireMock: which become interactions, which rules."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from graphtape.core.errors import CassetteError, NotAFileError
from graphtape.tape.formats.registry import read, read_folder
from graphtape.tape.formats.source import Source
from graphtape.tape.store import named_content

if TYPE_CHECKING:
    from pathlib import Path

    from graphtape.tape.formats.exchange import Found

ROOT = "https://graph.microsoft.com"
HOST = "graph.microsoft.com"
Tree = dict[str, object]


def found(tree: object, folder: Path) -> Found:
    data = json.dumps(tree).encode()
    return read(Source(name="t", path=folder / "t.json", data=data))


def mock(url: str, body: object = None, **request: object) -> Tree:
    return {"request": {"url": f"{ROOT}{url}", **request}, "response": {"body": body}}


def asked(log: Found) -> list[str]:
    return [f"{i.request.method} {i.request.url.removeprefix(ROOT)}" for i in log.interactions]


def ruled(log: Found) -> list[str]:
    return [r.request.url.removeprefix(ROOT) for r in log.rules]


def test_a_mock_of_one_request_is_an_interaction(tmp_path: Path) -> None:
    (tmp_path / "p.jpg").write_bytes(b"\xff\xd8")
    photo = mock("/v1.0/me/photo/$value", "@p.jpg")
    photo["response"] = {
        "body": "@p.jpg",
        "headers": [{"name": "content-type", "value": "image/jpeg"}],
    }
    gone: Tree = {"request": {"url": f"{ROOT}/v1.0/me/photo"}, "response": {"statusCode": 404}}
    text = mock("/v1.0/users/$count", "3")
    empty: Tree = {
        "request": {"url": f"{ROOT}/v1.0/me", "method": "PATCH"},
        "response": {"statusCode": 204, "body": {}},
    }
    log = found({"mocks": [mock("/v1.0/me", {"id": "é"}), photo, gone, text, empty]}, tmp_path)
    me, picture, missing, count, patched = (i.response for i in log.interactions)
    assert (me.body, me.headers.get("content-type")) == ('{"id":"é"}'.encode(), "application/json")
    assert (picture.body, picture.headers.get("Content-Type")) == (b"\xff\xd8", "image/jpeg")
    assert (missing.status, missing.body, len(missing.headers)) == (404, b"", 0)
    assert count.body == b'"3"'
    assert (patched.status, patched.body) == (204, b"")
    assert (log.rules, log.skipped) == ((), ())
    assert log.notes == (
        f"mock 4 (PATCH {HOST}): a tape answers a write once; record or repeat it for more",
    )


@pytest.mark.parametrize(
    ("url", "template", "any_value"),
    [
        ("/v1.0/users/*", "/v1.0/users/{id}/**", ()),
        ("/v1.0/users/*/photo", "/v1.0/users/{id}/photo", ()),
        ("/v1.0/users('*')/photo", "/v1.0/users/{id}/photo", ()),
        ("/v1.0/me/messages*", "/v1.0/me/messages/**", ()),
        ("/*/me", "/v1.0/me", ()),
        ("/*", "/{id}/**", ()),
        ("/v1.0/me?*", "/v1.0/me", ()),
        ("/v1.0/me?$select=*", "/v1.0/me?$select=*", ("$select",)),
        (
            "/v1.0/me?$top=2&$filter=startswith(*",
            "/v1.0/me?$top=2&$filter=startswith(*",
            ("$filter",),
        ),
    ],
)
def test_a_wildcard_becomes_the_template_of_a_rule(
    url: str, template: str, any_value: tuple[str, ...], tmp_path: Path
) -> None:
    log = found({"mocks": [mock(url, {"a": 1})]}, tmp_path)
    assert ruled(log) == [template]
    assert log.rules[0].any_value == any_value
    assert log.interactions == ()


@pytest.mark.parametrize("url", ["*", "https://*", "http*://*"])
def test_a_mock_of_every_request_is_a_rule_for_every_path(url: str, tmp_path: Path) -> None:
    every: Tree = {"request": {"url": url}, "response": {"statusCode": 500}}
    log = found({"mocks": [every]}, tmp_path)
    assert ruled(log) == ["/**"]
    assert log.skipped == ()


def test_a_wildcard_that_no_rule_says_is_left_out(tmp_path: Path) -> None:
    log = found({"mocks": [mock("/v1.0/us*rs/1", {})]}, tmp_path)
    assert log.skipped == (
        "mock 0 (GET graph.microsoft.com): a rule has no `*` inside a segment of a path",
    )


def test_nth_is_a_rule_and_what_stands_behind_it_is_on_tape(tmp_path: Path) -> None:
    mocks = [mock("/v1.0/groups", {"n": 2}, nth=2), mock("/v1.0/groups", {"n": 1})]
    log = found({"mocks": mocks}, tmp_path)
    assert [rule.nth for rule in log.rules] == [2]
    assert asked(log) == ["GET /v1.0/groups"]
    both = [mock("/v1.0/me", {}, nth=1), mock("/v1.0/me", {"b": 1}, method="POST")]
    assert found({"mocks": both}, tmp_path).notes[0] == (
        "mock 0 (GET graph.microsoft.com): counts its own method alone; Dev Proxy counts GET and "
        "POST of a URL together"
    )


def test_a_rule_leaves_the_mocks_before_it_their_requests(tmp_path: Path) -> None:
    mocks = [
        mock("/v1.0/users/7", {"id": "7"}),
        mock("/v1.0/users/7?$top=1", {"id": "top"}),
        mock("/v1.0/users/*", {"id": "any"}),
        mock("/v1.0/users/8", {"id": "8"}),
        mock("/v1.0/groups", {"a": 1}),
        mock("/v1.0/groups", {"a": 2}),
        mock("/v1.0/groups", {"a": 1}),
    ]
    log = found({"mocks": mocks}, tmp_path)
    assert ruled(log) == ["/v1.0/users/7?$top=1", "/v1.0/users/7", "/v1.0/users/{id}/**"]
    assert asked(log) == ["GET /v1.0/groups"]
    assert log.skipped == (
        f"mock 3 (GET {HOST}): mock 2 (GET {HOST}) answers its request first",
        f"mock 5 (GET {HOST}): mock 4 (GET {HOST}) answers its request first",
    )


@pytest.mark.parametrize("name", ["@../secret.txt", "@/etc/hostname", "@..\\secret.txt", "@no.txt"])
def test_a_mock_reads_no_file_outside_of_its_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    inside = tmp_path / "mocks"
    inside.mkdir()
    log = found({"mocks": [mock("/v1.0/me", name)]}, inside)
    assert log.interactions == ()
    assert log.skipped[0].endswith("its body is in a file that isn't there")


def stub(url: str = "/v1.0/me", body: object = None, **more: object) -> Tree:
    request = {"method": "GET", "url": url}
    return {"request": request, "response": {"status": 200, "jsonBody": body or {}}, **more}


def in_state(needs: str, sets: str | None, url: str, body: object) -> Tree:
    moved = {"newScenarioState": sets} if sets else {}
    return stub(url, body, scenarioName="s", requiredScenarioState=needs, **moved)


def test_states_of_wiremock_are_an_order_on_tape(tmp_path: Path) -> None:
    stubs = [
        in_state("gone", None, "/v1.0/users/1", {"n": 3}),
        in_state("Started", "gone", "/v1.0/users/1/delete", {"n": 2}),
        in_state("Started", None, "/v1.0/users/1", {"n": 1}),
        stub("/v1.0/users/1", {"n": 0}),
        stub("/v1.0/groups", {"n": 9}),
    ]
    log = found({"mappings": stubs}, tmp_path)
    assert [json.loads(i.response.body)["n"] for i in log.interactions] == [0, 1, 2, 3, 9]
    assert (log.rules, log.skipped) == ((), ())


def test_a_scenario_that_branches_or_begins_anew_is_said(tmp_path: Path) -> None:
    stubs = [
        in_state("Started", "a", "/v1.0/1", {}),
        in_state("Started", "b", "/v1.0/2", {}),
        in_state("a", "Started", "/v1.0/3", {}),
        in_state("lost", None, "/v1.0/4", {}),
    ]
    log = found({"mappings": stubs}, tmp_path)
    assert asked(log) == ["GET /v1.0/1", "GET /v1.0/2", "GET /v1.0/3"]
    assert log.skipped == ("stub 3 (GET graph.microsoft.com): no stub leads to its state 'lost'",)
    assert [note.partition(": ")[2] for note in log.notes] == [
        "the scenario branches here; the tape plays one after the other",
        "the scenario begins anew after it; the tape doesn't",
    ]


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        ({"urlPathPattern": "/v1.0/groups/[^/]+/members"}, "/v1.0/groups/{id}/members"),
        ({"urlPattern": r"/v1\.0/users/[0-9a-f-]+\?.*"}, "/v1.0/users/{id}"),
        ({"urlPathPattern": "^/beta/users/.*$"}, "/beta/users/**"),
        ({"urlPathPattern": "/beta/users/.+"}, "/beta/users/{id}/**"),
        ({"urlPathPattern": "/beta/me/messages.*"}, "/beta/me/messages/**"),
        ({"urlPathTemplate": "/v1.0/users/{user}/photo"}, "/v1.0/users/{user}/photo"),
        ({}, "/**"),
    ],
)
def test_a_pattern_becomes_the_template_of_a_rule(
    request_: Tree, path: str, tmp_path: Path
) -> None:
    tree = {"request": {"method": "GET", **request_}, "response": {"status": 200}}
    log = found(tree, tmp_path)
    assert (ruled(log), log.notes, log.interactions) == ([path], (), ())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"request": {"method": "GET", "urlPattern": "/a|/b"}}, "no rule has alternatives"),
        ({"request": {"method": "GET", "urlPattern": ".*/me"}}, "no rule holds for paths by"),
        ({"response": {"proxyBaseUrl": "https://a"}}, "it passes requests on to another server"),
        ({"response": {"bodyFileName": "../../x"}}, "its body is in a file that isn't there"),
        ({"scenarioName": "s", "response": {"fault": "EMPTY_RESPONSE"}}, "a tape has no order for"),
        (
            {"scenarioName": "s", "request": {"method": "ANY", "url": "/a"}},
            "a tape has no order for a stub that answers several requests",
        ),
    ],
)
def test_a_stub_that_nothing_says_is_left_out(changes: Tree, reason: str, tmp_path: Path) -> None:
    log = found({"mappings": [{**stub(), **changes}]}, tmp_path)
    assert (log.interactions, log.rules) == ((), ())
    assert reason in log.skipped[0]


@pytest.mark.parametrize(
    ("request_", "note"),
    [
        ({"headers": {"X": {"matches": "a.*"}}}, "its condition on the header X isn't checked"),
        ({"queryParameters": {"a": {"matches": "b+"}}}, "any value of a in the query will do"),
        ({"queryParameters": {"a": {"absent": True}}}, "that the query has no a isn't checked"),
        ({"bodyPatterns": [{"matchesJsonPath": "$.a"}]}, "it answers whatever the body"),
        ({"cookies": {"a": {"equalTo": "b"}}}, "its cookies aren't checked"),
        ({"bodyPatterns": [{"equalToJson": '{"a": "${json-unit.any-string}"}'}]}, "whatever the"),
    ],
)
def test_a_condition_that_nothing_checks_is_said(request_: Tree, note: str, tmp_path: Path) -> None:
    tree = stub()
    tree["request"] = {"method": "GET", "urlPath": "/v1.0/me", **request_}
    log = found(tree, tmp_path)
    assert len(log.interactions) + len(log.rules) == 1
    assert note in log.notes[0]


def test_stubs_have_bodies_headers_delays_and_faults(tmp_path: Path) -> None:
    (tmp_path / "__files").mkdir()
    (tmp_path / "__files" / "a.json").write_text('{"a": 1}')
    packed = base64.b64encode(b"\x00\xff").decode()
    wait = {"type": "lognormal", "median": 80, "sigma": 0.4}
    elsewhere = {"host": {"equalTo": "login.example.com"}, "scheme": "http", "port": 8080}
    form = {"queryParameters": {"q": {"equalTo": "a b"}}, "bodyPatterns": [{"equalTo": "x=1"}]}
    stubs = [
        {"request": {"method": "GET", "url": "/1"}, "response": {"bodyFileName": "a.json"}},
        {"request": {"method": "GET", "url": "/2"},
         "response": {"base64Body": packed, "headers": {"Set-Cookie": ["a=1", "b=2"]}}},
        {"request": {"method": "GET", "url": "/3"},
         "response": {"status": 503, "delayDistribution": wait}},
        {"request": {"method": "GET", "url": "/4"},
         "response": {"fault": "RANDOM_DATA_THEN_CLOSE"}},
        {"request": {"method": "POST", "urlPath": "/5", **elsewhere, **form},
         "response": {"status": 500}},
    ]  # fmt: skip
    log = found({"mappings": stubs}, tmp_path)
    first, second, last = log.interactions
    assert (first.response.status, first.response.body) == (200, b'{"a": 1}')
    assert second.response.body == b"\x00\xff"
    assert second.response.headers.all("Set-Cookie") == ("a=1", "b=2")
    assert (last.request.url, last.request.body) == (
        "http://login.example.com:8080/5?q=a+b",
        b"x=1",
    )
    assert last.response.status == 500
    slow, broken = log.rules[::-1] if log.rules[0].response is None else log.rules
    assert slow.effect == {"delay": {"log_normal": {"median": "80ms", "sigma": 0.4}}}
    assert slow.response is not None
    assert slow.response.status == 503
    assert (broken.response, broken.effect) == (None, {"fault": "garbage"})


def test_of_stubs_for_one_request_the_last_one_answers(tmp_path: Path) -> None:
    stubs = [stub(body={"n": 1}, priority=1), stub(body={"n": 2}), stub(body={"n": 3})]
    log = found({"mappings": stubs}, tmp_path)
    assert [json.loads(i.response.body) for i in log.interactions] == [{"n": 1}]
    assert len(log.skipped) == 2
    unordered = found({"mappings": stubs[1:]}, tmp_path)
    assert [json.loads(i.response.body) for i in unordered.interactions] == [{"n": 3}]


def test_a_folder_of_mappings_is_read_as_one(tmp_path: Path) -> None:
    inside = tmp_path / "mappings" / "deep"
    inside.mkdir(parents=True)
    (tmp_path / "__files").mkdir()
    (tmp_path / "__files" / "b.txt").write_text("b")
    (inside.parent / "a.json").write_text(json.dumps(stub("/v1.0/a")))
    named = {"request": {"method": "GET", "url": "/v1.0/b"}, "response": {"bodyFileName": "b.txt"}}
    (inside / "b.json").write_text(json.dumps({"mappings": [named]}))
    log = read_folder(tmp_path, named_content)
    assert asked(log) == ["GET /v1.0/a", "GET /v1.0/b"]
    (inside / "c.json").write_text("{}")
    with pytest.raises(CassetteError, match="not WireMock stub mappings"):
        read_folder(tmp_path, named_content)
    with pytest.raises(NotAFileError, match="no JSON file is in it"):
        read_folder(tmp_path / "__files", named_content)
