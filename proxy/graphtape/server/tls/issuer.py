"""The CA as a value: its key, its certificate, and the leaves it signs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from graphtape.server.tls.name import Dns, DnsTree, Ip, IpRange, Name, Subtree

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

CA_LIFE: Final = timedelta(days=5 * 365)
CA_MARGIN: Final = timedelta(days=120)
"""Renewed when no more is left: more than a leaf's life, which must lie in its CA's."""

LEAF_LIFE: Final = timedelta(days=90)
"""Apple takes no more than 398 days."""
LEAF_MARGIN: Final = timedelta(days=30)

_SKEW: Final = timedelta(days=1)
"""Valid since so long before it was made: clocks of containers and virtual machines lag."""

_NO_USE: Final = {
    "digital_signature": False,
    "content_commitment": False,
    "key_encipherment": False,
    "data_encipherment": False,
    "key_agreement": False,
    "key_cert_sign": False,
    "crl_sign": False,
    "encipher_only": False,
    "decipher_only": False,
}

Key: TypeAlias = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A server's certificate with its key.

    Attributes:
        pem: The certificate, then the key.
        renew_at: From when on another should take its place.
        ends: From when on clients refuse it.
    """

    pem: bytes
    renew_at: datetime
    ends: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """A CA.

    Attributes:
        key: Of the certificate.
        certificate: Self-signed.
    """

    key: Key
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def permitted(self) -> frozenset[Subtree]:
        """What it may sign for."""
        found = self.certificate.extensions.get_extension_for_class(x509.NameConstraints)
        return frozenset(map(_read_subtree, found.value.permitted_subtrees or ()))

    def leaf(self, names: Collection[Name], *, now: datetime) -> Leaf:
        """Sign a certificate for a server.

        Its subject is empty, and its names critical (RFC 5280 section 4.2.1.6): Windows asks a
        constrained CA for a constraint on every kind of name a leaf bears, the subject included.
        """
        key = new_key()
        ends = min(now + LEAF_LIFE, self.certificate.not_valid_after_utc)
        issuer_key = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        authority_key = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
            issuer_key.value
        )
        signed = (
            _begun(key, subject=x509.Name([]), issuer=self.certificate.subject)
            .not_valid_before(max(now - _SKEW, self.certificate.not_valid_before_utc))
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**{**_NO_USE, "digital_signature": True}), critical=True)
            .add_extension(authority_key, critical=False)
            .add_extension(x509.SubjectAlternativeName(list(map(_spelled, names))), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        pem = signed.public_bytes(serialization.Encoding.PEM) + key_pem(key)
        return Leaf(pem=pem, renew_at=ends - LEAF_MARGIN, ends=ends)


def new_key() -> Key:
    """Make a key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: Key) -> bytes:
    """Write a key as PEM, unencrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def subject_of(key: Key) -> x509.Name:
    """Name the CA of a key; each bears a name of its own, or trust stores confuse them."""
    digest = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Graphtape"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Graphtape local CA {digest[:4].hex()}"),
        ]
    )


def new_issuer(key: Key, permitted: Collection[Subtree], *, now: datetime) -> Issuer:
    """Make the certificate of a CA.

    It signs servers' certificates, for names in `permitted`, and nothing else: whoever comes by
    its key can pass for no other host to those who trust it.
    """
    subject = subject_of(key)
    trees = [_spelled_subtree(tree) for tree in sorted(permitted, key=str)]
    constraints = x509.NameConstraints(permitted_subtrees=trees, excluded_subtrees=None)
    uses = x509.KeyUsage(**{**_NO_USE, "key_cert_sign": True, "crl_sign": True})
    certificate = (
        _begun(key, subject=subject, issuer=subject)
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(uses, critical=True)
        .add_extension(constraints, critical=True)
        .sign(key, hashes.SHA256())
    )
    return Issuer(key=key, certificate=certificate)


def _begun(key: Key, *, subject: x509.Name, issuer: x509.Name) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=public)
        # A new one each time: NSS refuses two certificates of one issuer and serial number.
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )


def _spelled(name: Name) -> x509.GeneralName:
    match name:
        case Dns(text):
            return x509.DNSName(text)
        case Ip(address):
            return x509.IPAddress(address)
        case _:
            assert_never(name)


def _spelled_subtree(tree: Subtree) -> x509.GeneralName:
    match tree:
        case DnsTree(text):
            return x509.DNSName(text)
        case IpRange(network):
            return x509.IPAddress(network)
        case _:
            assert_never(tree)


def _read_subtree(name: x509.GeneralName) -> Subtree:
    match name:
        case x509.DNSName(value=str(text)):
            return DnsTree(text)
        case x509.IPAddress(value=IPv4Network() | IPv6Network() as network):
            return IpRange(network)
        case _:
            raise ValueError(f"a constraint on {type(name).__name__}")
