"""Cassettes that are named by a URL, served by real servers on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from commands import graphtape, program, serving
from graphtape.tape.remote import is_url, shown
from scaled import READ, free_port, opened, refused, state, tape

if TYPE_CHECKING:
    from collections.abc import Iterator

FREE = ("--listen", "127.0.0.1:0", "--control", "127.0.0.1:0")
needs_fsspec = pytest.mark.skipif(
    find_spec("fsspec") is None, reason="needs fsspec: pip install 'graphtape[remote]'"
)


@contextmanager
def files_of(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a folder by HTTP; yield its URL, and what was asked."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if self.path.startswith("/broken"):
                self.send_error(500)
            else:
                super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def cache(tmp_path: Path) -> dict[str, str]:
    return {"GRAPHTAPE_CACHE_DIR": str(tmp_path / "cache")}


def kept(cache: dict[str, str]) -> list[Path]:
    return sorted(Path(cache["GRAPHTAPE_CACHE_DIR"], "remote").iterdir())


@needs_fsspec
def test_a_cassette_by_url_plays_and_is_called_by_its_url(
    tmp_path: Path, cache: dict[str, str]
) -> None:
    tape(tmp_path / "served")
    run = tmp_path / "run"
    run.mkdir()
    with files_of(tmp_path / "served") as (url, asked):
        name = f"{url}/tape.yaml"
        secret = name.replace("//", "//user:not-a-real-password@") + "?sig=not-a-real-signature"
        for _ in range(2):
            before = len(asked)
            with serving("replay", secret, "--report", "report.json", cwd=run, env=cache) as served:
                assert state(served.url) == "before"
                _, base = opened(served)
                assert state(base) == "before"
                health = requests.get(f"{served.ready['control']}/health", timeout=10).json()
                assert health["cassettes"] == [name]
                at_start = len(asked)
            assert len(asked) == at_start > before
            assert len(kept(cache)) == 1
            told = (run / "report.json").read_text(encoding="utf-8")
            assert json.loads(told)["cassettes"][0]["name"] == name
            assert f"replaying {name} (3 interactions)" in served.stderr
            assert "not-a-real" not in told + served.stderr


@needs_fsspec
def test_what_is_kept_is_the_users_alone_and_found_by_what_it_holds(
    tmp_path: Path, cache: dict[str, str]
) -> None:
    source = tape(tmp_path / "served")
    (tmp_path / "served" / "same.yaml").write_bytes(source.read_bytes())
    command = ("--", sys.executable, "-c", "pass")
    with files_of(tmp_path / "served") as (url, _):
        graphtape("replay", f"{url}/tape.yaml", *command, cwd=tmp_path, env=cache)
        (first,) = kept(cache)
        if sys.platform != "win32":
            assert first.stat().st_mode & 0o077 == 0
            assert first.parent.stat().st_mode & 0o077 == 0
        source.write_bytes(source.read_bytes().replace(b"after", b"later"))
        graphtape("replay", f"{url}/tape.yaml", *command, cwd=tmp_path, env=cache)
        assert len(kept(cache)) == 2


@needs_fsspec
@pytest.mark.skipif(sys.platform == "win32", reason="--workers needs fork")
def test_workers_share_a_cassette_by_url(tmp_path: Path, cache: dict[str, str]) -> None:
    tape(tmp_path / "served")
    with (
        files_of(tmp_path / "served") as (url, asked),
        serving("replay", f"{url}/tape.yaml", "--workers", "2", cwd=tmp_path, env=cache) as served,
    ):
        count = len(asked)
        assert [state(opened(served)[1]) for _ in range(2)] == ["before"] * 2
        assert len(asked) == count


@needs_fsspec
@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        pytest.param("{url}/none.yaml?key=not-a-real-key", 1, "no such cassette", id="missing"),
        pytest.param("{url}/broken.yaml", 1, "can't be read", id="refused"),
        pytest.param("{url}/text.yaml", 1, "{url}/text.yaml", id="no cassette"),
        pytest.param("http://127.0.0.1:{dead}/tape.yaml", 1, "can't be read", id="nobody there"),
        pytest.param("ftp://host/tape.yaml", 2, "s3://, az://, gs://", id="another scheme"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_line(
    tmp_path: Path, cache: dict[str, str], name: str, code: int, said: str
) -> None:
    tape(tmp_path / "served")
    (tmp_path / "served" / "text.yaml").write_text("just a text")
    with files_of(tmp_path / "served") as (url, _):
        places = {"url": url, "dead": free_port()}
        done = graphtape("replay", name.format(**places), *FREE, cwd=tmp_path, env=cache)
    assert done.returncode == code, done.stderr
    (line,) = [each for each in done.stderr.splitlines() if each.startswith("Error: ")]
    assert said.format(**places) in line
    assert "not-a-real" not in done.stderr
    assert "Traceback" not in done.stderr


def test_what_has_to_be_installed_is_said(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['fsspec'] = None\n"
        "from graphtape.cli import main\n"
        "main(['replay', 'https://host.test/tape.yaml'])"
    )
    done = program(code, cwd=tmp_path)
    assert done.returncode == 2
    assert "pip install 'graphtape[remote]'" in done.stderr


@pytest.mark.skipif(
    find_spec("s3fs") is None or find_spec("moto") is None,
    reason="needs s3fs and moto: pip install s3fs 'moto[server]'",
)
def test_a_cassette_in_a_bucket_plays(tmp_path: Path, cache: dict[str, str]) -> None:
    source = tape(tmp_path / "served")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while refused(url):
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)  # noqa: TID251 - waits for another process
        requests.put(f"{url}/tapes", timeout=30).raise_for_status()
        put = requests.put(f"{url}/tapes/load/one.yaml", data=source.read_bytes(), timeout=30)
        put.raise_for_status()
        env = cache | {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "not-a-real-key",
            "AWS_SECRET_ACCESS_KEY": "not-a-real-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        with serving("replay", "s3://tapes/load/one.yaml", cwd=tmp_path, env=env) as served:
            assert requests.get(served.url + READ, timeout=10).status_code == 200
        assert "replaying s3://tapes/load/one.yaml" in served.stderr
        none = graphtape("replay", "s3://tapes/none.yaml", *FREE, cwd=tmp_path, env=env)
        assert none.returncode == 1
        assert "no such cassette" in none.stderr
    finally:
        server.terminate()
        server.wait(20)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("s3://b/k.yaml", True),
        ("HTTPS://h/k.yaml", True),
        ("folder/tape.yaml", False),
        ("c:\\tape.yaml", False),
    ],
)
def test_urls_are_told_from_paths(name: str, *, expected: bool) -> None:
    assert is_url(name) is expected


def test_a_url_is_shown_without_what_grants_access() -> None:
    assert shown("HTTPS://u:p@host:8/a/b.yaml?sig=1#f") == "https://host:8/a/b.yaml"


def test_the_name_of_a_folder_is_no_url(tmp_path: Path) -> None:
    (tmp_path / "s3:").mkdir() if os.name != "nt" else None
    done = graphtape("replay", "./s3:/tape.yaml", *FREE, cwd=tmp_path)
    assert done.returncode == 1
    assert "no such cassette" in done.stderr
