"""A PKCS#12 truststore, which is what Java reads."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PKCS12Certificate,
    serialize_java_truststore,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

PASSWORD: Final = "changeit"  # noqa: S105 - Java's convention; it guards nothing but public roots
ALIAS: Final = "graphtape"


def truststore(authority: x509.Certificate, roots: Iterable[bytes]) -> bytes:
    """Make a truststore of a CA and other roots: Java trusts those of the one it is told, alone.

    Args:
        authority: Under the alias `graphtape`.
        roots: Each as PEM; one that can't be read is left out.
    """
    entries = [PKCS12Certificate(authority, ALIAS.encode())]
    seen = {authority}
    with warnings.catch_warnings():
        # Old roots break today's rules; whoever trusts them may.
        warnings.simplefilter("ignore")
        for number, pem in enumerate(roots, start=1):
            try:
                root = x509.load_pem_x509_certificate(pem)
            except ValueError:
                continue
            if root not in seen:
                seen.add(root)
                entries.append(PKCS12Certificate(root, b"root-%d" % number))
    return serialize_java_truststore(entries, BestAvailableEncryption(PASSWORD.encode()))
