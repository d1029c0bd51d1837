"""The CA on disk: made once, by whoever comes first; renewed and widened in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from graphtape.server.tls.error import AuthorityError
from graphtape.server.tls.folder import changing, keep_private, replace
from graphtape.server.tls.issuer import (
    CA_MARGIN,
    Issuer,
    key_pem,
    new_issuer,
    new_key,
    subject_of,
)
from graphtape.server.tls.name import LOOPBACK_SUBTREES, outside, subtree_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime
    from pathlib import Path

    from graphtape.server.tls.issuer import Key
    from graphtape.server.tls.name import Name

CERTIFICATE: Final = "ca.pem"
KEY: Final = "ca-key.pem"


def opened(
    folder: Path, names: Collection[Name], *, now: datetime, say: Callable[[str], None]
) -> Issuer:
    """Return the CA of a folder, made or made anew where it can't sign for the names now.

    A CA keeps its key as long as its folder stands: what was signed before holds after, and who
    imported an older certificate goes on with the names and the time that one has.

    Raises:
        AuthorityError: Its files are broken, or open to others.
        OSError: They can't be read or written.
    """
    # Without the lock, so that a folder can be mounted read-only: the key is written first and
    # never changes, and the certificate is replaced whole.
    issuer = _read(folder, say=say)
    if issuer is not None and _unfit(issuer, names, now=now) is None:
        return issuer
    with changing(folder):
        issuer = _read(folder, say=say)
        if issuer is None:
            return _made(folder, names, now=now, say=say)
        reason = _unfit(issuer, names, now=now)
        if reason is None:
            return issuer
        further = map(subtree_of, outside(names, issuer.permitted))
        issuer = new_issuer(issuer.key, issuer.permitted.union(further), now=now)
        replace(folder / CERTIFICATE, issuer.pem)
    say(
        f"{reason}; its certificate is made anew: {folder / CERTIFICATE}. Where you imported the "
        "old one, such as into a Java truststore, import this one"
    )
    return issuer


def _unfit(issuer: Issuer, names: Collection[Name], *, now: datetime) -> str | None:
    """Say why a CA can't be used as it is."""
    certificate = issuer.certificate
    if now < certificate.not_valid_before_utc:
        return f"the local CA is valid from {certificate.not_valid_before_utc:%Y-%m-%d} only"
    if now > certificate.not_valid_after_utc - CA_MARGIN:
        return f"the local CA ends on {certificate.not_valid_after_utc:%Y-%m-%d}"
    if lacking := outside(names, issuer.permitted):
        return f"the local CA now signs for {', '.join(map(str, lacking))} too"
    return None


def _made(
    folder: Path, names: Collection[Name], *, now: datetime, say: Callable[[str], None]
) -> Issuer:
    key_path = folder / KEY
    if key_path.exists():  # whoever made it was killed before the certificate was there
        keep_private(key_path, say=say)
        key = _read_key(key_path)
    else:
        key = new_key()
        replace(key_path, key_pem(key), private=True)
        keep_private(key_path, say=say)
    further = map(subtree_of, outside(names, LOOPBACK_SUBTREES))
    issuer = new_issuer(key, LOOPBACK_SUBTREES.union(further), now=now)
    replace(folder / CERTIFICATE, issuer.pem)
    say(
        f"made a local CA: {folder / CERTIFICATE}; `graphtape ca` says how clients come to trust it"
    )
    return issuer


def _read(folder: Path, *, say: Callable[[str], None]) -> Issuer | None:
    """Read a CA; None where there is no certificate."""
    path = folder / CERTIFICATE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    key_path = folder / KEY
    if not key_path.exists():
        raise _broken(path, f"its key {key_path} is missing")
    keep_private(key_path, say=say)
    key = _read_key(key_path)
    try:
        certificate = x509.load_pem_x509_certificate(data)
        issuer = Issuer(key=key, certificate=certificate)
        permitted = issuer.permitted
    except (ValueError, x509.ExtensionNotFound) as exc:
        raise _broken(path, "it is no certificate that Graphtape made") from exc
    if certificate.public_key() != key.public_key():
        raise _broken(path, f"{key_path} is not its key")
    if certificate.subject != subject_of(key) or not permitted:
        raise _broken(path, "it is no certificate that Graphtape made")
    return issuer


def _read_key(path: Path) -> Key:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as exc:
        raise _broken(path, "it is no private key in PEM, or an encrypted one") from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _broken(path, "it is no key that Graphtape made")
    return key


def _broken(path: Path, what: str) -> AuthorityError:
    return AuthorityError(
        f"{path}: the local CA can't be used, {what}; delete {path.parent} for a new one, or "
        "use a certificate of your own with --tls-cert and --tls-key"
    )
