"""The nginx configuration of docs/scale.md, before two replicas."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from commands import serving
from scaled import NGINX, READ, free_port, needs_nginx, opened, refused, state, tape, write

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs" / "scale.md"


def documented() -> str:
    (found,) = re.findall(r"```nginx\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    return str(found)


@contextmanager
def nginx(folder: Path, port: int, replicas: dict[str, str]) -> Iterator[str]:
    """Serve the documented configuration, with the addresses of here in place of its own."""
    http = documented().replace("listen 8787", f"listen 127.0.0.1:{port}")
    for name, url in replicas.items():
        assert f"{name}.test:8787" in http
        http = http.replace(f"{name}.test:8787", url.removeprefix("http://"))
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log stderr;\n"
        f"events {{}}\nhttp {{ access_log off; {paths}{http} }}\n"
    )
    with (folder / "nginx.log").open("wb") as log:
        command = [str(NGINX), "-p", str(folder), "-c", str(file)]
        process = subprocess.Popen(command, stderr=log)
    try:
        deadline = time.monotonic() + 20
        while refused(f"http://127.0.0.1:{port}"):
            assert process.poll() is None, (folder / "nginx.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)  # noqa: TID251 - waits for another process
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@needs_nginx
def test_nginx_leads_each_session_to_its_replica_and_a_dead_ones_to_502(tmp_path: Path) -> None:
    port = free_port()
    front = f"http://127.0.0.1:{port}"
    one, two = tmp_path / "one", tmp_path / "two"
    with (
        serving("replay", tape(one), "--replica", "r1", "--public-url", front, cwd=one) as first,
        serving("replay", tape(two), "--replica", "r2", "--public-url", front, cwd=two) as second,
        nginx(tmp_path, port, {"r1": first.url, "r2": second.url}) as url,
    ):
        found = [opened(served) for served in (first, second) for _ in range(3)]
        assert all(base == f"{url}/_session/{name}" for name, base in found)
        for _, base in found[::2]:
            assert write(base) == 200
        assert [state(base) for _, base in found] == ["after", "before"] * 3
        link = requests.get(found[1][1] + READ, timeout=10).json()["@odata.nextLink"]
        assert link == found[1][1] + READ
        assert requests.get(link, timeout=10).status_code == 200
        unknown = requests.get(f"{url}/_session/r9.x{READ}", timeout=10)
        assert unknown.status_code == 404
        assert "r9" in unknown.text
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait(20)
        statuses = [requests.get(base + READ, timeout=10).status_code for _, base in found]
        assert statuses == [502] * 3 + [200] * 3
