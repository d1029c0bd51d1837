"""A profile photo (profilePhoto resource type)."""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass

from graphtape.sandbox.fault import GraphFault, bad_request

MAX_BYTES = 4 * 1024 * 1024
"""The largest photo Graph takes ("Update profilephoto")."""

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_MARKER = 0xFF
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A photo as uploaded."""

    data: bytes
    media_type: str

    @property
    def etag(self) -> str:
        """An entity tag, quotes included; the same bytes have the same one."""
        return f'"{hashlib.sha256(self.data).hexdigest()[:8].upper()}"'

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels; (1, 1), as Graph says of no photo, where it can't tell."""
        if self.data.startswith(_PNG) and len(self.data) >= len(_PNG) + 16:
            width, height = struct.unpack_from(">II", self.data, len(_PNG) + 8)
            return width, height
        if self.data.startswith(_JPEG):
            return _jpeg_size(self.data)
        return 1, 1


PORTRAIT = Photo(
    data=base64.b64decode(
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAEMuMjoyKkM6NjpLR0NPZKZsZFxcZMySmnmm8dT++u3U6eX/////"
        "/////+Xp////////////////////////////wAALCAAwADABAREA/8QAGQABAQEAAwAAAAAAAAAAAAAAAAQB"
        "AgMF/8QAJBAAAgEDBAEFAQAAAAAAAAAAAAECAxESBCExQVEiMmGBobH/2gAIAQEAAD8AtAAABFWqupJpP0+P"
        "Jxp1JU3tx2i5NNJrhmgEFWm6crPjpmQg5yxjyXxWMUl0rGgHRU1EFsln/DKeogtnHBfBQndXQBNqarTwj9kw"
        "O/T1XGSg/a/wrB585ZScn2ziDU7O6PQi8op+Vc//2Q=="
    ),
    media_type="image/jpeg",
)
"""What the signed-in person begins with: a grey silhouette, 48 by 48, a baseline JPEG."""


def uploaded(data: bytes, media_type: str) -> Photo:
    """Take an upload; one not said to be an image (SDKs say octet-stream) is told by its bytes.

    Raises:
        GraphFault: It is empty or too large.
    """
    if len(data) > MAX_BYTES:
        raise GraphFault(413, "RequestEntityTooLarge", "The photo is larger than 4 MB.")
    if not data:
        raise bad_request("The photo is empty.")
    if not media_type.startswith("image/"):
        media_type = "image/png" if data.startswith(_PNG) else "image/jpeg"
    return Photo(data=data, media_type=media_type)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Find the frame header among the marker segments (ITU-T T.81 annex B)."""
    at = len(_JPEG)
    while at + 9 <= len(data) and data[at] == _MARKER:
        marker, length = struct.unpack_from(">BH", data, at + 1)
        if marker in _FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + length
    return 1, 1
