"""TLS with a certificate of the user's own."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from graphtape.core.errors import UsageError
from graphtape.server.tls import own_context
from tls_servers import ANSWER, fetch, served

if TYPE_CHECKING:
    from pathlib import Path

    Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass
class Pair:
    """A self-signed certificate, and its key, as files."""

    cert: Path
    key: Path


def pair(folder: Path, *, days: int = 30, bits: int | None = None, password: str = "") -> Pair:
    key: Key = (
        rsa.generate_private_key(65537, bits) if bits else ec.generate_private_key(ec.SECP256R1())
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "graph.test")])
    now = datetime.now(UTC)
    cert = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now + timedelta(days=min(0, days) - 10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(exist_ok=True)
    files = Pair(folder / "cert.pem", folder / "key.pem")
    files.cert.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    locked: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        locked = serialization.BestAvailableEncryption(password.encode())
    form = serialization.PrivateFormat.PKCS8
    files.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, locked))
    return files


def silent(_: str) -> None:
    return


@pytest.mark.parametrize("bits", [None, 2048], ids=["ecdsa", "rsa"])
def test_it_is_served(bits: int | None, tmp_path: Path) -> None:
    files = pair(tmp_path, bits=bits)
    client = ssl.create_default_context(cafile=files.cert)
    with served(own_context(files.cert, files.key, say=silent)) as port:
        assert fetch("localhost", port, client) == ANSWER


def test_one_file_may_hold_both(tmp_path: Path) -> None:
    files = pair(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(files.key.read_bytes() + files.cert.read_bytes())
    client = ssl.create_default_context(cafile=files.cert)
    with served(own_context(both, say=silent)) as port:
        assert fetch("localhost", port, client) == ANSWER


def test_one_that_has_expired_is_served_and_said(tmp_path: Path) -> None:
    files = pair(tmp_path, days=-1)
    said: list[str] = []
    own_context(files.cert, files.key, say=said.append)
    assert len(said) == 1
    assert "expired on" in said[0]


def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    files = pair(tmp_path)
    files.cert.unlink()
    with pytest.raises(UsageError, match=r"--tls-cert '.*cert\.pem' can't be read \(No such file"):
        own_context(files.cert, files.key, say=silent)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    files = pair(tmp_path)
    files.key.unlink()
    with pytest.raises(UsageError, match=r"--tls-key '.*key\.pem' can't be read \(No such file"):
        own_context(files.cert, files.key, say=silent)


def test_a_certificate_without_a_key_asks_for_one(tmp_path: Path) -> None:
    files = pair(tmp_path)
    with pytest.raises(UsageError, match=r"holds no private key in PEM; .* --tls-key"):
        own_context(files.cert, say=silent)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    one, other = pair(tmp_path / "one"), pair(tmp_path / "other")
    with pytest.raises(UsageError, match=r"is not the key of --tls-cert .*'CN=graph\.test'"):
        own_context(one.cert, other.key, say=silent)


def test_an_encrypted_key_is_refused_with_the_command_that_opens_it(tmp_path: Path) -> None:
    files = pair(tmp_path, password="not-a-real-secret")
    with pytest.raises(UsageError, match=r"is encrypted; .* `openssl pkey -in"):
        own_context(files.cert, files.key, say=silent)


def test_what_is_no_pem_is_refused(tmp_path: Path) -> None:
    files = pair(tmp_path)
    files.cert.write_bytes(b"\x30\x82\x01\x02")
    with pytest.raises(UsageError, match=r"holds no certificate in PEM; .*openssl pkcs12"):
        own_context(files.cert, files.key, say=silent)


def test_what_openssl_refuses_is_said_in_its_words(tmp_path: Path) -> None:
    files = pair(tmp_path, bits=1024)
    with pytest.raises(UsageError, match="OpenSSL says 'EE_KEY_TOO_SMALL'"):
        own_context(files.cert, files.key, say=silent)
