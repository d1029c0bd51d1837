"""What no name tells, found at one look: keys by their shape, and base64 of a text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from graphtape.core.redaction import packed, provider_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-"
_AS_RUNS = bytes(0x41 if each in _CHARACTERS else 0x20 for each in range(256))
_BLANKED = bytes(each if each in _CHARACTERS else 0x20 for each in range(256))
_FILEVAULT = re.compile(rb"[A-Z0-9]{4}(?:-[A-Z0-9]{4}){5}")
SHORTEST = 15
"""Characters of the shortest run in which there may be one: `xoxb-` and ten more."""
_RUN = b"A" * SHORTEST


def look(raw: bytes) -> tuple[bool, bool]:
    """Tell of a body whether it may hold a provider's key; base64 of a text, or a FileVault key."""
    runs = _distinct(raw) if b"\\" not in raw else set(_runs(raw))
    if not runs:
        return False, False
    return (
        provider_keys.may_hold(b" ".join(runs), raw),
        any(packed.may_begin(run) or _FILEVAULT.search(run) is not None for run in runs),
    )


def _distinct(raw: bytes) -> set[bytes]:
    """List long runs of the characters of keys and of base64, but no GUIDs, each once.

    Nothing is escaped in `raw`.
    """
    return {
        run
        for run in set(raw.translate(_BLANKED).split())
        if len(run) >= SHORTEST and not _is_guid(run)
    }


def _is_guid(run: bytes) -> bool:
    return len(run) == 36 and run[8:24:5] == b"----"  # noqa: PLR2004 - a GUID's


def _runs(raw: bytes) -> Iterator[bytes]:
    """List such runs of a text with escapes: what follows a backslash may be part of one."""
    runs = raw.translate(_AS_RUNS)
    at = runs.find(_RUN)
    while at >= 0:
        end = runs.find(b" ", at)
        end = len(raw) if end < 0 else end
        if not _is_guid(raw[at:end]):
            yield raw[at:end]
            if raw[at - 1 : at] == b"\\":  # an escape: `\n`, `\u2192`
                yield raw[at + 1 : end]
                if raw[at : at + 1] == b"u":
                    yield raw[at + 5 : end]
        at = runs.find(_RUN, end)
