"""Requests that differ in what was masked: told apart by keyed fakes, else played in order."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from graphtape.core.matching.key import Key, MatchOptions, key_of
from graphtape.core.redaction.secrets import unkeyed

if TYPE_CHECKING:
    from graphtape.core.message import Request

IN_ORDER = "chosen by order: other recorded requests differ from it only in what was masked"
"""What the journal says of an answer that might be another one's."""


def keys_of(request: Request, options: MatchOptions) -> tuple[Key, Key | None]:
    """Return the key of a redacted request, and the one that tells its secrets from others.

    A client may send another secret than the recorded one, such as a new token in each run: so
    the first looks through what was masked. The second is None where nothing in it has a fake.
    """
    url, body = unkeyed(request.url), request.body
    if b"REDACTED" in body:
        body = unkeyed(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    if url == request.url and body == request.body:
        return key_of(request, options), None
    return key_of(replace(request, url=url, body=body), options), key_of(request, options)


def key_digest(key: Key) -> str:
    """Name a key in a cassette's metadata: 16 hex digits."""
    return blake2b(repr(tuple(key)).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
