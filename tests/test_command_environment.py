"""What a command run with `-- COMMAND` finds: its environment, streams, ports and words."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from commands import GRAPHTAPE, environment, graphtape
from graphtape.runner.command import environment as environment_of
from graphtape.server.http.ports import Addresses
from graphtape.server.tls.secured import Secured
from tapes import exchanged, taped

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HERE = Addresses(proxy="http://127.0.0.1:4001", control="http://127.0.0.1:4002")
LOOPBACK = "127.0.0.1,localhost,::1"
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows' variables have no case")
DUMP = "import json, os, sys; print(json.dumps({'env': dict(os.environ), 'words': sys.argv[1:]}))"


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return taped(tmp_path, exchanged("GET", "/v1.0/me"))


def dumped(
    folder: Path, *options: str, words: tuple[str, ...] = (), env: dict[str, str] | None = None
) -> tuple[dict[str, str], list[str]]:
    """Replay with a command that prints its environment and words."""
    python = ("--", sys.executable, "-c", DUMP, *words)
    done = graphtape("replay", "tape.yaml", *options, *python, cwd=folder, env=env)
    assert done.returncode == 3, done.stderr
    facts = json.loads(done.stdout)
    return facts["env"], facts["words"]


@posix
@pytest.mark.parametrize(
    ("inherited", "found"),
    [
        pytest.param({}, (LOOPBACK, LOOPBACK), id="neither"),
        pytest.param(
            {"NO_PROXY": "corp.example"},
            (f"corp.example,{LOOPBACK}", f"corp.example,{LOOPBACK}"),
            id="upper: lower would hide it",
        ),
        pytest.param(
            {"no_proxy": "corp.example"},
            (f"corp.example,{LOOPBACK}", f"corp.example,{LOOPBACK}"),
            id="lower",
        ),
        pytest.param(
            {"NO_PROXY": "a.example", "no_proxy": "b.example"},
            (f"a.example,{LOOPBACK}", f"b.example,{LOOPBACK}"),
            id="both: each keeps its own",
        ),
        pytest.param({"NO_PROXY": "*"}, ("*", "*"), id="all"),
        pytest.param({"NO_PROXY": ""}, (LOOPBACK, LOOPBACK), id="empty"),
        pytest.param(
            {"NO_PROXY": "LOCALHOST, corp.example,"},
            ("LOCALHOST, corp.example,127.0.0.1,::1", "LOCALHOST, corp.example,127.0.0.1,::1"),
            id="in part: any case, spaces, a last comma",
        ),
    ],
)
def test_loopback_is_added_to_no_proxy(
    inherited: Mapping[str, str], found: tuple[str, str]
) -> None:
    made = environment_of(inherited, HERE)
    assert (made["NO_PROXY"], made["no_proxy"]) == found


def test_a_proxy_that_listens_elsewhere_is_reached_directly_too() -> None:
    elsewhere = Addresses(proxy="http://build-7.example:4001", control=None)
    assert environment_of({}, elsewhere)["NO_PROXY"] == f"{LOOPBACK},build-7.example"


def test_under_tls_each_runtime_is_told_the_certificates() -> None:
    named = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE")
    roots = dict.fromkeys(named, "/ca/graphtape.pem")
    secured = Secured(context=ssl.create_default_context(), environment=roots)
    made = environment_of({"SSL_CERT_FILE": "/etc/own.pem"}, replace(HERE, secured=secured))
    assert {name: made[name] for name in named} == roots


def test_without_tls_no_certificates_are_named() -> None:
    made = environment_of({"SSL_CERT_FILE": "/etc/own.pem"}, HERE)
    assert made["SSL_CERT_FILE"] == "/etc/own.pem"
    assert "CURL_CA_BUNDLE" not in made


def test_the_rest_of_the_environment_is_kept(tmp_path: Path, tape: Path) -> None:
    assert tape.exists()
    found, _ = dumped(tmp_path, env={"GRAPHTAPE_SEED": "7", "OTHER": "x", "GRAPH_BASE_URL": "old"})
    assert found["GRAPHTAPE_SEED"] == "7"
    assert found["OTHER"] == "x"
    assert found["GRAPH_BASE_URL"].startswith("http://127.0.0.1:")
    assert found["GRAPHTAPE_CONTROL_URL"].startswith("http://127.0.0.1:")


def test_the_ports_are_free_ones_though_the_usual_are_taken(tmp_path: Path, tape: Path) -> None:
    assert tape.exists()
    taken = [socket.socket() for _ in range(2)]
    try:
        for sock, port in zip(taken, (8787, 8788), strict=True):
            with suppress(OSError):  # taken already
                sock.bind(("127.0.0.1", port))
                sock.listen()
        found, _ = dumped(tmp_path)
    finally:
        for sock in taken:
            sock.close()
    ports = {found[name].rpartition(":")[2] for name in ("GRAPH_BASE_URL", "GRAPHTAPE_CONTROL_URL")}
    assert len(ports) == 2
    assert not ports & {"8787", "8788"}


@pytest.mark.parametrize("by", ["flag", "variable", "file"])
def test_a_port_that_was_said_is_used(tmp_path: Path, tape: Path, by: str) -> None:
    assert tape.exists()
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    if by == "file":
        (tmp_path / "graphtape.toml").write_text(f'listen = "{address}"\n')
    options = ("--listen", address) if by == "flag" else ()
    env = {"GRAPHTAPE_LISTEN": address} if by == "variable" else {}
    found, _ = dumped(tmp_path, *options, env=env)
    assert found["GRAPH_BASE_URL"] == f"http://{address}"


def test_the_words_after_the_dashes_are_the_commands_own(tmp_path: Path, tape: Path) -> None:
    assert tape.exists()
    words = ("-x", "--status", "nonsense", "--", "--help", "", "two words", "$HOME;*")
    _, got = dumped(tmp_path, "--status", "failed", words=words)
    assert got == list(words)


def test_the_usage_line_names_the_command(tmp_path: Path) -> None:
    for name in ("record", "replay"):
        usage = graphtape(name, "--help", cwd=tmp_path).stdout.splitlines()[0]
        assert usage.endswith("[-- COMMAND ...]")


def test_streams_are_the_commands_own_byte_for_byte(tmp_path: Path, tape: Path) -> None:
    everything = bytes(range(256)) * 1000
    copy = (
        "import os, shutil, sys, urllib.request as u; "
        "u.urlopen(os.environ['GRAPH_BASE_URL'] + '/v1.0/me').close(); "
        "shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"
    )
    done = subprocess.run(
        [*GRAPHTAPE, "replay", tape, "--", sys.executable, "-c", copy],
        cwd=tmp_path,
        env=environment(),
        input=everything,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == everything
    # A line per request would stand in the middle of the command's own output.
    assert b"/v1.0/me 200" not in done.stderr


def test_the_ready_file_is_there_when_the_command_starts(tmp_path: Path, tape: Path) -> None:
    script = "import json, os; r = json.load(open('ready.json')); print(r['proxy'], r['pid'])"
    done = graphtape(
        *("replay", tape, "--ready-file", "ready.json", "--", sys.executable, "-c", script),
        cwd=tmp_path,
    )
    proxy, pid = done.stdout.split()
    assert proxy.startswith("http://127.0.0.1:")
    assert int(pid) != os.getpid()
