"""Recorded answers, served with no upstream."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest
import requests
import yaml

from graphtape.tape.store import open_cassette
from proxies import AUTH, SHARED, needs_recordings, recording, replaying

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from graphtape.core.message import Interaction

SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"


def tape(path: Path, *interactions: dict[str, object]) -> Path:
    path.write_text(yaml.safe_dump({"interactions": list(interactions), "version": 1}))
    return path


def interaction(
    method: str,
    path: str,
    answer: str = "{}",
    *,
    status: int = 200,
    body: str | None = None,
    headers: dict[str, list[str]] | None = None,
) -> dict[str, object]:
    return {
        "request": {
            "method": method,
            "uri": f"https://graph.microsoft.com{path}",
            "body": body,
            "headers": {"Content-Type": ["application/json"]} if body else {},
        },
        "response": {
            "status": {"code": status, "message": "OK"},
            "headers": {"content-type": ["application/json"], **(headers or {})},
            "body": {"string": answer},
        },
    }


@pytest.fixture
def disconnect_tape(tmp_path: Path) -> Path:
    return tape(
        tmp_path / "tape.yaml",
        interaction("POST", f"{SETTINGS}/disconnect", '{\r\n  "value": "inprogress"\r\n}'),
        interaction("GET", f"{SETTINGS}/1", '{"id": "1", "onboardingStatus": "offboarding"}'),
        interaction("GET", f"{SETTINGS}/1", '{"id": "1", "onboardingStatus": "unknown"}'),
    )


def test_repeats_of_a_request_play_in_recorded_order(disconnect_tape: Path) -> None:
    with replaying(disconnect_tape) as proxy:
        requests.post(f"{proxy.url}{SETTINGS}/disconnect", timeout=5)
        seen = [
            requests.get(f"{proxy.url}{SETTINGS}/1", timeout=5).json()["onboardingStatus"]
            for _ in range(3)
        ]
    assert seen == ["offboarding", "unknown", "unknown"]


def test_the_answer_is_as_recorded_to_the_byte(disconnect_tape: Path) -> None:
    with replaying(disconnect_tape) as proxy:
        got = requests.post(f"{proxy.url}{SETTINGS}/microsoft.graph.disconnect", timeout=5)
    assert got.content == b'{\r\n  "value": "inprogress"\r\n}'
    assert got.headers["Graphtape-Result"] == "replayed"
    assert got.headers["Graphtape-Interaction"] == "0"


def test_date_is_fresh_and_the_caller_gets_its_own_id(tmp_path: Path) -> None:
    old = "Wed, 12 Aug 2020 06:52:20 GMT"
    path = tape(
        tmp_path / "tape.yaml",
        interaction(
            "GET",
            "/v1.0/me",
            headers={
                "date": [old],
                "client-request-id": ["recorded"],
                "request-id": ["r"],
                "transfer-encoding": ["chunked"],
                "content-length": ["999"],
                "set-cookie": ["a=1", "b=2"],
            },
        ),
    )
    with replaying(path) as proxy:
        got = requests.get(f"{proxy.url}/v1.0/me", headers={"client-request-id": "mine"}, timeout=5)
        without = requests.get(f"{proxy.url}/v1.0/me", timeout=5)
    assert parsedate_to_datetime(got.headers["Date"]) > parsedate_to_datetime(old)
    assert got.headers["client-request-id"] == "mine"
    assert without.headers["client-request-id"] == "recorded"
    assert got.headers["request-id"] == "r"
    assert got.headers["Content-Length"] == "2"
    assert "Transfer-Encoding" not in got.headers
    assert got.raw.headers.getlist("set-cookie") == ["a=1", "b=2"]


def test_a_miss_is_599_in_graphs_shape_and_names_the_nearest(disconnect_tape: Path) -> None:
    with replaying(disconnect_tape) as proxy:
        got = requests.get(f"{proxy.url}{SETTINGS}/1?$select=id", headers=AUTH, timeout=5)
    error = got.json()["error"]
    assert got.status_code == 599
    assert got.headers["Graphtape-Result"] == "missed"
    assert error["code"] == "GraphtapeMiss"
    assert f"GET {SETTINGS}/1?$select=id" in error["message"]
    assert "interaction 1" in error["message"]
    assert "query.$select: recorded nothing, asked 'id'" in error["message"]
    assert "not-a-real-token" not in got.text


def test_a_write_beyond_its_last_answer_is_a_miss_that_says_so(disconnect_tape: Path) -> None:
    with replaying(disconnect_tape) as proxy:
        statuses = [
            requests.post(f"{proxy.url}{SETTINGS}/disconnect", timeout=5).status_code
            for _ in range(2)
        ]
        message = proxy.entries[-1].note
    assert statuses == [200, 599]
    assert "already played" in message


def test_of_several_cassettes_the_first_with_an_unplayed_answer_answers(tmp_path: Path) -> None:
    one = tape(tmp_path / "1.yaml", interaction("POST", "/v1.0/a", '{"from": 1}'))
    two = tape(
        tmp_path / "2.yaml",
        interaction("POST", "/v1.0/a", '{"from": 2}'),
        interaction("GET", "/v1.0/b", '{"from": 2}'),
    )
    with replaying([one, two]) as proxy:
        answers = [requests.post(f"{proxy.url}/v1.0/a", timeout=5) for _ in range(3)]
        other = requests.get(f"{proxy.url}/v1.0/b", timeout=5)
    assert [a.status_code for a in answers] == [200, 200, 599]
    assert [a.json().get("from") for a in answers[:2]] == [1, 2]
    assert [a.headers.get("Graphtape-Interaction") for a in answers[:2]] == ["0", "0"]
    assert other.headers["Graphtape-Interaction"] == "1"


@pytest.mark.parametrize(
    ("status", "action", "entity", "listed"),
    [
        pytest.param(("failed",), "failed", "failed", ["failed", "failed"], id="all"),
        pytest.param(
            ("disconnect=failed",), "failed", "offboarding", ["onboarded", "unknown"], id="action"
        ),
        pytest.param(
            ("connect=failed",), "inprogress", "offboarding", ["onboarded", "unknown"], id="other"
        ),
    ],
)
def test_status_bends_answers_and_leaves_the_tape(
    tmp_path: Path, status: tuple[str, ...], action: str, entity: str, listed: list[str]
) -> None:
    path = tape(
        tmp_path / "tape.yaml",
        interaction("POST", f"{SETTINGS}/disconnect", '{"value": "inprogress"}'),
        interaction("GET", f"{SETTINGS}/1", '{"onboardingStatus": "offboarding"}'),
        interaction(
            "GET",
            SETTINGS,
            '{"value": [{"onboardingStatus": "onboarded"}, {"onboardingStatus": "unknown"}]}',
        ),
        interaction("GET", f"{SETTINGS}/2", '{"error": {"code": "x"}}', status=404),
        interaction("GET", f"{SETTINGS}/3", '{"onboardingStatus": null}'),
        interaction("GET", "/v1.0/me", '{"value": "x", "onboardingStatus": "theirs"}'),
    )
    before = path.read_bytes()
    with replaying(path, status=status) as proxy:
        assert requests.post(f"{proxy.url}{SETTINGS}/disconnect", timeout=5).json() == {
            "value": action
        }
        got = requests.get(f"{proxy.url}{SETTINGS}/1", timeout=5)
        assert got.json() == {"onboardingStatus": entity}
        assert got.headers["Graphtape-Result"] == "replayed"
        items = requests.get(f"{proxy.url}{SETTINGS}", timeout=5).json()["value"]
        assert [item["onboardingStatus"] for item in items] == listed
        assert requests.get(f"{proxy.url}{SETTINGS}/2", timeout=5).json() == {
            "error": {"code": "x"}
        }
        assert requests.get(f"{proxy.url}{SETTINGS}/3", timeout=5).json() == {
            "onboardingStatus": None
        }
        assert requests.get(f"{proxy.url}/v1.0/me", timeout=5).json()["value"] == "x"
    assert path.read_bytes() == before


def test_status_reaches_into_batch_parts(tmp_path: Path) -> None:
    batch = (
        '{"requests": [{"id": "a", "method": "POST", "url": "/deviceManagement/'
        'chromeOSOnboardingSettings/disconnect"}, {"id": "b", "method": "GET", "url": "/me"}]}'
    )
    answer = (
        '{"responses": [{"id": "b", "status": 200, "body": {"value": "me"}}, '
        '{"id": "a", "status": 200, "body": {"value": "inprogress"}}]}'
    )
    path = tape(tmp_path / "tape.yaml", interaction("POST", "/beta/$batch", answer, body=batch))
    with replaying(path, status=("disconnect=failed",)) as proxy:
        got = requests.post(
            f"{proxy.url}/beta/$batch",
            data=batch,
            headers={"Content-Type": "application/json"},
            timeout=5,
        ).json()
    assert [part["body"]["value"] for part in got["responses"]] == ["me", "failed"]


def test_a_bad_request_line_gets_no_traceback(disconnect_tape: Path) -> None:
    with replaying(disconnect_tape) as proxy:
        got = requests.get(f"{proxy.url}/_origin/a%2fb/x", timeout=5)
    assert got.status_code == 400
    assert got.json()["error"]["code"].startswith("Graphtape")


def test_an_unknown_session_is_a_graph_shaped_error(disconnect_tape: Path) -> None:
    with replaying(disconnect_tape) as proxy:
        got = requests.get(f"{proxy.url}/_session/nobody/v1.0/me", timeout=5)
    assert got.status_code == 404
    assert got.json()["error"]["code"] == "GraphtapeUnknownSession"


def recorded_files(folder: str, *suffixes: str) -> list[Path]:
    return sorted(p for p in (SHARED / folder).glob("*") if p.suffix in suffixes)


def ask(base: str, i: Interaction, local: Callable[[str], str]) -> requests.Response:
    headers = {
        name: value
        for name, value in i.request.headers
        if name.lower() not in {"host", "content-length", "connection", "accept-encoding"}
    }
    return requests.request(
        i.request.method,
        base + local(i.request.url),
        data=i.request.body,
        headers=headers,
        allow_redirects=False,
        timeout=10,
    )


def local_path(url: str) -> str:
    root = "https://graph.microsoft.com"
    if url.startswith(root):
        return url.removeprefix(root)
    return "/_origin/" + url.partition("://")[2]


@needs_recordings
@pytest.mark.parametrize("path", recorded_files("azure-cli", ".yaml"), ids=lambda p: p.stem)
def test_real_recordings_replay_status_and_body(path: Path) -> None:
    with replaying(path) as proxy:
        for i in open_cassette(path).interactions:
            got = ask(proxy.url, i, local_path)
            assert got.status_code == i.response.status, got.text
            body = got.content.replace(proxy.url.encode(), b"https://graph.microsoft.com")
            assert body == i.response.body


PLAYABLE = (
    "azcli_binary_test_workspace_package.yaml",
    "azcli_pyunicode_test_subscription_locks.yaml",
    "vcrpy_domain_redirect.yaml",
    "vcrpy_gzip_httpx_old_format.yaml",
    "vcrpy_gzip_requests.yaml",
    "vcrpy_new_cassette.json",
    "vcrpy_new_cassette.yaml",
)


@needs_recordings
@pytest.mark.parametrize("name", PLAYABLE)
def test_quirky_recordings_replay_status_and_body(name: str) -> None:
    path = SHARED / "quirks" / name
    with replaying(path) as proxy:
        for i in open_cassette(path).interactions:
            got = ask(proxy.url, i, local_path)
            assert got.status_code == i.response.status, got.text
            if i.request.method != "HEAD":
                assert got.content == i.response.body


def test_what_was_recorded_replays_without_its_upstream(tmp_path: Path) -> None:
    path = tmp_path / "tape.yaml"
    calls = [
        ("GET", SETTINGS),
        ("POST", f"{SETTINGS}/disconnect"),
        ("GET", SETTINGS),
        ("GET", SETTINGS),
        ("GET", SETTINGS),
        ("GET", "/v1.0/users?$top=2"),
        ("GET", "/v1.0/me/photo/$value"),
        ("GET", "/v1.0/users/nobody@contoso.com"),
    ]

    def play(base: str) -> list[tuple[int, bytes]]:
        answers = []
        for method, url in calls:
            got = requests.request(method, base + url, headers=AUTH, timeout=5)
            answers.append((got.status_code, got.content.replace(base.encode(), b"BASE")))
        return answers

    with recording(path, upstream="sandbox") as proxy:
        recorded = play(proxy.url)
        assert {e.source for e in proxy.entries} == {"recorded"}
    with replaying(path) as proxy:
        assert play(proxy.url) == recorded
        assert {e.source for e in proxy.entries} == {"replayed"}
    assert b"not-a-real-token" not in path.read_bytes()
    assert b"127.0.0.1" not in path.read_bytes()
