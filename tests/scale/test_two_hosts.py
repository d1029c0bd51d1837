"""Two network namespaces stand for two hosts: a replica on each, Redis on one of them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from commands import GRAPHTAPE, environment
from redis_servers import REDIS, needs_redis, needs_state
from scaled import READ, WRITE, tape

if TYPE_CHECKING:
    from pathlib import Path


def can_have_hosts() -> bool:
    """Tell whether network namespaces can be made here: that takes rights most users haven't."""
    if sys.platform != "linux" or shutil.which("ip") is None or os.geteuid() != 0:
        return False
    name = f"gt-{secrets.token_hex(3)}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    if made.returncode == 0:
        subprocess.run(["ip", "netns", "del", name], check=True)
    return made.returncode == 0


pytestmark = [
    needs_redis,
    needs_state,
    pytest.mark.skipif(not can_have_hosts(), reason="needs root and network namespaces of Linux"),
]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Hosts:
    """Two hosts on one wire: the first is 10.77.0.1, the second 10.77.0.2."""

    def __init__(self, stack: ExitStack) -> None:
        tag = secrets.token_hex(3)
        self.names = [f"gt{tag}a", f"gt{tag}b"]
        for name in self.names:
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
        ends = [f"v{tag}a", f"v{tag}b"]
        ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for number, (name, end) in enumerate(zip(self.names, ends, strict=True), 1):
            ip("link", "set", end, "netns", name)
            for words in (
                ("addr", "add", f"10.77.0.{number}/24", "dev", end),
                ("link", "set", end, "up"),
                ("link", "set", "lo", "up"),
            ):
                ip("-n", name, *words)

    def on(self, host: int, *words: str) -> list[str]:
        return ["ip", "netns", "exec", self.names[host], *words]

    def ask(self, host: int, method: str, url: str) -> tuple[int, object]:
        """Ask with curl on a host; return status and body."""
        done = subprocess.run(
            self.on(
                host, "curl", "-sS", "--noproxy", "*", "-w", "\n%{http_code}", "-X", method, url
            ),
            capture_output=True,
            check=True,
            text=True,
            timeout=30,
        )
        body, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(body)


def started(stack: ExitStack, command: list[str], cwd: Path) -> subprocess.Popen[bytes]:
    with (cwd / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, cwd=cwd, env=environment(), stdout=log, stderr=log)
    stack.callback(process.wait, 20)
    stack.callback(process.terminate)
    return process


def until(path: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 40
    while not path.exists():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)  # noqa: TID251 - waits for another process


def test_a_session_is_one_on_two_hosts(tmp_path: Path) -> None:
    with ExitStack() as stack:
        hosts = Hosts(stack)
        own = tmp_path / "redis"
        own.mkdir()
        options = ("--bind", "10.77.0.1", "--protected-mode", "no", "--save", "")
        redis = hosts.on(0, str(REDIS), *options, "--unixsocket", str(own / "up.sock"))
        until(own / "up.sock", started(stack, redis, own), own / "log.txt")
        urls = []
        for host in range(2):
            place = tmp_path / f"host{host}"
            file, ready = tape(place), place / "ready.json"
            run = (
                *GRAPHTAPE,
                *("replay", str(file), "--state", "redis://10.77.0.1:6379/3"),
                *("--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "-q"),
                *("--ready-file", str(ready)),
            )
            process = started(stack, hosts.on(host, *run), place)
            until(ready, process, place / "log.txt")
            urls.append(json.loads(ready.read_text())["proxy"])

        def state(host: int) -> object:
            _, body = hosts.ask(host, "GET", urls[host] + READ)
            assert isinstance(body, dict)
            return body["state"]

        assert [state(host) for host in (0, 1, 0)] == ["before"] * 3
        assert hosts.ask(1, "POST", urls[1] + WRITE) == (200, {"value": "inprogress"})
        assert [state(host) for host in (0, 1)] == ["after"] * 2
        assert hosts.ask(0, "POST", urls[0] + WRITE)[0] == 599
        # The wire is cut: who has no Redis any more says so, the other goes on.
        ip("-n", hosts.names[1], "link", "set", "lo", "up")
        end = f"v{hosts.names[1][2:]}"
        ip("-n", hosts.names[1], "link", "set", end, "down")
        status, told = hosts.ask(1, "GET", urls[1] + READ)
        assert status == 599
        assert isinstance(told, dict)
        assert told["error"]["code"] == "GraphtapeStateUnavailable"
        assert state(0) == "after"
