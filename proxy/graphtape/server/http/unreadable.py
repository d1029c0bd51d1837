"""What aiohttp can't read as HTTP, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest


def unreadable(request: BaseRequest, exc: BaseException | None) -> str:
    """Return in one line why a request can't be read; nothing where aiohttp doesn't say.

    Raises:
        ConnectionError: Nobody is there to be told, or the answer has begun.
    """
    if request.writer.output_size > 0:
        raise ConnectionError("the answer has begun")
    if isinstance(exc, ConnectionError):
        raise exc
    return " ".join(str(getattr(exc, "message", "") or "").split())[:100]
