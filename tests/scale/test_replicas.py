"""`replay --replica`: sessions divided among proxies that know of each other, or don't."""

from __future__ import annotations

import json
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import requests

from commands import serving
from scaled import READ, WRITE, control, opened, state, tape, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from commands import Serving


@contextmanager
def replica(folder: Path, name: str, *options: str) -> Iterator[Serving]:
    place = folder / name
    with serving("replay", tape(place), "--replica", name, *options, cwd=place) as served:
        yield served


@contextmanager
def pair(folder: Path, *options: str) -> Iterator[tuple[Serving, Serving]]:
    """Start two replicas, of which the first knows where the second is."""
    with replica(folder, "r2", *options) as second:
        peers = ("--peers", f"r2={control(second)}")
        with replica(folder, "r1", *peers, *options) as first:
            yield first, second


def test_an_id_has_the_replicas_name_and_a_base_url_its_public_one(tmp_path: Path) -> None:
    public = ("--public-url", "http://one.test:8787/")
    with replica(tmp_path, "one", *public) as served:
        for wish, name in (({}, ""), ({"id": "mine"}, "mine"), ({"id": "one.own"}, "own")):
            found, base = opened(served, **wish)
            assert found.startswith(f"one.{name}")
            assert base == f"http://one.test:8787/_session/{found}"
            assert state(f"{served.url}/_session/{found}") == "before"
        health = requests.get(f"{control(served)}/health", timeout=10).json()
        assert health["proxy"] == "http://one.test:8787"
        for alias in ("default", "one.default"):
            facts = requests.get(f"{control(served)}/sessions/{alias}", timeout=10).json()
            assert facts["base_url"] == "http://one.test:8787"
        taken = requests.post(f"{control(served)}/sessions", json={"id": "default"}, timeout=10)
        assert taken.status_code == 409


def test_a_call_about_anothers_session_is_misdirected_unless_peers_are_named(
    tmp_path: Path,
) -> None:
    with replica(tmp_path, "r1") as served:
        url = f"{control(served)}/sessions/r2.abc"
        for answer in (
            requests.get(url, timeout=10),
            requests.delete(url, timeout=10),
            requests.post(f"{url}/rewind", timeout=10),
            requests.post(f"{control(served)}/sessions", json={"id": "r2.abc"}, timeout=10),
            requests.get(f"{control(served)}/events?session=r2.abc", timeout=10),
        ):
            assert answer.status_code == 421
            assert answer.json()["error"]["code"] == "GraphtapeElsewhere"
            assert "replica r2" in answer.json()["error"]["message"]
        unknown = requests.get(f"{control(served)}/sessions/r1.abc", timeout=10)
        assert unknown.status_code == 404
        data = requests.get(f"{served.url}/_session/r2.abc{READ}", timeout=10)
        assert (data.status_code, data.json()["error"]["code"]) == (404, "GraphtapeUnknownSession")
        assert "it is one of r2" in data.json()["error"]["message"]


def test_calls_are_passed_on_to_peers_and_their_answers_back(tmp_path: Path) -> None:
    with pair(tmp_path) as (first, second):
        found, base = opened(second)
        url = f"{control(first)}/sessions/{found}"
        write(base)
        assert requests.get(url, timeout=10).json()["requests"] == 1
        assert requests.post(f"{url}/rewind", timeout=10).status_code == 204
        assert state(base) == "before"
        said = requests.put(f"{url}/scenario", json={"status": "failed"}, timeout=10)
        assert said.json()["status"] == ["failed"]
        assert requests.post(base + WRITE, timeout=10).json() == {"value": "failed"}
        with requests.get(
            f"{control(first)}/events?session={found}", stream=True, timeout=20
        ) as stream:
            lines = stream.iter_lines()
            next(lines)
            state(base)
            data = next(line for line in lines if line.startswith(b"data: "))
        assert json.loads(data.removeprefix(b"data: "))["entry"]["number"] == 4
        junit = requests.get(f"{url}/report", headers={"Accept": "application/xml"}, timeout=10)
        assert junit.text.startswith("<?xml")
        at_second = requests.post(
            f"{control(first)}/sessions", json={"id": "r2.chosen"}, timeout=10
        ).json()
        assert at_second["base_url"].startswith(second.url)
        assert requests.delete(url, timeout=10).json()["requests"] == 4
        assert requests.delete(url, timeout=10).status_code == 404
        passed = {"Graphtape-Passed-On": "r9"}
        again = requests.get(url, headers=passed, timeout=10)
        assert again.status_code == 421
        assert again.headers["Location"] == f"{control(second)}/sessions/{found}"


def test_sessions_are_summed_up_and_a_silent_replica_is_named(tmp_path: Path) -> None:
    with pair(tmp_path) as (first, second):
        own, _ = opened(first)
        other, _ = opened(second)
        listed = requests.get(f"{control(first)}/sessions", timeout=10).json()
        ids = [each["id"] for each in listed["sessions"]]
        assert ids == ["default", own, "r2.default", other]
        assert "unreachable" not in listed
        default = requests.get(f"{control(first)}/sessions/r2.default", timeout=10).json()
        assert default["base_url"] == second.url
        second.stop(signal.SIGKILL)
        listed = requests.get(f"{control(first)}/sessions", timeout=10).json()
        assert [each["id"] for each in listed["sessions"]] == ["default", own]
        assert listed["unreachable"] == ["r2"]
        gone = requests.get(f"{control(first)}/sessions/{other}", timeout=10)
        assert (gone.status_code, gone.json()["error"]["code"]) == (502, "GraphtapeReplicaGone")


def test_the_callers_token_goes_with_a_call_that_is_passed_on(tmp_path: Path) -> None:
    token = "not-a-real-control-token"
    shown = {"Authorization": f"Bearer {token}"}
    with pair(tmp_path, "--control-token", token) as (first, second):
        new = requests.post(f"{control(second)}/sessions", json={}, headers=shown, timeout=10)
        url = f"{control(first)}/sessions/{new.json()['id']}"
        assert requests.get(url, timeout=10).status_code == 401
        assert requests.get(url, headers=shown, timeout=10).status_code == 200


def test_one_proxy_alone_lists_its_sessions_as_ever(tmp_path: Path) -> None:
    with serving("replay", tape(tmp_path), cwd=tmp_path) as served:
        listed = requests.get(f"{control(served)}/sessions", timeout=10).json()
        assert list(listed) == ["sessions"]
        found, base = opened(served, id="plain")
        assert (found, base) == ("plain", f"{served.url}/_session/plain")
        dotted, _ = opened(served, id="r2.plain")
        assert requests.delete(f"{control(served)}/sessions/{dotted}", timeout=10).ok
