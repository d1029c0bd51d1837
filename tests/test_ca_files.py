"""The local CA on disk: made once, kept private, renewed and widened; and its bundles."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import certifi
import pytest
from filelock import FileLock

from graphtape.core.errors import GraphtapeError
from graphtape.server.tls import Authority, AuthorityError
from graphtape.server.tls.issuer import CA_LIFE
from tls_servers import (
    ANSWER,
    bare_environment,
    fetch,
    on_modes,
    opened,
    served,
    strict_client,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def no_roots_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        monkeypatch.delenv(name, raising=False)


def root(folder: Path) -> Path:
    """Return a root that is none of ours, as a company has one."""
    other = Authority.open(folder / "company", say=lambda _: None)
    path = folder / "company.pem"
    path.write_bytes(other.certificate.read_bytes())
    return path


def certificates(path: Path | str) -> list[bytes]:
    """Return the certificates of a PEM file as DER, which compares."""
    text = Path(path).read_text(encoding="utf-8")
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----", text)
    return [ssl.PEM_cert_to_DER_cert(block) for block in blocks]


OPEN = """
import sys
from pathlib import Path
from graphtape.server.tls import Authority
sys.stdin.readline()
authority = Authority.open(Path(sys.argv[1]), say=lambda line: print(line, file=sys.stderr))
authority.server_context([sys.argv[2]])
print(authority._issuer.certificate.subject.rfc4514_string())
"""


def test_processes_that_start_at_once_agree_on_one_ca(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "ca"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(folder), f"name{number}.test"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=60) for process in processes]
    assert len({out for out, _ in ended}) == 1, ended
    assert sum("made a local CA" in err for _, err in ended) == 1
    permitted = Authority.open(folder, say=lambda _: None).permitted
    assert {f"name{number}.test" for number in range(8)} <= set(permitted)


def test_it_is_made_once(tmp_path: Path) -> None:
    said: list[str] = []
    first = Authority.open(tmp_path / "ca", say=said.append).certificate.read_bytes()
    again = Authority.open(tmp_path / "ca", say=said.append).certificate.read_bytes()
    assert first == again
    assert len(said) == 1


def test_it_lies_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHTAPE_DATA_DIR", str(tmp_path / "data"))
    assert Authority.open(say=lambda _: None).certificate == tmp_path / "data" / "ca" / "ca.pem"


@on_modes
def test_key_and_folder_are_their_owners_alone(tmp_path: Path) -> None:
    opened(tmp_path)
    folder = tmp_path / "ca"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "ca-key.pem").stat().st_mode & 0o777 == 0o600


@on_modes
@pytest.mark.parametrize(
    ("name", "mode", "closed"), [("ca-key.pem", 0o644, 0o600), (".", 0o777, 0o700)]
)
def test_rights_of_others_are_taken_away_and_said(
    name: str, mode: int, closed: int, tmp_path: Path
) -> None:
    opened(tmp_path)
    path = tmp_path / "ca" / name
    path.chmod(mode)
    said: list[str] = []
    Authority.open(tmp_path / "ca", say=said.append)
    assert path.stat().st_mode & 0o777 == closed
    assert len(said) == 1
    assert "by others" in said[0]


def test_it_is_opened_without_a_lock_where_nothing_is_to_change(tmp_path: Path) -> None:
    opened(tmp_path)
    with FileLock(tmp_path / "ca" / ".lock"):
        opened(tmp_path)  # else it would wait for thirty seconds, or on a read-only disk for ever


def test_a_process_killed_between_key_and_certificate_leaves_a_ca_that_can_be_used(
    tmp_path: Path,
) -> None:
    first = opened(tmp_path)
    key = (tmp_path / "ca" / "ca-key.pem").read_bytes()
    first.certificate.unlink()
    with served(opened(tmp_path).server_context()) as port:
        assert fetch("localhost", port, strict_client(first)) == ANSWER
    assert (tmp_path / "ca" / "ca-key.pem").read_bytes() == key


def test_one_about_to_end_is_renewed_and_said(tmp_path: Path) -> None:
    first = opened(tmp_path)
    later = datetime.now(UTC) + CA_LIFE - timedelta(days=60)
    said: list[str] = []
    second = Authority.open(tmp_path / "ca", say=said.append, clock=lambda: later)
    assert second.ends > first.ends + timedelta(days=365)
    assert len(said) == 1
    assert f"ends on {first.ends:%Y-%m-%d}; its certificate is made anew" in said[0]


def test_who_trusts_the_certificate_from_before_goes_on(tmp_path: Path) -> None:
    old = strict_client(opened(tmp_path))
    later = datetime.now(UTC) + CA_LIFE - timedelta(days=60)
    Authority.open(tmp_path / "ca", say=lambda _: None, clock=lambda: later)
    widened = opened(tmp_path)
    with served(widened.server_context(["graph.test"])) as port:
        assert fetch("127.0.0.1", port, strict_client(widened)) == ANSWER
        # The certificate it trusts permits no graph.test, and the leaf bears it.
        with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
            fetch("127.0.0.1", port, old)
    with served(widened.server_context()) as port:
        assert fetch("127.0.0.1", port, old) == ANSWER


def test_it_signs_for_loopback_until_it_is_told_of_other_names(tmp_path: Path) -> None:
    said: list[str] = []
    authority = Authority.open(tmp_path / "ca", say=said.append)
    assert list(authority.permitted) == ["127.0.0.0/8", "::1", "localhost"]
    authority.permit(["*.graph.test", "192.0.2.7", "localhost"])
    further = ["127.0.0.0/8", "192.0.2.7", "::1", "graph.test", "localhost"]
    assert list(authority.permitted) == further
    assert "now signs for *.graph.test, 192.0.2.7 too" in said[-1]
    authority.permit(["eu.graph.test"])
    assert len(said) == 2


def with_key_of_another(folder: Path) -> None:
    other = Authority.open(folder.parent / "other", say=lambda _: None)
    other.certificate.replace(folder / "ca.pem")


BREAKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty certificate": (lambda f: (f / "ca.pem").write_bytes(b""), "no certificate that"),
    "garbage": (lambda f: (f / "ca.pem").write_bytes(b"\x00\xff"), "no certificate that"),
    "another's": (
        lambda f: (f / "ca.pem").write_bytes(
            certifi.contents().partition("-----END")[0].encode() + b"-----END CERTIFICATE-----\n"
        ),
        "no certificate that Graphtape made",
    ),
    "no key": (lambda f: (f / "ca-key.pem").unlink(), r"its key .*ca-key\.pem is missing"),
    "key cut short": (lambda f: os.truncate(f / "ca-key.pem", 60), "no private key in PEM"),
    "another key": (with_key_of_another, "is not its key"),
}


@pytest.mark.parametrize(("damage", "reason"), BREAKS.values(), ids=BREAKS.keys())
def test_broken_files_are_one_clear_line(
    damage: Callable[[Path], object], reason: str, tmp_path: Path
) -> None:
    opened(tmp_path)
    damage(tmp_path / "ca")
    with pytest.raises(AuthorityError, match=reason) as caught:
        opened(tmp_path)
    assert "\n" not in str(caught.value)
    assert f"delete {tmp_path / 'ca'} for a new one" in str(caught.value)


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GraphtapeError, match=r"can't use .*; set GRAPHTAPE_DATA_DIR"):
        Authority.open(tmp_path / "file" / "ca", say=lambda _: None)


def test_the_bundle_holds_the_ca_and_the_public_roots(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    held = certificates(authority.bundle())
    assert held[0] == certificates(authority.certificate)[0]
    assert set(certificates(certifi.where())) <= set(held)
    assert len(set(held)) == len(held)


def test_the_bundle_is_written_again_only_where_it_differs(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    path = authority.bundle()
    first = path.stat().st_mtime_ns
    assert authority.bundle().stat().st_mtime_ns == first
    path.write_bytes(b"# Graphtape's CA, then the roots of: the public\nold\n")
    assert certificates(authority.bundle())


def test_the_bundle_is_over_the_users_own_roots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = root(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(company))
    authority = opened(tmp_path)
    assert certificates(authority.bundle()) == [
        *certificates(authority.certificate),
        *certificates(company),
    ]


@pytest.mark.parametrize("own", [True, False], ids=["company roots", "public roots"])
def test_the_bundle_of_a_shell_that_runs_on_ours_stays_as_it_is(
    own: bool,  # noqa: FBT001 - a parameter
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if own:
        monkeypatch.setenv("SSL_CERT_FILE", str(root(tmp_path)))
    authority = opened(tmp_path)
    first = authority.environment(os.environ)
    for name, value in first.items():
        monkeypatch.setenv(name, value)
    held = {name: certificates(value) for name, value in first.items()}
    again = authority.environment(os.environ)
    assert again == first
    assert {name: certificates(value) for name, value in again.items()} == held


def test_a_folder_of_roots_is_taken_too(tmp_path: Path) -> None:
    company = root(tmp_path)
    roots = tmp_path / "roots"
    roots.mkdir()
    company.replace(roots / "company.pem")
    (roots / "README").write_text("none")
    authority = opened(tmp_path)
    assert len(certificates(authority.bundle(str(roots)))) == 2


def test_roots_that_are_not_there_are_said(tmp_path: Path) -> None:
    said: list[str] = []
    authority = Authority.open(tmp_path / "ca", say=said.append)
    path = authority.bundle(str(tmp_path / "gone.pem"))
    assert path.name == "bundle.pem"
    assert "gone.pem' holds no certificates" in said[-1]


def test_each_variable_keeps_what_it_named(tmp_path: Path) -> None:
    company = root(tmp_path)
    authority = opened(tmp_path)
    variables = authority.environment({"NODE_EXTRA_CA_CERTS": str(company)})
    assert len(certificates(variables["NODE_EXTRA_CA_CERTS"])) == 2
    assert variables["SSL_CERT_FILE"] == variables["REQUESTS_CA_BUNDLE"] == str(authority.bundle())
    variables = authority.environment({"CURL_CA_BUNDLE": str(company)})
    assert len(certificates(variables["REQUESTS_CA_BUNDLE"])) == 2
    assert variables["SSL_CERT_FILE"] == str(authority.bundle())
    assert variables["NODE_EXTRA_CA_CERTS"] == str(authority.certificate)


def test_the_command_line_starts_without_cryptography() -> None:
    script = "import sys, graphtape.cli.ca; sys.exit('cryptography' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, env=bare_environment(), timeout=30)
