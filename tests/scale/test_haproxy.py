"""The HAProxy configuration of docs/scale.md, before replicas that share their sessions."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from commands import serving
from redis_servers import needs_redis, needs_state, redis_in
from scaled import READ, WRITE, free_port, opened, refused, state, tape, write

DOCS = Path(__file__).parents[2] / "docs" / "scale.md"
HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")

pytestmark = [
    needs_redis,
    needs_state,
    pytest.mark.skipif(HAPROXY is None, reason="needs haproxy: apt-get install haproxy"),
]


def documented(port: int, urls: list[str]) -> str:
    """Return the documented configuration, with the addresses of here in place of its own."""
    (text,) = re.findall(r"```haproxy\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    text = re.sub(r"resolvers docker\n.*\n", "", text)
    servers = [
        f"    server graph{number} {url.removeprefix('http://')} check"
        for number, url in enumerate(urls)
    ]
    text, found = re.subn(r" *server-template .*", "\n".join(servers), text)
    assert found == 1
    assert "bind :8787" in text
    return text.replace("bind :8787", f"bind 127.0.0.1:{port}")


def test_a_balancer_of_connections_may_stand_before_replicas(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        # The path of a unix socket is short.
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(redis_in(place / "redis"))
        found = []
        for number in range(3):
            own = tmp_path / f"r{number}"
            run = ("replay", tape(own), "--state", redis.url, "--public-url", url, "-q")
            found.append(stack.enter_context(serving(*run, cwd=own)))
        file = tmp_path / "haproxy.cfg"
        file.write_text(documented(port, [served.url for served in found]))
        process = subprocess.Popen([str(HAPROXY), "-f", str(file)], stderr=subprocess.DEVNULL)
        stack.callback(process.wait, 20)
        stack.callback(process.terminate)
        deadline = time.monotonic() + 20
        while refused(url):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)  # noqa: TID251 - waits for another process
        name, base = opened(found[0])
        assert base == f"{url}/_session/{name}"
        for session in (url, base):
            assert [state(session) for _ in range(4)] == ["before"] * 4
            assert write(session) == 200
            assert [state(session) for _ in range(4)] == ["after"] * 4
            assert write(session) == 599
    assert [READ in served.stderr or WRITE in served.stderr for served in found].count(True) >= 1
