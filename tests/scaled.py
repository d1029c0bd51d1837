"""Proxies that sessions are divided among, and what the tests ask of them."""

from __future__ import annotations

import json
import re
import shutil
import socket
from typing import TYPE_CHECKING

import pytest
import requests

from tapes import exchanged, taped

if TYPE_CHECKING:
    from pathlib import Path

    from commands import Serving

JSON = {"Content-Type": "application/json"}
READ = "/v1.0/users/17"
WRITE = "/beta/deviceManagement/chromeOSOnboardingSettings/disconnect"

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="needs nginx: apt-get install nginx")


def tape(folder: Path) -> Path:
    """Write a cassette: a read, a write, and what the read answers after it."""
    folder.mkdir(exist_ok=True)
    link = json.dumps({"state": "before", "@odata.nextLink": f"https://graph.microsoft.com{READ}"})
    return taped(
        folder,
        exchanged("GET", READ, link, fields=JSON),
        exchanged("POST", WRITE, '{"value": "inprogress"}', fields=JSON),
        exchanged("GET", READ, '{"state": "after"}', fields=JSON),
    )


def control(served: Serving) -> str:
    return str(served.ready["control"])


def opened(served: Serving, **wish: object) -> tuple[str, str]:
    """Open a session; return its id and its base URL."""
    got = requests.post(f"{control(served)}/sessions", json=wish, timeout=10)
    assert got.status_code == 201, got.text
    assert got.headers["Location"] == f"/sessions/{got.json()['id']}"
    return got.json()["id"], got.json()["base_url"]


def state(base: str) -> str:
    """Ask where a session's tape stands."""
    return str(requests.get(base + READ, timeout=10).json()["state"])


def write(base: str) -> int:
    """Move a session's tape on; return the status."""
    return requests.post(base + WRITE, timeout=10).status_code


def workers(served: Serving) -> dict[str, int]:
    """Return the process of each worker, as the log of its start has them. It is read to there."""
    found: dict[str, int] = {}
    assert served.process.stderr is not None
    for line in served.process.stderr:
        named = re.fullmatch(r"worker (w\d+) on http\S+, process (\d+)\n", line)
        if named is not None:
            found[named[1]] = int(named[2])
        if line.startswith("stop with"):
            return found
    raise AssertionError(found)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def refused(url: str) -> bool:
    """Tell whether nothing listens at a URL's port any more."""
    host, _, port = url.split("/")[2].partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except ConnectionResetError:  # it is about to be closed
        return False
    except ConnectionRefusedError:
        return True
    return False
