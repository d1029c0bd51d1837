"""What a browser is told, so that a page of another origin can use a replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

from proxies import OK, RawServer, recording, replaying
from tapes import exchanged, taped

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "http://localhost:3000"
ASKS = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization,content-type,graphtape-scenario",
}
OURS = {
    "graphtape-interaction",
    "graphtape-result",
    "location",
    "retry-after",
    "client-request-id",
    "request-id",
}


def preflight(url: str) -> requests.Response:
    return requests.options(url, headers=ASKS, timeout=5)


def exposed(got: requests.Response) -> list[str]:
    return [name.strip().lower() for name in got.headers[EXPOSE].split(",")]


ALLOW = "Access-Control-Allow-Origin"
EXPOSE = "Access-Control-Expose-Headers"


def test_a_preflight_that_nothing_recorded_answers_is_allowed_and_no_miss(tmp_path: Path) -> None:
    tape = taped(tmp_path, exchanged("PATCH", "/v1.0/me"))
    with replaying(tape) as proxy:
        got = preflight(f"{proxy.url}/v1.0/me")
        sources = [(entry.status, entry.source) for entry in proxy.entries]
    assert (got.status_code, got.content) == (204, b"")
    assert got.headers[ALLOW] == PAGE
    assert got.headers["Access-Control-Allow-Methods"] == "PATCH"
    assert (
        got.headers["Access-Control-Allow-Headers"]
        == "authorization,content-type,graphtape-scenario"
    )
    assert int(got.headers["Access-Control-Max-Age"]) > 0
    assert "Origin" in got.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in got.headers
    assert "Content-Length" not in got.headers
    assert got.headers["Graphtape-Result"] == "injected"
    assert sources == [(204, "injected")]


def test_a_preflight_leaves_the_tape_where_it_was(tmp_path: Path) -> None:
    tape = taped(
        tmp_path,
        exchanged("POST", "/v1.0/a", '{"n": 1}'),
        exchanged("GET", "/v1.0/b", '{"n": 2}'),
        exchanged("POST", "/v1.0/a", '{"n": 3}'),
    )
    with replaying(tape) as proxy:
        seen = []
        for method, path in (("POST", "a"), ("GET", "b"), ("POST", "a")):
            preflight(f"{proxy.url}/v1.0/{path}")
            got = requests.request(method, f"{proxy.url}/v1.0/{path}", timeout=5)
            seen.append(got.json()["n"])
    assert seen == [1, 2, 3]


def test_options_that_is_no_preflight_can_miss(tmp_path: Path) -> None:
    tape = taped(tmp_path, exchanged("GET", "/v1.0/me"))
    with replaying(tape) as proxy:
        got = requests.options(f"{proxy.url}/v1.0/me", headers={"Origin": PAGE}, timeout=5)
    assert got.status_code == 599


def test_a_recorded_preflight_plays(tmp_path: Path) -> None:
    tape = taped(
        tmp_path,
        exchanged(
            "OPTIONS",
            "/v1.0/me",
            "",
            status=200,
            Access_Control_Allow_Origin="*",
            Access_Control_Allow_Methods="GET",
        ),
    )
    with replaying(tape) as proxy:
        got = preflight(f"{proxy.url}/v1.0/me")
    assert (got.status_code, got.headers["Graphtape-Result"]) == (200, "replayed")
    assert (got.headers[ALLOW], got.headers["Access-Control-Allow-Methods"]) == ("*", "GET")
    assert EXPOSE not in got.headers


def test_a_recorded_preflight_that_allows_nobody_still_does(tmp_path: Path) -> None:
    tape = taped(tmp_path, exchanged("OPTIONS", "/v1.0/me", "", status=403))
    with replaying(tape) as proxy:
        got = preflight(f"{proxy.url}/v1.0/me")
    assert got.status_code == 403
    assert ALLOW not in got.headers


def test_an_answer_recorded_from_no_browser_can_be_read_by_one(tmp_path: Path) -> None:
    tape = taped(tmp_path, exchanged("GET", "/v1.0/me", Vary="Accept-Encoding"))
    with replaying(tape) as proxy:
        got = requests.get(f"{proxy.url}/v1.0/me", headers={"Origin": PAGE}, timeout=5)
    assert got.headers[ALLOW] == PAGE
    assert got.headers["Vary"] == "Accept-Encoding, Origin"
    assert set(exposed(got)) == OURS


def test_what_the_recording_allows_and_exposes_stays(tmp_path: Path) -> None:
    tape = taped(
        tmp_path,
        exchanged(
            "GET",
            "/v1.0/me",
            access_control_allow_origin="*",
            access_control_expose_headers="ETag, Location, request-id",
        ),
        exchanged(
            "GET",
            "/v1.0/all",
            access_control_allow_origin="*",
            access_control_expose_headers="*",
        ),
    )
    with replaying(tape) as proxy:
        got = requests.get(f"{proxy.url}/v1.0/me", headers={"Origin": PAGE}, timeout=5)
        everything = requests.get(f"{proxy.url}/v1.0/all", headers={"Origin": PAGE}, timeout=5)
    assert got.headers[ALLOW] == "*"
    assert exposed(got)[:3] == ["etag", "location", "request-id"]
    assert sorted(exposed(got)) == sorted(OURS | {"etag"})
    assert exposed(everything) == ["*"]


def test_an_origin_that_was_echoed_becomes_the_callers(tmp_path: Path) -> None:
    tape = taped(
        tmp_path,
        exchanged(
            "GET", "/v1.0/me", Access_Control_Allow_Origin="https://app.contoso.com", Vary="origin"
        ),
    )
    with replaying(tape) as proxy:
        got = requests.get(f"{proxy.url}/v1.0/me", headers={"Origin": PAGE}, timeout=5)
    assert got.headers[ALLOW] == PAGE
    assert got.headers["Vary"] == "origin"


def test_a_miss_can_be_read_by_the_page_that_asked(tmp_path: Path) -> None:
    tape = taped(tmp_path, exchanged("GET", "/v1.0/me"))
    with replaying(tape) as proxy:
        got = requests.get(f"{proxy.url}/v1.0/you", headers={"Origin": "null"}, timeout=5)
    assert (got.status_code, got.headers[ALLOW]) == (599, "null")
    assert "graphtape-result" in exposed(got)


def test_without_an_origin_nothing_is_added(tmp_path: Path) -> None:
    tape = taped(tmp_path, exchanged("GET", "/v1.0/me"))
    with replaying(tape) as proxy:
        got = requests.get(f"{proxy.url}/v1.0/me", timeout=5)
    assert not [name for name in got.headers if name.lower().startswith("access-control-")]
    assert "Vary" not in got.headers


def test_while_recording_a_preflight_is_forwarded_and_then_plays(tmp_path: Path) -> None:
    path = tmp_path / "tape.yaml"
    allowed = OK.replace(b"\r\n\r\n", b"\r\nAccess-Control-Allow-Origin: *\r\n\r\n", 1)
    with RawServer(answer=lambda _: allowed) as upstream:
        with recording(path, upstream=upstream.url) as proxy:
            got = preflight(f"{proxy.url}/v1.0/me")
        assert upstream.requests[0].startswith(b"OPTIONS /v1.0/me ")
    assert got.headers["Graphtape-Result"] == "recorded"
    with replaying(path) as proxy:
        again = preflight(f"{proxy.url}/v1.0/me")
    assert (again.headers["Graphtape-Result"], again.headers[ALLOW]) == ("replayed", "*")
