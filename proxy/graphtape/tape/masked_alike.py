"""Which recorded requests differ only in what was masked: known while it is recorded, if at all."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

from graphtape.core.matching.key import DEFAULT, key_of
from graphtape.core.matching.masked import key_digest

if TYPE_CHECKING:
    from graphtape.core.message import Request


@dataclass(slots=True)
class MaskedAlike:
    """Places of interactions by their keys, and by a hash of the secrets that were masked.

    The hash is keyed by what ends with the process, and is never written.
    """

    _places: dict[str, dict[bytes, list[int]]] = field(default_factory=dict)
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def add(self, place: int, request: Request, masked: tuple[str, ...]) -> None:
        """Take in a redacted request, and the secrets that no mask in it tells apart."""
        if masked:
            told = repr(masked).encode("utf-8", "surrogatepass")
            secret = blake2b(told, key=self._key, digest_size=16).digest()
            key = key_digest(key_of(request, DEFAULT))
            self._places.setdefault(key, {}).setdefault(secret, []).append(place)

    def groups(self) -> dict[str, list[int]]:
        """Return, by key digest, the places of requests that differ only in what was masked."""
        return {
            key: sorted(place for places in by_secret.values() for place in places)
            for key, by_secret in self._places.items()
            if len(by_secret) > 1
        }
