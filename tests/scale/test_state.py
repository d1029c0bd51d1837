"""`replay --state`: one session on several replicas, with a real redis-server."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
import trustme

from commands import graphtape, program, serving
from graphtape.core.tape.steps import LEASE
from proxies import exchange
from redis_servers import REDIS, needs_redis, needs_state, redis_in
from scaled import JSON, READ, WRITE, control, free_port, opened, refused, state, tape, workers
from tapes import exchanged, taped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from commands import Serving
    from redis_servers import Redis

pytestmark = [needs_redis, needs_state]

ALONE = "/v1.0/organization"
"""A read that has one answer."""

FREE = ("--listen", "127.0.0.1:0", "--control", "127.0.0.1:0")


@pytest.fixture
def redis() -> Iterator[Redis]:
    # The path of a unix socket is short.
    with tempfile.TemporaryDirectory() as folder, redis_in(Path(folder)) as server:
        yield server


def long_tape(folder: Path, writes: int) -> Path:
    """Write a cassette in which a read has another answer after each write."""
    folder.mkdir(exist_ok=True)
    interactions = [exchanged("GET", ALONE, '{"state": "alone"}', fields=JSON)]
    for number in range(writes):
        interactions += [
            exchanged("GET", READ, json.dumps({"state": f"{number}"}), fields=JSON),
            exchanged("POST", WRITE, json.dumps({"value": number}), fields=JSON),
        ]
    return taped(folder, *interactions)


@contextmanager
def replicas(
    folder: Path, redis: Redis, many: int, *options: str, writes: int = 30
) -> Iterator[list[Serving]]:
    with ExitStack() as stack:
        found = []
        for number in range(many):
            place = folder / f"r{number}"
            file = str(long_tape(place, writes))
            run = ("replay", file, "--state", redis.url, "-q", *options)
            found.append(stack.enter_context(serving(*run, cwd=place)))
        yield found


def value(url: str) -> int | None:
    """Write; return which answer it is, None of a miss."""
    answer = requests.post(url + WRITE, timeout=20)
    if answer.status_code == 599:
        assert answer.json()["error"]["code"] == "GraphtapeMiss"
        return None
    assert answer.status_code == 200, answer.text
    return int(answer.json()["value"])


def code_of(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_client_that_alternates_sees_the_order_of_the_tape(tmp_path: Path, redis: Redis) -> None:
    with replicas(tmp_path, redis, 3, "--fail-on-unused") as found:
        one = random.Random(7)
        for number in range(30):
            for _ in range(3):
                assert state(one.choice(found).url) == str(number)
            assert value(one.choice(found).url) == number
        assert requests.get(one.choice(found).url + ALONE, timeout=10).status_code == 200
        told = requests.get(f"{control(found[1])}/sessions/default/report", timeout=20).json()
        assert told["requests"] == told["replayed"] == 121
        assert told["unused"] == {}
    assert [served.code for served in found] == [0, 0, 0]


def test_each_write_is_given_once_however_many_ask(tmp_path: Path, redis: Redis) -> None:
    with replicas(tmp_path, redis, 2, writes=60) as found, ThreadPoolExecutor(16) as pool:
        urls = [served.url for served in found]
        values = list(pool.map(lambda n: value(urls[n % 2]), range(70)))
        assert sorted(v for v in values if v is not None) == list(range(60))
        assert values.count(None) == 10
        told = requests.get(f"{control(found[0])}/sessions/default/report", timeout=20).json()
        assert (told["replayed"], told["missed"]) == (60, 10)
        assert sum(miss["times"] for miss in told["misses"]) == 10


def test_sessions_are_everywhere_and_end_everywhere(tmp_path: Path, redis: Redis) -> None:
    with replicas(tmp_path, redis, 2) as (first, second):
        name, base = opened(first, status="failed", scenario=[])
        other = base.replace(first.url, second.url)
        assert state(other) == "0"
        assert value(base) == 0
        assert state(other) == "1"
        taken = requests.post(f"{control(second)}/sessions", json={"id": name}, timeout=10)
        assert code_of(taken) == (409, "GraphtapeSessionInUse")
        assert requests.post(f"{control(second)}/sessions/{name}/rewind", timeout=10).ok
        assert state(base) == "0"
        assert requests.get(f"{other}/v1.0/groups", timeout=10).status_code == 599
        report = requests.delete(f"{control(second)}/sessions/{name}", timeout=10).json()
        assert (report["requests"], report["missed"]) == (5, 1)
        for gone in (base, other):
            answer = requests.get(gone + READ, timeout=10)
            assert code_of(answer) == (404, "GraphtapeUnknownSession")


def test_a_direction_holds_at_once_for_reads_that_ask_nobody_too(
    tmp_path: Path, redis: Redis
) -> None:
    with replicas(tmp_path, redis, 2) as (first, second):
        assert requests.get(second.url + ALONE, timeout=10).status_code == 200
        url = f"{control(first)}/sessions/default/scenario"
        rules = [{"calls": {"every": 2}, "answer": {"status": 503}}]
        said = requests.put(url, json={"name": "mine", "rules": rules}, timeout=10)
        assert said.json() == {"scenario": ["mine"], "status": []}
        statuses = [
            requests.get(served.url + ALONE, timeout=10).status_code
            for served in (second, first, first, second)
        ]
        assert statuses == [200, 503, 200, 503]
        assert requests.delete(url, timeout=10).status_code == 204
        assert requests.get(second.url + ALONE, timeout=10).status_code == 200
        assert requests.get(second.url + ALONE, timeout=10).status_code == 200


def test_one_who_joins_later_goes_on_where_the_tape_is(tmp_path: Path, redis: Redis) -> None:
    with replicas(tmp_path, redis, 1) as (first,):
        assert [value(first.url) for _ in range(4)] == [0, 1, 2, 3]
        place = tmp_path / "late"
        run = ("replay", long_tape(place, 30), "--state", redis.url)
        with serving(*run, cwd=place) as late:
            assert state(late.url) == "4"
            assert value(late.url) == 4
        assert value(first.url) == 5
    with replicas(tmp_path, redis, 1) as (first,):  # all had left: the tape is at its start
        assert value(first.url) == 0
    assert redis.ask("KEYS", "*") == b"*0\r\n"


def test_journal_and_sessions_are_of_all_replicas(tmp_path: Path, redis: Redis) -> None:
    with replicas(tmp_path, redis, 2) as (first, second):
        name, base = opened(first)
        listed = requests.get(f"{control(second)}/sessions", timeout=20).json()["sessions"]
        assert [each["id"] for each in listed] == ["default", name]
        state(base)
        value(base.replace(first.url, second.url))
        url = f"{control(second)}/sessions/{name}/journal"
        page = requests.get(url, timeout=20).json()
        assert sorted(each["method"] for each in page["entries"]) == ["GET", "POST"]
        assert (page["next"], page["gone"]) == (2, 0)
        state(base)
        more = requests.get(f"{url}?after=2", timeout=20).json()
        assert [each["method"] for each in more["entries"]] == ["GET"]
        assert more["next"] == 3


@pytest.mark.parametrize("option", ["--replica", "--peers"])
def test_every_replica_serves_all_so_that_none_has_a_name(tmp_path: Path, option: str) -> None:
    value = "r1" if option == "--replica" else "r2=http://r2:8788"
    run = ("replay", tape(tmp_path), "--state", "redis://127.0.0.1:1", option, value)
    done = graphtape(*run, *FREE, cwd=tmp_path)
    assert done.returncode == 2
    assert option in done.stderr.splitlines()[-1]


def test_the_public_url_is_that_of_every_session(tmp_path: Path, redis: Redis) -> None:
    with replicas(tmp_path, redis, 1, "--public-url", "http://front.test:8787") as (served,):
        name, base = opened(served)
        assert base == f"http://front.test:8787/_session/{name}"


@pytest.mark.parametrize("url", ["localhost:6379", "http://127.0.0.1:6379", "redis:///nodb"])
def test_what_is_no_redis_is_said_in_a_line(tmp_path: Path, url: str) -> None:
    done = graphtape("replay", tape(tmp_path), "--state", url, *FREE, cwd=tmp_path)
    assert done.returncode == 2
    assert "--state takes redis://" in done.stderr.splitlines()[-1]


def test_a_redis_that_is_not_there_ends_the_start(tmp_path: Path) -> None:
    url = f"redis://:not-a-real-password@127.0.0.1:{free_port()}/0"
    done = graphtape("replay", tape(tmp_path), "--state", url, *FREE, cwd=tmp_path)
    assert done.returncode == 1
    assert "can't be connected to" in done.stderr
    assert "not-a-real" not in done.stderr


def test_another_tape_or_option_is_refused(tmp_path: Path, redis: Redis) -> None:
    with replicas(tmp_path, redis, 1):
        other = tape(tmp_path / "other")
        done = graphtape("replay", other, "--state", redis.url, *FREE, cwd=tmp_path)
        assert done.returncode == 1
        assert "GraphtapeTapeDiffers" in done.stderr
        same = tmp_path / "r0" / "tape.yaml"
        done = graphtape(
            "replay", same, "--state", redis.url, "--status", "failed", *FREE, cwd=tmp_path
        )
        assert done.returncode == 1
        assert "GraphtapeTapeDiffers" in done.stderr
        run = ("replay", other, "--state", redis.url, "--session", "another")
        with serving(*run, cwd=tmp_path) as served:
            assert state(served.url) == "before"


def test_without_redis_what_has_one_answer_goes_on(tmp_path: Path, redis: Redis) -> None:
    with replicas(tmp_path, redis, 1, "--report", "report.json") as (served,):
        assert value(served.url) == 0
        redis.kill()
        for _ in range(2):
            refused = requests.post(served.url + WRITE, timeout=20)
            assert code_of(refused) == (599, "GraphtapeStateUnavailable")
            assert requests.get(served.url + ALONE, timeout=10).status_code == 200
    assert served.code == 1
    told = json.loads((tmp_path / "r0" / "report.json").read_text(encoding="utf-8"))
    assert "can't be reached" in str(told["failures"])


def test_a_redis_that_stands_still_is_given_up_in_time(tmp_path: Path, redis: Redis) -> None:
    with replicas(tmp_path, redis, 1) as (served,):
        assert value(served.url) == 0
        redis.process.send_signal(signal.SIGSTOP)
        refused = requests.post(served.url + WRITE, timeout=30)
        redis.process.send_signal(signal.SIGCONT)
        assert code_of(refused) == (599, "GraphtapeStateUnavailable")
    assert served.code == 1


def test_a_redis_that_comes_back_empty_never_begins_the_tape_anew(
    tmp_path: Path, redis: Redis
) -> None:
    with replicas(tmp_path, redis, 2) as found:
        assert value(found[0].url) == 0
        redis.restart()
        codes = set()
        for served in found * 4:
            answer = requests.post(served.url + WRITE, timeout=20)
            codes.add(code_of(answer)[1])
            assert answer.status_code == 599
        assert codes <= {"GraphtapeSessionLost", "GraphtapeStateUnavailable"}
        assert "GraphtapeSessionLost" in codes
    assert [served.code for served in found] == [1, 1]


def test_nothing_of_tape_secret_or_identity_lies_in_redis(tmp_path: Path, redis: Redis) -> None:
    canary = "not-a-real-canary"
    heard = bytearray()
    place = tmp_path / "r"
    place.mkdir()
    file = taped(
        place,
        exchanged("GET", f"/v1.0/users/{canary}", json.dumps({"id": canary}), fields=JSON),
        exchanged("POST", f"/v1.0/users/{canary}/send", json.dumps({"v": canary}), fields=JSON),
        exchanged("GET", f"/v1.0/users/{canary}", json.dumps({"name": canary}), fields=JSON),
    )
    with serving("replay", file, "--state", redis.url, cwd=place) as served:
        auth = {"Authorization": f"Bearer {canary}"}
        for method, path in (
            ("GET", f"/v1.0/users/{canary}"),
            ("POST", f"/v1.0/users/{canary}/send"),
            ("GET", f"/v1.0/users/{canary}?$top=1"),
        ):
            requests.request(method, served.url + path, headers=auth, timeout=10)
        requests.post(served.url + WRITE, headers=auth, json={canary: canary}, timeout=10)
        for part in ("m", "l", "p"):
            heard += redis.ask("DUMP", f"gt:{{default}}:{part}")
        heard += redis.ask("LRANGE", "gt:{default}:l", "0", "-1")
        heard += redis.ask("HGETALL", "gt:{default}:m") + redis.ask("KEYS", "*")
        assert redis.ask("LLEN", "gt:{default}:l") != b":0\r\n"
    assert canary.encode() not in heard
    assert b"users" not in heard


def test_what_a_killed_replica_had_reserved_is_given_after_the_lease(
    tmp_path: Path, redis: Redis
) -> None:
    rules = tmp_path / "slow.yaml"
    rules.write_text(
        "name: slow\nrules:\n- {when: {method: POST}, calls: {nth: 1}, delay: {fixed: 60s}}\n"
    )
    with replicas(tmp_path, redis, 2, "--scenario", str(rules)) as (first, second):
        asked = threading.Thread(
            target=lambda: exchange(first.url, f"POST {WRITE} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        )
        asked.start()
        while b":1\r\n" not in redis.ask("LLEN", "gt:{default}:l"):
            pass
        first.process.kill()
        asked.join(20)
        assert value(second.url) == 1
        deadline = time.monotonic() + 60
        found = value(second.url)
        others = [found]
        while found != 0:  # as soon as the lease is over, once
            assert time.monotonic() < deadline
            time.sleep(2)  # noqa: TID251 - waits for a lease
            found = value(second.url)
            others.append(found)
        others.append(value(second.url))
        assert len(set(others)) == len(others)


def test_redis_over_tls_with_a_password_and_a_database(tmp_path: Path) -> None:
    ca, port = trustme.CA(), free_port()
    leaf = ca.issue_cert("127.0.0.1")
    roots, chain, key = (tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem"))
    ca.cert_pem.write_to_path(str(roots))
    chain.write_bytes(b"".join(each.bytes() for each in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(str(key))
    server = subprocess.Popen(
        [
            str(REDIS),
            *("--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no", "--save", ""),
            *("--tls-cert-file", str(chain), "--tls-key-file", str(key)),
            *("--tls-ca-cert-file", str(roots), "--requirepass", "not-a-real-password"),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 20
        while refused(f"http://127.0.0.1:{port}"):
            if server.poll() is not None:
                pytest.skip("needs a redis-server that is built with TLS")
            assert time.monotonic() < deadline
            time.sleep(0.05)  # noqa: TID251 - waits for another process
        url = f"rediss://:not-a-real-password@127.0.0.1:{port}/2?ssl_ca_certs={roots}"
        with serving("replay", long_tape(tmp_path, 3), "--state", url, cwd=tmp_path) as served:
            assert [value(served.url) for _ in range(4)] == [0, 1, 2, None]
        wrong = url.replace("not-a-real", "another")
        done = graphtape("replay", tmp_path / "tape.yaml", "--state", wrong, *FREE, cwd=tmp_path)
        assert done.returncode == 1
        assert "another-password" not in done.stderr
    finally:
        server.terminate()
        server.wait(20)


@pytest.mark.skipif(sys.platform == "win32", reason="--workers needs fork")
def test_workers_share_one_port_and_every_session(tmp_path: Path, redis: Redis) -> None:
    run = ("replay", long_tape(tmp_path, 40), "--state", redis.url, "--workers", "3")
    with serving(*run, "--report", "report.json", cwd=tmp_path) as served:
        # Connections of their own: the system spreads those among the workers.
        assert [value(served.url) for _ in range(20)] == list(range(20))
        with ThreadPoolExecutor(8) as pool:
            values = sorted(pool.map(lambda _: value(served.url) or 0, range(20)))
        assert values == list(range(20, 40))
        name, base = opened(served)
        assert base == f"{served.url}/_session/{name}"
        for number in range(5):
            assert state(base) == str(number)
            assert value(base) == number
        url = f"{control(served)}/sessions"
        listed = requests.get(url, timeout=20).json()["sessions"]
        assert [each["id"] for each in listed] == ["default", name]
        told = requests.get(f"{url}/{name}/report", timeout=20).json()
        assert told["requests"] == 10
        assert requests.delete(f"{url}/{name}", timeout=20).json()["requests"] == 10
        assert requests.get(f"{url}/{name}", timeout=20).status_code == 404
    assert served.code == 0, served.stderr
    told = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert told["replayed"] == 40
    assert [(each["session"], each["replayed"]) for each in told["sessions"]] == [(name, 10)]


@pytest.mark.skipif(sys.platform == "win32", reason="--workers needs fork")
def test_a_killed_worker_takes_no_session_with_it(tmp_path: Path, redis: Redis) -> None:
    run = ("replay", long_tape(tmp_path, 40), "--state", redis.url, "--workers", "3", "-q")
    with serving(*run, cwd=tmp_path) as served:
        processes = workers(served)
        assert value(served.url) == 0
        os.kill(processes["w1"], signal.SIGKILL)
        deadline = time.monotonic() + 20
        while True:  # a connection that its port had taken is lost with it
            try:
                assert value(served.url) == 1
                break
            except requests.ConnectionError:
                assert time.monotonic() < deadline
        assert [value(served.url) for _ in range(10)] == list(range(2, 12))
    assert served.code == 1
    assert "worker w1 was ended by SIGKILL" in served.stderr


@pytest.mark.timeout(900)
def test_killed_replicas_lose_no_write_and_give_none_twice(tmp_path: Path, redis: Redis) -> None:
    kills = 50 if os.environ.get("GRAPHTAPE_FULL") else 2
    writes = 60 * kills
    stop = threading.Event()
    whole: list[int] = []
    broken = 0
    with ExitStack() as stack:

        def start(number: int) -> Serving:
            place = tmp_path / f"r{number % 3}"
            run = ("replay", str(long_tape(place, writes)), "--state", redis.url, "-q")
            return stack.enter_context(serving(*run, cwd=place))

        served = [start(number) for number in range(3)]

        def load(which: int) -> int:
            lost = 0
            while not stop.is_set():
                try:
                    answer = requests.post(served[which % 3].url + WRITE, timeout=20)
                except requests.ConnectionError:
                    lost += 1
                    time.sleep(0.05)  # noqa: TID251 - its replica is dead
                    continue
                if answer.status_code == 200:
                    whole.append(int(answer.json()["value"]))
                # The tape is to last for all kills, and nobody reads what a miss prints.
                time.sleep(0.02 if answer.status_code == 200 else 1)  # noqa: TID251
            return lost

        with ThreadPoolExecutor(4) as pool:
            loads = [pool.submit(load, number) for number in range(4)]
            for kill in range(kills):
                before = len(whole)
                deadline = time.monotonic() + 20
                while len(whole) < min(before + 3, writes) and time.monotonic() < deadline:
                    time.sleep(0.01)  # noqa: TID251 - waits for the load
                served[kill % 3].process.kill()
                served[kill % 3].process.wait(10)
                served[kill % 3] = start(kill)
            stop.set()
            broken = sum(each.result() for each in loads)
        time.sleep(LEASE + 1)  # noqa: TID251 - waits for what the dead had reserved
        while (found := value(served[0].url)) is not None:
            whole.append(found)
    assert len(whole) == len(set(whole))
    # One that was committed as its replica died may have gone with the connection.
    assert len(set(range(writes)) - set(whole)) <= min(broken, kills * 2)


def test_recording_into_a_shared_state_is_refused(tmp_path: Path) -> None:
    done = graphtape("record", "new.yaml", "--state", "redis://127.0.0.1:1", *FREE, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = [each for each in done.stderr.splitlines() if each.startswith("Error")]
    assert "one writer" in line
    (tmp_path / "graphtape.toml").write_text('state = "redis://127.0.0.1:1"')
    done = graphtape("record", "new.yaml", "--upstream", "sandbox", *FREE, cwd=tmp_path)
    assert done.returncode == 2
    assert "one writer" in done.stderr


def test_what_has_to_be_installed_is_said(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['hiredis'] = None\n"
        "from graphtape.cli import main\n"
        f"main(['replay', 'tape.yaml', '--state', 'redis://127.0.0.1:1', *{FREE!r}])"
    )
    tape(tmp_path)
    done = program(code, cwd=tmp_path)
    assert done.returncode == 2
    assert "pip install 'graphtape[state]'" in done.stderr
