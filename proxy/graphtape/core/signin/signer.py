"""Tokens of the offline authority that can be verified: those that Graph sends to an app."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from graphtape.core.signin.token import packed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphtape.core.matching.body import Json

PUBLISHER = "0bf30f3b-4a52-48df-9a82-234910c4a086"
"""The `appid` of Graph's change notifications, in every cloud and tenant."""

_KID = "graphtape-notifications"
_LIFETIME = 3600
_BITS = 2048
_EXPONENT = 65537


@dataclass(frozen=True, slots=True)
class Signer:
    """A key of one run; it is never stored, and signs no access token."""

    _key: rsa.RSAPrivateKey

    @classmethod
    def new(cls) -> Signer:
        """Make a key; it takes some tenths of a second."""
        return cls(rsa.generate_private_key(public_exponent=_EXPONENT, key_size=_BITS))

    @property
    def public(self) -> dict[str, Json]:
        """The public key, for the authority's list of keys (RFC 7517)."""
        numbers = self._key.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": _KID,
            "n": _number(numbers.n),
            "e": _number(numbers.e),
        }

    def validation_token(self, *, application: str, tenant: str, now: int) -> str:
        """Write a token that says who publishes notifications.

        Args:
            application: Id of the app that subscribed.
            tenant: Its tenant.
            now: Unix seconds.
        """
        issuer = f"https://sts.windows.net/{tenant}/"
        claims: dict[str, Json] = {
            "aud": application,
            "iss": issuer,
            "iat": now,
            "nbf": now,
            "exp": now + _LIFETIME,
            "appid": PUBLISHER,
            "appidacr": "2",
            "idp": issuer,
            "tid": tenant,
            "ver": "1.0",
        }
        return self._signed(claims)

    def _signed(self, claims: Mapping[str, Json]) -> str:
        text = f"{packed({'typ': 'JWT', 'alg': 'RS256', 'kid': _KID})}.{packed(claims)}"
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{_coded(signature)}"


def _number(value: int) -> str:
    return _coded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _coded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
