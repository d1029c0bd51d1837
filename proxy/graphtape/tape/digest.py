"""The fingerprint of what a cassette holds."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from graphtape import files
from graphtape.tape import entry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from graphtape.core.message import Headers, Interaction
    from graphtape.tape.long_body import LongBody


def digest(interactions: Iterable[Interaction]) -> str:
    """Fingerprint what a cassette holds, however it is laid out: `sha256:` and hex digits."""
    whole = Digest()
    for interaction in interactions:
        whole.add(interaction)
    return whole.text


def fingerprint(path: Path) -> bytes | None:
    """Fingerprint a file's bytes; None where there is no file that can be read."""
    try:
        files.check(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return None


class Digest:
    """The fingerprint of interactions that come one by one.

    Attributes:
        count: How many there were.
    """

    def __init__(self) -> None:
        self.count = 0
        self._whole = hashlib.sha256()

    def add(
        self,
        interaction: Interaction,
        *,
        asked: LongBody | None = None,
        answered: LongBody | None = None,
    ) -> None:
        """Take the next one in; long bodies may stand beside it."""
        whole = self._whole
        settled = entry.settled(interaction)
        request, response = settled.request, settled.response
        _absorb(whole, request.method, request.url, asked or request.body)
        _absorb(whole, *_flat(request.headers))
        _absorb(whole, str(response.status), response.reason, answered or response.body)
        _absorb(whole, *_flat(response.headers))
        self.count += 1

    @property
    def text(self) -> str:
        """`sha256:` and hex digits."""
        return f"sha256:{self._whole.hexdigest()}"


def _flat(headers: Headers) -> list[str]:
    return [part for name, value in headers for part in (name, value)]


def _absorb(whole: hashlib._Hash, *parts: str | bytes | LongBody) -> None:
    # Lengths and counts first: no two different lists may run into the same bytes.
    whole.update(b"%d:" % len(parts))
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        whole.update(b"%d:" % len(data))
        for piece in (data,) if isinstance(data, bytes) else data.pieces():
            whole.update(piece)
