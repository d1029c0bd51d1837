"""Header values on their way up, byte for byte.

aiohttp's client writes header texts as UTF-8 and leaves out what stands for other bytes. This is
private ground of aiohttp's: where it is built otherwise, such bytes are lost as they were before.
"""

from __future__ import annotations

from aiohttp import http_writer
from multidict import CIMultiDict

_WRITER = "_serialize_headers"


def keep_header_bytes() -> None:
    """Let aiohttp write surrogate escapes as the bytes they stand for; once is enough."""
    usual = getattr(http_writer, _WRITER, None)
    if usual is None or getattr(usual, "keeps_bytes", False):
        return

    def written(status_line: str, headers: CIMultiDict[str]) -> bytes:
        fields = [*headers.items()]
        if all(text.isascii() for field in fields for text in field):
            head: bytes = usual(status_line, headers)
            return head
        # For its look at control characters.
        plain = ((_ascii(name), _ascii(value)) for name, value in fields)
        usual(status_line, CIMultiDict(plain))
        lines = (status_line, *(f"{name}: {value}" for name, value in fields), "", "")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape")

    written.keeps_bytes = True  # type: ignore[attr-defined] # a mark of ours
    setattr(http_writer, _WRITER, written)


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()
