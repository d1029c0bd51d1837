"""`graphtape ca`."""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tls_servers import bare_environment

if TYPE_CHECKING:
    from pathlib import Path

# The command alone, with the errors of the whole command line.
SCRIPT = """
import sys
from graphtape.cli.ca import command
from graphtape.core.errors import GraphtapeError
try:
    command(prog_name="graphtape ca")
except GraphtapeError as exc:
    sys.exit(f"Error: {exc}")
"""


def ca(*arguments: str, data: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        env=bare_environment(GRAPHTAPE_DATA_DIR=str(data), **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_makes_the_ca_and_says_so_apart_from_the_data(tmp_path: Path) -> None:
    done = ca("--path", data=tmp_path)
    assert done.stdout == f"{tmp_path / 'ca' / 'ca.pem'}\n"
    assert (tmp_path / "ca" / "ca.pem").is_file()
    assert done.stderr.startswith("note: made a local CA: ")
    assert ca("--path", data=tmp_path).stderr == ""


def test_the_bundle_path_stands_alone(tmp_path: Path) -> None:
    assert ca("--bundle", data=tmp_path).stdout == f"{tmp_path / 'ca' / 'bundle.pem'}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_a_shell_takes_the_variables_by_eval(tmp_path: Path) -> None:
    data = tmp_path / "Application Support; $HOME"
    lines = ca("--env", data=data).stdout
    shown = subprocess.run(
        ["sh", "-c", f'eval {shlex.quote(lines)}; echo "$SSL_CERT_FILE|$NODE_EXTRA_CA_CERTS"'],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout
    assert shown == f"{data / 'ca' / 'bundle.pem'}|{data / 'ca' / 'ca.pem'}\n"
    assert len(lines.splitlines()) == 4


def test_the_table_names_what_each_runtime_reads(tmp_path: Path) -> None:
    shown = ca(data=tmp_path).stdout
    bundle, certificate = tmp_path / "ca" / "bundle.pem", tmp_path / "ca" / "ca.pem"
    for line in (
        f"REQUESTS_CA_BUNDLE={bundle}",
        f"SSL_CERT_FILE={bundle}",
        f"CURL_CA_BUNDLE={bundle}",
        f"NODE_EXTRA_CA_CERTS={certificate}",
        f"DENO_CERT={certificate}",
        "-Djavax.net.ssl.trustStore=FILE",
        "signs for    127.0.0.0/8, ::1, localhost",
    ):
        assert line in shown


def test_names_can_be_permitted_before_the_certificate_is_imported(tmp_path: Path) -> None:
    shown = ca("--tls-name", "graph.test", data=tmp_path, GRAPHTAPE_TLS_NAME="ignored.test").stdout
    assert "signs for    127.0.0.0/8, ::1, graph.test, localhost\n" in shown


def test_a_truststore_is_written(tmp_path: Path) -> None:
    store = tmp_path / "trust.p12"
    done = ca("--pkcs12", str(store), data=tmp_path)
    assert f"-Djavax.net.ssl.trustStore={store} " in done.stdout
    assert store.stat().st_size > 10_000


def test_a_truststore_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    done = ca("--pkcs12", str(tmp_path / "none" / "trust.p12"), data=tmp_path)
    assert done.returncode == 1
    assert "can't write" in done.stderr.splitlines()[-1]


def test_a_path_alone_and_a_truststore_are_not_asked_for_together(tmp_path: Path) -> None:
    done = ca("--path", "--pkcs12", "trust.p12", data=tmp_path)
    assert "leave --path out" in done.stderr


def test_a_data_folder_that_cannot_be_used_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = ca(data=tmp_path / "file")
    assert done.stdout == ""
    assert "set GRAPHTAPE_DATA_DIR" in done.stderr
    assert "Traceback" not in done.stderr
