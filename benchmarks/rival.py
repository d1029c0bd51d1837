"""Others that answer the same requests, where they are installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import tape
from benchmarks.contestant import Contestant
from benchmarks.process import NotThere, by_port, folder, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.process import Served

_MITMPROXY = tape.CACHE / "mitmproxy"
_WIREMOCK = tape.CACHE / "wiremock"


def rivals(interactions: int) -> list[Contestant]:
    """Return them, each with a tape of that size."""
    ways = {"nginx": nginx, "mitmproxy": _mitmproxy, "WireMock": _wiremock}
    return [
        Contestant(name=name, interactions=interactions, serve=partial(serve, interactions))
        for name, serve in ways.items()
    ]


def install() -> None:
    """Fetch mitmproxy and WireMock into the cache; nginx and Java are the system's.

    mitmproxy has a venv of its own: what it pins clashes with Graphtape's.
    """
    tape.made_cache()
    if not (_MITMPROXY / "bin" / "mitmdump").exists():
        subprocess.run([sys.executable, "-m", "venv", str(_MITMPROXY)], check=True)
        subprocess.run([str(_MITMPROXY / "bin" / "pip"), "install", "-q", "mitmproxy"], check=True)
    if shutil.which("npm") is not None and _jar() is None:
        options = ("--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(_WIREMOCK))
        subprocess.run(["npm", "install", *options, "wiremock"], check=True)


@contextmanager
def nginx(interactions: int, *, server: bool = True) -> Iterator[Served]:
    """Run nginx with one worker over files that hold the bodies, and their headers."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise NotThere("nginx isn't installed; `apt-get install nginx-light` has it")
    with folder() as place:
        port = free_port()
        for number in range(interactions):
            file = place / "root" / tape.path(number).lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(tape.body(number))
        (place / "nginx.conf").write_text(_nginx_conf(place, port), encoding="utf-8")
        command = [program, "-p", str(place), "-c", str(place / "nginx.conf"), "-e", "stderr"]
        with by_port(command, port=port, place=place, server=server) as served:
            yield served


def _nginx_conf(place: Path, port: int) -> str:
    fields = "\n".join(
        f"    add_header {name} '{value}';"
        for name, value in tape.headers(0)
        if name != "content-type"
    )
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    kinds = dict(tape.headers(0))["content-type"]
    return f"""\
daemon off;
master_process off;
pid {place}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  open_file_cache max=10000 inactive=1h;
  open_file_cache_valid 1h;
{"".join(f"  {name}_temp_path {place}/{name};{chr(10)}" for name in temporary)}
  server {{
    listen 127.0.0.1:{port};
    root {place}/root;
    types {{ }}
    default_type '{kinds}';
{fields}
  }}
}}
"""


@contextmanager
def _mitmproxy(interactions: int) -> Iterator[Served]:
    own = _MITMPROXY / "bin" / "mitmdump"
    program = str(own) if own.exists() else shutil.which("mitmdump")
    if program is None:
        raise NotThere("mitmproxy isn't installed; --install fetches it")
    with folder() as place:
        port = free_port()
        settings = (
            "server_replay_reuse=true",
            "server_replay_extra=404",
            "server_replay_refresh=false",
            "connection_strategy=lazy",
            f"confdir={place}",
        )
        command = [
            *(program, "--quiet", "--listen-host", "127.0.0.1", "--listen-port", str(port)),
            *("--mode", f"reverse:{tape.GRAPH}", "--set", "keep_host_header=false"),
            *("--server-replay", str(tape.har(interactions))),
            *(part for setting in settings for part in ("--set", setting)),
        ]
        with by_port(command, port=port, place=place) as served:
            yield served


@contextmanager
def _wiremock(interactions: int) -> Iterator[Served]:
    jar = _jar()
    if shutil.which("java") is None:
        raise NotThere("WireMock needs Java, which isn't installed")
    if jar is None:
        raise NotThere("WireMock isn't installed; --install fetches it with npm")
    with folder() as place:
        port = free_port()
        (place / "mappings").mkdir()
        stubs = {"mappings": [_stub(number) for number in range(interactions)]}
        (place / "mappings" / "tape.json").write_text(json.dumps(stubs), encoding="utf-8")
        command = [
            *("java", "-jar", str(jar), "--root-dir", str(place), "--port", str(port)),
            *("--bind-address", "127.0.0.1", "--no-request-journal", "--disable-banner"),
            *("--disable-gzip", "--container-threads", str(8 * (os.cpu_count() or 1))),
        ]
        with by_port(command, port=port, place=place) as served:
            yield served


def _stub(number: int) -> dict[str, object]:
    return {
        "request": {"method": "GET", "url": tape.path(number)},
        "response": {
            "status": 200,
            "headers": dict(tape.headers(number)),
            "body": tape.body(number).decode(),
        },
    }


def _jar() -> Path | None:
    found = sorted(_WIREMOCK.glob("node_modules/wiremock/build/wiremock-standalone-*.jar"))
    return found[-1] if found else None
