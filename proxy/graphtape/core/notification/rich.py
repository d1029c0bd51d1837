"""Resource data in a notification, encrypted for the app.

Microsoft Graph docs, "Set up change notifications that include resource data".
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.padding import PKCS7

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphtape.core.matching.body import Json

_BITS = range(2048, 4096 + 1)
_IV = 16
_SHA1 = hashes.SHA1()  # noqa: S303 - Graph's own choice, for OAEP and for thumbprints
KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """An app's certificate.

    Attributes:
        id: What the app calls it.
        thumbprint: SHA-1 of it, hexadecimal, upper case.
    """

    id: str
    thumbprint: str
    _key: RSAPublicKey

    @classmethod
    def of(cls, certificate: str, id: str) -> Recipient:  # noqa: A002 - as below
        """Read a certificate.

        Args:
            certificate: X.509 in base64, with or without PEM's lines.
            id: What the app calls it.

        Raises:
            ValueError: It is none, or its key isn't RSA of 2,048 to 4,096 bits.
        """
        text = certificate.strip()
        data = text.encode() if text.startswith("-----") else b64decode(text, validate=True)
        pem = data.lstrip().startswith(b"-----")
        read = x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate
        found = read(data)
        key = found.public_key()
        if not isinstance(key, RSAPublicKey) or key.key_size not in _BITS:
            raise ValueError("its key isn't RSA of 2,048 to 4,096 bits")
        return cls(id=id, thumbprint=found.fingerprint(_SHA1).hex().upper(), _key=key)

    def encrypted(self, resource: Mapping[str, Json], *, key: bytes) -> dict[str, Json]:
        """Return `encryptedContent`.

        Args:
            resource: The data.
            key: 32 random bytes, used once.
        """
        padder = PKCS7(algorithms.AES.block_size).padder()
        text = json.dumps(resource, ensure_ascii=False).encode("utf-8", "surrogateescape")
        padded = padder.update(text) + padder.finalize()
        encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:_IV])).encryptor()
        data = encryptor.update(padded) + encryptor.finalize()
        signature = HMAC(key, hashes.SHA256())
        signature.update(data)
        oaep = padding.OAEP(mgf=padding.MGF1(_SHA1), algorithm=_SHA1, label=None)
        return {
            "data": _text(data),
            "dataKey": _text(self._key.encrypt(key, oaep)),
            "dataSignature": _text(signature.finalize()),
            "encryptionCertificateId": self.id,
            "encryptionCertificateThumbprint": self.thumbprint,
        }


def _text(data: bytes) -> str:
    return b64encode(data).decode("ascii")
